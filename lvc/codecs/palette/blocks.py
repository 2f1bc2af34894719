"""Which blocks of a frame are coded; the others are as expected.

Nearly all blocks of nearly all frames stay, so each row first tells whether any block is coded of those around which nothing goes on.
"""

import numpy as np

from lvc.codecs.palette.decisions import code_alone, decision_of
from lvc.codecs.palette.memory import (
    ALONE_COUNT,
    BLOCK_BITS,
    BLOCK_SLOTS,
    CODED,
    CODED_COLOURS,
    CODED_LINES,
    CODED_OWN,
    CODED_PATTERNS,
    CODED_ROWS,
    QUIET,
)
from lvc.codecs.palette.model import SIDE
from lvc.codecs.palette.past import BORDER, EDGE, FRAMES, SPREAD, clear_map
from lvc.entropy.mixing import scattered
from lvc.kernels.compiled import bare, inlined

# Traits of a block: more than one colour is expected; other colours than in the last frame; other than last stood still; it moved;
# it was coded in the last frame; and in the one before that.
FULL, MOVING, STIRRED, MOVED, ONCE, EARLIER = (1 << place for place in range(6))
OWN_STIR, SIDE_STIR = MOVING | STIRRED | MOVED | ONCE | EARLIER, STIRRED | MOVED | ONCE

code_decision = decision_of(CODED_PATTERNS, CODED_COLOURS)


@inlined
def find_traits(words, expected, taken, once, before, last, traits):
    """Fills the traits of all blocks."""
    rows, columns = traits.shape[0] - 2 * EDGE, traits.shape[1] - 2 * EDGE
    for row in range(rows):
        for column in range(columns):
            y, x = BORDER + SIDE * row, 1 + column
            flat = (expected[y, x] & np.uint64(0xFFFF)) * np.uint64(SPREAD)
            full, moving, stirred = np.uint64(0), np.uint64(0), np.uint64(0)
            for line in range(SIDE):
                word = expected[y + line, x]
                full |= word ^ flat
                moving |= word ^ words[last, y + line, x]
                stirred |= word ^ words[0, y + line, x]
            found = (full != 0) * FULL | (moving != 0) * MOVING | (stirred != 0) * STIRRED
            row_, column_ = row + EDGE, column + EDGE
            found |= (taken[row_, column_] != 0) * MOVED | once[row_, column_] * ONCE | before[row_, column_] * EARLIER
            traits[row_, column_] = found


@inlined
def has(traits, trait):
    return np.int64(1) if traits & trait else np.int64(0)


@inlined
def find_stir(traits, coded, y, stir):
    """Fills in which blocks uint8 [columns] of a row something goes on, or around them, as far as is known before the row is coded."""
    for column in range(stir.shape[0]):
        x = column + EDGE
        sides = traits[y, x - 1] | traits[y, x + 1] | traits[y - 1, x] | traits[y + 1, x]
        corners = traits[y - 1, x - 1] | traits[y - 1, x + 1] | traits[y + 1, x - 1] | traits[y + 1, x + 1]
        above = coded[y - 1, x - 1] | coded[y - 1, x] | coded[y - 1, x + 1] | coded[y - 2, x]
        stir[column] = (traits[y, x] & np.uint8(OWN_STIR)) | (sides & np.uint8(SIDE_STIR)) | (corners & np.uint8(ONCE)) | above


@inlined
def quiet_in_line(stir, wanted):
    """Whether a block of a row is coded around which nothing goes on when it is asked for."""
    west, far = np.int64(0), np.int64(0)
    for column in range(stir.shape[0]):
        here = np.int64(wanted[column])
        if here and not (west | far | stir[column]):
            return np.int64(1)
        west, far = here, west
    return np.int64(0)


@bare
def code_blocks(coder, memory, past, wanted):
    """Codes which blocks are coded, and fills `past.coded`; wanted: uint8 [rows, columns], or anything for a reader. Gives how many are."""
    slots = memory.slots
    traits, coded, expected = past.traits, past.coded, past.expected_words
    rows, columns = wanted.shape
    find_traits(past.words, expected, past.taken, past.once, past.before, past.counts[FRAMES], traits)
    clear_map(coded, 0)
    contexts, odds, stir = past.room.contexts, past.room.odds, past.room.stir
    any_above, total = np.int64(0), 0
    for row in range(rows):
        y = row + EDGE
        find_stir(traits, coded, y, stir)
        quiet, any_quiet = 0, np.int64(0)
        for column in range(columns):
            quiet += stir[column] == 0
        if quiet:
            any_quiet = code_alone(coder, slots, CODED_LINES + any_above, quiet_in_line(stir, wanted[row]), ALONE_COUNT)
        any_above = any_quiet
        if quiet == columns and not any_quiet:
            continue
        for column in range(columns):
            x = column + EDGE
            if not (stir[column] | coded[y, x - 1] | coded[y, x - 2]):
                if any_quiet:
                    full = np.int64(traits[y, x] & FULL)
                    beside = has(traits[y, x - 1] | traits[y, x + 1] | traits[y - 1, x] | traits[y + 1, x], FULL)
                    bit = code_alone(coder, slots, QUIET + (full | beside << 1), np.int64(wanted[row, column]), ALONE_COUNT)
                    coded[y, x] = bit
                    total += bit
                continue
            one = block_contexts(traits, coded, expected, row, column, contexts)
            other = CODED_ROWS[1] + (has(traits[y, x], ONCE) | has(traits[y, x], EARLIER) << 1 | has(traits[y, x], FULL) << 2 | has(traits[y, x], MOVED) << 3 | has(traits[y, x], STIRRED) << 4)
            bit = code_decision(coder, memory, contexts, one, other, odds, np.int64(wanted[row, column]))
            coded[y, x] = bit
            total += bit
    return total


@inlined
def block_contexts(traits, coded, expected, row, column, contexts):
    """Fills the contexts of whether a block is coded; gives its first row of weights."""
    y, x = row + EDGE, column + EDGE
    own, on_west, on_east, on_north, on_south = traits[y, x], traits[y, x - 1], traits[y, x + 1], traits[y - 1, x], traits[y + 1, x]
    west, north = np.int64(coded[y, x - 1]), np.int64(coded[y - 1, x])
    north_west, north_east = np.int64(coded[y - 1, x - 1]), np.int64(coded[y - 1, x + 1])
    around = west | north << 1 | north_west << 2 | north_east << 3
    far = np.int64(coded[y, x - 2]) | np.int64(coded[y - 2, x]) << 1
    now, earlier, move, full, stir = has(own, ONCE), has(own, EARLIER), has(own, MOVED), has(own, FULL), has(own, STIRRED)
    beside = has(on_west, ONCE) + has(on_east, ONCE) + has(on_north, ONCE) + has(on_south, ONCE)
    corners = has(traits[y - 1, x - 1], ONCE) + has(traits[y - 1, x + 1], ONCE) + has(traits[y + 1, x - 1], ONCE) + has(traits[y + 1, x + 1], ONCE)
    later = has(on_east, ONCE) | has(traits[y + 1, x - 1], ONCE) << 1 | has(on_south, ONCE) << 2 | has(traits[y + 1, x + 1], ONCE) << 3
    moves = has(on_west, MOVED) | has(on_east, MOVED) << 1 | has(on_north, MOVED) << 2 | has(on_south, MOVED) << 3
    filled = has(on_west, FULL) | has(on_east, FULL) << 1 | has(on_north, FULL) << 2 | has(on_south, FULL) << 3
    stirred = has(on_west, STIRRED) | has(on_east, STIRRED) << 1 | has(on_north, STIRRED) << 2 | has(on_south, STIRRED) << 3
    base = CODED
    contexts[0] = base + (around | now << 4 | earlier << 5 | has(own, MOVING) << 6 | full << 7 | stir << 8 | move << 9 | far << 10)
    base += BLOCK_SLOTS
    contexts[1] = base + (around | later << 4 | now << 8 | earlier << 9 | full << 10 | stir << 11)
    base += BLOCK_SLOTS
    contexts[2] = base + (west | north << 1 | moves << 2 | move << 6 | filled << 7 | full << 11)
    base += BLOCK_SLOTS
    contexts[3] = base + (west | north << 1 | stir << 2 | stirred << 3 | full << 7 | now << 8 | min(beside, 3) << 9 | move << 11)
    base += BLOCK_SLOTS
    contexts[4] = base + ((west + north + north_west + north_east) | beside << 3 | corners << 6 | now << 9 | earlier << 10 | full << 11)
    base = CODED_OWN
    contexts[5] = base + ((row * (traits.shape[1] - 2 * EDGE) + column) & (BLOCK_SLOTS - 1))
    base += BLOCK_SLOTS
    top, left = BORDER + SIDE * row, 1 + column
    middle = (expected[top + 1, left] >> np.uint64(16) & np.uint64(0xFFFF)) | (expected[top + 2, left] & np.uint64(0xFFFF00000000))
    contexts[6] = base + scattered(middle | np.uint64(west | north << 1 | now << 2) << np.uint64(16), BLOCK_BITS)
    base += BLOCK_SLOTS
    contexts[7] = base + scattered(content_of(expected[top, left], expected[top + 1, left], expected[top + 2, left], expected[top + 3, left]), BLOCK_BITS)
    return CODED_ROWS[0] + around


@inlined
def content_of(one, two, three, four):
    """A number, uint64, of a block's four words."""
    # Products side by side: a chain of them would be waited for.
    mixed = one * np.uint64(0x9E3779B97F4A7C15) + two * np.uint64(0xD6E8FEB86659FD93) + three * np.uint64(0xA0761D6478BD642F) + four * np.uint64(0xE7037ED1A0B428DB)
    return mixed ^ (mixed >> np.uint64(31))
