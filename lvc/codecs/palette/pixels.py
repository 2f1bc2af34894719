"""The pixels of coded blocks, row by row: whether the one colour around goes on, or the one that has always followed; else yes or no to each
colour that stands around or has followed before, then a place in the palette.

Most pixels are told by the first two questions, which are asked of one slot alone. Written once for encoder and decoder, and for the
encoder that chooses colours while it codes.
"""

from typing import NamedTuple

import numpy as np

from lvc.codecs.palette.decisions import any_of, chance_of, code_alone, decision_of, same
from lvc.codecs.palette.memory import (
    ALONE_COUNT,
    COLOUR_BITS,
    COLOUR_SLOTS,
    GUESS_BITS,
    GUESS_MARKS,
    GUESSES,
    MARK_BITS,
    PIXEL_COLOURS,
    PIXEL_PATTERNS,
    PIXEL_ROWS,
    PIXEL_SLOTS,
    PIXELS,
    PIXELS_OWN,
    PLACE_BITS,
    PLACE_COLOURS,
    PLACE_PATTERNS,
    PLACE_ROWS,
    PLACE_SLOTS,
    PLACES,
    PLACES_OWN,
    RUNS,
    SURE,
)
from lvc.codecs.palette.model import MOST_TRUST, NO_COLOUR, SIDE, TRUST_STEP
from lvc.codecs.palette.past import BORDER, COLOURS, EDGE, FRAMES
from lvc.entropy.bits import CERTAIN, SPENT
from lvc.entropy.mixing import scattered, slot_probability
from lvc.kernels.compiled import bare, inlined

CANDIDATES = 6  # colours that a pixel is offered
MOST_DECISIONS = CANDIDATES + 14  # of a pixel
SURE_TRUST = 12  # times in a row that a colour must have followed before it is asked for alone: with 4, a keyframe takes 4 % more bits
# What stands around a pixel: first in the picture so far, in what is expected, and what stood there.
W, N, NW, NE, WW, NN, NNE, NWW, NNW, NEE, E, S, SE, SW, HERE, BEFORE_W, BEFORE_N, BEFORE_E, BEFORE_S, BEFORE_NW, BEFORE_NE, SETTLED, LAST, EARLIER = range(24)
KNOWN_E, KNOWN_S, KNOWN_SE, KNOWN_SW, GUESS_1, GUESS_2, GUESS_3, TRUST_1, TRUST_2, TRUST_3, HASH_1, HASH_2, HASH_3, ROW, COLUMN, KEY = range(24, 40)
AROUND = 40
SOURCES = (W, N, NW, NE, WW, NN, HERE, SETTLED, LAST, EARLIER, NNE, NWW, NEE)
WEIGHTS = (5, 5, 2, 3, 2, 2, 6, 3, 2, 2, 1, 1, 1)

chance = chance_of(PIXEL_PATTERNS + PIXEL_COLOURS)
code_decision = decision_of(PIXEL_PATTERNS, PIXEL_COLOURS)
code_half = decision_of(PLACE_PATTERNS, PLACE_COLOURS)


class Wish(NamedTuple):
    """What an encoder chooses by: source uint8 [H, W, 3]; palette int64 [K, 3]; worth: float64 [rows, columns], bits that a squared level of error is worth in each block."""

    source: np.ndarray
    palette: np.ndarray
    worth: np.ndarray


@inlined
def packed(one, two, three, four):
    """A number, uint64, of four places of colours or NO_COLOUR."""
    return np.uint64(one + 1) | np.uint64(two + 1) << np.uint64(13) | np.uint64(three + 1) << np.uint64(26) | np.uint64(four + 1) << np.uint64(39)


@inlined
def joined(one, other):
    """A number, uint64, of two."""
    mixed = one * np.uint64(0xD6E8FEB86659FD93)
    return (mixed ^ (mixed >> np.uint64(32))) + other


@inlined
def run_slot(picture, expected, settled, unknown, key, y, x):
    """The slot of whether a pixel goes on with the one colour around it, or -1 where there are more colours."""
    colour = picture[y, x - 1]
    if colour == NO_COLOUR or picture[y - 1, x] != colour:
        return -1
    for other in (picture[y - 1, x + 1], picture[y - 1, x - 1], picture[y, x - 2], picture[y - 2, x], expected[y, x], settled[y, x]):
        if other != colour and other != NO_COLOUR:
            return -1
    further = same(picture[y - 2, x + 1], colour) | same(picture[y - 1, x + 2], colour) << 1 | same(picture[y - 1, x - 2], colour) << 2 | same(picture[y - 2, x - 1], colour) << 3
    if key:
        return RUNS + further
    here = 1 | same(picture[y, x + 1], colour) << 1 | same(picture[y + 1, x], colour) << 2 | np.int64(1 - unknown[y, x + 1]) << 3 | np.int64(1 - unknown[y + 1, x]) << 4
    return RUNS + (further | here << 4)


@inlined
def surest_place(picture, expected, y, x):
    """Where it is remembered what followed on the nearest surroundings of a pixel, as a number, uint64, of them."""
    near = packed(picture[y, x - 1], picture[y - 1, x], picture[y - 1, x - 1], picture[y - 1, x + 1])
    return joined(near, packed(picture[y, x - 2], picture[y - 2, x], expected[y, x], 0))


@inlined
def look_around(picture, expected, settled, last, earlier, unknown, guesses, key, first, y, x, around):
    """Fills `around` int64 [AROUND] for the pixel at (y, x) within the border; first: its `surest_place`."""
    around[W], around[N], around[NW], around[NE] = picture[y, x - 1], picture[y - 1, x], picture[y - 1, x - 1], picture[y - 1, x + 1]
    around[WW], around[NN], around[NNE], around[NWW] = picture[y, x - 2], picture[y - 2, x], picture[y - 2, x + 1], picture[y - 1, x - 2]
    around[NNW], around[NEE] = picture[y - 2, x - 1], picture[y - 1, x + 2]
    around[E], around[S], around[SE], around[SW] = picture[y, x + 1], picture[y + 1, x], picture[y + 1, x + 1], picture[y + 1, x - 1]
    around[HERE] = expected[y, x]
    around[BEFORE_W], around[BEFORE_N], around[BEFORE_E], around[BEFORE_S] = expected[y, x - 1], expected[y - 1, x], expected[y, x + 1], expected[y + 1, x]
    around[BEFORE_NW], around[BEFORE_NE] = expected[y - 1, x - 1], expected[y - 1, x + 1]
    around[SETTLED], around[LAST], around[EARLIER] = settled[y, x], last[y, x], earlier[y, x]
    around[KNOWN_E], around[KNOWN_S], around[KNOWN_SE], around[KNOWN_SW] = 1 - unknown[y, x + 1], 1 - unknown[y + 1, x], 1 - unknown[y + 1, x + 1], 1 - unknown[y + 1, x - 1]
    around[ROW], around[COLUMN], around[KEY] = y - BORDER, x - BORDER, key
    near = packed(around[W], around[N], around[NW], around[NE])
    third = joined(packed(around[HERE], around[BEFORE_W], around[BEFORE_E], around[BEFORE_N]), packed(around[BEFORE_S], around[W], 0, 0))
    around[HASH_1] = scattered(first, GUESS_BITS)
    around[HASH_2] = GUESSES + scattered(joined(near, np.uint64(around[HERE] + 1)), GUESS_BITS)
    around[HASH_3] = 2 * GUESSES + scattered(third, GUESS_BITS)
    for kind in range(3):
        guess = np.int64(guesses[around[HASH_1 + kind]])
        around[GUESS_1 + kind], around[TRUST_1 + kind] = (guess & (TRUST_STEP - 1)) - 1, min(guess // TRUST_STEP, 3)


@inlined
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


@inlined
def bring_best(colours, scores, rank, count):
    """Swaps the best of the candidates from `rank` on to this place, the earliest of equals."""
    best = rank
    for place in range(rank + 1, count):
        if scores[place] > scores[best]:
            best = place
    colours[best], colours[rank] = colours[rank], colours[best]
    scores[best], scores[rank] = scores[rank], scores[best]


@inlined
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
    # What is asked of colours: numbers of the surroundings, each with this colour.
    colour = np.uint64(c + 1)
    west, cross_ = np.uint64(around[W] + 1), np.uint64(around[W] + 1) | np.uint64(around[N] + 1) << np.uint64(13)
    spot, corners = np.uint64(around[HERE] + 1), np.uint64(around[NW] + 1) | np.uint64(around[NE] + 1) << np.uint64(13)
    sides = np.uint64(around[E] + 1) | np.uint64(around[S] + 1) << np.uint64(13)
    shift, far = np.uint64(13), np.uint64(26)
    base = PIXELS_OWN
    contexts[9] = base + scattered(cross_ << shift | colour, COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[10] = base + scattered(spot << far | west << shift | colour, COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[11] = base + scattered(joined(cross_ << shift | colour, corners), COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[12] = base + scattered(spot << shift | colour | np.uint64(refused) << far, COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[13] = base + scattered(joined(cross_ << shift | colour, sides << shift | spot), COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[14] = base + scattered(colour | np.uint64(around[HASH_1]) << shift, COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[15] = base + scattered(colour | np.uint64(around[HASH_3]) << shift, COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[16] = base + scattered(colour | spot << shift | np.uint64(around[SETTLED] + 1) << far | np.uint64(key) << np.uint64(40), COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[17] = base + scattered(colour | np.uint64(around[ROW] >> 1) << shift | np.uint64(around[COLUMN] >> 1) << np.uint64(32), COLOUR_BITS)
    base += COLOUR_SLOTS
    contexts[18] = base + (((c << 3) | turn | key << 2) & (COLOUR_SLOTS - 1))
    return PIXEL_ROWS[0] + (turn | key << 2), PIXEL_ROWS[1] + (w | n << 1 | here << 2 | settled << 3 | first << 4 | third << 5 | key << 6)


@bare
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
        base = PLACES
        contexts[0] = base + (side_one | side_other << 2 | side_here << 4 | min(level, 7) << 6 | min(depth, 7) << 9)
        base += PLACE_SLOTS
        contexts[1] = base + (side_one | side_other << 2 | min(level, 15) << 4 | ((part << 2) - 1 >> level) << 8 | same(one, other) << 10)
        base = PLACES_OWN
        at, west, north, here = np.uint64(node), np.uint64(around[W] + 1) << np.uint64(13), np.uint64(around[N] + 1) << np.uint64(26), np.uint64(around[HERE] + 1) << np.uint64(39)
        contexts[2] = base + node
        base += PLACE_SLOTS
        contexts[3] = base + scattered(at | west, PLACE_BITS)
        base += PLACE_SLOTS
        contexts[4] = base + scattered(at | here, PLACE_BITS)
        base += PLACE_SLOTS
        contexts[5] = base + scattered(at | west | north, PLACE_BITS)
        base += PLACE_SLOTS
        contexts[6] = base + scattered(at | west | here, PLACE_BITS)
        one_row, other_row = PLACE_ROWS[0] + min(level, 15), PLACE_ROWS[1] + (side_one | side_other << 2)
        bit = code_half(coder, memory, contexts, one_row, other_row, odds, (colour >> level) & 1)
        node = 2 * node + bit
        if bit:
            low = middle
        else:
            high = middle
    return low


@inlined
def half(colour, low, middle, high):
    """0: below; 1: in the lower half; 2: in the upper half; 3: above."""
    if colour < low:
        return 0
    if colour < middle:
        return 1
    return 2 if colour < high else 3


@inlined
def squared_error(source, colour):
    red, green, blue = np.int64(source[0]) - colour[0], np.int64(source[1]) - colour[1], np.int64(source[2]) - colour[2]
    return red * red + green * green + blue * blue


@inlined
def nearest_colour(source, palette):
    """The place of the colour of `palette` int64 [K, 3] nearest to a pixel [3], and its squared error."""
    best, least = 0, squared_error(source, palette[0])
    for place in range(1, palette.shape[0]):
        error = squared_error(source, palette[place])
        if error < least:
            best, least = place, error
    return best, least


@bare
def choose_colour(slots, weights, around, colours, scores, count, refused, unlikely, palette, source, worth, contexts, odds):
    """The colour whose error and bits cost least, as far as they are known before it is coded, and what it costs.

    refused: a colour that is known not to be taken, or NO_COLOUR; unlikely: bits that this has cost.
    """
    nearest, error = nearest_colour(source, palette)
    least, spent = worth * error, unlikely
    best, cost = nearest, np.inf
    for rank in range(min(count, CANDIDATES)):
        if spent + least >= cost:
            return best, cost
        bring_best(colours, scores, rank, count)
        if colours[rank] == refused:
            continue
        one_row, other_row = pixel_contexts(around, colours, scores, rank, count, contexts)
        yes = chance(slots, weights, contexts, one_row, other_row, odds)
        this = worth * squared_error(source, palette[colours[rank]]) + spent + SPENT[yes]
        if this < cost:
            best, cost = colours[rank], this
        spent += SPENT[CERTAIN - yes]
    # What a place in the palette costs is not asked for, but thought of.
    dear = least + spent + 0.7 * np.log2(palette.shape[0])
    return (nearest, dear) if dear < cost else (best, cost)


@bare
def code_pixels(coder, memory, past, wanted, wish, first_row, last_row):
    """Codes the pixels of coded blocks in some rows of the picture, which is filled with their colours.

    wanted: colours int16 [H, W], or [0, 0]: then a writer chooses them by `wish`.
    """
    slots, weights, guesses = memory.slots, memory.weights, memory.guesses
    frames = past.counts[FRAMES]
    picture, expected, unknown, coded = past.pictures[1 + frames], past.expected, past.unknown, past.coded
    key, palette_size = same(frames, 0), past.counts[COLOURS]
    # Nothing stood here before a keyframe, and nothing is expected.
    settled, last, earlier = (expected, expected, expected) if key else (past.pictures[0], past.pictures[frames], past.pictures[max(1, frames - 1)])
    room = past.room
    around, colours, scores, contexts, odds = room.around, room.candidates, room.scores, room.contexts, room.odds
    given, choosing = wanted.shape[0] > 0, wish.palette.shape[0] > 0
    for row in range(first_row, last_row):
        y = row + BORDER
        if not any_of(coded[row // SIDE + EDGE]):
            continue
        for block in range(EDGE, coded.shape[1] - EDGE):
            if not coded[row // SIDE + EDGE, block]:
                continue
            for x in range(BORDER + (block - EDGE) * SIDE, BORDER + (block - EDGE + 1) * SIDE):
                colour = np.int64(wanted[row, x - BORDER]) if given else np.int64(NO_COLOUR)
                # One question alone, where nearly always one colour follows.
                likely, place, sure, first = np.int64(NO_COLOUR), np.int64(-1), np.int64(-1), np.uint64(0)
                run = run_slot(picture, expected, settled, unknown, key, y, x)
                if run >= 0:
                    likely, place = np.int64(picture[y, x - 1]), np.int64(run)
                else:
                    first = surest_place(picture, expected, y, x)
                    sure = scattered(first, GUESS_BITS)
                    guess = np.int64(guesses[sure])
                    trust = guess // TRUST_STEP
                    if key and trust >= SURE_TRUST:  # in other frames what is expected says more: this question would cost 9 % of their pixels' bits
                        likely = (guess & (TRUST_STEP - 1)) - 1
                        place = sure_slot(picture, y, x, likely, trust)
                count = -1
                if choosing:
                    source, worth = wish.source[row, x - BORDER], wish.worth[row // SIDE, block - EDGE]
                    cost, unlikely = np.inf, 0.0
                    if place >= 0:
                        yes = slot_probability(slots, place)
                        colour, cost = likely, worth * squared_error(source, wish.palette[likely]) + SPENT[yes]
                        unlikely = SPENT[CERTAIN - yes]
                    if unlikely < cost:
                        if run >= 0:
                            first = surest_place(picture, expected, y, x)
                        look_around(picture, expected, settled, last, earlier, unknown, guesses, key, first, y, x, around)
                        count = candidates_of(around, colours, scores)
                        other, others = choose_colour(slots, weights, around, colours, scores, count, likely, unlikely, wish.palette, source, worth, contexts, odds)
                        if others < cost:
                            colour = other
                if place >= 0 and code_alone(coder, slots, place, same(colour, likely), ALONE_COUNT):
                    picture[y, x], unknown[y, x] = likely, 0
                    if sure >= 0 and guesses[sure] < MOST_TRUST * TRUST_STEP:
                        guesses[sure] += TRUST_STEP
                        memory.marks[GUESS_MARKS + (sure >> MARK_BITS)] = 1
                    continue
                if count < 0:
                    if run >= 0:
                        first = surest_place(picture, expected, y, x)
                    look_around(picture, expected, settled, last, earlier, unknown, guesses, key, first, y, x, around)
                count = candidates_of(around, colours, scores)
                found, rank = False, 0
                while rank < count and rank < CANDIDATES:
                    bring_best(colours, scores, rank, count)
                    if colours[rank] == likely:
                        rank += 1
                        continue
                    one_row, other_row = pixel_contexts(around, colours, scores, rank, count, contexts)
                    if code_decision(coder, memory, contexts, one_row, other_row, odds, same(colour, colours[rank])):
                        colour, found = colours[rank], True
                        break
                    rank += 1
                if not found:
                    colour = np.int64(code_place(coder, memory, around, colours, count, colour, palette_size, contexts, odds))
                picture[y, x], unknown[y, x] = colour, 0
                remember(guesses, memory.marks, around, colour)


@inlined
def sure_slot(picture, y, x, colour, trust):
    """The slot of whether the colour follows that has followed before so many times."""
    length = 0
    while length < 7 and trust >> (length + 1):
        length += 1
    return SURE + (length | same(picture[y, x - 1], colour) << 3 | same(picture[y - 1, x], colour) << 4)


@inlined
def remember(guesses, marks, around, colour):
    """Which colour followed on these surroundings."""
    for kind in range(3):
        place = around[HASH_1 + kind]
        marks[GUESS_MARKS + (place >> MARK_BITS)] = 1
        guess = np.int64(guesses[place])
        if guess & (TRUST_STEP - 1) == colour + 1:
            if guess < MOST_TRUST * TRUST_STEP:
                guesses[place] = guess + TRUST_STEP
        elif guess >= 2 * TRUST_STEP:
            guesses[place] = (guess & (TRUST_STEP - 1)) | (guess // TRUST_STEP >> 1) * TRUST_STEP
        else:
            guesses[place] = colour + 1
