"""A recording's frames at their full size, and what a game's own pixels are in them."""

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from lvc.frames import Geometry
from lvc.kernels.binding import Kernel, Struct
from lvc.native.pixel_grid import KERNEL_UNIT, PLAIN, Blur, PixelGrid, axis_of, exact_weights
from lvc.video.resize import plain_planes, samples_of

HALVED = ("yuv420p", "yuvj420p")
# How far chroma that the recorder has smeared is told apart again: less would raise the noise of its quantisation.
STEADINESS = 0.02
NEGLIGIBLE = 1e-7  # of a weight: all that are left out do not change a level by a thousandth

average_samples = Kernel(
    "lvc_grid_average",
    Struct(
        sizes="height stride native_height native_width native_stride",
        arrays={
            "plane": ("uint8", "height stride"),
            "rows": ("int64", "native_height"),
            "row_counts": ("int64", "native_height"),
            "columns": ("int64", "native_width"),
            "column_counts": ("int64", "native_width"),
            "sums": ("uint32", "stride"),
            "pixels": ("uint8", "native_height native_stride"),
        },
    ),
)
unblur_samples = Kernel(
    "lvc_grid_unblur",
    Struct(
        sizes="height stride native_height native_width native_stride row_taps column_taps",
        arrays={
            "plane": ("uint8", "height stride"),
            "rows": ("int64", "native_height"),
            "row_weights": ("float32", "native_height row_taps"),
            "columns": ("int64", "native_width"),
            "column_weights": ("float32", "native_width column_taps"),
            "lines": ("float32", "height native_width"),
            "sums": ("float32", "native_width"),
            "pixels": ("uint8", "native_height native_stride"),
        },
    ),
)


@dataclass(frozen=True)
class Planes:
    """luma uint8 [H, W]; chroma uint8 [2, h, w], each of whose samples stands for `stride` of luma's, both ways."""

    luma: np.ndarray
    chroma: np.ndarray
    stride: int

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.luma.shape[1], self.luma.shape[0])


class PlaneReader:
    """Planes of decoded frames, 8 bits each."""

    def __init__(self):
        self.reformatter = VideoReformatter()

    def stride_of(self, frame: av.VideoFrame) -> int:
        """How many samples of luma, each way, the planes have for one of chroma."""
        return 2 if frame.format.name in HALVED else 1

    def frame_of_planes(self, frame: av.VideoFrame) -> av.VideoFrame:
        """4:2:0 frames as they are; others at full chroma, 8 bits, and tagged with the matrix and range of what they
        hold then.
        """
        return frame if self.stride_of(frame) == 2 else plain_planes(self.reformatter, frame)

    def planes(self, frame: av.VideoFrame) -> Planes:
        """Planes of 4:2:0 frames as they are, of others at full chroma; the frame's own memory where they can be."""
        return planes_of(self.frame_of_planes(frame), self.stride_of(frame))


def planes_of(frame: av.VideoFrame, stride: int) -> Planes:
    """The planes of a frame that has three of 8 bits."""
    sides = [(frame.width, frame.height)] + [(-(-frame.width // stride), -(-frame.height // stride))] * 2
    found = [samples_of(plane, width, height) for plane, (width, height) in zip(frame.planes, sides)]
    return Planes(found[0], np.stack(found[1:]), stride)


class NativeSampler:
    """Gives the pixels that a game drew, of a recording's frames: of luma the mean of the samples that show each, of
    chroma what comes nearest to the samples as they were smeared.

    seen: how the recording's own chroma planes came from them.
    """

    def __init__(self, grid: PixelGrid, seen: Blur):
        self.grid, self.seen = grid, seen
        self.reader, self.reformatter = PlaneReader(), VideoReformatter()
        native, source = grid.native, grid.source
        rows, row_counts = showing(native.height, source.height)
        columns, column_counts = showing(native.width, source.width)
        self._luma = {"rows": rows, "row_counts": row_counts, "columns": columns, "column_counts": column_counts}
        rows, row_weights = banded(unblurring(native.height, source.height, seen.stride_y, seen.down))
        columns, column_weights = banded(unblurring(native.width, source.width, seen.stride_x, seen.across))
        self._chroma = {
            "rows": rows,
            "row_weights": row_weights,
            "columns": columns,
            "column_weights": column_weights,
        }

    def sample_into(self, frame: av.VideoFrame, picture: np.ndarray) -> None:
        """Writes a frame's native pixels into picture, uint8 [H, W, 3], RGB."""
        plain, native = self.reader.frame_of_planes(frame), self.grid.native
        small = av.VideoFrame(native.width, native.height, "yuv444p")
        targets = small.planes
        pixels = [np.zeros((target.height, target.line_size), np.uint8) for target in targets]
        luma, *chroma = map(padded_samples, plain.planes)
        refused = average_samples(plane=luma, sums=np.empty(luma.shape[1], np.uint32), pixels=pixels[0], **self._luma)
        for plane, found in zip(chroma, pixels[1:]):
            refused |= unblur_samples(
                plane=plane,
                lines=np.empty((len(plane), native.width), np.float32),
                sums=np.empty(native.width, np.float32),
                pixels=found,
                **self._chroma,
            )
        assert not refused, "frames are of the grid's source, and chroma of the stride that was seen"
        for target, found in zip(targets, pixels):
            target.update(found)  # type: ignore[arg-type]  # PyAV says bytes, and takes any buffer
        small.color_range, small.colorspace = plain.color_range, plain.colorspace
        full = self.reformatter.reformat(small, format="gbrp", dst_color_range="JPEG")
        for plane, channel in zip(full.planes, (1, 2, 0)):  # green, blue, red
            picture[..., channel] = samples_of(plane, native.width, native.height)


def padded_samples(plane) -> np.ndarray:
    """uint8 [height, line size], in the memory of a frame's plane of 8 bits, with what pads its rows."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]


def showing(native: int, source: int) -> tuple[np.ndarray, np.ndarray]:
    """The first of the samples that show each native pixel, and how many do: int64 [native] each."""
    edges = -(-np.arange(native + 1) * source // native)  # the sample at x shows x * native // source
    return edges[:-1], np.diff(edges)


def banded(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of weights [N, M] by what of them is not negligible: from which column on, int64 [N], and float32 [N, K]."""
    used = np.abs(weights) > NEGLIGIBLE
    first = used.argmax(axis=1)
    taps = int((weights.shape[1] - used[:, ::-1].argmax(axis=1) - first).max())
    first = np.minimum(first, weights.shape[1] - taps)
    return first, np.take_along_axis(weights, first[:, None] + np.arange(taps), axis=1).astype(np.float32)


def unsmeared(stride: int) -> Blur:
    """Chroma of which each sample is the mean of those it stands for."""
    kernel = PLAIN if stride == 1 else (0, KERNEL_UNIT // 2, KERNEL_UNIT // 2)
    return Blur(stride, stride, kernel, kernel)


def averaging(native: int, source: int) -> np.ndarray:
    """float32 [native, source]: the mean of the samples that show each native pixel."""
    shows = (np.arange(source) * native // source == np.arange(native)[:, None]).astype(np.float32)
    return shows / shows.sum(axis=1, keepdims=True)


def unblurring(native: int, source: int, stride: int, kernel: tuple[int, ...]) -> np.ndarray:
    """float32 [native, samples]: the native pixels that come nearest to what every `stride`-th sample shows by a
    kernel.
    """
    samples = -(-source // stride)
    seen = exact_weights(native, source, samples, stride, kernel) / (samples * KERNEL_UNIT)
    return np.linalg.solve(
        seen.T @ seen + STEADINESS * np.eye(native), seen.T + STEADINESS * averaging_of(native, samples, source, stride)
    ).astype(np.float32)


def averaging_of(native: int, samples: int, source: int, stride: int) -> np.ndarray:
    """float64 [native, samples]: the sample nearest to the middle of each native pixel, which stands for it where
    nothing else tells.
    """
    middle = (np.arange(native) + 0.5) * source / native
    result = np.zeros((native, samples))
    result[np.arange(native), np.minimum(middle.astype(int) // stride, samples - 1)] = 1
    return result


def shown(grid: PixelGrid, planes: np.ndarray, geometry: Geometry) -> np.ndarray:
    """What native planes float [3, H, W], luma and chroma, look like at `geometry`: float64 [3, h, w]. For an encoder;
    a decoder's is in whole numbers.
    """
    result = []
    for plane, blur in zip(planes, (grid.luma, grid.chroma, grid.chroma)):
        down = axis_of(grid.native.height, grid.source.height, geometry.height, blur.stride_y, blur.down).matrix(
            grid.native.height
        )
        across = axis_of(grid.native.width, grid.source.width, geometry.width, blur.stride_x, blur.across).matrix(
            grid.native.width
        )
        result.append(down @ plane @ across.T)
    return np.stack(result)
