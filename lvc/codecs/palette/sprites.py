"""Sprites in front of a background, in arrays that the kernels fill frame by frame:
see lvc/kernels/palette_sprites.h.
"""

from typing import NamedTuple

import numpy as np

from lvc.codecs.palette.model import NO_COLOUR, SPRITE_SIDE
from lvc.kernels.binding import Kernel, Struct

# That weights bring along; that a group's frames have shown, the latest ones
KNOWN_BITMAPS, OWN_BITMAPS = 1 << 8, 1 << 7
BITMAPS = KNOWN_BITMAPS + OWN_BITMAPS
MOST_SPRITES = 48  # in the table at once
MOST_STEP = 32  # pixels that a sprite goes between two frames
LEAST_AREA = 6  # pixels of a bitmap that a frame shows
TRIED_AGE, KNOWN_AGE = 3, 12  # frames after which a sprite is forgotten that was seen once, and one that was seen again
# What the table knows of a sprite: its bitmap, where its upper left corner is, frames since it was seen, in which of
# the last it was (bits), its last step, how often it has moved or changed, and for how many frames it has stood still.
BITMAP, Y, X, AGE, HISTORY, DOWN, ACROSS, TIMES, STILL = range(9)
SPRITE_FACTS = 9

SPRITE_LAYER = Struct(
    sizes="height width",
    integers="sprites own_bitmaps",
    arrays={
        "bitmaps": ("int16", f"{BITMAPS} {SPRITE_SIDE} {SPRITE_SIDE}"),
        "sizes": ("int64", f"{BITMAPS} 2"),
        "table": ("int64", f"{MOST_SPRITES} {SPRITE_FACTS}"),
        "background": ("int16", "height width"),
        "owned": ("uint8", "height width"),
        "mask": ("uint8", "height width"),
    },
)
take_part = Kernel(
    "lvc_palette_part",
    Struct(
        sizes="height width most",
        integers="y x count top left bottom right",
        arrays={"mask": ("uint8", "height width"), "pixels": ("int32", "most 2")},
    ),
)


class Bitmaps(NamedTuple):
    """indices: of the palette, int16 [N, SPRITE_SIDE, SPRITE_SIDE], NO_COLOUR for holes. sizes:
    int64 [N, 2], height and width; 0 of none.
    """

    indices: np.ndarray
    sizes: np.ndarray


NO_BITMAPS = Bitmaps(np.empty((0, SPRITE_SIDE, SPRITE_SIDE), np.int16), np.empty((0, 2), np.int64))


class SpriteLayer:
    """The sprites of a group and what is behind them; at first there are none.

    bitmaps, sizes: of all BITMAPS, see `Bitmaps`, the known ones first. table: int64 [MOST_SPRITES, SPRITE_FACTS].
    background: palette indices int16 [H, W] within a border. owned: uint8 [H, W] alike, 1 where a sprite is seen.
    """

    def __init__(self, height: int, width: int, known: Bitmaps):
        self.bitmaps = np.full((BITMAPS, SPRITE_SIDE, SPRITE_SIDE), NO_COLOUR, np.int16)
        self.sizes = np.zeros((BITMAPS, 2), np.int64)
        self.bitmaps[: len(known.indices)], self.sizes[: len(known.sizes)] = known
        self.table = np.zeros((MOST_SPRITES, SPRITE_FACTS), np.int64)
        self.background = np.full((height, width), NO_COLOUR, np.int16)
        self.owned = np.zeros((height, width), np.uint8)
        self.state = SPRITE_LAYER(
            bitmaps=self.bitmaps,
            sizes=self.sizes,
            table=self.table,
            background=self.background,
            owned=self.owned,
            mask=np.zeros((height, width), np.uint8),
        )

    @property
    def count(self) -> int:
        """Sprites in the table."""
        return self.state.sprites

    @property
    def own_bitmaps(self) -> int:
        """How many bitmaps the group's frames have shown so far."""
        return self.state.own_bitmaps


class SpriteUpdate(NamedTuple):
    """What becomes of sprites in a frame: seen int64 [MOST_SPRITES, 4], of each in the table whether it is seen, its
    bitmap, y and x; entered int64 [N, 3], new ones: bitmap, y, x.
    """

    seen: np.ndarray
    entered: np.ndarray

    @staticmethod
    def nothing() -> "SpriteUpdate":
        return SpriteUpdate(np.zeros((MOST_SPRITES, 4), np.int64), np.zeros((0, 3), np.int64))
