"""What has moved in a frame, as an encoder finds it: where blocks that would be dear stand in an earlier picture.

The dearest tiles are looked for first; each way that saves bits is tried on the whole frame, so that what it explains is not
looked for again. Then each block takes the way that costs least, with its neighbours if it can.
"""

from collections.abc import Sequence

import numpy as np

from lvc.compiled import compiled
from lvc.models.palette import SIDE
from lvc.palette.moves import DIRECTIONS_LIMIT, SETTLED, STILL, Direction, Moves, within
from lvc.palette.pixels import squared_error

TILE = 2 * SIDE  # pixels: what is looked for elsewhere
TILES = 32  # looked for in a frame, at most
REACH_X, REACH_Y = 40, 32  # pixels
BITS_CODED = 5.0  # a guess at what a pixel costs that is coded
LASTING = 3.0  # how much more than once an error counts that is kept
WORTH_LOOKING = 12.0  # bits of a tile
LEAST_SAVED = 8.0  # bits that a way must save on its tile
DIRECTION_BITS = 18.0  # what a new way costs, about
BORDER_BITS = 2.0  # what it costs that two neighbours go different ways
ROUNDS = 4
MOST_WAYS = 2 + DIRECTIONS_LIMIT


def found_moves(picture: np.ndarray, before: Sequence[np.ndarray], settled: np.ndarray, worth: float, recent: Sequence[Direction]) -> Moves | None:
    """Moves from the pictures uint8 [H, W, 3] of the frames before, the latest first, to one like them.

    settled: uint8 [H, W, 3], what last stood still. worth: bits that a squared level of error is worth. recent: ways that were taken of late, which are tried before tiles are looked for.
    """
    picture = np.ascontiguousarray(picture)
    still = guessed_bits(picture, before[0], 0, 0, worth)
    if still.max() <= 1:
        return None
    ways, bits = [STILL, SETTLED], [still, guessed_bits(picture, settled, 0, 0, worth)]
    least = np.minimum(*bits)

    def tried(way: Direction) -> None:
        cost = guessed_bits(picture, before[way.back], way.dx, way.dy, worth)
        if np.maximum(least - cost, 0).sum() > LEAST_SAVED:
            ways.append(way)
            bits.append(cost)
            np.minimum(least, cost, out=least)

    for way in [*recent, *(Direction(back, 0, 0) for back in range(1, len(before)))]:
        if way.back < len(before) and way not in ways and len(ways) < MOST_WAYS:
            tried(way)
    grey, greys = None, None
    rows, columns = (side // 2 for side in still.shape)
    looked = np.zeros((rows, columns), bool)
    for _ in range(TILES):
        tiles = least[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).sum(axis=(1, 3))
        tiles[looked] = 0
        row, column = divmod(int(tiles.argmax()), columns)
        if tiles[row, column] < WORTH_LOOKING or len(ways) == MOST_WAYS:
            break
        looked[row, column] = True
        if grey is None:
            grey, greys = luma(picture), np.stack([luma(other) for other in before])
        back, dx, dy = best_match(grey, greys, TILE * row, TILE * column)
        if (way := Direction(int(back), int(dx), int(dy))) not in ways:
            tried(way)
    places = assigned(np.stack(bits), BORDER_BITS, DIRECTION_BITS, ROUNDS)
    taken = [number for number in range(2, len(ways)) if (places == number).any()]
    taken.sort(key=lambda number: -np.count_nonzero(places == number))
    numbers = np.arange(len(ways), dtype=np.uint8)
    numbers[taken] = np.arange(2, len(taken) + 2)
    return Moves(tuple(ways[number] for number in taken), numbers[places])


def luma(picture: np.ndarray) -> np.ndarray:
    """int32 [H, W] of uint8 [H, W, 3]: a third of the work to compare."""
    wide = picture.astype(np.int32)
    return wide[..., 0] + 2 * wide[..., 1] + wide[..., 2]


@compiled
def guessed_bits(picture, other, dx, dy, worth):
    """Bits of each block, float32 [rows, columns], of uint8 [H, W, 3] expected to be as another moved by (dx, dy): each pixel is kept or
    coded, whichever is cheaper."""
    height, width = picture.shape[:2]
    result = np.zeros((height // SIDE, width // SIDE), np.float32)
    for y in range(height):
        for x in range(width):
            error = squared_error(picture[y, x], other[within(y + dy, height), within(x + dx, width)])
            result[y // SIDE, x // SIDE] += min(error * LASTING * worth, BITS_CODED)
    return result


@compiled
def best_match(grey, greys, top, left):
    """(back, dx, dy) at which a tile of int32 [H, W] fits best into those of the frames before [B, H, W]."""
    height, width = grey.shape
    least, best = 1 << 30, (0, 0, 0)
    tile = grey[top : top + TILE, left : left + TILE].copy()
    for back in range(greys.shape[0]):
        for dy in range(max(-REACH_Y, -top), min(REACH_Y, height - TILE - top) + 1):
            for dx in range(max(-REACH_X, -left), min(REACH_X, width - TILE - left) + 1):
                error = 0
                for line in range(TILE):
                    row = greys[back, top + dy + line, left + dx : left + dx + TILE]
                    part = np.int32(0)
                    for place in range(TILE):
                        apart = np.int32(tile[line, place] - row[place])
                        part += np.int32(apart * apart)
                    error += part
                    if error >= least:
                        break
                if error < least:
                    least, best = error, (back, dx, dy)
    return best


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
