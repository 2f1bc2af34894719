"""What has moved: each block of a frame shows what one of the frames before showed at the same place, or somewhere else.

A frame tells a few directions, and each block which of them it takes; one that shows the same either way is not asked, and of a row of
blocks in which nothing moved none is.
"""

from typing import NamedTuple

import numpy as np

from lvc.codecs.palette.blocks import content_of
from lvc.codecs.palette.decisions import any_of, code_alone, decision_of, same
from lvc.codecs.palette.memory import (
    BLOCK_BITS,
    BLOCK_SLOTS,
    MOVED,
    MOVED_COLOURS,
    MOVED_LINES,
    MOVED_OWN,
    MOVED_PATTERNS,
    MOVED_ROWS,
    PATTERN_COUNT,
)
from lvc.codecs.palette.model import SIDE
from lvc.codecs.palette.numbers import ACROSS, AGAIN, BACK, COUNT, DOWN, code_signed, code_unary
from lvc.codecs.palette.past import (
    BACKS,
    BORDER,
    DIRECTIONS_LIMIT,
    EDGE,
    FRAMES,
    LAST_WAYS,
    RECENT,
    RECENTS,
    SPREAD,
    WAYS,
    Past,
    clear_map,
    copy_map,
)
from lvc.entropy.mixing import scattered
from lvc.kernels.compiled import bare, inlined

REACH = 64  # pixels, each way
NUMBER_MOST = 40  # decisions that a direction takes at most: its place, and two numbers

code_decision = decision_of(MOVED_PATTERNS, MOVED_COLOURS)


class Direction(NamedTuple):
    """Shows what the frame `back` + 1 before showed (dx, dy) pixels further right and down; (0, 0, 0) is what stood there."""

    back: int
    dx: int
    dy: int


STILL = Direction(0, 0, 0)
SETTLED = Direction(BACKS, 0, 0)  # shows what last stood still; every frame has it


class Moves(NamedTuple):
    """directions: of a frame, told. places: uint8 [rows, columns], which of STILL, SETTLED and them each block takes."""

    directions: tuple[Direction, ...]
    places: np.ndarray


def recent_directions(past: Past) -> tuple[Direction, ...]:
    """Those of the frames before, the latest first."""
    return tuple(Direction(*map(int, way)) for way in past.recent[: past.counts[RECENTS]])


@inlined
def is_way(way, ways, count):
    """Whether a way is among the first of some."""
    for number in range(count):
        if ways[number, 0] == way[0] and ways[number, 1] == way[1] and ways[number, 2] == way[2]:
            return True
    return False


@bare
def code_ways(coder, slots, past, wanted):
    """Codes a frame's directions, or decodes them, after the two that every frame has; gives 0, or 1 for those that cannot be.

    wanted: int64 [D, 3], or [0, 3] for a reader.
    """
    ways, recent, counts, left = past.ways, past.recent, past.counts, past.room.tried
    ways[0, 0], ways[0, 1], ways[0, 2] = 0, 0, 0
    ways[1, 0], ways[1, 1], ways[1, 2] = BACKS, 0, 0
    counts[WAYS] = 2
    total = code_unary(coder, slots, COUNT, wanted.shape[0], DIRECTIONS_LIMIT)
    for number in range(2, 2 + total):
        told = number - 2 < wanted.shape[0]
        count, place = 0, -1
        for other in range(counts[RECENTS]):
            if not is_way(recent[other], ways[2:], number - 2):
                if told and place < 0 and is_way(recent[other], wanted[number - 2 : number - 1], 1):
                    place = count
                left[count] = other
                count += 1
        place = code_unary(coder, slots, AGAIN, place if place >= 0 else count, count)
        if place < count:
            for part in range(3):
                ways[number, part] = recent[left[place], part]
        else:
            ways[number, 0] = code_unary(coder, slots, BACK, wanted[number - 2, 0] if told else 0, BACKS - 1)
            ways[number, 1] = code_signed(coder, slots, ACROSS, wanted[number - 2, 1] if told else 0)
            ways[number, 2] = code_signed(coder, slots, DOWN, wanted[number - 2, 2] if told else 0)
        if ways[number, 0] >= min(counts[FRAMES], BACKS) or max(abs(ways[number, 1]), abs(ways[number, 2])) > REACH or is_way(ways[number], ways, 1) or is_way(ways[number], ways[2:], number - 2):
            return 1
    counts[WAYS] = 2 + total
    return 0


@bare
def keep_recent(past):
    """The ways of this frame are the latest of late."""
    ways, recent, counts, found = past.ways, past.recent, past.counts, past.room.ways
    count = counts[WAYS] - 2
    copy_map(ways[2:], found[: ways.shape[0] - 2])
    for other in range(counts[RECENTS]):
        if not is_way(recent[other], ways[2:], counts[WAYS] - 2):
            for part in range(3):
                found[count, part] = recent[other, part]
            count += 1
    counts[RECENTS] = min(count, RECENT)
    copy_map(found, recent)


@inlined
def within(place, size):
    return max(0, min(size - 1, place))


@inlined
def find_sources(past, sources):
    """Fills which picture, and where in it, each of this frame's ways shows: int64 [MOST_WAYS, 3]."""
    for number in range(past.counts[WAYS]):
        back = past.ways[number, 0]
        sources[number, 0] = 0 if back == BACKS else past.counts[FRAMES] - back
        sources[number, 1], sources[number, 2] = past.ways[number, 1], past.ways[number, 2]


@inlined
def shown_word(pictures, words, picture, dx, dy, y, x):
    """What a picture shows of the four pixels from (y, x), a multiple of SIDE, moved by (dx, dy); what lies outside is its nearest pixel."""
    height, width = pictures.shape[1] - 2 * BORDER, pictures.shape[2] - 2 * BORDER
    y, x = y + dy, x + dx
    if 0 <= y < height and 0 <= x <= width - SIDE:
        first, shift = (x + BORDER) >> 2, np.uint64((x & 3) << 4)
        word = words[picture, y + BORDER, first] >> shift
        if shift:
            word |= words[picture, y + BORDER, first + 1] << (np.uint64(64) - shift)
        return word
    word = np.uint64(0)
    for place in range(SIDE):
        colour = pictures[picture, within(y, height) + BORDER, within(x + place, width) + BORDER]
        word |= (np.uint64(colour) & np.uint64(0xFFFF)) << np.uint64(16 * place)
    return word


@inlined
def show_line(pictures, words, picture, dx, dy, y, line):
    """Fills `line` uint64 [columns] with what a picture shows of a whole line of pixels, as `shown_word`."""
    columns = line.shape[0]
    height, width = pictures.shape[1] - 2 * BORDER, pictures.shape[2] - 2 * BORDER
    # Columns whose four pixels lie inside.
    begin, end = min(columns, max(0, (SIDE - 1 - dx) // SIDE)), max(0, min(columns, (width - dx) // SIDE))
    shift, first, top = np.uint64((dx & 3) << 4), (dx + BORDER) >> 2, within(y + dy, height) + BORDER
    for column in range(min(begin, columns)):
        line[column] = shown_word(pictures, words, picture, dx, dy, y, SIDE * column)
    if shift:
        other = np.uint64(64) - shift
        for column in range(begin, end):
            line[column] = words[picture, top, first + column] >> shift | words[picture, top, first + column + 1] << other
    else:
        for column in range(begin, end):
            line[column] = words[picture, top, first + column]
    for column in range(max(begin, end), columns):
        line[column] = shown_word(pictures, words, picture, dx, dy, y, SIDE * column)


@inlined
def show_row(pictures, words, sources, count, row, shown, apart):
    """Fills what each way shows of a row of blocks, uint64 [MOST_WAYS, SIDE, columns], and where any shows something else than the first."""
    for column in range(apart.shape[0]):
        apart[column] = 0
    for number in range(count):
        for line in range(SIDE):
            show_line(pictures, words, sources[number, 0], sources[number, 1], sources[number, 2], SIDE * row + line, shown[number, line])
            for column in range(apart.shape[0]):
                apart[column] |= shown[number, line, column] ^ shown[0, line, column]


@inlined
def flat_shown(shown, number, column):
    """Whether what a way shows of a block is of one colour."""
    return is_flat(shown[number, 0, column], shown[number, 1, column], shown[number, 2, column], shown[number, 3, column])


@inlined
def is_flat(one, two, three, four):
    plain = (one & np.uint64(0xFFFF)) * np.uint64(SPREAD)
    return np.int64(((one ^ plain) | (two ^ plain) | (three ^ plain) | (four ^ plain)) == 0)


@bare
def moved_in_line(pictures, words, sources, wanted, row):
    """Whether any block of a row takes a way that shows something else than the first."""
    for column in range(wanted.shape[1]):
        way = np.int64(wanted[row, column])
        if way:
            for y in range(SIDE * row, SIDE * (row + 1)):
                if shown_word(pictures, words, sources[way, 0], sources[way, 1], sources[way, 2], y, SIDE * column) != words[sources[0, 0], y + BORDER, 1 + column]:
                    return np.int64(1)
    return np.int64(0)


@bare
def ways_before(past, before):
    """Fills which of this frame's ways each of the last frame's is, or -1."""
    for number in range(past.counts[LAST_WAYS]):
        before[number] = -1
        for other in range(past.counts[WAYS]):
            if is_way(past.last_ways[number], past.ways[other : other + 1], 1):
                before[number] = other


@bare
def code_places(coder, memory, past, wanted):
    """Codes which way each block takes, and fills `past.taken`; wanted: uint8 [rows, columns], or zeros for a reader."""
    slots, ways = memory.slots, past.ways
    taken, took, once, pictures, words = past.taken, past.took, past.once, past.pictures, past.words
    rows, columns = wanted.shape
    count = past.counts[WAYS]
    room = past.room
    contexts, odds, sources, lines, apart = room.contexts, room.odds, room.sources, room.shown, room.apart
    shown, tried, before = room.contents, room.tried, room.before
    find_sources(past, sources)
    ways_before(past, before)
    clear_map(taken, 0)
    moved_above = np.int64(0)
    for row in range(rows):
        y = row + EDGE
        late = any_of(took[y]) | any_of(once[y])
        if moved_above | late == 0:  # where something goes on, what blocks show says more than a question about all of them
            if not code_alone(coder, slots, MOVED_LINES + min(count - 2, 7), moved_in_line(pictures, words, sources, wanted, row), PATTERN_COUNT):
                continue
        show_row(pictures, words, sources, count, row, lines, apart)
        for column in range(columns):
            if not apart[column]:
                continue
            x = column + EDGE
            last = before[took[y, x]]
            wish = np.int64(wanted[row, column])
            for number in range(count):
                shown[number] = content_of(lines[number, 0, column], lines[number, 1, column], lines[number, 2, column], lines[number, 3, column])
            flat = flat_shown(lines, 0, column)
            west, north, north_west, north_east = np.int64(taken[y, x - 1]), np.int64(taken[y - 1, x]), np.int64(taken[y - 1, x - 1]), np.int64(taken[y - 1, x + 1])
            far_west, far_north = np.int64(taken[y, x - 2]), np.int64(taken[y - 2, x])
            # The likeliest first: ways of the blocks around, then none, then the frame's in their order.
            length = 0
            for number in range(count + 5):
                if number == 0:
                    way = west
                elif number == 1:
                    way = north
                elif number == 2:
                    way = north_east
                elif number == 3:
                    way = np.int64(0)
                elif number == 4:
                    way = last
                else:
                    way = np.int64(number - 5)
                if way < 0:
                    continue
                new = True
                for place in range(length):
                    if shown[tried[place]] == shown[way]:
                        new = False
                        break
                if new:
                    tried[length] = way
                    length += 1
            chosen = tried[length - 1]
            now = np.int64(once[y, x])
            around = np.int64(once[y, x - 1]) + once[y, x + 1] + once[y - 1, x] + once[y + 1, x]
            for rank in range(length - 1):
                way = tried[rank]
                content = shown[way]
                on_west, on_north = same(shown[west], content), same(shown[north], content)
                corners = same(shown[north_west], content) | same(shown[north_east], content) << 1
                still = same(way, 0)
                turn, many, plain = min(rank, 3), min(count - 2, 3), flat_shown(lines, way, column)
                beside = on_west | on_north << 1 | corners << 2 | still << 4
                as_before = 0 if last < 0 else 1 + same(shown[last], content)
                base = MOVED
                contexts[0] = base + (beside | turn << 5 | as_before << 7 | many << 9 | plain << 11)
                base += BLOCK_SLOTS
                contexts[1] = base + (
                    on_west | on_north << 1 | still << 2 | max(0, min(length - 2, 3)) << 3 | turn << 5 | same(shown[west], shown[north]) << 7
                    | same(shown[west], shown[0]) << 8 | same(shown[north], shown[0]) << 9 | plain << 10 | flat << 11
                )  # fmt: skip
                base += BLOCK_SLOTS
                contexts[2] = base + (min(way, 15) | (on_west + on_north) << 4 | as_before << 6 | plain << 8 | flat << 9 | now << 10)
                base += BLOCK_SLOTS
                contexts[3] = base + (beside | same(shown[far_west], content) << 5 | same(shown[far_north], content) << 6 | now << 7 | min(around, 3) << 8 | plain << 10 | flat << 11)
                base = MOVED_OWN
                own = np.uint64(ways[way, 0] | (ways[way, 1] + REACH) << 3 | (ways[way, 2] + REACH) << 12)
                sides = np.uint64(on_west | on_north << 1)
                contexts[4] = base + scattered(own << np.uint64(2) | sides, BLOCK_BITS)
                base += BLOCK_SLOTS
                contexts[5] = base + scattered(np.uint64(still | (row >> 1) << 1 | (column >> 1) << 17), BLOCK_BITS)
                base += BLOCK_SLOTS
                contexts[6] = base + scattered(content + sides, BLOCK_BITS)
                base += BLOCK_SLOTS
                contexts[7] = base + scattered(content * np.uint64(3) + shown[0], BLOCK_BITS)
                one_row, other_row = MOVED_ROWS[0] + (on_west | on_north << 1 | still << 2 | plain << 3), MOVED_ROWS[1] + (turn | many << 2)
                if code_decision(coder, memory, contexts, one_row, other_row, odds, same(shown[wish], content)):
                    chosen = way
                    break
            taken[y, x] = chosen
        moved_above = any_of(taken[y])


@bare
def expect(past):
    """Fills what is expected where blocks take these ways."""
    pictures, words, expected, taken = past.pictures, past.words, past.expected_words, past.taken
    sources = past.room.sources
    find_sources(past, sources)
    copy_map(words[past.counts[FRAMES]], expected)
    for row in range(taken.shape[0] - 2 * EDGE):
        for column in range(taken.shape[1] - 2 * EDGE):
            way = np.int64(taken[row + EDGE, column + EDGE])
            if way:
                for y in range(SIDE * row, SIDE * (row + 1)):
                    expected[BORDER + y, 1 + column] = shown_word(pictures, words, sources[way, 0], sources[way, 1], sources[way, 2], y, SIDE * column)
