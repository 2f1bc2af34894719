"""The pixels of coded blocks, row by row: yes or no to each colour that stands around or has followed before, then a place in the palette.

Written once for encoder and decoder, and for the encoder that chooses colours while it codes.
"""

from typing import NamedTuple

import numpy as np

from lvc.compiled import compiled
from lvc.entropy.bits import CERTAIN, SPENT
from lvc.entropy.mixing import hashed, slot_probability
from lvc.models.palette import SIDE
from lvc.palette.decisions import chance, code_alone, code_decision, same
from lvc.palette.memory import (
    ALONE_COUNT,
    GUESSES,
    MOST_CONTEXTS,
    NO_COLOUR,
    PIXEL_COLOURS,
    PIXEL_PATTERNS,
    PIXEL_ROWS,
    PIXEL_SLOTS,
    PIXELS,
    PIXELS_OWN,
    PLACE_COLOURS,
    PLACE_PATTERNS,
    PLACE_ROWS,
    PLACE_SLOTS,
    PLACES,
    PLACES_OWN,
    RUNS,
)

BORDER = 2  # pixels around a picture that hold no colour
CANDIDATES = 6  # colours that a pixel is offered
MOST_DECISIONS = CANDIDATES + 13  # of a pixel
# What stands around a pixel: first in the picture so far, in what is expected, and what stood there.
W, N, NW, NE, WW, NN, NNE, NWW, NNW, NEE, E, S, SE, SW, HERE, BEFORE_W, BEFORE_N, BEFORE_E, BEFORE_S, BEFORE_NW, BEFORE_NE, SETTLED, LAST, EARLIER = range(24)
KNOWN_E, KNOWN_S, KNOWN_SE, KNOWN_SW, GUESS_1, GUESS_2, GUESS_3, TRUST_1, TRUST_2, TRUST_3, HASH_1, HASH_2, HASH_3, ROW, COLUMN, KEY = range(24, 40)
AROUND = 40
SOURCES = (W, N, NW, NE, WW, NN, HERE, SETTLED, LAST, EARLIER, NNE, NWW, NEE)
WEIGHTS = (5, 5, 2, 3, 2, 2, 6, 3, 2, 2, 1, 1, 1)


class Surroundings(NamedTuple):
    """A frame while it is coded, all within a border of BORDER pixels: colours int16 [H, W] as far as they are known and else as
    expected, which of them are known uint8, and the pictures that they are expected from; key: 1 in a keyframe, else 0.
    """

    picture: np.ndarray
    known: np.ndarray
    expected: np.ndarray
    settled: np.ndarray
    last: np.ndarray
    earlier: np.ndarray
    key: int


class Wish(NamedTuple):
    """What an encoder chooses by: source uint8 [H, W, 3]; palette int64 [K, 3]; worth: float64 [rows, columns], bits that a squared level of error is worth in each block."""

    source: np.ndarray
    palette: np.ndarray
    worth: np.ndarray


@compiled
def look_around(surroundings, memory, y, x, around):
    """Fills `around` int64 [AROUND] for the pixel at (y, x) within the border."""
    picture, known, expected = surroundings.picture, surroundings.known, surroundings.expected
    around[W], around[N], around[NW], around[NE] = picture[y, x - 1], picture[y - 1, x], picture[y - 1, x - 1], picture[y - 1, x + 1]
    around[WW], around[NN], around[NNE], around[NWW] = picture[y, x - 2], picture[y - 2, x], picture[y - 2, x + 1], picture[y - 1, x - 2]
    around[NNW], around[NEE] = picture[y - 2, x - 1], picture[y - 1, x + 2]
    around[E], around[S], around[SE], around[SW] = picture[y, x + 1], picture[y + 1, x], picture[y + 1, x + 1], picture[y + 1, x - 1]
    around[HERE] = expected[y, x]
    around[BEFORE_W], around[BEFORE_N], around[BEFORE_E], around[BEFORE_S] = expected[y, x - 1], expected[y - 1, x], expected[y, x + 1], expected[y + 1, x]
    around[BEFORE_NW], around[BEFORE_NE] = expected[y - 1, x - 1], expected[y - 1, x + 1]
    around[SETTLED], around[LAST], around[EARLIER] = surroundings.settled[y, x], surroundings.last[y, x], surroundings.earlier[y, x]
    around[KNOWN_E], around[KNOWN_S], around[KNOWN_SE], around[KNOWN_SW] = known[y, x + 1], known[y + 1, x], known[y + 1, x + 1], known[y + 1, x - 1]
    around[ROW], around[COLUMN], around[KEY] = y - BORDER, x - BORDER, surroundings.key
    cross = hashed(around[W], around[N])
    corners = hashed(around[NW], around[NE])
    here = around[HERE]
    first = hashed(hashed(cross, corners), hashed(hashed(around[WW], around[NN]), here))
    second = hashed(cross, hashed(here, corners))
    third = hashed(hashed(here, around[BEFORE_W]), hashed(hashed(around[BEFORE_E], around[BEFORE_N]), hashed(around[BEFORE_S], around[W])))
    around[HASH_1], around[HASH_2], around[HASH_3] = first & (GUESSES - 1), GUESSES + (second & (GUESSES - 1)), 2 * GUESSES + (third & (GUESSES - 1))
    for kind in range(3):
        place = around[HASH_1 + kind]
        around[GUESS_1 + kind], around[TRUST_1 + kind] = memory.guesses[place], min(np.int64(memory.trust[place]), 3)


@compiled
def candidates_of(around, colours, scores):
    """Fills the colours around and their scores, no colour twice; gives how many there are."""
    count = 0
    for number in range(len(SOURCES) + 7):
        if number < len(SOURCES):
            colour, weight = around[SOURCES[number]], WEIGHTS[number]
        elif number < len(SOURCES) + 4:
            place = number - len(SOURCES)
            colour = around[E + place]
            weight = (3 if place < 2 else 2) if around[KNOWN_E + place] else 1
        else:
            place = number - len(SOURCES) - 4
            colour, trust = around[GUESS_1 + place], around[TRUST_1 + place]
            weight = 4 * trust + 3 if place == 0 else (3 * trust + 2 if place == 1 else 4 * trust + 2)
        if colour == NO_COLOUR:
            continue
        place = 0
        while place < count and colours[place] != colour:
            place += 1
        if place == count:
            colours[place], scores[place] = colour, 0
            count += 1
        scores[place] += weight
    return count


@compiled
def bring_best(colours, scores, rank, count):
    """Swaps the best of the candidates from `rank` on to this place, the earliest of equals."""
    best = rank
    for place in range(rank + 1, count):
        if scores[place] > scores[best]:
            best = place
    colours[best], colours[rank] = colours[rank], colours[best]
    scores[best], scores[rank] = scores[rank], scores[best]


@compiled
def pixel_contexts(around, colours, scores, rank, count, contexts):
    """Fills the contexts of whether a pixel has the candidate of this rank; gives its rows of weights."""
    c, score = colours[rank], scores[rank]
    key, turn = around[KEY], min(rank, 3)
    w, n, nw, ne, ww, nn = same(c, around[W]), same(c, around[N]), same(c, around[NW]), same(c, around[NE]), same(c, around[WW]), same(c, around[NN])
    here, settled = same(c, around[HERE]), same(c, around[SETTLED])
    e, s = same(c, around[E]), same(c, around[S])
    first, second, third = same(c, around[GUESS_1]), same(c, around[GUESS_2]), same(c, around[GUESS_3])
    known_e, known_s = around[KNOWN_E], around[KNOWN_S]
    cross = w | n << 1 | nw << 2 | ne << 3
    alike = same(around[W], around[N]) | same(around[NW], around[N]) << 1 | same(around[NW], around[W]) << 2 | same(around[NE], around[N]) << 3 | same(around[WW], around[W]) << 4 | same(around[NN], around[N]) << 5
    next_score = 0
    for place in range(rank + 1, count):
        next_score = max(next_score, scores[place])
    refused = 0
    for place in range(rank):
        other = colours[place]
        refused |= same(other, around[W]) | same(other, around[N]) << 1 | same(other, around[HERE]) << 2 | same(other, around[E]) << 3 | same(other, around[S]) << 4 | same(other, around[GUESS_1]) << 5
    base = PIXELS
    contexts[0] = base + (cross | here << 4 | settled << 5 | ww << 6 | nn << 7 | turn << 8 | key << 10 | e << 11 | s << 12 | known_e << 13 | known_s << 14 | same(c, around[LAST]) << 15)
    base += PIXEL_SLOTS
    contexts[1] = base + (cross | alike << 4 | turn << 10 | key << 12 | here << 13 | same(around[HERE], around[W]) << 14 | same(around[HERE], around[N]) << 15)
    base += PIXEL_SLOTS
    contexts[2] = base + (
        first * (1 + around[TRUST_1]) | second * (1 + around[TRUST_2]) << 3 | third * (1 + around[TRUST_3]) << 6 | turn << 9
        | w << 11 | n << 12 | here << 13 | min(around[TRUST_1], 1) << 14 | min(around[TRUST_2], 1) << 15
    )  # fmt: skip
    base += PIXEL_SLOTS
    right = same(around[W], around[BEFORE_W]) | same(around[N], around[BEFORE_N]) << 1 | same(around[NW], around[BEFORE_NW]) << 2 | same(around[NE], around[BEFORE_NE]) << 3
    contexts[3] = base + (
        here | settled << 1 | w << 2 | n << 3 | right << 4 | turn << 8 | same(c, around[LAST]) << 10 | same(c, around[EARLIER]) << 11
        | key << 12 | known_e << 13 | known_s << 14 | same(around[HERE], around[SETTLED]) << 15
    )  # fmt: skip
    base += PIXEL_SLOTS
    contexts[4] = base + (
        here | e << 1 | s << 2 | same(c, around[SE]) << 3 | same(c, around[SW]) << 4 | known_e << 5 | known_s << 6 | around[KNOWN_SE] << 7 | around[KNOWN_SW] << 8
        | w << 9 | n << 10 | turn << 11 | settled << 13 | same(around[E], around[S]) << 14 | key << 15
    )  # fmt: skip
    base += PIXEL_SLOTS
    inside = (around[COLUMN] & (SIDE - 1)) | (around[ROW] & (SIDE - 1)) << 2
    contexts[5] = base + (inside | min(count, 7) << 4 | turn << 7 | w << 9 | n << 10 | here << 11 | min(score >> 2, 7) << 12 | key << 15)
    base += PIXEL_SLOTS
    contexts[6] = base + (
        cross | ww << 4 | nn << 5 | same(c, around[NNE]) << 6 | same(c, around[NWW]) << 7 | same(c, around[NNW]) << 8 | same(c, around[NEE]) << 9
        | here << 10 | turn << 11 | key << 13 | first << 14 | third << 15
    )  # fmt: skip
    base += PIXEL_SLOTS
    contexts[7] = base + (min(score, 31) | min(next_score, 31) << 5 | turn << 10 | key << 12 | here << 13 | w << 14 | n << 15)
    base += PIXEL_SLOTS
    contexts[8] = base + (refused | turn << 6 | w << 8 | n << 9 | here << 10 | e << 11 | s << 12 | first << 13 | settled << 14 | key << 15)
    mask = PIXEL_SLOTS - 1
    with_west, crossing = hashed(c, around[W]), hashed(c, hashed(around[W], around[N]))
    with_here = hashed(c, around[HERE])
    base = PIXELS_OWN
    contexts[9] = base + (crossing & mask)
    base += PIXEL_SLOTS
    contexts[10] = base + (hashed(with_west, around[HERE]) & mask)
    base += PIXEL_SLOTS
    contexts[11] = base + (hashed(crossing, hashed(around[NW], around[NE])) & mask)
    base += PIXEL_SLOTS
    contexts[12] = base + (hashed(with_here, refused) & mask)
    base += PIXEL_SLOTS
    contexts[13] = base + (hashed(with_here, hashed(hashed(around[E], around[S]), hashed(around[W], around[N]))) & mask)
    base += PIXEL_SLOTS
    contexts[14] = base + (hashed(c, around[HASH_1]) & mask)
    base += PIXEL_SLOTS
    contexts[15] = base + (hashed(c, around[HASH_3]) & mask)
    base += PIXEL_SLOTS
    contexts[16] = base + (hashed(with_here, hashed(around[SETTLED], key)) & mask)
    base += PIXEL_SLOTS
    contexts[17] = base + (hashed(c, hashed(around[ROW] >> 1, around[COLUMN] >> 1)) & mask)
    base += PIXEL_SLOTS
    contexts[18] = base + (hashed(c, turn | key << 2) & mask)
    return PIXEL_ROWS[0] + (turn | key << 2), PIXEL_ROWS[1] + (w | n << 1 | here << 2 | settled << 3 | first << 4 | third << 5 | key << 6)


@compiled
def code_place(coder, memory, around, colours, count, colour, palette_size, contexts, odds):
    """Codes a colour's place in the palette, a bit at a time, the halves in which no colour is left out."""
    depth = 1
    while 1 << depth < palette_size:
        depth += 1
    one = colours[0] if count else 0
    other = colours[1] if count > 1 else one
    node, low, high = 1, 0, 1 << depth
    for level in range(depth - 1, -1, -1):
        middle = low + (1 << level)
        if middle >= palette_size:
            node, high = 2 * node, middle
            continue
        side_one, side_other, side_here = half(one, low, middle, high), half(other, low, middle, high), half(around[HERE], low, middle, high)
        part = min(palette_size, high) - middle  # of the upper half that there is
        base, mask = PLACES, PLACE_SLOTS - 1
        contexts[0] = base + (side_one | side_other << 2 | side_here << 4 | min(level, 7) << 6 | min(depth, 7) << 9)
        base += PLACE_SLOTS
        contexts[1] = base + (side_one | side_other << 2 | min(level, 15) << 4 | ((part << 2) - 1 >> level) << 8 | same(one, other) << 10)
        base = PLACES_OWN
        contexts[2] = base + (node & mask)
        base += PLACE_SLOTS
        contexts[3] = base + (hashed(node, around[W]) & mask)
        base += PLACE_SLOTS
        contexts[4] = base + (hashed(node, around[HERE]) & mask)
        base += PLACE_SLOTS
        contexts[5] = base + (hashed(node, hashed(around[W], around[N])) & mask)
        base += PLACE_SLOTS
        contexts[6] = base + (hashed(node, hashed(around[W], around[HERE])) & mask)
        rows = PLACE_ROWS[0] + min(level, 15), PLACE_ROWS[1] + (side_one | side_other << 2)
        bit = code_decision(coder, memory, contexts, PLACE_PATTERNS, PLACE_COLOURS, rows, odds, (colour >> level) & 1)
        node = 2 * node + bit
        if bit:
            low = middle
        else:
            high = middle
    return low


@compiled
def half(colour, low, middle, high):
    """0: below; 1: in the lower half; 2: in the upper half; 3: above."""
    if colour < low:
        return 0
    if colour < middle:
        return 1
    return 2 if colour < high else 3


@compiled
def run_slot(around):
    """The slot of whether a pixel goes on with the one colour around it, or -1 where there are more colours."""
    colour = around[W]
    if colour == NO_COLOUR:
        return -1
    for place in (N, NW, NE, WW, NN, HERE, SETTLED):
        if around[place] != colour and around[place] != NO_COLOUR:
            return -1
    if around[N] == NO_COLOUR:
        return -1
    guess = 2 if around[GUESS_1] == NO_COLOUR else same(around[GUESS_1], colour)
    return RUNS + (around[KEY] | guess << 1 | around[TRUST_1] << 3 | same(around[E], colour) << 5 | same(around[S], colour) << 6 | around[KNOWN_E] << 7 | around[KNOWN_S] << 8)


@compiled
def squared_error(source, colour):
    red, green, blue = np.int64(source[0]) - colour[0], np.int64(source[1]) - colour[1], np.int64(source[2]) - colour[2]
    return red * red + green * green + blue * blue


@compiled
def nearest_colour(source, palette):
    """The place of the colour of `palette` int64 [K, 3] nearest to a pixel [3], and its squared error."""
    best, least = 0, squared_error(source, palette[0])
    for place in range(1, palette.shape[0]):
        error = squared_error(source, palette[place])
        if error < least:
            best, least = place, error
    return best, least


@compiled
def choose_colour(memory, around, colours, scores, count, run, palette, source, worth, contexts, odds):
    """The colour whose error and bits cost least, as far as they are known before it is coded."""
    nearest, error = nearest_colour(source, palette)
    least, refused = worth * error, 0.0
    best, cost = nearest, np.inf
    if run >= 0:
        yes = slot_probability(memory.slots, run)
        best, cost = around[W], worth * squared_error(source, palette[around[W]]) + SPENT[yes]
        refused = SPENT[CERTAIN - yes]
    for rank in range(min(count, CANDIDATES)):
        if refused + least >= cost:
            return best
        bring_best(colours, scores, rank, count)
        if run >= 0 and colours[rank] == around[W]:
            continue
        rows = pixel_contexts(around, colours, scores, rank, count, contexts)
        yes = chance(memory, contexts, PIXEL_PATTERNS + PIXEL_COLOURS, rows, odds)
        this = worth * squared_error(source, palette[colours[rank]]) + refused + SPENT[yes]
        if this < cost:
            best, cost = colours[rank], this
        refused += SPENT[CERTAIN - yes]
    # What a place in the palette costs is not asked for, but thought of.
    return nearest if least + refused + 0.7 * np.log2(palette.shape[0]) < cost else best


@compiled
def code_pixels(coder, memory, surroundings, coded, palette_size, wanted, wish, first_row, last_row):
    """Codes the pixels of coded blocks in some rows of the picture, which is filled with their colours.

    coded: uint8 [rows, columns] of blocks. wanted: colours int16 [H, W], or [0, 0]: then a writer chooses them by `wish`.
    """
    picture, known = surroundings.picture, surroundings.known
    width = picture.shape[1] - 2 * BORDER
    around = np.empty(AROUND, np.int64)
    colours, scores = np.empty(32, np.int64), np.empty(32, np.int64)
    contexts, odds = np.empty(MOST_CONTEXTS, np.int64), np.empty(MOST_CONTEXTS, np.int64)
    given, choosing = wanted.shape[0] > 0, wish.palette.shape[0] > 0
    for row in range(first_row, last_row):
        for column in range(width):
            if not coded[row // SIDE, column // SIDE]:
                continue
            y, x = row + BORDER, column + BORDER
            look_around(surroundings, memory, y, x, around)
            run = run_slot(around)
            count = -1
            colour = np.int64(wanted[row, column]) if given else np.int64(NO_COLOUR)
            if choosing:
                count = candidates_of(around, colours, scores)
                colour = choose_colour(memory, around, colours, scores, count, run, wish.palette, wish.source[row, column], wish.worth[row // SIDE, column // SIDE], contexts, odds)
            found = False
            if run >= 0 and code_alone(coder, memory.slots, run, same(colour, around[W]), ALONE_COUNT):
                colour, found = around[W], True
            if not found:
                count = candidates_of(around, colours, scores)
                rank = 0
                while rank < count and rank < CANDIDATES:
                    bring_best(colours, scores, rank, count)
                    if run >= 0 and colours[rank] == around[W]:
                        rank += 1
                        continue
                    rows = pixel_contexts(around, colours, scores, rank, count, contexts)
                    if code_decision(coder, memory, contexts, PIXEL_PATTERNS, PIXEL_COLOURS, rows, odds, same(colour, colours[rank])):
                        colour, found = colours[rank], True
                        break
                    rank += 1
            if not found:
                colour = np.int64(code_place(coder, memory, around, colours, count, colour, palette_size, contexts, odds))
            picture[y, x], known[y, x] = colour, 1
            remember(memory, around, colour)


@compiled
def remember(memory, around, colour):
    """Which colour followed on these surroundings."""
    for kind in range(3):
        place = around[HASH_1 + kind]
        if memory.guesses[place] == colour:
            memory.trust[place] = min(np.int64(memory.trust[place]) + 1, 255)
        elif memory.trust[place] > 1:
            memory.trust[place] >>= 1
        else:
            memory.guesses[place], memory.trust[place] = colour, 0
