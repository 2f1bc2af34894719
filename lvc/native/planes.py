"""A recording's frames at their full size, and what a game's own pixels are in them."""

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from lvc.frames import Geometry
from lvc.native.pixel_grid import KERNEL_UNIT, PLAIN, Blur, PixelGrid, axis_of, exact_weights
from lvc.video.resize import plain_planes, samples_of

HALVED = ("yuv420p", "yuvj420p")
# How far chroma that the recorder has smeared is told apart again: less would raise the noise of its quantisation.
STEADINESS = 0.02


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
    """Gives the pixels that a game drew, of a recording's frames.

    seen: how the recording's own chroma planes came from them.
    """

    def __init__(self, grid: PixelGrid, seen: Blur):
        self.grid, self.seen = grid, seen
        self.reader, self.reformatter = PlaneReader(), VideoReformatter()
        native, source = grid.native, grid.source
        self._luma = averaging(native.height, source.height), averaging(native.width, source.width).T.copy()
        self._chroma = (
            unblurring(native.height, source.height, seen.stride_y, seen.down),
            unblurring(native.width, source.width, seen.stride_x, seen.across).T.copy(),
        )

    def sample_into(self, frame: av.VideoFrame, picture: np.ndarray) -> None:
        """Writes a frame's native pixels into picture, uint8 [H, W, 3], RGB."""
        plain, native = self.reader.frame_of_planes(frame), self.grid.native
        planes = planes_of(plain, self.reader.stride_of(frame))
        small = av.VideoFrame(native.width, native.height, "yuv444p")
        for target, plane, (down, across) in zip(
            small.planes, (planes.luma, *planes.chroma), (self._luma, self._chroma, self._chroma)
        ):
            rows = np.zeros((target.height, target.line_size), np.uint8)
            rows[:, : native.width] = np.clip(np.rint(down @ (plane.astype(np.float32) @ across)), 0, 255)
            target.update(rows)  # type: ignore[arg-type]  # PyAV says bytes, and takes any buffer
        small.color_range, small.colorspace = plain.color_range, plain.colorspace
        full = self.reformatter.reformat(small, format="gbrp", dst_color_range="JPEG")
        for plane, channel in zip(full.planes, (1, 2, 0)):  # green, blue, red
            picture[..., channel] = samples_of(plane, native.width, native.height)


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
