"""The samples of a decoded frame, in the memory where they lie."""

import numpy as np


def samples_of(plane, width: int, height: int) -> np.ndarray:
    """uint8 [height, width], in the memory of a frame's plane of 8 bits."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]
