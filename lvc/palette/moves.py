"""Rectangles of blocks that show what an earlier frame showed elsewhere: what a frame is expected to be before it is coded."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lvc.entropy.tables import Tables, in_proportion
from lvc.errors import FormatError
from lvc.models.palette import SIDE

MOVES_LIMIT = 31  # in a frame
BACKS = 4  # frames before that something can have moved from
REACH = 64  # pixels, each way
# How likely each count of moves, each frame before, and so on, in whole numbers: from what moves in some hundred games.
COUNTS = in_proportion([3**count * 4 ** (MOVES_LIMIT - count) >> 40 for count in range(MOVES_LIMIT + 1)])
BACK_TABLE = in_proportion([16, 14, 1, 1])
OFFSETS = range(-REACH, REACH)


class Move(NamedTuple):
    """Blocks row … row + rows - 1, column … column + columns - 1 show what the frame `back` + 1 before showed (dx, dy) pixels
    further right and down.
    """

    back: int
    dx: int
    dy: int
    row: int
    column: int
    rows: int
    columns: int

    def target(self) -> tuple[slice, slice]:
        """Rows and columns of pixels."""
        return slice(SIDE * self.row, SIDE * (self.row + self.rows)), slice(SIDE * self.column, SIDE * (self.column + self.columns))

    def source(self) -> tuple[slice, slice]:
        """Rows and columns of pixels in the earlier frame."""
        rows, columns = self.target()
        return slice(rows.start + self.dy, rows.stop + self.dy), slice(columns.start + self.dx, columns.stop + self.dx)

    def fits(self, rows: int, columns: int, backs: int) -> bool:
        """Whether it stays inside of frames of so many blocks, and reaches back to no more than `backs` frames."""
        high, wide = self.source()
        return (
            self.back < backs
            and self.row + self.rows <= rows
            and self.column + self.columns <= columns
            and 0 <= high.start
            and high.stop <= SIDE * rows
            and 0 <= wide.start
            and wide.stop <= SIDE * columns
        )


def moved(pictures: Sequence[np.ndarray], moves: Sequence[Move]) -> np.ndarray:
    """What is expected after the pictures [H, W] of the frames before, the latest first, where these parts move."""
    expected = pictures[0].copy()
    for move in moves:
        expected[move.target()] = pictures[move.back][move.source()]
    return expected


def code_moves(moves: Sequence[Move] | None, coder, shape: tuple[int, int], backs: int) -> Sequence[Move]:
    """Codes a frame's moves, or decodes them where there are none given; raises FormatError for those that cannot be.

    shape: rows and columns of blocks. backs: how many frames there are to move from.
    """
    count = int(coder.code(None if moves is None else np.array([len(moves)], np.int32), COUNTS, np.zeros(1, np.int64))[0])
    if not count:
        return ()
    # Offsets and sizes are counted from their least values.
    least = np.array([0, OFFSETS[0], OFFSETS[0], 0, 0, 1, 1])
    given = None if moves is None else (np.array(moves, np.int64) - least).astype(np.int32)
    tables = field_tables(shape)
    fields = [coder.code(None if given is None else given[:, field], table, np.zeros(count, np.int64)) for field, table in enumerate(tables)]
    found = [Move(*values) for values in (np.stack(fields, axis=1) + least).tolist()]
    if not all(move.fits(*shape, backs) for move in found):
        raise FormatError("the coded symbols are damaged: something moves from outside of the frames before")
    return found


@lru_cache(maxsize=16)
def field_tables(shape: tuple[int, int]) -> tuple[Tables, ...]:
    """A table for each field of a move, in frames of so many rows and columns of blocks."""
    places = tuple(in_proportion([1] * side) for side in shape)
    # Small areas are the most, and 2 and 4 blocks a side more than others.
    sizes = tuple(in_proportion([(1 << 16) // (size + 2) for size in range(1, side + 1)]) for side in shape)
    return BACK_TABLE, offset_table(24), offset_table(57), *places, *sizes


def offset_table(percent: int) -> Tables:
    """Of offsets of which so many are none, and small ones a little more likely than large ones."""
    weights = [(1 << 16) // (16 + abs(offset)) for offset in OFFSETS]
    others = sum(weights) - weights[REACH]
    weights[REACH] = others * percent // (100 - percent)
    return in_proportion(weights)


def move_bits(shape: tuple[int, int]) -> float:
    """What a move costs, about: bits."""
    return 11 + sum(math.log2(side) + 4.3 for side in shape)
