"""What has moved in a frame, as an encoder finds it: rectangles whose copy from an earlier picture saves more bits than it costs.

Votes of busy tiles choose a few directions; for each a map of bits saved at every position is made, and the rectangle of the
largest sum is taken, again and again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lvc.models.palette import SIDE
from lvc.palette.colours import squared_errors
from lvc.palette.facts import in_blocks
from lvc.palette.moves import MOVES_LIMIT, OFFSETS, Move, move_bits

TILE = 2 * SIDE  # pixels: what is looked for elsewhere
TILES, DIRECTIONS = 48, 16  # looked for, and tried, at most
SEARCHED = 4  # frames back that tiles are looked for in
REACH_X, REACH_Y = 40, 32  # pixels
BITS_CODED = 5.0  # a guess at what a pixel costs that is coded
LASTING = 3.0  # how much more than once an error counts that is kept
WORTH_LOOKING = 12.0  # bits of a tile
LEAST_VOTE = 4.0  # bits that a tile must save
FLAT = 4.0  # levels of deviation below which a tile fits anywhere
WORST_LOSS = 60.0  # bits that a position can cost more than before


def found_moves(picture: np.ndarray, before: Sequence[np.ndarray], worth: float) -> list[Move]:
    """Moves from the pictures uint8 [H, W, 3] of the frames before, the latest first, to one like them; worth: bits that a squared level of error is worth."""
    cost = guessed_bits(picture, before[0], worth)
    if np.count_nonzero(cost > 1.0) < 2:
        return []
    maps = []
    for back, dx, dy in voted_directions(picture, before, cost, worth):
        shifted, inside = moved_picture(before[back], dx, dy)
        bits = guessed_bits(picture, shifted, worth)
        bits[~inside] = np.inf
        maps.append(Direction(back, dx, dy, bits))
    moves, price = [], move_bits(cost.shape)
    while maps and len(moves) < MOVES_LIMIT:
        best = None
        # What is saved only falls as moves are taken, so an old figure bounds the new one.
        for direction in sorted(maps, key=lambda direction: -direction.bound):
            if best and direction.bound <= best[0].saved:
                break
            area = best_area(np.maximum(cost - direction.bits, -WORST_LOSS))
            direction.bound = min(direction.bound, area.saved)
            if best is None or area.saved > best[0].saved:
                best = area, direction
        area, direction = best
        if area.saved <= price:
            break
        moves.append(Move(direction.back, direction.dx, direction.dy, area.top, area.left, area.bottom - area.top, area.right - area.left))
        here = slice(area.top, area.bottom), slice(area.left, area.right)
        cost[here] = direction.bits[here]
    return moves


@dataclass
class Direction:
    """A way that something may have moved: bits [rows, columns] that positions would cost then; bound: what its best area saves at most."""

    back: int
    dx: int
    dy: int
    bits: np.ndarray
    bound: float = np.inf


@dataclass(frozen=True)
class Area:
    """Positions top … bottom - 1, left … right - 1, and the bits that they save."""

    saved: float
    top: int
    bottom: int
    left: int
    right: int


def guessed_bits(picture: np.ndarray, other: np.ndarray, worth: float) -> np.ndarray:
    """Bits of each block, float32 [rows, columns], of uint8 [H, W, 3] expected to be as another: its pixels are kept or coded, whichever is cheaper."""
    errors = squared_errors(picture, other)
    return in_blocks(np.minimum(errors * np.float32(LASTING * worth), np.float32(BITS_CODED))).sum(axis=(1, 3))


def moved_picture(picture: np.ndarray, dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture as seen (dx, dy) pixels further right and down, and at which positions [rows, columns] it shows all of that."""
    height, width = picture.shape[:2]
    moved = np.zeros_like(picture)
    top, bottom, left, right = max(0, -dy), min(height, height - dy), max(0, -dx), min(width, width - dx)
    inside = np.zeros((height // SIDE, width // SIDE), bool)
    if bottom > top and right > left:
        moved[top:bottom, left:right] = picture[top + dy : bottom + dy, left + dx : right + dx]
        inside[-(-top // SIDE) : bottom // SIDE, -(-left // SIDE) : right // SIDE] = True
    return moved, inside


def voted_directions(picture: np.ndarray, before: Sequence[np.ndarray], cost: np.ndarray, worth: float) -> list[tuple[int, int, int]]:
    """(back, dx, dy) that the dearest tiles have moved by, those that save most first."""
    import cv2  # here, so that files decode without it

    rows, columns = (side // 2 for side in cost.shape)
    tiles = cost[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).sum(axis=(1, 3))
    votes = {(back, 0, 0): 1.0 for back in range(1, len(before))}
    # Looked for in grey, which takes a third of the time, and judged in colour.
    grey, greys_before = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), [cv2.cvtColor(other, cv2.COLOR_RGB2GRAY) for other in before[:SEARCHED]]
    for place in np.argsort(-tiles, axis=None)[:TILES]:
        row, column = divmod(int(place), columns)
        if tiles[row, column] < WORTH_LOOKING:
            break
        y, x = TILE * row, TILE * column
        tile = picture[y : y + TILE, x : x + TILE]
        if tile.reshape(-1, 3).std(axis=0).max() < FLAT:
            continue
        top, left = max(0, y - REACH_Y), max(0, x - REACH_X)
        here = slice(top, y + TILE + REACH_Y), slice(left, x + TILE + REACH_X)
        for back, other in enumerate(before[:SEARCHED]):
            _, _, (found_x, found_y), _ = cv2.minMaxLoc(cv2.matchTemplate(greys_before[back][here], grey[y : y + TILE, x : x + TILE], cv2.TM_SQDIFF))
            area = other[here]
            direction = back, left + found_x - x, top + found_y - y
            saved = tiles[row, column] - float(guessed_bits(tile, area[found_y : found_y + TILE, found_x : found_x + TILE], worth).sum())
            if direction != (0, 0, 0) and saved > LEAST_VOTE and direction[1] in OFFSETS and direction[2] in OFFSETS:
                votes[direction] = votes.get(direction, 0.0) + saved
    return sorted(votes, key=lambda direction: -votes[direction])[:DIRECTIONS]


def best_area(saved: np.ndarray) -> Area:
    """The rectangle of the largest sum, about: found on squares of four positions, then each edge moved while that gains."""
    rows, columns = saved.shape
    coarse = np.pad(saved, ((0, rows % 2), (0, columns % 2)))
    coarse = coarse.reshape(coarse.shape[0] // 2, 2, coarse.shape[1] // 2, 2).sum(axis=(1, 3))
    useful = np.flatnonzero((coarse > 0).any(axis=1)), np.flatnonzero((coarse > 0).any(axis=0))
    if not len(useful[0]):
        return Area(0.0, 0, 0, 0, 0)
    (first_row, last_row), (first_column, last_column) = ((found[0], found[-1] + 1) for found in useful)
    top, bottom, left, right = largest_sum(coarse[first_row:last_row, first_column:last_column])
    edges = [2 * (top + first_row), 2 * (bottom + first_row), 2 * (left + first_column), 2 * (right + first_column)]
    edges[1], edges[3] = min(edges[1], rows), min(edges[3], columns)
    total = np.zeros((rows + 1, columns + 1), np.float64)
    np.cumsum(np.cumsum(saved, axis=0, dtype=np.float64), axis=1, out=total[1:, 1:])

    def sum_of(top, bottom, left, right):
        return total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]

    most, gained = sum_of(*edges), True
    while gained:
        gained = False
        for edge in range(4):
            for change in (-1, 1):
                tried = edges.copy()
                tried[edge] += change
                if 0 <= tried[0] < tried[1] <= rows and 0 <= tried[2] < tried[3] <= columns and sum_of(*tried) > most + 0.5:
                    edges, most, gained = tried, sum_of(*tried), True
    return Area(float(most), *(int(edge) for edge in edges))


def largest_sum(values: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the rectangle of values [R, C] with the largest sum (Kadane's scan over the columns of all bands of rows)."""
    rows, columns = values.shape
    below = np.zeros((rows + 1, columns), np.float32)
    np.cumsum(values, axis=0, out=below[1:])
    tops, bottoms = np.triu_indices(rows + 1, 1)
    bands = below[bottoms] - below[tops]
    running, start = np.zeros(len(tops), np.float32), np.zeros(len(tops), np.int64)
    most, lefts, rights = np.full(len(tops), -np.inf, np.float32), start.copy(), start.copy()
    for column in range(columns):
        anew = running <= 0
        start[anew] = column
        running = np.where(anew, 0, running) + bands[:, column]
        better = running > most
        most[better], lefts[better], rights[better] = running[better], start[better], column + 1
    best = int(most.argmax())
    return int(tops[best]), int(bottoms[best]), int(lefts[best]), int(rights[best])
