"""Frames as the planes that a video codec takes, and back: in whole numbers, so that every machine shows the same
frame.

Lossy codecs get 10-bit planes in an orthonormal basis of RGB whose first axis is grey: (1 1 1), (1 0 -1), (1 -2 1), all
stretched alike, so that a codec's equal steps in all planes are equal steps in RGB. A frame survives the way there and
back
exactly: half a level of a plane is 0.22 of RGB, and the three of them together at most 0.38. Lossless codecs get green
and the differences of blue and red from it, which are exact by themselves (JPEG XR and H.264 call such planes
reversible).
"""

import numpy as np

PEAK = 1023  # of a 10-bit sample
MIDDLE = 512  # where a colour difference of nothing lies
# A level of RGB along an axis of length one is this many levels of a plane: white is PEAK.
STRETCH = PEAK / (255 * 3**0.5)
AXES = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
# What one level of each plane adds to red, green and blue, in 2**-SHIFT:
# written out, because they are part of the format.
SHIFT = 16
TO_RGB = np.array([[16336, 16336, 16336], [20007, 0, -20007], [11551, -23103, 11551]], np.int32)


def planes_of(frames: np.ndarray) -> np.ndarray:
    """10-bit planes uint16 [T, 3, H, W] of frames uint8 [T, H, W, 3], each to the nearest level; in 32-bit floats."""
    matrix = (AXES.T * STRETCH).astype(np.float32)
    planes = np.empty((len(frames), 3, *frames.shape[1:3]), "<u2")
    for number, frame in enumerate(frames):  # one at a time: as floats a group would take four times its memory
        mixed = frame.astype(np.float32) @ matrix
        mixed[..., 1:] += MIDDLE
        planes[number] = np.clip(np.rint(mixed), 0, PEAK).transpose(2, 0, 1)
    return planes


def frame_of(planes: np.ndarray) -> np.ndarray:
    """The frame uint8 [H, W, 3] that 10-bit planes uint16 [3, H, W] show:
    whole numbers alone, and any planes show one.
    """
    grey, first, second = planes.astype(np.int32)
    first -= MIDDLE
    second -= MIDDLE
    frame = np.empty((*grey.shape, 3), np.uint8)
    base = grey * TO_RGB[0, 0] + (1 << (SHIFT - 1))
    for channel in range(3):
        total = base + second * TO_RGB[2, channel]
        if TO_RGB[1, channel]:
            total += first * TO_RGB[1, channel]
        frame[..., channel] = np.clip(total >> SHIFT, 0, 255)
    return frame


def difference_planes_of(frames: np.ndarray) -> np.ndarray:
    """Green, and blue and red less green, as 10-bit planes uint16 [T, 3, H, W] of frames uint8 [T, H, W, 3]; exact."""
    planes = np.empty((len(frames), 3, *frames.shape[1:3]), "<u2")
    green = frames[..., 1].astype(np.int16)
    planes[:, 0] = green
    planes[:, 1] = frames[..., 2] - green + MIDDLE
    planes[:, 2] = frames[..., 0] - green + MIDDLE
    return planes


def frame_of_differences(planes: np.ndarray) -> np.ndarray:
    """The frame uint8 [H, W, 3] of `difference_planes_of`; any planes show one."""
    green, blue, red = planes.astype(np.int32)
    frame = np.empty((*green.shape, 3), np.uint8)
    frame[..., 0] = np.clip(red + green - MIDDLE, 0, 255)
    frame[..., 1] = np.clip(green, 0, 255)
    frame[..., 2] = np.clip(blue + green - MIDDLE, 0, 255)
    return frame
