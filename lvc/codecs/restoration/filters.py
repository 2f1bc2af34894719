"""Restoration filters at work: decoded planes in, better ones out, in whole numbers that are the same on every machine.

Each sample gets a weighted sum of 104 features: differences to its neighbours in its own plane and another, and to the
frames before and after, clipped at limits that follow the quantiser. Weights are chosen for each group, for six classes
of samples (is a frame beside the same there, and do neighbours differ?). Sources: clipped differences as in the
adaptive loop filter of VVC (ITU-T H.266, 8.8.5); adaptation to what is coded as in Tsai et al., "Adaptive Loop
Filtering for Video Coding", IEEE JSTSP 2013.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from lvc.kernels.binding import Kernel, Struct

REACH, FEATURES, CLASSES, PLANES = 3, 104, 6, 3
WEIGHT_ONE = 8192
STRENGTHS = 64
SUMS = 8  # rows of scratch
# Of each strength the threshold in 1/16 of a level, which rises twofold in ten strengths: about the error that AV1
# leaves at a quantiser of that number. Written out, because they are part of the format.
# fmt: off
THRESHOLDS = (
    9, 9, 10, 11, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 23, 25,
    26, 28, 30, 32, 35, 37, 40, 43, 46, 49, 53, 57, 61, 65, 70, 75,
    80, 86, 92, 98, 106, 113, 121, 130, 139, 149, 160, 171, 184, 197, 211, 226,
    243, 260, 279, 299, 320, 343, 368, 394, 422, 453, 485, 520, 557, 597, 640, 686,
)
# fmt: on

_widen = Kernel(
    "lvc_restoration_widen",
    Struct(
        sizes="height width rows columns",
        arrays={"planes": ("uint16", "3 height width"), "wide": ("int16", "3 rows columns")},
    ),
)
_AROUND = dict.fromkeys(("before", "current", "after"), ("int16", "3 rows columns"))
_SCRATCH = {"sums": ("int32", "8 columns"), "features": ("int16", "104 width"), "classes": ("uint8", "width")}
_features = Kernel(
    "lvc_restoration_features",
    Struct(sizes="rows columns width", integers="plane row threshold", arrays={**_AROUND, **_SCRATCH}),
)
_apply = Kernel(
    "lvc_restoration_apply",
    Struct(
        sizes="rows columns height width",
        integers="threshold",
        arrays={
            **_AROUND,
            "weights": ("int16", "3 6 104"),
            **_SCRATCH,
            "planes": ("uint16", "3 height width"),
        },
    ),
)


def widened(planes: np.ndarray) -> np.ndarray:
    """Planes uint16 [3, H, W] as the filters look at them: int16 [3, H + 6, W + 6], their edges repeated."""
    _, height, width = planes.shape
    wide = np.empty((3, height + 2 * REACH, width + 2 * REACH), np.int16)
    _widen(planes=planes, wide=wide)
    return wide


def in_threes(frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each of a group's widened frames with those before and after it; the first and last have the other one twice."""
    before = current = None
    for after in map(widened, frames):
        if current is not None:
            yield (after if before is None else before), current, after
        before, current = current, after
    if current is not None:
        yield (current if before is None else before), current, (current if before is None else before)


class Filters:
    """Filters of planes [3, H, W]; keeps its scratch, so each thread needs one of its own."""

    def __init__(self, height: int, width: int):
        self.height, self.width = height, width
        self._scratch: dict[str, np.ndarray] = {
            "sums": np.empty((SUMS, width + 2 * REACH), np.int32),
            "features": np.empty((FEATURES, width), np.int16),
            "classes": np.empty(width, np.uint8),
        }

    def features(
        self, three: tuple[np.ndarray, np.ndarray, np.ndarray], plane: int, row: int, threshold: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features int16 [104, W] and classes uint8 [W] of a row, valid until the next call. three: of `in_threes`."""
        before, current, after = three
        _features(
            before=before, current=current, after=after, plane=plane, row=row, threshold=threshold, **self._scratch
        )
        return self._scratch["features"], self._scratch["classes"]

    def restored(
        self, three: tuple[np.ndarray, np.ndarray, np.ndarray], weights: np.ndarray, threshold: int
    ) -> np.ndarray:
        """The middle of three frames with what it lacks, uint16 [3, H, W]. weights: int16 [planes, classes, 104]."""
        before, current, after = three
        planes = np.empty((PLANES, self.height, self.width), np.uint16)
        _apply(
            before=before,
            current=current,
            after=after,
            weights=weights,
            threshold=threshold,
            planes=planes,
            **self._scratch,
        )
        return planes

    def all_restored(self, frames: Iterable[np.ndarray], weights: np.ndarray, strength: int) -> Iterator[np.ndarray]:
        """A group's planes uint16 [3, H, W], one after another, restored; each needs the one after it."""
        for three in in_threes(frames):
            yield self.restored(three, weights, THRESHOLDS[strength])
