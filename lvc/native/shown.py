"""What native pixels look like in a frame of another size: exact weighted sums of whole numbers, so that every machine
shows the same.

Luma and chroma were recorded apart. With y a colour's luma, red = luma's sum of y + chroma's sum of (red - y), blue
alike, and green follows from both.
"""

import numpy as np

from lvc.frames import Geometry
from lvc.kernels.binding import Kernel, Struct
from lvc.native.pixel_grid import PixelGrid, axis_of

LINES = 64  # of a frame that are shown at once, side by side
STRIP = 1 << 18  # numbers of them, at most but for a line: bounds the memory for what a hostile header asks for
show_grid = Kernel(
    "lvc_grid_show",
    Struct(
        sizes="count height width frame_height frame_width luma_row_taps luma_column_taps chroma_row_taps "
        "chroma_column_taps lines",
        arrays={
            "colours": ("int32", "count height width"),
            "luma_rows": ("int64", "frame_height"),
            "luma_row_weights": ("int32", "frame_height luma_row_taps"),
            "luma_columns": ("int64", "frame_width"),
            "luma_column_weights": ("int32", "frame_width luma_column_taps"),
            "chroma_rows": ("int64", "frame_height"),
            "chroma_row_weights": ("int32", "frame_height chroma_row_taps"),
            "chroma_columns": ("int64", "frame_width"),
            "chroma_column_weights": ("int32", "frame_width chroma_column_taps"),
            "planes": ("int32", "3 height width"),
            "row": ("int32", "width"),
            "strips": ("int32", "3 width lines"),
            "sums": ("int32", "3 lines"),
            "shown": ("int32", "frame_width lines"),
            "frames": ("uint8", "count frame_height frame_width 3"),
        },
    ),
)


class Screen:
    """Shows pictures of a grid's native pixels as frames of one geometry."""

    def __init__(self, grid: PixelGrid, geometry: Geometry):
        self.geometry = geometry
        self._axes: dict[str, np.ndarray] = {}
        for plane, blur in (("luma", grid.luma), ("chroma", grid.chroma)):
            down = axis_of(grid.native.height, grid.source.height, geometry.height, blur.stride_y, blur.down)
            across = axis_of(grid.native.width, grid.source.width, geometry.width, blur.stride_x, blur.across)
            self._axes |= {
                f"{plane}_rows": down.first,
                f"{plane}_row_weights": down.weights,
                f"{plane}_columns": across.first,
                f"{plane}_column_weights": across.weights,
            }

    def show(self, colours: np.ndarray) -> np.ndarray:
        """Frames uint8 [T, H, W, 3] of colours int32 [T, 1, h, w], 0xRRGGBB each, of at least the native pixels."""
        height, width = colours.shape[2:]
        lines = max(1, min(LINES, self.geometry.height, STRIP // max(width, self.geometry.width)))
        frames = np.empty((len(colours), self.geometry.height, self.geometry.width, 3), np.uint8)
        refused = show_grid(
            colours=np.ascontiguousarray(colours[:, 0]),
            planes=np.empty((3, height, width), np.int32),
            row=np.empty(width, np.int32),
            strips=np.zeros((3, width, lines), np.int32),
            sums=np.empty((3, lines), np.int32),
            shown=np.empty((self.geometry.width, lines), np.int32),
            frames=frames,
            **self._axes,
        )
        assert not refused, "pictures are of at least the grid's native pixels"
        return frames
