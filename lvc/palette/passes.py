"""The order in which a frame's pixels are coded: coarse to fine, so that most pixels are surrounded by known ones.

First a lattice of widely spaced pixels; then, halving the distance again and again, the pixels in the middle of four known
ones (diagonal), and those between two rows and two columns of them (straight).
"""

from typing import NamedTuple

import numpy as np

LATTICE, DIAGONAL, STRAIGHT = range(3)
# Known pixels around one of the diagonal kind, and of the straight kind, in units of the pass's distance, the nearest four first.
AROUND = {
    DIAGONAL: ((-1, -1), (-1, 1), (1, -1), (1, 1), (-1, -3), (-1, 3), (1, -3), (1, 3), (-3, -1), (-3, 1), (3, -1), (3, 1)),
    STRAIGHT: ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -2), (-1, 2), (1, -2), (1, 2), (-2, -1), (-2, 1), (2, -1), (2, 1)),
}
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
BORDER = 48  # pixels: three times the largest distance of a diagonal pass


class Pass(NamedTuple):
    """number: of its kind, for the network. distance: of the known pixels around, in pixels."""

    number: int
    kind: int
    distance: int

    def places(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Which of the pixels at rows [N] and columns [N] this pass codes."""
        if self.kind == LATTICE:
            return (rows % self.distance == 0) & (columns % self.distance == 0)
        row, column = rows % (2 * self.distance), columns % (2 * self.distance)
        if self.kind == DIAGONAL:
            return (row == self.distance) & (column == self.distance)
        return ((row == 0) & (column == self.distance)) | ((row == self.distance) & (column == 0))


def _passes(first: int) -> tuple[Pass, ...]:
    distances = [distance for distance in (16, 8, 4, 2, 1) if distance < first]
    return Pass(0, LATTICE, first), *(
        Pass(PASSES - 2 * (len(distances) - place) + kind - DIAGONAL, kind, distance) for place, distance in enumerate(distances) for kind in (DIAGONAL, STRAIGHT)
    )


PASSES = 11
KEY_PASSES = _passes(32)
# Where there is an expected picture, few pixels are coded, and a first lattice of every fourth is fine enough.
PREDICTED_PASSES = _passes(4)
