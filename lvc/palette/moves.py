"""What has moved: each block of a frame shows what one of the frames before showed at the same place, or somewhere else.

A frame tells a few directions, and each block which of them it takes; one that shows the same either way is not asked.
"""

from typing import NamedTuple

import numpy as np

from lvc.compiled import compiled
from lvc.entropy.mixing import followed, hashed
from lvc.errors import FormatError
from lvc.models.palette import SIDE
from lvc.palette.blocks import framed
from lvc.palette.decisions import code_decision, same
from lvc.palette.memory import BLOCK_SLOTS, MOST_CONTEXTS, MOVED, MOVED_COLOURS, MOVED_OWN, MOVED_PATTERNS, MOVED_ROWS
from lvc.palette.numbers import ACROSS, AGAIN, BACK, COUNT, DOWN, code_signed, code_unary

DIRECTIONS_LIMIT = 15  # of a frame
RECENT = 8  # directions of the frames before that are told by their place
BACKS = 4  # frames before that something can have moved from
REACH = 64  # pixels, each way


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


def code_directions(directions, coder, memory, recent, backs: int) -> tuple[Direction, ...]:
    """Codes a frame's directions, or decodes them where they are None; raises FormatError for those that cannot be.

    recent: directions of the frames before, the latest first. backs: how many frames there are to move from.
    """
    own = coder.parts, memory.slots
    count = code_unary(*own, COUNT, len(directions or ()), DIRECTIONS_LIMIT)
    found = []
    for number in range(count):
        wanted = directions[number] if directions is not None else STILL
        left = [direction for direction in recent if direction not in found]
        place = code_unary(*own, AGAIN, left.index(wanted) if wanted in left else len(left), len(left))
        if place < len(left):
            direction = left[place]
        else:
            direction = Direction(
                code_unary(*own, BACK, wanted.back, BACKS - 1),
                code_signed(*own, ACROSS, wanted.dx),
                code_signed(*own, DOWN, wanted.dy),
            )
        if direction.back >= backs or abs(direction.dx) > REACH or abs(direction.dy) > REACH or direction == STILL or direction in found:
            raise FormatError("the coded symbols are damaged: a direction from outside of the frames before")
        found.append(direction)
    return tuple(found)


def recent_after(recent, directions) -> tuple[Direction, ...]:
    """The directions of the frames before, with those of one more."""
    return (*directions, *(direction for direction in recent if direction not in directions))[:RECENT]


@compiled
def within(place, size):
    return max(0, min(size - 1, place))


@compiled
def seen(past, directions, number, y, x):
    """What a direction shows at a pixel; what lies outside of a frame is its nearest pixel."""
    return past[directions[number, 0], within(y + directions[number, 2], past.shape[1]), within(x + directions[number, 1], past.shape[2])]


@compiled
def shows_otherwise(past, directions, top, left):
    """Whether any direction shows something else of a block than STILL, the first."""
    for number in range(1, directions.shape[0]):
        for y in range(top, top + SIDE):
            for x in range(left, left + SIDE):
                if seen(past, directions, number, y, x) != past[0, y, x]:
                    return True
    return False


@compiled
def show(past, directions, top, left, shown, flat):
    """Fills what each direction shows of a block: a number of its content, and whether it is of one colour."""
    for number in range(directions.shape[0]):
        first, content, plain = np.int64(seen(past, directions, number, top, left)), np.int64(0), 1
        for y in range(top, top + SIDE):
            for x in range(left, left + SIDE):
                colour = np.int64(seen(past, directions, number, y, x))
                content = followed(content, colour)
                if colour != first:
                    plain = 0
        shown[number], flat[number] = content, plain


@compiled
def code_places(coder, memory, past, directions, wanted, places, before, changed):
    """Codes which direction each block takes: `places` uint8 [rows, columns] is filled; wanted: the same, or anything for a reader.

    past: colours int16 [N, H, W] of pictures. directions: int64 [D, 3], the first STILL. before: int16 [rows, columns], which of these
    directions each block took in the frame before, or -1. changed: uint8 [rows, columns], which blocks were coded there.
    """
    rows, columns = places.shape
    count = directions.shape[0]
    contexts = np.empty(MOST_CONTEXTS, np.int64)
    odds = np.empty(MOST_CONTEXTS, np.int64)
    shown, flat, tried = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    taken = np.zeros((rows + 2, columns + 3), np.int64)  # with a border: two above and to the left
    stirred = framed(changed)
    for row in range(rows):
        for column in range(columns):
            if not shows_otherwise(past, directions, SIDE * row, SIDE * column):
                continue
            show(past, directions, SIDE * row, SIDE * column, shown, flat)
            y, x = row + 2, column + 2
            west, north, north_west, north_east = taken[y, x - 1], taken[y - 1, x], taken[y - 1, x - 1], taken[y - 1, x + 1]
            far_west, far_north = taken[y, x - 2], taken[y - 2, x]
            last = np.int64(before[row, column])
            # The likeliest directions first: those of the blocks around, then none, then the frame's in their order.
            length = 0
            for number in range(count + 5):
                if number == 0:
                    direction = west
                elif number == 1:
                    direction = north
                elif number == 2:
                    direction = north_east
                elif number == 3:
                    direction = np.int64(0)
                elif number == 4:
                    direction = last
                else:
                    direction = np.int64(number - 5)
                if direction < 0:
                    continue
                new = True
                for place in range(length):
                    if shown[tried[place]] == shown[direction]:
                        new = False
                        break
                if new:
                    tried[length] = direction
                    length += 1
            chosen = tried[length - 1]
            now = np.int64(stirred[row + 1, column + 1])
            around = np.int64(stirred[row + 1, column]) + stirred[row + 1, column + 2] + stirred[row, column + 1] + stirred[row + 2, column + 1]
            for rank in range(length - 1):
                direction = tried[rank]
                content = shown[direction]
                on_west, on_north = same(shown[west], content), same(shown[north], content)
                corners = same(shown[north_west], content) | same(shown[north_east], content) << 1
                still = same(direction, 0)
                turn, many, plain = min(rank, 3), min(count - 2, 3), flat[direction]
                beside = on_west | on_north << 1 | corners << 2 | still << 4
                as_before = 0 if last < 0 else 1 + same(shown[last], content)
                base = MOVED
                contexts[0] = base + (beside | turn << 5 | as_before << 7 | many << 9 | plain << 11)
                base += BLOCK_SLOTS
                contexts[1] = base + (
                    on_west | on_north << 1 | still << 2 | min(length - 2, 3) << 3 | turn << 5 | same(shown[west], shown[north]) << 7
                    | same(shown[west], shown[0]) << 8 | same(shown[north], shown[0]) << 9 | plain << 10 | flat[0] << 11
                )  # fmt: skip
                base += BLOCK_SLOTS
                contexts[2] = base + (min(direction, 15) | (on_west + on_north) << 4 | as_before << 6 | plain << 8 | flat[0] << 9 | now << 10)
                base += BLOCK_SLOTS
                contexts[3] = base + (beside | same(shown[far_west], content) << 5 | same(shown[far_north], content) << 6 | now << 7 | min(around, 3) << 8 | plain << 10 | flat[0] << 11)
                base = MOVED_OWN
                own = hashed(directions[direction, 0], hashed(directions[direction, 1], directions[direction, 2]))
                contexts[4] = base + (hashed(own, on_west | on_north << 1) & (BLOCK_SLOTS - 1))
                base += BLOCK_SLOTS
                contexts[5] = base + (hashed(hashed(row >> 1, column >> 1), still) & (BLOCK_SLOTS - 1))
                base += BLOCK_SLOTS
                contexts[6] = base + (hashed(content, on_west | on_north << 1) & (BLOCK_SLOTS - 1))
                base += BLOCK_SLOTS
                contexts[7] = base + (hashed(content, shown[0]) & (BLOCK_SLOTS - 1))
                mixed = MOVED_ROWS[0] + (on_west | on_north << 1 | still << 2 | plain << 3), MOVED_ROWS[1] + (turn | many << 2)
                bit = code_decision(coder, memory, contexts, MOVED_PATTERNS, MOVED_COLOURS, mixed, odds, same(shown[np.int64(wanted[row, column])], content))
                if bit:
                    chosen = direction
                    break
            places[row, column] = taken[y, x] = chosen


@compiled
def expected_picture(past, directions, places, expected):
    """Fills colours int16 [H, W] with what is expected where blocks take these directions."""
    height, width = expected.shape
    for y in range(height):
        for x in range(width):
            expected[y, x] = seen(past, directions, places[y // SIDE, x // SIDE], y, x)
