"""What has moved in a frame, as an encoder finds it: where blocks that would be dear stand in an earlier picture.

The dearest tiles are looked for first; each way that saves bits is tried on the whole frame, so that what it explains is not
looked for again. Then each block takes the way that costs least, with its neighbours if it can.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from lvc.codecs.palette.model import SIDE
from lvc.codecs.palette.moves import SETTLED, STILL, Direction, Moves, within
from lvc.codecs.palette.past import BACKS, MOST_WAYS
from lvc.codecs.palette.pixels import squared_error
from lvc.kernels.compiled import bare, compiled, inlined

TILE = 2 * SIDE  # pixels: what is looked for elsewhere
TILES = 16  # looked for in a frame, at most
REACH_X, REACH_Y = 40, 32  # pixels
BITS_CODED = 5.0  # a guess at what a pixel costs that is coded
WORTH_LOOKING = 12.0  # bits of a tile
LEAST_SAVED = 8.0  # bits that a way must save on its tile
DIRECTION_BITS = 20.0  # what a new way costs, about
BORDER_BITS = 2.0  # what it costs that two neighbours go different ways
ROUNDS = 4
CHEAP = 1.0  # bits of a block that needs no other way


class Shown:
    """A picture uint8 [H, W, 3] that parts of others are looked for in; luma and sums are made when they are first asked for."""

    def __init__(self, picture: np.ndarray):
        self.picture = np.ascontiguousarray(picture)

    @cached_property
    def luma(self) -> np.ndarray:
        """int32 [H, W], four times what it is: a third of the work to compare."""
        result = np.empty(self.picture.shape[:2], np.int32)
        find_luma(self.picture, result)
        return result

    @cached_property
    def sums(self) -> np.ndarray:
        """int32 [H - TILE + 1, W - TILE + 1]: of the luma of every tile."""
        height, width = self.luma.shape
        result = np.empty((height - TILE + 1, width - TILE + 1), np.int32)
        add_up(self.luma, np.empty(width, np.int32), result)
        return result


@bare
def find_luma(picture, result):
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            result[y, x] = np.int32(picture[y, x, 0]) + 2 * np.int32(picture[y, x, 1]) + np.int32(picture[y, x, 2])


@bare
def add_up(luma, line, result):
    """Fills the sums of all tiles; line: room, int32 [W]."""
    height, width = luma.shape
    for x in range(width):
        line[x] = 0
        for y in range(TILE):
            line[x] += luma[y, x]
    for top in range(result.shape[0]):
        if top:
            for x in range(width):
                line[x] += luma[top + TILE - 1, x] - luma[top - 1, x]
        total = np.int32(0)
        for x in range(TILE):
            total += line[x]
        result[top, 0] = total
        for left in range(1, result.shape[1]):
            total += line[left + TILE - 1] - line[left - 1]
            result[top, left] = total


def found_moves(now: Shown, before: Sequence[Shown], settled: np.ndarray, floor: np.ndarray, worth: np.ndarray, recent: Sequence[Direction]) -> Moves:
    """Moves from the frames before, the latest first, to one like them.

    settled: uint8 [H, W, 3], what last stood still. floor: int32 [H, W], squared errors that no coding takes away. worth: float64 [rows, columns], bits that a squared level of
    error is worth. recent: ways that were taken of
    late, which are tried before tiles are looked for.
    """
    everywhere = np.ones([side // SIDE for side in now.picture.shape[:2]], np.bool_)
    still = guessed_bits(now.picture, before[0].picture, 0, 0, floor, worth, everywhere)
    dear = still > CHEAP
    places = np.zeros(still.shape, np.uint8)
    if not dear.any():
        return Moves((), places)
    ways, bits = [STILL, SETTLED], [still, guessed_bits(now.picture, settled, 0, 0, floor, worth, dear)]
    least = np.minimum(*bits)

    def tried(way: Direction) -> None:
        cost = guessed_bits(now.picture, before[way.back].picture, way.dx, way.dy, floor, worth, dear)
        if np.maximum(least - cost, 0).sum() > LEAST_SAVED:
            ways.append(way)
            bits.append(cost)
            np.minimum(least, cost, out=least)

    for way in [*recent, *(Direction(back, 0, 0) for back in range(1, len(before)))]:
        if way.back < len(before) and way not in ways and len(ways) < MOST_WAYS:
            tried(way)
    rows, columns = (side // 2 for side in still.shape)
    looked = np.zeros((rows, columns), bool)
    for _ in range(TILES if min(rows, columns) else 0):
        tiles = least[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).sum(axis=(1, 3))
        tiles[looked] = 0
        row, column = divmod(int(tiles.argmax()), columns)
        if tiles[row, column] < WORTH_LOOKING or len(ways) == MOST_WAYS:
            break
        looked[row, column] = True
        if (way := match(now, before, TILE * row, TILE * column, ways)) not in ways:
            tried(way)
    places = assigned(np.stack(bits), BORDER_BITS, DIRECTION_BITS, ROUNDS)
    taken = [number for number in range(2, len(ways)) if (places == number).any()]
    taken.sort(key=lambda number: -np.count_nonzero(places == number))
    numbers = np.arange(len(ways), dtype=np.uint8)
    numbers[taken] = np.arange(2, len(taken) + 2)
    return Moves(tuple(ways[number] for number in taken), numbers[places])


def guessed_bits(picture: np.ndarray, other: np.ndarray, dx: int, dy: int, floor: np.ndarray, worth: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Bits of each block, float32 [rows, columns], of uint8 [H, W, 3] expected to be as another moved by (dx, dy): each pixel is kept or
    coded, whichever is cheaper. where: bool, the blocks that are asked for; others are told a cheap block's."""
    result = np.empty(where.shape, np.float32)
    guess_bits(picture, other, dx, dy, floor, worth, where, result)
    return result


@bare
def guess_bits(picture, other, dx, dy, floor, worth, where, result):
    height, width = picture.shape[:2]
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            result[row, column] = CHEAP
            if not where[row, column]:
                continue
            bits, each = 0.0, worth[row, column]
            for y in range(SIDE * row, SIDE * (row + 1)):
                line = within(y + dy, height)
                for x in range(SIDE * column, SIDE * (column + 1)):
                    error = squared_error(picture[y, x], other[line, within(x + dx, width)]) - floor[y, x]
                    bits += min(max(error, 0) * each, BITS_CODED)
            result[row, column] = bits


def match(now: Shown, before: Sequence[Shown], top: int, left: int, ways: Sequence[Direction]) -> Direction:
    """Where a tile fits best into the frames before; ways: how well these fit is known first, so that most of the others are passed by."""
    tile = now.luma[top : top + TILE, left : left + TILE]
    order = np.argsort(-np.square(tile - tile.mean()).sum(axis=1), kind="stable")
    known = np.array([way for way in ways if way.back < len(before)], np.int64)
    padded = [*before, *[before[-1]] * (BACKS - len(before))]
    lumas, sums = tuple(one.luma for one in padded), tuple(one.sums for one in padded)
    return Direction(*map(int, best_match(tile[order], order, int(now.sums[top, left]), lumas, sums, len(before), known, top, left)))


@bare
def best_match(tile, order, total, lumas, sums, count, known, top, left):
    """(back, dx, dy) of where a tile int32 [TILE, TILE] from (top, left), whose sum is `total`, fits best into the first `count` pictures.

    order: int64 [TILE], which line of the tile each of its rows is: those first that tell most. known: int64 [N, 3], ways.
    """
    height, width = lumas[0].shape
    least = np.int64(1) << 30
    for number in range(known.shape[0]):
        y, x = top + known[number, 2], left + known[number, 1]
        if 0 <= y <= height - TILE and 0 <= x <= width - TILE:
            least = min(least, 1 + error_at(tile, order, lumas[known[number, 0]], y, x, least))
    best_back, best_dx, best_dy = 0, 0, 0
    for back in range(count):
        luma, means = lumas[back], sums[back]
        for dy in range(max(-REACH_Y, -top), min(REACH_Y, height - TILE - top) + 1):
            for dx in range(max(-REACH_X, -left), min(REACH_X, width - TILE - left) + 1):
                apart = np.int64(means[top + dy, left + dx]) - total
                if apart * apart >= least * TILE * TILE:  # the error is no less than that of the means
                    continue
                error = error_at(tile, order, luma, top + dy, left + dx, least)
                if error < least:
                    least, best_back, best_dx, best_dy = error, back, dx, dy
    return best_back, best_dx, best_dy


@inlined
def error_at(tile, order, luma, top, left, least):
    """Squared error of a tile at a place, or `least` or more of it."""
    error = np.int64(0)
    for row in range(TILE):
        part, line = np.int32(0), top + order[row]
        for place in range(TILE):
            difference = np.int32(tile[row, place] - luma[line, left + place])
            part += np.int32(difference * difference)
        error += part
        if error >= least:
            break
    return error


@compiled
def assigned(bits, border, price, rounds):
    """Which way uint8 [rows, columns] each block takes: bits [N, rows, columns] of each way, `border` more for each neighbour that takes another.

    A way that saves less than its price in all is given up.
    """
    count, rows, columns = bits.shape
    places = np.zeros((rows, columns), np.uint8)
    for row in range(rows):
        for column in range(columns):
            for number in range(1, count):
                if bits[number, row, column] < bits[places[row, column], row, column]:
                    places[row, column] = number
    open_ways = np.ones(count, np.uint8)
    for turn in range(rounds):
        for row in range(rows):
            for column in range(columns):
                best, least = 0, np.inf
                for number in range(count):
                    if not open_ways[number]:
                        continue
                    cost = bits[number, row, column]
                    for side in range(4):
                        y, x = row + (side == 0) - (side == 1), column + (side == 2) - (side == 3)
                        beside = places[y, x] if 0 <= y < rows and 0 <= x < columns else 0
                        if beside != number:
                            cost += border
                    if cost < least:
                        best, least = number, cost
                places[row, column] = best
        saved = np.zeros(count)
        for row in range(rows):
            for column in range(columns):
                saved[places[row, column]] += bits[0, row, column] - bits[places[row, column], row, column]
        for number in range(1, count):
            if saved[number] < (price if number > 1 else 0):
                open_ways[number] = 0
    for row in range(rows):
        for column in range(columns):
            if not open_ways[places[row, column]]:
                places[row, column] = 0
    return places
