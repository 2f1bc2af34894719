"""Which blocks of a frame are coded; the others are as expected."""

import numpy as np

from lvc.compiled import compiled
from lvc.entropy.mixing import followed, hashed
from lvc.models.palette import SIDE
from lvc.palette.decisions import code_alone, code_decision
from lvc.palette.memory import (
    ALONE_COUNT,
    BLOCK_SLOTS,
    CODED,
    CODED_COLOURS,
    CODED_OWN,
    CODED_PATTERNS,
    CODED_ROWS,
    MOST_CONTEXTS,
    QUIET,
)


@compiled
def differing(picture, other):
    """uint8 [rows, columns]: in which blocks two pictures [H, W] differ."""
    rows, columns = picture.shape[0] // SIDE, picture.shape[1] // SIDE
    result = np.zeros((rows, columns), np.uint8)
    for y in range(rows * SIDE):
        for x in range(columns * SIDE):
            if picture[y, x] != other[y, x]:
                result[y // SIDE, x // SIDE] = 1
    return result


@compiled
def busy_blocks(picture):
    """uint8 [rows, columns]: which blocks are of more than one colour."""
    rows, columns = picture.shape[0] // SIDE, picture.shape[1] // SIDE
    result = np.zeros((rows, columns), np.uint8)
    for y in range(rows * SIDE):
        for x in range(columns * SIDE):
            if picture[y, x] != picture[y - y % SIDE, x - x % SIDE]:
                result[y // SIDE, x // SIDE] = 1
    return result


@compiled
def framed(blocks):
    """[rows, columns] within a border of zeros."""
    result = np.zeros((blocks.shape[0] + 2, blocks.shape[1] + 2), np.uint8)
    result[1:-1, 1:-1] = blocks
    return result


@compiled
def code_blocks(coder, memory, expected, last, settled, changed, before, places, wanted, coded):
    """Codes which blocks are coded: `coded` uint8 [rows, columns] is filled; wanted: the same, or anything for a reader.

    expected, last, settled: colours int16 [H, W]. changed, before: uint8 [rows, columns], blocks coded in the last frame and in the one
    before. places: directions of the blocks.
    """
    rows, columns = coded.shape
    busy, moving, unsettled = framed(busy_blocks(expected)), framed(differing(expected, last)), framed(differing(expected, settled))
    once, moved = framed(changed), framed((places > 0).astype(np.uint8))
    told = np.zeros((rows + 3, columns + 3), np.uint8)  # two above and to the left
    contexts = np.empty(MOST_CONTEXTS, np.int64)
    odds = np.empty(MOST_CONTEXTS, np.int64)
    for row in range(rows):
        for column in range(columns):
            y, x = row + 1, column + 1
            west, north = np.int64(told[y + 1, x]), np.int64(told[y, x + 1])
            north_west, north_east = np.int64(told[y, x]), np.int64(told[y, x + 2])
            around = west | north << 1 | north_west << 2 | north_east << 3
            far = np.int64(told[y + 1, x - 1]) | np.int64(told[y - 1, x + 1]) << 1
            now, earlier = np.int64(once[y, x]), np.int64(before[row, column])
            beside = np.int64(once[y, x - 1]) + once[y, x + 1] + once[y - 1, x] + once[y + 1, x]
            corners = np.int64(once[y - 1, x - 1]) + once[y - 1, x + 1] + once[y + 1, x - 1] + once[y + 1, x + 1]
            later = np.int64(once[y, x + 1]) | np.int64(once[y + 1, x - 1]) << 1 | np.int64(once[y + 1, x]) << 2 | np.int64(once[y + 1, x + 1]) << 3
            move = np.int64(moved[y, x])
            moves = np.int64(moved[y, x - 1]) | np.int64(moved[y, x + 1]) << 1 | np.int64(moved[y - 1, x]) << 2 | np.int64(moved[y + 1, x]) << 3
            full = np.int64(busy[y, x])
            filled = np.int64(busy[y, x - 1]) | np.int64(busy[y, x + 1]) << 1 | np.int64(busy[y - 1, x]) << 2 | np.int64(busy[y + 1, x]) << 3
            stir = np.int64(unsettled[y, x])
            stirred = np.int64(unsettled[y, x - 1]) | np.int64(unsettled[y, x + 1]) << 1 | np.int64(unsettled[y - 1, x]) << 2 | np.int64(unsettled[y + 1, x]) << 3
            if not (around | far | now | earlier | beside | corners | move | moves | moving[y, x] | stir | stirred):
                bit = code_alone(coder, memory.slots, QUIET + (full | min(filled, 1) << 1), np.int64(wanted[row, column]), ALONE_COUNT)
                coded[row, column] = told[y + 1, x + 1] = bit
                continue
            base = CODED
            contexts[0] = base + (around | now << 4 | earlier << 5 | np.int64(moving[y, x]) << 6 | full << 7 | stir << 8 | move << 9 | far << 10)
            base += BLOCK_SLOTS
            contexts[1] = base + (around | later << 4 | now << 8 | earlier << 9 | full << 10 | stir << 11)
            base += BLOCK_SLOTS
            contexts[2] = base + (west | north << 1 | moves << 2 | move << 6 | filled << 7 | full << 11)
            base += BLOCK_SLOTS
            contexts[3] = base + (west | north << 1 | stir << 2 | stirred << 3 | full << 7 | now << 8 | min(beside, 3) << 9 | move << 11)
            base += BLOCK_SLOTS
            contexts[4] = base + ((west + north + north_west + north_east) | beside << 3 | corners << 6 | now << 9 | earlier << 10 | full << 11)
            base = CODED_OWN
            contexts[5] = base + ((row * columns + column) & (BLOCK_SLOTS - 1))
            base += BLOCK_SLOTS
            top, left = row * SIDE, column * SIDE
            middle = hashed(np.int64(expected[top + 1, left + 1]), np.int64(expected[top + 2, left + 2]))
            contexts[6] = base + (hashed(middle, west + 2 * north + 4 * now) & (BLOCK_SLOTS - 1))
            base += BLOCK_SLOTS
            whole = np.int64(0)
            for line in range(SIDE):
                for place in range(SIDE):
                    whole = followed(whole, np.int64(expected[top + line, left + place]))
            contexts[7] = base + (whole & (BLOCK_SLOTS - 1))
            mixed = CODED_ROWS[0] + around, CODED_ROWS[1] + (now | earlier << 1 | full << 2 | move << 3 | stir << 4)
            bit = code_decision(coder, memory, contexts, CODED_PATTERNS, CODED_COLOURS, mixed, odds, np.int64(wanted[row, column]))
            coded[row, column] = told[y + 1, x + 1] = bit
