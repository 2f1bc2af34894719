"""What is to be known of one game before coding it teaches more: its colours, built-in reference pictures and sprites,
as its recordings show them.
"""

from collections import Counter

import numpy as np

from lvc.codecs.learning.clips import Frames, spread
from lvc.codecs.palette.bitstream import PaletteFrames
from lvc.codecs.palette.colours import packed, rgb
from lvc.codecs.palette.context_model import forget_colours, initial_model
from lvc.codecs.palette.kmeans import refined
from lvc.codecs.palette.model import NO_COLOUR, Palette
from lvc.codecs.palette.rate_distortion import choose, whole_pictures
from lvc.codecs.palette.sprites import OWN_BITMAPS
from lvc.errors import InputError

LOOKED_AT = 600  # frames, for colours and pictures
CELL = 8  # levels: colours are counted by cells
LEAST_PIXELS = 0.02  # of a frame, on average: what a colour is worth a place for
APART = 40  # levels between two colours, at least: nearer ones are noise of the recording
LLOYD_ROUNDS = 6
LEAST_GAINED = 0.12  # squared levels of each sample, that one colour more takes away
OTHER_PICTURE, OTHER_LEVELS = 0.2, 40  # of the pixels that differ by so many levels: another picture
PICTURE_FRAMES = 100  # that a picture's medians are of
SPRITE_CLIPS, SPRITE_LENGTH = 120, 32  # clips that sprites are taken from, and their frames
SPRITE_LEVELS = 40  # of quality, from the best
LEAST_USES = 3


def fit_game(model: Palette, source: Frames, *, rate: int, seed: int) -> None:
    """Fills a model of one game with its colours, pictures and sprites;
    fewer than there is room for are told twice, or left out.
    """
    frames = whole_pictures(source.frames(spread(len(source), LOOKED_AT)).transpose(0, 2, 3, 1))
    colours = main_colours(frames, model.config.colours)
    model.colours[:] = np.resize(colours, model.config.colours)
    if model.config.scenes:
        pictures = main_pictures(frames, colours, model.config.scenes)
        model.scenes[:] = np.resize(pictures, model.scenes.shape)
    if model.config.sprites:
        bitmaps, sizes = main_sprites(model, source, rate=rate, seed=seed)
        model.sprites[: len(bitmaps)], model.sizes[: len(sizes)] = bitmaps, sizes


def main_colours(frames: np.ndarray, most: int) -> np.ndarray:
    """Up to `most` colours int32 [K] that frames uint8 [T, H, W, 3] are made of:
    first what is unlike all others, then what leaves the largest errors in two.
    """
    distinct, counts = np.unique(packed(frames), return_counts=True)
    colours = rgb(distinct).astype(np.float64)
    cells, inverse = np.unique(packed((colours // CELL).astype(np.uint8)), return_inverse=True)
    pixels = np.bincount(inverse, counts, len(cells))
    means = (
        np.stack([np.bincount(inverse, counts * colours[:, channel], len(cells)) for channel in range(3)], axis=1)
        / pixels[:, None]
    )
    chosen: list[np.ndarray] = []
    for cell in np.argsort(-pixels, kind="stable"):
        if pixels[cell] < LEAST_PIXELS * len(frames) or len(chosen) == most:
            break
        if all(np.square(means[cell] - other).sum() > APART**2 for other in chosen):
            chosen.append(means[cell])
    centres, nearest = refined(colours, counts, np.array(chosen), LLOYD_ROUNDS)
    while len(centres) < most:
        errors = np.bincount(nearest, counts * np.square(colours - centres[nearest]).sum(axis=1), len(centres))
        worst = int(errors.argmax())
        if np.count_nonzero(nearest == worst) < 2:
            break
        away = colours[nearest == worst] - centres[worst]
        axis = np.linalg.eigh(np.cov(away.T, aweights=counts[nearest == worst]))[1][:, -1]
        spread = axis * np.sqrt(errors[worst] / counts[nearest == worst].sum())
        tried, near = refined(
            colours,
            counts,
            np.concatenate((np.delete(centres, worst, axis=0), [centres[worst] - spread, centres[worst] + spread])),
            LLOYD_ROUNDS,
        )
        gained = errors.sum() - (counts * np.square(colours - tried[near]).sum(axis=1)).sum()
        if gained < LEAST_GAINED * frames.size:
            break
        centres, nearest = tried, near
    return np.unique(packed(np.rint(centres).astype(np.uint8))).astype(np.int32)


def nearest_of(colours: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """int64 [...]: which of the centres [K, 3] is nearest to each colour [..., 3]."""
    return (np.square(centres).sum(axis=1) - 2 * colours @ centres.T).argmin(axis=-1)


def main_pictures(frames: np.ndarray, colours: np.ndarray, most: int) -> np.ndarray:
    """Up to `most` pictures int16 [S, H, W] of palette indices: the medians of those frames uint8 [T, H, W,
    3] that are about alike.
    """
    kinds: list[list[np.ndarray]] = []
    for frame in frames:
        unlike = [(np.abs(kind[0].astype(np.int16) - frame).max(axis=2) > OTHER_LEVELS).mean() for kind in kinds]
        if kinds and min(unlike) < OTHER_PICTURE:
            kinds[int(np.argmin(unlike))].append(frame)
        else:
            kinds.append([frame])
    kinds.sort(key=len, reverse=True)
    centres = rgb(colours).astype(np.float64)
    medians = [np.median(np.stack(kind[:: max(1, len(kind) // PICTURE_FRAMES)]), axis=0) for kind in kinds[:most]]
    return np.stack([nearest_of(median, centres) for median in medians]).astype(np.int16)


def main_sprites(model: Palette, source: Frames, *, rate: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sprites int16 [S, SIDE, SIDE] that clips show most often, and their sizes int16 [S, 2]."""
    starts = np.asarray(source.clips(SPRITE_LENGTH), np.int64)
    if not len(starts):
        raise InputError(f"there is no recording of {SPRITE_LENGTH} frames to find sprites in")
    uses: Counter = Counter()
    contexts = initial_model(model, rate)
    for number in range(SPRITE_CLIPS):
        rng = np.random.default_rng([seed, number])
        start = int(rng.choice(starts))
        forget_colours(contexts)
        coding = PaletteFrames(model, contexts, most=SPRITE_LENGTH)
        chosen = choose(
            coding,
            whole_pictures(source.frames(range(start, start + SPRITE_LENGTH)).transpose(0, 2, 3, 1)),
            int(rng.integers(SPRITE_LEVELS)),
            search=True,
            palette=np.unique(model.colours),
        )
        layer = coding.references.sprites
        if layer.own_bitmaps > OWN_BITMAPS:  # some have been overwritten
            continue
        for plan in chosen.plans:
            if plan.sprites is not None:
                seen = plan.sprites.seen
                for bitmap in (*seen[seen[:, 0] > 0, 1], *plan.sprites.entered[:, 0]):
                    uses[layer.bitmaps[bitmap].tobytes(), tuple(map(int, layer.sizes[bitmap]))] += 1
    kept = [
        (bitmap, size)
        for (bitmap, size), count in uses.most_common(model.config.sprites)
        if count >= LEAST_USES and size[0]
    ]
    bitmaps = (
        np.stack([np.frombuffer(bitmap, np.int16).reshape(model.sprites.shape[1:]) for bitmap, _ in kept])
        if kept
        else np.empty((0, *model.sprites.shape[1:]), np.int16)
    )
    assert not len(bitmaps) or bitmaps.max() < model.config.colours, (
        f"indices of colours that there are not, or {NO_COLOUR}"
    )
    return bitmaps, np.array([size for _, size in kept], np.int16).reshape(-1, 2)
