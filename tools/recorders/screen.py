"""Pictures to an mp4 as a screen recorder writes it: H.264 in yuv420p, 30 frames a second, no sound."""

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from recorders.take import Take

RATE = 30  # frames a second of every recording


def write_recording(take: Take, pictures: Iterable[np.ndarray], *, enlarge: int) -> Path:
    """Writes the first `take.seconds` of pictures, uint8 [H, W, 3], under a temporary name until the file is whole.

    enlarge: OpenCV's interpolation for pictures smaller than the recording; larger ones are averaged by area.
    """
    take.path.parent.mkdir(parents=True, exist_ok=True)
    part = take.path.with_name(take.path.name + ".part")
    # Encoded on one thread: x264's output depends on the number of threads, and workers run side by side.
    options = {"preset": "veryfast", "crf": str(take.crf), "threads": "1"}
    with av.open(str(part), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = take.width, take.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for index, picture in zip(range(round(take.seconds * RATE)), pictures):
            frame = av.VideoFrame.from_ndarray(_fitted(picture, take, enlarge), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    os.replace(part, take.path)
    return take.path


def _fitted(picture: np.ndarray, take: Take, enlarge: int) -> np.ndarray:
    height, width = picture.shape[:2]
    if (width, height) == (take.width, take.height):
        return np.ascontiguousarray(picture)
    shrinks = width > take.width or height > take.height
    interpolation = cv2.INTER_AREA if shrinks else enlarge
    return cv2.resize(picture, (take.width, take.height), interpolation=interpolation)
