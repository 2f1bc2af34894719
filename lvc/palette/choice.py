"""What stands for a frame's pixels: blocks that are worth coding, and the colours whose error and bits together cost least.

Only an encoder chooses, so floats are welcome here: the colours that come out are what the file holds.
"""

from typing import NamedTuple

import numpy as np

from lvc.compiled import compiled
from lvc.entropy.bits import BitCounter
from lvc.models.palette import SIDE
from lvc.models.temporal import CRF_LEVELS
from lvc.palette.colour_table import ColourTable
from lvc.palette.colours import palette_of, rgb
from lvc.palette.move_search import Shown, found_moves
from lvc.palette.moves import BACKS, Moves
from lvc.palette.pixels import Wish, nearest_colour, squared_error
from lvc.palette.walk import UNKNOWN, PaletteFrames

# At crf 0 and 63: bits that a squared level of error is worth.
BEST_WORTH, LEAST_WORTH = 0.015, 0.0001
# How much more than once an error counts, because what is kept now is kept by the frames that follow: for each frame that a block stays
# as it is, of those at most, and the least. Measured: 9 % fewer bytes than with a keyframe's 40 times, other pixels' 2 and blocks' once.
PIXEL_LASTS, PIXEL_FRAMES, PIXEL_LEAST = 2.0, 32, 2.0
BLOCK_LASTS, BLOCK_FRAMES, BLOCK_LEAST = 0.5, 16, 0.6
BLOCK_BITS = 18.0  # what a block is thought to cost before it is coded
BESIDE_BITS = 5.0  # how much less with each block beside it that is coded
LEAST_BITS = BLOCK_BITS - 3 * BESIDE_BITS  # that any block can cost
STAYS = 48 * 6**2  # squared levels by which a block differs that stays as it is


class Choice:
    """Chooses one frame's colours while it is coded.

    source: uint8 [H, W, 3]. palette: colours int32 [K] of the group. worth: bits that a squared level of error is worth.
    lives: int64 [rows, columns], how many frames blocks stay as they are.
    """

    def __init__(self, source: np.ndarray, palette: np.ndarray, worth: float, lives: np.ndarray, *, moves: Moves | None = None):
        self.source, self.palette, self.worth, self.lives, self.moves = source, palette, worth, lives, moves

    def blocks(self, expected: np.ndarray) -> np.ndarray:
        lasting = np.maximum(BLOCK_LEAST, BLOCK_LASTS * np.minimum(self.lives, BLOCK_FRAMES))
        worth = self.worth * lasting
        return worth_coding(worth * gains(self.source, channels(expected), channels(self.palette), LEAST_BITS / worth))

    def colours(self, coded: np.ndarray | None) -> np.ndarray:
        return self.palette

    def picture(self, table: ColourTable) -> tuple[np.ndarray, Wish]:
        lasting = np.maximum(PIXEL_LEAST, PIXEL_LASTS * np.minimum(self.lives, PIXEL_FRAMES))
        return UNKNOWN, Wish(self.source, channels(table.colours), self.worth * lasting)


def channels(colours: np.ndarray) -> np.ndarray:
    return rgb(colours).astype(np.int64)


@compiled
def gains(source, expected, palette, least):
    """float64 [rows, columns]: squared levels of error that coding a block with the nearest colours would take away; 0 below `least`."""
    rows, columns = source.shape[0] // SIDE, source.shape[1] // SIDE
    result = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            error = 0
            for y in range(SIDE * row, SIDE * (row + 1)):
                for x in range(SIDE * column, SIDE * (column + 1)):
                    error += squared_error(source[y, x], expected[y, x])
            if error < least[row, column]:
                continue
            for y in range(SIDE * row, SIDE * (row + 1)):
                for x in range(SIDE * column, SIDE * (column + 1)):
                    error -= nearest_colour(source[y, x], palette)[1]
            result[row, column] = error
    return result


def worth_coding(gained: np.ndarray) -> np.ndarray:
    """uint8 [rows, columns]: which blocks are worth coding that gain so many bits; beside others that are, a block costs less."""
    coded = gained > BLOCK_BITS
    for _ in range(2):
        framed = np.pad(coded, 1).astype(np.int64)
        beside = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]
        coded = gained > BLOCK_BITS + BESIDE_BITS * (1 - beside)
    return coded.astype(np.uint8)


@compiled
def lifetimes(pictures):
    """How many frames each block of uint8 [T, H, W, 3] stays about as it is, this one counted: int64 [T, rows, columns]."""
    count, rows, columns = pictures.shape[0], pictures.shape[1] // SIDE, pictures.shape[2] // SIDE
    result = np.ones((count, rows, columns), np.int64)
    for number in range(count - 2, -1, -1):
        for row in range(rows):
            for column in range(columns):
                error = 0
                for y in range(SIDE * row, SIDE * (row + 1)):
                    for x in range(SIDE * column, SIDE * (column + 1)):
                        error += squared_error(pictures[number, y, x], pictures[number + 1, y, x])
                if error <= STAYS:
                    result[number, row, column] = 1 + result[number + 1, row, column]
    return result


class Chosen(NamedTuple):
    """Colours int32 [T, 1, H, W] of a group, what has moved in each frame, and what choosing them would have cost to code."""

    symbols: np.ndarray
    moves: tuple[Moves | None, ...]
    bits: float


def choose(coding: PaletteFrames, pictures: np.ndarray, crf: int, *, search: bool) -> Chosen:
    """What stands for a group's pictures uint8 [T, H, W, 3], whose sides are multiples of SIDE; `coding` is at the group's beginning.

    search: whether to look for what has moved.
    """
    worth = error_worth(crf)
    palette = palette_of(pictures, worth)
    coder, symbols, moves, before = BitCounter(), [], [], []
    for source, lives in zip(pictures, lifetimes(np.ascontiguousarray(pictures))):
        past, found = coding.past, None
        if search and past:
            colours = rgb(coding.table.colours).astype(np.uint8)
            before = [Shown(colours[past.pictures[0]]), *before[: BACKS - 1]]
            found = found_moves(Shown(source), before, colours[past.settled], worth, past.recent)
        choice = Choice(np.ascontiguousarray(source), palette, worth, lives, moves=found)
        symbols.append(coding.code_frames([choice], 1, coder, (1, *source.shape[:2]))[0])
        moves.append(found)
    return Chosen(np.stack(symbols), tuple(moves), coder.bits)


def error_worth(crf: int) -> float:
    """Bits that a squared level of error is worth at a quality from 0 (best) to 63."""
    return BEST_WORTH * (LEAST_WORTH / BEST_WORTH) ** (crf / (CRF_LEVELS - 1))
