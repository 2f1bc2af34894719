"""What has moved: each block of a frame shows what one of the frames before showed at the same place, or somewhere else.

A frame tells a few directions, and each block which of them it takes; one that shows the same either way is not asked.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from lvc.entropy.mixing import hashed
from lvc.errors import FormatError
from lvc.models.palette import SIDE
from lvc.palette.decisions import code_decision
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


class Moves(NamedTuple):
    """directions: of a frame, other than STILL. places: uint8 [rows, columns], which of them each block takes, from 1; 0 is STILL."""

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


@njit(cache=True)
def within(place, size):
    return max(0, min(size - 1, place))


@njit(cache=True)
def code_places(coder, memory, past, directions, wanted, places, before):
    """Codes which direction each block takes: `places` uint8 [rows, columns] is filled; wanted: the same, or anything for a reader.

    past: colours int16 [BACKS, H, W] of the frames before. directions: int64 [D, 3], the first STILL. before: int16 [rows, columns],
    which of these directions each block took in the frame before, or -1.
    """
    rows, columns = places.shape
    height, width = past.shape[1], past.shape[2]
    count = directions.shape[0]
    contexts = np.empty(MOST_CONTEXTS, np.int64)
    odds = np.empty(MOST_CONTEXTS, np.int64)
    alike = np.empty((count, count), np.uint8)  # whether two directions show the same
    tried = np.empty(count, np.int64)
    # With a border: what is outside is still.
    taken = np.zeros((rows + 2, columns + 3), np.uint8)
    for row in range(rows):
        for column in range(columns):
            same = True
            for one in range(count):
                for other in range(one):
                    equal = 1
                    for y in range(SIDE * row, SIDE * (row + 1)):
                        for x in range(SIDE * column, SIDE * (column + 1)):
                            first = past[directions[one, 0], within(y + directions[one, 2], height), within(x + directions[one, 1], width)]
                            second = past[directions[other, 0], within(y + directions[other, 2], height), within(x + directions[other, 1], width)]
                            if first != second:
                                equal = 0
                                break
                        if not equal:
                            break
                    alike[one, other] = alike[other, one] = equal
                    if not equal:
                        same = False
                alike[one, one] = 1
            if same:
                places[row, column] = 0
                continue
            west, north = taken[row + 1, column], taken[row, column + 1]
            north_west, north_east = taken[row, column], taken[row, column + 2]
            last = before[row, column]
            # The likeliest directions first: those of the blocks around, then none, then the frame's in their order.
            length = 0
            for number in range(count + 5):
                if number == 0:
                    direction = np.int64(west)
                elif number == 1:
                    direction = np.int64(north)
                elif number == 2:
                    direction = np.int64(north_east)
                elif number == 3:
                    direction = 0
                elif number == 4:
                    direction = np.int64(last)
                else:
                    direction = number - 5
                if direction < 0:
                    continue
                new = True
                for place in range(length):
                    if alike[tried[place], direction]:
                        new = False
                        break
                if new:
                    tried[length] = direction
                    length += 1
            chosen = tried[length - 1]
            for rank in range(length - 1):
                direction = tried[rank]
                on_west, on_north = alike[west, direction], alike[north, direction]
                still = 1 if direction == 0 else 0
                pattern = on_west | on_north << 1 | alike[north_west, direction] << 2 | alike[north_east, direction] << 3 | still << 4
                as_before = 0 if last < 0 else 1 + alike[last, direction]
                base = MOVED
                contexts[0] = base + (pattern | min(rank, 3) << 5 | as_before << 7 | min(count - 2, 3) << 9)
                base += BLOCK_SLOTS
                contexts[1] = base + (on_west | on_north << 1 | still << 2 | min(length - 2, 3) << 3 | min(rank, 3) << 5 | alike[west, north] << 7 | alike[0, west] << 8 | alike[0, north] << 9)
                base += BLOCK_SLOTS
                contexts[2] = base + (direction | (on_west + on_north) << 4 | as_before << 6)
                base = MOVED_OWN
                own = hashed(directions[direction, 0], hashed(directions[direction, 1], directions[direction, 2]))
                contexts[3] = base + (hashed(own, on_west | on_north << 1) & (BLOCK_SLOTS - 1))
                base += BLOCK_SLOTS
                contexts[4] = base + (hashed(hashed(row >> 1, column >> 1), still) & (BLOCK_SLOTS - 1))
                mixed = MOVED_ROWS[0] + (on_west | on_north << 1 | still << 2), MOVED_ROWS[1] + (min(rank, 3) | min(count - 2, 3) << 2)
                bit = code_decision(coder, memory, contexts, MOVED_PATTERNS, MOVED_COLOURS, mixed, odds, 1 if alike[wanted[row, column], direction] else 0)
                if bit:
                    chosen = direction
                    break
            places[row, column] = taken[row + 1, column + 1] = chosen


@njit(cache=True)
def expected_picture(past, directions, places, expected):
    """Fills colours int16 [H, W] with what is expected where blocks take these directions."""
    height, width = expected.shape
    for y in range(height):
        for x in range(width):
            direction = places[y // SIDE, x // SIDE]
            expected[y, x] = past[directions[direction, 0], within(y + directions[direction, 2], height), within(x + directions[direction, 1], width)]
