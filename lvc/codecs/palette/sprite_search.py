"""Which sprites an encoder sees in a frame: what stands out from the background is compared with all bitmaps that there
are.
"""

import numpy as np

from lvc.codecs.palette.model import SPRITE_SIDE
from lvc.codecs.palette.sprites import MOST_SPRITES, SPRITE_LAYER, SpriteLayer, SpriteUpdate
from lvc.kernels.binding import Kernel, Struct

LARGEST = 48  # pixels of a side: of what stands out and is looked through
TABLE_COLOURS = 64  # for which costs are kept while bitmaps are tried: a tenth of the time
TABLE_SIZE = TABLE_COLOURS * (LARGEST + 2 * SPRITE_SIDE) ** 2  # numbers
PIXEL_BITS = 3.0  # what a pixel costs at most that nothing tells

find_sprites = Kernel(
    "lvc_palette_find_sprites",
    Struct(
        sizes="height width outer_height outer_width colours most part_pixels table_size",
        reals="lambda_",
        structs={"sprites": SPRITE_LAYER},
        arrays={
            "source": ("uint8", "height width 3"),
            "background": ("int16", "height width"),
            "channels": ("int32", "colours 3"),
            "least": ("int32", "height width"),
            "cost": ("float32", "height width"),
            "mask": ("uint8", "outer_height outer_width"),
            "part": ("int32", "part_pixels 2"),
            "found": ("int64", "most 3"),
            "table": ("float64", "table_size"),
        },
    ),
)
assign_sprites = Kernel(
    "lvc_palette_assign_sprites",
    Struct(
        sizes="count table_size",
        structs={"sprites": SPRITE_LAYER},
        arrays={"found": ("int64", "count 3"), "seen": ("int64", "table_size 4")},
    ),
)


def found_sprites(
    source: np.ndarray,
    background: np.ndarray,
    channels: np.ndarray,
    least: np.ndarray,
    sprites: SpriteLayer,
    lambda_: float,
) -> SpriteUpdate:
    """The sprites in a picture uint8 [H, W, 3] in front of a background int16 [H, W] of indices of colours int32 [K,
    3].

    least: int32 [H, W], squared errors that no colour takes away. lambda_: bits that a squared level of error is worth.
    """
    height, width = background.shape
    found = np.empty((MOST_SPRITES, 3), np.int64)
    count = find_sprites(
        lambda_=lambda_,
        sprites=sprites.state,
        source=source,
        background=np.ascontiguousarray(background),
        channels=channels,
        least=least,
        cost=np.empty((height, width), np.float32),
        mask=np.zeros((height + 2, width + 2), np.uint8),
        part=np.empty((LARGEST * LARGEST, 2), np.int32),
        found=found,
        table=np.empty(TABLE_SIZE if len(channels) <= TABLE_COLOURS else 0),
    )
    found, update = found[:count], SpriteUpdate.nothing()
    assign_sprites(sprites=sprites.state, found=found, seen=update.seen)
    return SpriteUpdate(update.seen, found[found[:, 0] >= 0])
