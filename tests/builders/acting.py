"""Chance sprites, for a writer that is told them."""

from dataclasses import dataclass

import numpy as np

from lvc.codecs.palette.bitstream import KnownFrame, PaletteFrames
from lvc.codecs.palette.references import BORDER
from lvc.codecs.palette.sprites import BITMAP, MOST_SPRITES, MOST_STEP, SpriteLayer, SpriteUpdate, X, Y


@dataclass(frozen=True)
class ActingFrame(KnownFrame):
    """A frame whose sprites are drawn by lot when they are asked for, of those that there are then."""

    coding: PaletteFrames | None = None
    generator: np.random.Generator | None = None

    def sprites(self) -> SpriteUpdate:
        return random_sprites(self.coding.references.sprites, self.generator)


def random_sprites(layer: SpriteLayer, generator: np.random.Generator, *, most: int = 4) -> SpriteUpdate:
    """Some of the sprites, gone some way, at times with another bitmap, and a few new ones."""
    height, width = (side - 2 * BORDER for side in layer.background.shape)
    bitmaps, update, entered = np.flatnonzero(layer.sizes[:, 0]), SpriteUpdate.nothing(), []
    if not len(bitmaps):
        return update
    for number in range(layer.count):
        sprite, step = (
            layer.table[number],
            generator.integers(-MOST_STEP, MOST_STEP + 1, 2)
            if generator.random() < 0.3
            else generator.integers(-1, 2, 2),
        )
        bitmap = generator.choice(bitmaps) if generator.random() < 0.2 else sprite[BITMAP]
        place = np.clip(sprite[[Y, X]] + step, 0, (height - 1, width - 1))
        update.seen[number] = generator.random() < 0.7, bitmap, *place
    for _ in range(generator.integers(0, most + 1)):
        entered.append((generator.choice(bitmaps), generator.integers(height), generator.integers(width)))
    return SpriteUpdate(update.seen, np.array(entered[:MOST_SPRITES], np.int64).reshape(-1, 3))


def acted(coding: PaletteFrames, symbols: np.ndarray, generator: np.random.Generator) -> list[ActingFrame]:
    """Frames of colours int32 [T, 1, H, W] with chance sprites."""
    return [ActingFrame(picture[0], coding=coding, generator=generator) for picture in symbols]
