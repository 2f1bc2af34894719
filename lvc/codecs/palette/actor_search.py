"""Which actors an encoder sees in a frame: what stands out from the background is compared with all sprites that there are."""

import numpy as np

from lvc.codecs.palette.actors import REACH, part_from
from lvc.codecs.palette.model import NO_COLOUR
from lvc.codecs.palette.pixels import squared_error
from lvc.codecs.palette.stage import ACROSS, AGE, CAST, DOWN, ENTERED, SPRITE, SPRITE_SIDE, SPRITES, Scene, Stage, X, Y
from lvc.kernels.compiled import compiled

PIXEL_BITS = 3.0  # what a pixel costs at most that nothing tells
STANDS_OUT = 0.6  # bits of a pixel
LEAST_SAVED = 16.0  # bits that an actor saves
NEW_BITS, LOOK_BITS = 16.0, 4.0  # more that a new one costs, and one that looks otherwise than before
STEP_BITS = 0.15  # for each pixel that it went
LARGEST = 48  # pixels of a side: of what stands out and is looked through
MOST_PARTS = 40
MOST_APART = 0.08  # of the pixels that stand out: where more do, the background itself moves
AROUND = 2  # pixels by which a sprite may stand off from what stands out
MOST_OF_A_PART = 4  # actors


def found_scene(source: np.ndarray, background: np.ndarray, colours: np.ndarray, least: np.ndarray, stage: Stage, worth: float) -> Scene:
    """The actors in a picture uint8 [H, W, 3] before a background int16 [H, W] of places among colours int64 [K, 3].

    least: int32 [H, W], squared errors that no colour takes away. worth: bits that a squared level of error is worth.
    """
    told = np.empty((CAST, 3), np.int64)
    count = find_actors(source, background, colours, least, stage, worth, told)
    scene = Scene.nothing()
    assign(stage, told[:count], scene.again)
    return Scene(scene.again, told[:count][told[:count, 0] >= 0].copy())


@compiled
def find_actors(source, background, colours, least, stage, worth, told):
    """Fills `told` int64 [N, 3] with sprite, y and x of what is seen; gives how many."""
    height, width = background.shape
    cost = np.zeros((height, width), np.float32)  # bits of each pixel that nothing tells
    mask = np.zeros((height + 2, width + 2), np.uint8)  # within a border
    apart = 0
    for y in range(height):
        for x in range(width):
            bits = worth * (squared_error(source[y, x], colours[background[y, x]]) - least[y, x])
            if bits > STANDS_OUT:
                mask[y + 1, x + 1] = 1
                apart += 1
            cost[y, x] = min(bits, PIXEL_BITS)
    if apart > MOST_APART * height * width:
        return 0
    count, parts = 0, 0
    part = np.empty((LARGEST * LARGEST, 2), np.int64)
    for y in range(height):
        for x in range(width):
            if not mask[y + 1, x + 1] or parts == MOST_PARTS:
                continue
            area, top, left, bottom, right = part_from(mask, y + 1, x + 1, part)
            top, left, bottom, right = top - 1, left - 1, bottom - 1, right - 1
            if area < 4 or bottom - top >= LARGEST or right - left >= LARGEST:
                continue
            parts += 1
            for _ in range(MOST_OF_A_PART):
                if count == told.shape[0]:
                    return count
                saved, sprite, best_y, best_x = best_sprite(source, cost, colours, least, stage, worth, top, left, bottom, right)
                if saved < LEAST_SAVED:
                    break
                told[count, 0], told[count, 1], told[count, 2] = sprite, best_y, best_x
                count += 1
                for line in range(stage.sizes[sprite, 0]):
                    for place in range(stage.sizes[sprite, 1]):
                        colour = stage.bitmaps[sprite, line, place]
                        if colour != NO_COLOUR and best_y + line < height and best_x + place < width:
                            here = source[best_y + line, best_x + place]
                            cost[best_y + line, best_x + place] = min(worth * (squared_error(here, colours[colour]) - least[best_y + line, best_x + place]), PIXEL_BITS)
    return count


@compiled
def best_sprite(source, cost, colours, least, stage, worth, top, left, bottom, right):
    """The sprite that saves most bits inside a box, or about it; saved bits, sprite, y and x."""
    height, width = cost.shape
    best, best_sprite, best_y, best_x = 0.0, -1, 0, 0
    here = 0.0
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            here += cost[y, x]
    if here < LEAST_SAVED:
        return best, best_sprite, best_y, best_x
    large = bottom - top >= SPRITE_SIDE or right - left >= SPRITE_SIDE
    for sprite in range(SPRITES):
        rows, columns = stage.sizes[sprite, 0], stage.sizes[sprite, 1]
        if rows == 0 or (not large and (abs(rows - (bottom - top + 1)) > 2 * AROUND + 2 or abs(columns - (right - left + 1)) > 2 * AROUND + 2)):
            continue
        if large and not seen_of_late(stage, sprite):
            continue
        # From where it would end at the box's end to where it begins at the box's beginning, or the other way round.
        low_y, high_y = min(top, bottom + 1 - rows), max(top, bottom + 1 - rows)
        low_x, high_x = min(left, right + 1 - columns), max(left, right + 1 - columns)
        for y in range(max(0, low_y), min(height - 1, high_y) + 1):
            for x in range(max(0, low_x), min(width - 1, high_x) + 1):
                saved = 0.0
                for line in range(min(rows, height - y)):
                    for place in range(min(columns, width - x)):
                        colour = stage.bitmaps[sprite, line, place]
                        if colour != NO_COLOUR:
                            before = cost[y + line, x + place]
                            error = worth * (squared_error(source[y + line, x + place], colours[colour]) - least[y + line, x + place])
                            saved += before - min(error, PIXEL_BITS)
                    if saved + (rows - line - 1) * columns * PIXEL_BITS <= best:
                        break
                if saved > best:
                    best, best_sprite, best_y, best_x = saved, sprite, y, x
    return best, best_sprite, best_y, best_x


@compiled
def seen_of_late(stage, sprite):
    for number in range(stage.counts[ENTERED]):
        if stage.cast[number, SPRITE] == sprite:
            return True
    return False


@compiled
def assign(stage, told, again):
    """Finds for what is seen the actor that it is most likely: fills `again` int64 [CAST, 4], and marks those of `told` [N, 3] by a sprite of -1."""
    cast, count = stage.cast, stage.counts[ENTERED]
    while True:
        best, best_place, best_actor = NEW_BITS, -1, -1
        for place in range(told.shape[0]):
            if told[place, 0] < 0:
                continue
            for number in range(count):
                if again[number, 0]:
                    continue
                actor = cast[number]
                down, across = told[place, 1] - actor[Y], told[place, 2] - actor[X]
                if abs(down) > REACH or abs(across) > REACH:
                    continue
                bits = STEP_BITS * min(abs(down) + abs(across), abs(down - actor[DOWN]) + abs(across - actor[ACROSS])) + actor[AGE] * 0.5
                if told[place, 0] != actor[SPRITE]:
                    bits += LOOK_BITS
                if bits < best:
                    best, best_place, best_actor = bits, place, number
        if best_place < 0:
            return
        for fact in range(3):
            again[best_actor, 1 + fact] = told[best_place, fact]
        again[best_actor, 0] = 1
        told[best_place, 0] = -1
