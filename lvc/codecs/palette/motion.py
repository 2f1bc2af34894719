"""What has moved: motion vectors of a frame, and which of them each block takes. See lvc/kernels/palette_motion.h."""

from typing import NamedTuple

import numpy as np

EARLIER_FRAMES = 4  # that a motion vector can point into
MOST_VECTORS = 15  # that a frame tells
FIELD_VECTORS = 2 + MOST_VECTORS
RECENT_VECTORS = 8  # of the frames before, which are told by their place
REACH = 64  # pixels, each way


class MotionVector(NamedTuple):
    """Shows what the frame `back` + 1 before showed (dx, dy) pixels further right and down."""

    back: int
    dx: int
    dy: int


STILL = MotionVector(0, 0, 0)  # as the last frame stood there
BACKGROUND = MotionVector(EARLIER_FRAMES, 0, 0)  # the background reference; every frame has both


class MotionField(NamedTuple):
    """vectors: of a frame, told. indices: uint8 [rows, columns], which of STILL,
    BACKGROUND and them each block takes.
    """

    vectors: tuple[MotionVector, ...]
    indices: np.ndarray
