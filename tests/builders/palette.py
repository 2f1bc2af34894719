"""Palette models of chance content, and pictures and decisions to code with them."""

from dataclasses import asdict

import numpy as np

from lvc.codecs.family import build
from lvc.codecs.palette.bitstream import FramePlan
from lvc.codecs.palette.model import (
    CONFIDENCE,
    MIXER_INPUTS,
    MIXER_ROWS,
    NO_COLOUR,
    OWN_CONTEXTS,
    PATTERN_CONTEXTS,
    SPRITE_SIDE,
    Palette,
)
from lvc.codecs.palette.motion import MotionField, MotionVector
from lvc.codecs.palette.sprites import SpriteUpdate
from lvc.frames import Geometry
from lvc.weights.checkpoints import Checkpoint, Metadata

TAUGHT = 0.02  # of the probabilities know something: all of them would make a golden file of megabytes


def blank_palette(geometry: Geometry, **game: int) -> Checkpoint:
    """A model that was taught nothing; game: how much it is to know of one."""
    model = build("temporal-palette", geometry=geometry, **game)
    metadata = Metadata(
        name="golden",
        model="temporal-palette",
        config=asdict(model.config),
        geometry=geometry,
        quantiser={"name": "round"},
        entropy={"name": "mixing"},
    )
    return Checkpoint(metadata, model)


def random_palette(geometry: Geometry, **game: int) -> Checkpoint:
    """A model that was taught chance answers, more and less often, and trusts some contexts,
    no others and some less than not.
    """
    generator, checkpoint = np.random.default_rng(5), blank_palette(geometry, **game)
    model = checkpoint.model
    teach(model.chances, model.counts, generator, PATTERN_CONTEXTS)
    weights = generator.normal(0.22, 0.3, (MIXER_ROWS, MIXER_INPUTS)) * (1 << 16)
    model.weights[:] = weights.clip(1 - 2**18, 2**18 - 1)
    if game:
        make_game(model, generator)
    return checkpoint


def teach(chances: np.ndarray, counts: np.ndarray, generator: np.random.Generator, slots: int) -> None:
    taught = np.flatnonzero(generator.random(slots) < TAUGHT)
    chances[taught] = generator.integers(-(2**15), 2**15, len(taught))
    counts[taught] = generator.integers(1, 256, len(taught))


def make_game(model: Palette, generator: np.random.Generator) -> None:
    """Colours, sprites with holes, scenes of boxes, and guesses of what follows."""
    colours, sprites, scenes = len(model.colours), len(model.sprites), model.scenes
    model.colours[:] = generator.permutation(1 << 12)[:colours].astype(np.int32) * 4093
    for bitmap, size in zip(model.sprites, generator.integers(1, SPRITE_SIDE + 1, (sprites, 2))):
        bitmap[: size[0], : size[1]] = generator.integers(NO_COLOUR, colours, size)
    model.sizes[:] = sizes_of(model.sprites)
    for scene in scenes:
        for _ in range(12):
            top, left = generator.integers(scene.shape)
            scene[top : top + generator.integers(1, 16), left : left + generator.integers(1, 16)] = generator.integers(
                colours
            )
    teach(model.own_chances, model.own_counts, generator, OWN_CONTEXTS)
    guesses = np.where(
        generator.random(len(model.guesses)) < TAUGHT, generator.integers(colours + 1, size=len(model.guesses)), 0
    )
    model.guesses[:] = guesses + np.where(guesses > 0, generator.integers(8, size=len(guesses)), 0) * CONFIDENCE


def sizes_of(bitmaps: np.ndarray) -> np.ndarray:
    """Height and width int16 [S, 2] of what is no hole in bitmaps [S, SIDE, SIDE]; 1 of those that are holes alone."""
    seen = bitmaps != NO_COLOUR
    return np.stack(
        [np.maximum(1, SPRITE_SIDE - seen.any(axis=axis)[:, ::-1].argmax(axis=1)) for axis in (2, 1)], axis=1
    ).astype(np.int16)


def random_pictures(count: int, geometry: Geometry, *, seed: int) -> np.ndarray:
    """Colours int32 [T, 1, h, w] of some boxes on a ground with a little noise;
    boxes and noise change from frame to frame.
    """
    generator = np.random.default_rng(seed)
    height, width = (4 * -(-side // 4) for side in (geometry.height, geometry.width))
    colours = generator.integers(0, 1 << 24, 30)
    picture = np.full((height, width), colours[0])
    found = []
    for _ in range(count):
        picture = picture.copy()
        for _ in range(3):
            top, left = generator.integers(0, height), generator.integers(0, width)
            picture[top : top + generator.integers(1, 12), left : left + generator.integers(1, 12)] = generator.choice(
                colours
            )
        noise = generator.random((height, width)) < 0.01
        picture[noise] = generator.choice(colours, noise.sum())
        found.append(picture[None])
    return np.stack(found).astype(np.int32)


def golden_motion(shape: tuple[int, ...]) -> list[FramePlan]:
    """Motion of the frames of a group whose symbols have this shape [T, 1, h, w]:
    none in the keyframe, then some that helps and some that does not.
    """
    size = shape[2] // 4, shape[3] // 4
    generator = np.random.default_rng(7)
    told = [
        (),
        (MotionVector(0, 5, -3),),
        (MotionVector(1, 0, 0), MotionVector(0, -7, 2)),
        (MotionVector(0, 5, -3), MotionVector(2, 64, -64), MotionVector(0, -7, 2)),
        (MotionVector(3, 1, 0),),
    ]
    found = [FramePlan()]
    for number in range(1, shape[0]):
        # What is further back than the group's beginning cannot be told.
        vectors = tuple(vector for vector in told[number % len(told)] if vector.back < number)
        indices = np.where(generator.random(size) < 0.3, generator.integers(0, 2 + len(vectors), size), 0)
        found.append(FramePlan(motion=MotionField(vectors, indices.astype(np.uint8))))
    return found[: shape[0]]


def golden_sprites(shape: tuple[int, ...], bitmaps: int) -> list[FramePlan]:
    """The same motion, from a picture that weights know, with sprites of so many bitmaps that they know, who enter, go,
    change and leave.
    """
    generator, found = np.random.default_rng(8), []
    for plan in golden_motion(shape):
        seen, count = SpriteUpdate.nothing().seen, generator.integers(4)
        # Further than it can be told, a sprite goes as far as it can be, and so stays in the picture.
        seen[:, 0], seen[:, 1] = generator.random(len(seen)) < 0.7, generator.integers(bitmaps, size=len(seen))
        seen[:, 2], seen[:, 3] = (
            generator.integers(shape[2], size=len(seen)),
            generator.integers(shape[3], size=len(seen)),
        )
        entered = np.stack([generator.integers(most, size=count) for most in (bitmaps, *shape[2:])], axis=1)
        found.append(plan._replace(sprites=SpriteUpdate(seen, entered.astype(np.int64))))
    return [found[0]._replace(built_in=2), *found[1:]]
