"""What native pixels look like in a frame of another size: exact weighted sums of whole numbers, so that every machine shows the same.

Luma and chroma were recorded apart. With y a colour's luma, red = luma's sum of y + chroma's sum of (red - y), blue alike, and green
follows from both.
"""

import numpy as np

from lvc.compiled import compiled
from lvc.frames import Geometry
from lvc.pixel_grid import WEIGHT_BITS, PixelGrid, axis_of

LUMA_BITS = 4  # of fractions of a level
BETWEEN = 8  # bits that are dropped between columns and rows
LAST_BITS = LUMA_BITS + 2 * WEIGHT_BITS - BETWEEN


class Screen:
    """Shows pictures of a grid's native pixels as frames of one geometry."""

    def __init__(self, grid: PixelGrid, geometry: Geometry):
        self.geometry = geometry
        self._axes = []
        for blur in (grid.luma, grid.chroma):
            down = axis_of(grid.native.height, grid.source.height, geometry.height, blur.stride_y, blur.down)
            across = axis_of(grid.native.width, grid.source.width, geometry.width, blur.stride_x, blur.across)
            self._axes += [down.first, down.weights, across.first, across.weights]

    def show(self, colours: np.ndarray) -> np.ndarray:
        """Frames uint8 [T, H, W, 3] of colours int32 [T, 1, h, w], 0xRRGGBB each, of at least the native pixels."""
        frames = np.empty((len(colours), self.geometry.height, self.geometry.width, 3), np.uint8)
        for picture, frame in zip(colours, frames):
            show_picture(picture[0], *self._axes, frame)
        return frames


@compiled
def show_picture(colours, luma_rows, luma_down, luma_columns, luma_across, chroma_rows, chroma_down, chroma_columns, chroma_across, frame):
    rows, columns = colours.shape
    luma, red, blue = np.empty((3, rows, columns), np.int32)
    for y in range(rows):
        for x in range(columns):
            colour = np.int64(colours[y, x])
            r, g, b = colour >> 16, colour >> 8 & 255, colour & 255
            bright = (((299 * r + 587 * g + 114 * b) << LUMA_BITS) + 500) // 1000
            luma[y, x], red[y, x], blue[y, x] = bright, (r << LUMA_BITS) - bright, (b << LUMA_BITS) - bright
    row_luma, row_red, row_blue = np.empty((3, columns), np.int32)
    for line in range(frame.shape[0]):
        sum_rows(luma, luma_rows[line], luma_down[line], row_luma)
        sum_rows(red, chroma_rows[line], chroma_down[line], row_red)
        sum_rows(blue, chroma_rows[line], chroma_down[line], row_blue)
        for place in range(frame.shape[1]):
            bright, reddish, bluish = np.int64(0), np.int64(0), np.int64(0)
            first = luma_columns[place]
            for tap in range(luma_across.shape[1]):
                bright += np.int64(luma_across[place, tap]) * row_luma[first + tap]
            first = chroma_columns[place]
            for tap in range(chroma_across.shape[1]):
                weight = np.int64(chroma_across[place, tap])
                reddish += weight * row_red[first + tap]
                bluish += weight * row_blue[first + tap]
            greenish = -(299 * reddish + 114 * bluish) // 587
            frame[line, place, 0] = as_level(bright + reddish)
            frame[line, place, 1] = as_level(bright + greenish)
            frame[line, place, 2] = as_level(bright + bluish)


@compiled
def sum_rows(plane, first, weights, row):
    """Fills a row with the weighted sum of a plane's rows from `first` on, BETWEEN bits less."""
    for x in range(row.shape[0]):
        row[x] = 1 << (BETWEEN - 1)
    for tap in range(weights.shape[0]):
        weight = weights[tap]
        if weight != 0:
            for x in range(row.shape[0]):
                row[x] += weight * plane[first + tap, x]
    for x in range(row.shape[0]):
        row[x] >>= BETWEEN


@compiled
def as_level(value):
    return max(0, min(255, (value + (1 << (LAST_BITS - 1))) >> LAST_BITS))
