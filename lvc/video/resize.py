"""Pictures of any size to pictures of one size, by averaging over areas."""

import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from lvc.frames import Geometry

# Of these swscale converts a picture that keeps its size by a way of its own, which into planar GBR leaves out what is
# right of the last whole 16 columns. Into packed RGB it does not, with the same pixels elsewhere.
CUT_OFF = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuva420p"}


class AreaScaler:
    """Converts decoded frames to RGB of one geometry, area-averaged, in one pass of swscale.

    The planes are averaged before they are converted to RGB: on 1080p to 200x160 that takes 0.5 ms, where
    conversion at full size and OpenCV's INTER_AREA take 9 ms. Into planar GBR, because into packed RGB
    swscale halves the chroma of the small picture; but for frames of CUT_OFF that have that size already. Matrix and
    range are those the frame names; FFmpeg's default, BT.601 of limited range, where it names none.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        self.reformatter = VideoReformatter()

    def scale_into(self, frame, picture: np.ndarray, rotation: int = 0) -> None:
        """Writes `frame` (an av.VideoFrame) turned by `rotation` degrees counterclockwise into picture, uint8 [H,
        W, 3].
        """
        sides = (self.geometry.width, self.geometry.height)
        width, height = sides if rotation % 180 == 0 else sides[::-1]
        packed = (frame.width, frame.height) == (width, height) and frame.format.name in CUT_OFF
        form = "rgb24" if packed else "gbrp"
        scaled = self.reformatter.reformat(frame, width, height, form, interpolation="AREA", dst_color_range="JPEG")
        if packed:
            rows = samples_of(scaled.planes[0], 3 * width, height).reshape(height, width, 3)
            picture[...] = np.rot90(rows, rotation // 90) if rotation else rows
            return
        for plane, channel in zip(scaled.planes, (1, 2, 0)):  # green, blue, red
            rows = samples_of(plane, width, height)
            picture[..., channel] = np.rot90(rows, rotation // 90) if rotation else rows

    def planes(self, frame) -> np.ndarray:
        """Luma and chroma of the same picture, not turned and in the range of the frame: uint8 [3, H, W]."""
        width, height = self.geometry.width, self.geometry.height
        scaled = plain_planes(self.reformatter, frame, width, height, interpolation="AREA")
        return np.stack([samples_of(plane, width, height) for plane in scaled.planes])


def plain_planes(reformatter: VideoReformatter, frame, width: int | None = None, height: int | None = None, **options):
    """A frame as luma and two chromas of 8 bits and one size (yuv444p), with the matrix and range that it names.

    RGB and grey become BT.601 of limited range, and are tagged so.
    """
    if len(frame.format.components) < 3 or frame.format.is_rgb or frame.format.has_palette:
        options |= {"dst_colorspace": Colorspace.ITU601, "dst_color_range": ColorRange.MPEG}
    return reformatter.reformat(frame, width, height, "yuv444p", **options)


def samples_of(plane, width: int, height: int) -> np.ndarray:
    """uint8 [height, width], in the memory of a frame's plane of 8 bits."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]


def resize(frames: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Area-averages pictures, uint8 [T, H, W, 3], to uint8 [T, geometry.height, geometry.width, 3].

    Enlarging too: a pixel that lies within one of the source's is that one, so that pixel art stays as it is.
    """
    resized = np.empty((len(frames), geometry.height, geometry.width, 3), np.uint8)
    for source, target in zip(frames, resized):
        height, width = source.shape[:2]
        # OpenCV averages areas where both sides shrink or both grow; where one does each, rows and columns go apart.
        if (geometry.width > width) != (geometry.height > height):
            source = cv2.resize(source, (geometry.width, height), interpolation=cv2.INTER_AREA)
        cv2.resize(source, (geometry.width, geometry.height), dst=target, interpolation=cv2.INTER_AREA)
    return resized
