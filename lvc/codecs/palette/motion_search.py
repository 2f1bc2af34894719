"""What has moved in a frame, as an encoder finds it: where blocks that would be dear stand in an earlier picture.

The dearest tiles are looked for first; each motion vector that saves bits is tried on the whole frame, so that what it
explains is not looked for again. Then each block takes the vector that costs least, with its neighbours if it can.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from lvc.codecs.palette.model import SIDE
from lvc.codecs.palette.motion import BACKGROUND, FIELD_VECTORS, STILL, MotionField, MotionVector
from lvc.kernels.binding import Kernel, Struct

TILE = 2 * SIDE  # pixels: what is looked for elsewhere
TILES = 16  # looked for in a frame, at most
BITS_CODED = 5.0  # a guess at what a pixel costs that is coded
WORTH_LOOKING = 12.0  # bits of a tile
LEAST_SAVED = 8.0  # bits that a vector must save on its tile
VECTOR_BITS = 20.0  # what a new vector costs, about
BORDER_BITS = 2.0  # what it costs that two neighbours take different vectors
ROUNDS = 4
CHEAP = 1.0  # bits of a block that needs no other vector

find_luma = Kernel(
    "lvc_palette_luma",
    Struct(
        sizes="height width tops lefts",
        arrays={
            "picture": ("uint8", "height width 3"),
            "luma": ("int32", "height width"),
            "line": ("int32", "width"),
            "sums": ("int32", "tops lefts"),
        },
    ),
)
find_bits = Kernel(
    "lvc_palette_motion_bits",
    Struct(
        sizes="height width rows columns",
        integers="dx dy",
        reals="cheap coded_bits",
        arrays={
            "picture": ("uint8", "height width 3"),
            "other": ("uint8", "height width 3"),
            "floor": ("int32", "height width"),
            "lambda_": ("float64", "rows columns"),
            "asked": ("uint8", "rows columns"),
            "bits": ("float32", "rows columns"),
        },
    ),
)
find_match = Kernel(
    "lvc_palette_match",
    Struct(
        sizes="pictures height width tops lefts most_known",
        integers="known_count top left back dx dy",
        arrays={
            "now": ("int32", "height width"),
            "luma": ("int32", "pictures height width"),
            "sums": ("int32", "pictures tops lefts"),
            "known": ("int64", "most_known 3"),
        },
    ),
)
assign_vectors = Kernel(
    "lvc_palette_assign_vectors",
    Struct(
        sizes="count rows columns",
        integers="rounds",
        reals="border price",
        arrays={
            "bits": ("float32", "count rows columns"),
            "open": ("uint8", "count"),
            "saved": ("float64", "count"),
            "indices": ("uint8", "rows columns"),
        },
    ),
)


class SearchPicture:
    """A picture uint8 [H, W, 3] that parts of others are looked for in;
    luma and sums are made when they are first asked for.
    """

    def __init__(self, picture: np.ndarray):
        self.picture = np.ascontiguousarray(picture)

    @cached_property
    def _luma_and_sums(self) -> tuple[np.ndarray, np.ndarray]:
        height, width = self.picture.shape[:2]
        luma, sums = np.empty((height, width), np.int32), np.empty((height - TILE + 1, width - TILE + 1), np.int32)
        find_luma(picture=self.picture, luma=luma, line=np.empty(width, np.int32), sums=sums)
        return luma, sums

    @property
    def luma(self) -> np.ndarray:
        """int32 [H, W], four times what it is: a third of the work to compare."""
        return self._luma_and_sums[0]

    @property
    def sums(self) -> np.ndarray:
        """int32 [H - TILE + 1, W - TILE + 1]: of the luma of every tile."""
        return self._luma_and_sums[1]


def found_motion(
    now: SearchPicture,
    before: Sequence[SearchPicture],
    background: np.ndarray,
    floor: np.ndarray,
    lambda_: np.ndarray,
    recent: Sequence[MotionVector],
) -> MotionField:
    """Motion from the frames before, the latest first, to one like them.

    background: uint8 [H, W, 3], the background reference. floor: int32 [H, W], squared errors that no coding takes
    away. lambda_: float64 [rows, columns], bits that a squared level of error is worth. recent: vectors that were taken
    of late, which are tried before tiles are looked for.
    """
    everywhere = np.ones([side // SIDE for side in now.picture.shape[:2]], np.bool_)
    still = predicted_bits(now.picture, before[0].picture, 0, 0, floor, lambda_, everywhere)
    dear = still > CHEAP
    if not dear.any():
        return MotionField((), np.zeros(still.shape, np.uint8))
    vectors, bits = [STILL, BACKGROUND], [still, predicted_bits(now.picture, background, 0, 0, floor, lambda_, dear)]
    least = np.minimum(*bits)

    costs = find_bits.struct(
        picture=now.picture, floor=floor, lambda_=lambda_, asked=dear.view(np.uint8), cheap=CHEAP, coded_bits=BITS_CODED
    )

    def try_vector(vector: MotionVector) -> None:
        cost = np.empty(still.shape, np.float32)
        find_bits.struct.replace(costs, other=before[vector.back].picture, dx=vector.dx, dy=vector.dy, bits=cost)
        find_bits(costs)
        if np.maximum(least - cost, 0).sum() > LEAST_SAVED:
            vectors.append(vector)
            bits.append(cost)
            np.minimum(least, cost, out=least)

    for vector in [*recent, *(MotionVector(back, 0, 0) for back in range(1, len(before)))]:
        if vector.back < len(before) and vector not in vectors and len(vectors) < FIELD_VECTORS:
            try_vector(vector)
    rows, columns = (side // 2 for side in still.shape)
    looked, searched = np.zeros((rows, columns), bool), None
    for _ in range(TILES if min(rows, columns) else 0):
        tiles = least[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).sum(axis=(1, 3))
        tiles[looked] = 0
        row, column = divmod(int(tiles.argmax()), columns)
        if tiles[row, column] < WORTH_LOOKING or len(vectors) == FIELD_VECTORS:
            break
        looked[row, column] = True
        searched = searched or TileSearch(now, before)
        if (vector := searched.match(TILE * row, TILE * column, vectors)) not in vectors:
            try_vector(vector)
    indices = assigned(np.stack(bits), BORDER_BITS, VECTOR_BITS, ROUNDS)
    taken = [number for number in range(2, len(vectors)) if (indices == number).any()]
    taken.sort(key=lambda number: -np.count_nonzero(indices == number))
    numbers = np.arange(len(vectors), dtype=np.uint8)
    numbers[taken] = np.arange(2, len(taken) + 2)
    return MotionField(tuple(vectors[number] for number in taken), numbers[indices])


def predicted_bits(
    picture: np.ndarray, other: np.ndarray, dx: int, dy: int, floor: np.ndarray, lambda_: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """Bits of each block, float32 [rows, columns], of uint8 [H, W, 3] predicted to be as another moved by (dx, dy):
    each pixel is kept or coded, whichever is cheaper. asked: bool, the blocks that are asked for; others are told a
    cheap block's.
    """
    bits = np.empty(asked.shape, np.float32)
    find_bits(
        picture=picture,
        other=other,
        dx=dx,
        dy=dy,
        floor=floor,
        lambda_=lambda_,
        asked=asked.view(np.uint8),
        bits=bits,
        cheap=CHEAP,
        coded_bits=BITS_CODED,
    )
    return bits


class TileSearch:
    """Looks for tiles of one picture in the frames before it, the latest first."""

    def __init__(self, now: SearchPicture, before: Sequence[SearchPicture]):
        self._known = np.empty((FIELD_VECTORS, 3), np.int64)
        self._state = find_match.struct(
            now=now.luma,
            luma=np.stack([one.luma for one in before]),
            sums=np.stack([one.sums for one in before]),
            known=self._known,
        )

    def match(self, top: int, left: int, vectors: Sequence[MotionVector]) -> MotionVector:
        """Where a tile from (top, left) fits best; vectors: how well these fit is known first, so that most others are
        passed by."""
        state, known = self._state, [vector for vector in vectors if vector.back < self._state.pictures]
        self._known[: len(known)] = known
        state.known_count, state.top, state.left = len(known), top, left
        refused = find_match(state)
        assert not refused, "tiles are of the picture, and vectors of the frames that there are"
        return MotionVector(state.back, state.dx, state.dy)


def assigned(bits: np.ndarray, border: float, price: float, rounds: int) -> np.ndarray:
    """Which vector uint8 [rows, columns] each block takes: float32 bits [N, rows, columns] of each vector, `border`
    more for each neighbour that takes another.

    A vector that saves less than its price in all is given up.
    """
    indices = np.empty(bits.shape[1:], np.uint8)
    assign_vectors(
        bits=bits,
        border=border,
        price=price,
        rounds=rounds,
        open=np.empty(len(bits), np.uint8),
        saved=np.empty(len(bits)),
        indices=indices,
    )
    return indices
