"""What is to be known of one game before coding it teaches more: its colours, its scenes and its sprites, as its recordings show them."""

from collections import Counter

import numpy as np
import torch

from lvc.errors import InputError
from lvc.models.palette import NO_COLOUR, Palette
from lvc.palette.choice import choose, nearest_of_cells, places_near
from lvc.palette.colours import packed, rgb
from lvc.palette.memory import forget_colours, memory_of
from lvc.palette.stage import CAST, OWN_SPRITES, SHOWN
from lvc.palette.walk import PaletteFrames
from lvc.training.data import Frames, spread, whole_pictures

LOOKED_AT = 600  # frames, for colours and scenes
CELL = 8  # levels: colours are counted by cells
LEAST_PIXELS = 0.02  # of a frame, on average: what a colour is worth a place for
APART = 24  # levels between two colours, at least
LLOYD_ROUNDS = 6
OTHER_SCENE = 0.2  # of the pixels that differ: another scene
CASTING_CLIPS, CASTING_LENGTH = 120, 32  # clips that sprites are taken from, and their frames
CASTING_LEVELS = 40  # of quality, from the best
LEAST_USES = 3


def acquaint(model: Palette, source: Frames, *, rate: int, seed: int) -> None:
    """Fills a model of one game with its colours, scenes and sprites; fewer than there is room for are told twice, or left out."""
    frames = whole_pictures(source.frames(spread(len(source), LOOKED_AT)))
    colours = main_colours(frames, model.config.colours)
    model.colours.copy_(torch.from_numpy(np.resize(colours, model.config.colours)))
    nearest = nearest_of_cells(rgb(colours).astype(np.int64))
    if model.config.scenes:
        scenes = main_scenes([places_near(frame, nearest) for frame in frames], model.config.scenes, len(colours))
        model.scenes.copy_(torch.from_numpy(np.resize(scenes, model.scenes.shape)))
    if model.config.sprites:
        bitmaps, sizes = main_sprites(model, source, rate=rate, seed=seed)
        model.sprites[: len(bitmaps)], model.sizes[: len(sizes)] = torch.from_numpy(bitmaps), torch.from_numpy(sizes)


def main_colours(frames: np.ndarray, most: int) -> np.ndarray:
    """Up to `most` colours int32 [K] that frames uint8 [T, H, W, 3] are made of, by how many pixels have them."""
    distinct, counts = np.unique(packed(frames), return_counts=True)
    colours = rgb(distinct).astype(np.float64)
    cells, inverse = np.unique(packed((colours // CELL).astype(np.uint8)), return_inverse=True)
    pixels = np.bincount(inverse, counts, len(cells))
    means = np.stack([np.bincount(inverse, counts * colours[:, channel], len(cells)) for channel in range(3)], axis=1) / pixels[:, None]
    chosen: list[np.ndarray] = []
    for cell in np.argsort(-pixels, kind="stable"):
        if pixels[cell] < LEAST_PIXELS * len(frames) or len(chosen) == most:
            break
        if all(np.square(means[cell] - other).sum() > APART**2 for other in chosen):
            chosen.append(means[cell])
    centres = np.array(chosen)
    for _ in range(LLOYD_ROUNDS):
        apart = np.square(colours[:, None] - centres).sum(axis=2)
        nearest, close = apart.argmin(axis=1), apart.min(axis=1) < APART**2
        for number in range(len(centres)):
            if (those := close & (nearest == number)).any():
                centres[number] = np.average(colours[those], axis=0, weights=counts[those])
    return np.unique(packed(np.rint(centres).astype(np.uint8))).astype(np.int32)


def main_scenes(pictures: list[np.ndarray], most: int, colours: int) -> np.ndarray:
    """Up to `most` scenes int16 [S, H, W]: what most of the pictures that are about alike show at each place."""
    kinds: list[list[np.ndarray]] = []
    for picture in pictures:
        unlike = [(kind[0] != picture).mean() for kind in kinds]
        if kinds and min(unlike) < OTHER_SCENE:
            kinds[int(np.argmin(unlike))].append(picture)
        else:
            kinds.append([picture])
    kinds.sort(key=len, reverse=True)
    return np.stack([commonest(np.stack(kind), colours) for kind in kinds[:most]])


def commonest(pictures: np.ndarray, colours: int) -> np.ndarray:
    """int16 [H, W]: the number that is commonest at each place of [T, H, W]."""
    counts = np.stack([(pictures == number).sum(axis=0) for number in range(colours)])
    return counts.argmax(axis=0).astype(np.int16)


def main_sprites(model: Palette, source: Frames, *, rate: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sprites int16 [S, SIDE, SIDE] that clips show most often, and their sizes int16 [S, 2]."""
    starts = np.asarray(source.clips(CASTING_LENGTH), np.int64)
    if not len(starts):
        raise InputError(f"there is no recording of {CASTING_LENGTH} frames to find sprites in")
    uses: Counter = Counter()
    memory = memory_of(model, rate)
    for number in range(CASTING_CLIPS):
        rng = np.random.default_rng([seed, number])
        start = int(rng.choice(starts))
        forget_colours(memory)
        coding = PaletteFrames(model, memory, most=CASTING_LENGTH)
        chosen = choose(coding, whole_pictures(source.frames(range(start, start + CASTING_LENGTH))), int(rng.integers(CASTING_LEVELS)), search=True, palette=np.unique(model.colours.cpu().numpy()))
        stage = coding.past.stage
        if stage.counts[SHOWN] > OWN_SPRITES:  # some have been overwritten
            continue
        for motion in chosen.motions:
            if motion.scene is not None:
                seen = motion.scene.again[:CAST]
                for sprite in (*seen[seen[:, 0] > 0, 1], *motion.scene.new[:, 0]):
                    uses[stage.bitmaps[sprite].tobytes(), tuple(map(int, stage.sizes[sprite]))] += 1
    kept = [(bitmap, size) for (bitmap, size), count in uses.most_common(model.config.sprites) if count >= LEAST_USES and size[0]]
    bitmaps = np.stack([np.frombuffer(bitmap, np.int16).reshape(model.sprites.shape[1:]) for bitmap, _ in kept]) if kept else np.empty((0, *model.sprites.shape[1:]), np.int16)
    assert not len(bitmaps) or bitmaps.max() < model.config.colours, f"places of colours that there are not, or {NO_COLOUR}"
    return bitmaps, np.array([size for _, size in kept], np.int16).reshape(-1, 2)
