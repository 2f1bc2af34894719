"""What native pixels look like in a frame of another size: exact weighted sums of whole numbers, so that every machine shows the same.

Luma and chroma were recorded apart. With y a colour's luma, red = luma's sum of y + chroma's sum of (red - y), blue alike, and green
follows from both.
"""

import numpy as np

from lvc.frames import Geometry
from lvc.kernels.compiled import bare, inlined
from lvc.native.pixel_grid import WEIGHT_BITS, PixelGrid, axis_of

LUMA_BITS = 4  # of fractions of a level
BETWEEN = 8  # bits that are dropped between columns and rows
LAST_BITS = LUMA_BITS + 2 * WEIGHT_BITS - BETWEEN
LINES = 64  # of a frame that are shown at once, side by side
STRIP = 1 << 18  # numbers of them, at most but for a line: bounds the memory for what a hostile header asks for
RED, GREEN, BLUE = 299, 587, 114  # shares of luma, in thousandths
THOUSANDTH, BY_GREEN = 4294968, 1829203  # 2**32 / 1000 and 2**30 / GREEN, rounded up: by them and a shift, what is divided here is divided exactly


class Screen:
    """Shows pictures of a grid's native pixels as frames of one geometry."""

    def __init__(self, grid: PixelGrid, geometry: Geometry):
        self.geometry = geometry
        self._axes = []
        for blur in (grid.luma, grid.chroma):
            down = axis_of(grid.native.height, grid.source.height, geometry.height, blur.stride_y, blur.down)
            across = axis_of(grid.native.width, grid.source.width, geometry.width, blur.stride_x, blur.across)
            self._axes += [down, across]

    def show(self, colours: np.ndarray) -> np.ndarray:
        """Frames uint8 [T, H, W, 3] of colours int32 [T, 1, h, w], 0xRRGGBB each, of at least the native pixels."""
        height, width = colours.shape[2:]
        lines = max(1, min(LINES, self.geometry.height, STRIP // max(width, self.geometry.width)))
        frames = np.empty((len(colours), self.geometry.height, self.geometry.width, 3), np.uint8)
        luma, red, blue = (np.empty((height, width), np.int32) for _ in range(3))
        row, strips = np.empty(width, np.int32), [np.zeros((width, lines), np.int32) for _ in range(3)]
        sums, shown = np.empty((3, lines), np.int32), np.empty((self.geometry.width, lines), np.int32)
        luma_rows, luma_columns, chroma_rows, chroma_columns = self._axes
        for (picture,), frame in zip(colours, frames):
            find_planes(picture, luma, red, blue)
            for top in range(0, len(frame), lines):
                for plane, axis, strip in zip((luma, red, blue), (luma_rows, chroma_rows, chroma_rows), strips):
                    show_rows(plane, axis.first[top : top + lines], axis.weights[top : top + lines], row, strip)
                show_columns(*strips, luma_columns.first, luma_columns.weights, chroma_columns.first, chroma_columns.weights, sums, shown)
                lie_down(shown, frame[top : top + lines])
        return frames


@bare
def find_planes(colours, luma, red, blue):
    for y in range(colours.shape[0]):
        for x in range(colours.shape[1]):
            colour = np.int64(colours[y, x])
            r, g, b = colour >> 16 & 255, colour >> 8 & 255, colour & 255
            bright = ((((RED * r + GREEN * g + BLUE * b) << LUMA_BITS) + 500) * THOUSANDTH) >> 32
            luma[y, x], red[y, x], blue[y, x] = bright, (r << LUMA_BITS) - bright, (b << LUMA_BITS) - bright


@bare
def show_rows(plane, firsts, weights, row, strip):
    """Fills int32 [w, L] with some lines, side by side: weighted sums of a plane's rows from `firsts` on, BETWEEN bits less."""
    for line in range(firsts.shape[0]):
        for x in range(row.shape[0]):
            row[x] = 1 << (BETWEEN - 1)
        for tap in range(weights.shape[1]):
            weight = weights[line, tap]
            if weight != 0:
                first = firsts[line] + tap
                for x in range(row.shape[0]):
                    row[x] += weight * plane[first, x]
        for x in range(row.shape[0]):
            strip[x, line] = row[x] >> BETWEEN


@bare
def show_columns(luma, red, blue, luma_columns, luma_across, chroma_columns, chroma_across, sums, shown):
    """Fills int32 [W, L] with the colours of weighted sums of columns, 0xBBGGRR each."""
    for place in range(shown.shape[0]):
        add_columns(luma, luma_columns[place], luma_across[place], sums[0])
        add_columns(red, chroma_columns[place], chroma_across[place], sums[1])
        add_columns(blue, chroma_columns[place], chroma_across[place], sums[2])
        find_levels(sums[0], sums[1], sums[2], shown[place])


@bare
def lie_down(shown, frame):
    for line in range(frame.shape[0]):
        for place in range(frame.shape[1]):
            colour = shown[place, line]
            frame[line, place, 0], frame[line, place, 1], frame[line, place, 2] = colour, colour >> 8, colour >> 16


@inlined
def add_columns(strip, first, weights, total):
    """Fills sums int32 [L] with those of a strip's columns from `first` on: within 32 bits, see KERNEL_ABS_LIMIT."""
    for line in range(total.shape[0]):
        total[line] = 0
    for tap in range(weights.shape[0]):
        weight = weights[tap]
        if weight != 0:
            for line in range(total.shape[0]):
                total[line] += weight * strip[first + tap, line]


@inlined
def find_levels(luma, red_sums, blue_sums, shown):
    for line in range(shown.shape[0]):
        bright, reddish, bluish = np.int64(luma[line]) + (1 << (LAST_BITS - 1)), np.int64(red_sums[line]), np.int64(blue_sums[line])
        greens = (GREEN * bright - RED * reddish - BLUE * bluish) >> LAST_BITS
        red, blue = within(bright + reddish >> LAST_BITS, 255), within(bright + bluish >> LAST_BITS, 255)
        shown[line] = red | within(greens, 256 * GREEN - 1) * BY_GREEN >> 30 << 8 | blue << 16


@inlined
def within(value, most):
    return max(0, min(most, value))
