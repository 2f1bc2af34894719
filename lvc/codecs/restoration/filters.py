"""Restoration filters at work: decoded planes in, better ones out, in whole numbers that are the same on every machine.

Each sample gets a weighted sum of 108 features: differences to its neighbours in its own plane and another, to the
frames before and after, and to the nearest of the group's colours, clipped at limits that follow the quantiser. Weights
are chosen for each group, for six classes of samples (is a frame beside the same there, and do neighbours differ?) and
for sets of colours, because grass and sky lack other things. Sources: clipped differences as in the adaptive loop
filter of VVC (ITU-T H.266, 8.8.5); adaptation to what is coded as in Tsai et al., "Adaptive Loop Filtering for Video
Coding", IEEE JSTSP 2013.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lvc.kernels.binding import Kernel, Struct

REACH, FEATURES, CLASSES, PLANES = 3, 108, 6, 3
MOST_COLOURS, MOST_SETS = 64, 16
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
_PALETTE = {"palette": ("int16", "colours 3")}
_SCRATCH = {
    "sums": ("int32", "8 columns"),
    "features": ("int16", "108 width"),
    "classes": ("uint8", "width"),
    "nearest": ("uint8", "width"),
}
_features = Kernel(
    "lvc_restoration_features",
    Struct(
        sizes="rows columns width colours",
        integers="plane row threshold",
        arrays={**_AROUND, **_PALETTE, **_SCRATCH},
    ),
)
_apply = Kernel(
    "lvc_restoration_apply",
    Struct(
        sizes="rows columns height width colours sets",
        integers="threshold",
        arrays={
            **_AROUND,
            **_PALETTE,
            "set_of": ("uint8", "colours"),
            "weights": ("int16", "sets 3 6 108"),
            **_SCRATCH,
            "planes": ("uint16", "3 height width"),
        },
    ),
)
Three = tuple[np.ndarray, np.ndarray, np.ndarray]  # a widened frame between those before and after it


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a group's samples are restored by. palette: int16 [N, 3], colours in levels of 10 bits. set_of: uint8 [N],
    the set of weights of those samples that are nearest to each. weights: int16 [sets, planes, classes, 108]."""

    palette: np.ndarray
    set_of: np.ndarray
    weights: np.ndarray


def widened(planes: np.ndarray) -> np.ndarray:
    """Planes uint16 [3, H, W] as the filters look at them: int16 [3, H + 6, W + 6], their edges repeated."""
    _, height, width = planes.shape
    wide = np.empty((3, height + 2 * REACH, width + 2 * REACH), np.int16)
    _widen(planes=planes, wide=wide)
    return wide


def in_threes(frames: Iterable[np.ndarray]) -> Iterator[Three]:
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
            "nearest": np.empty(width, np.uint8),
        }

    def rows(
        self, three: Three, palette: np.ndarray, plane: int, rows: Iterable[int], threshold: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of each row its features int16 [108, W], classes uint8 [W] and nearest colours uint8 [W], valid until the
        next. three: of `in_threes`. palette: int16 [N, 3]."""
        before, current, after = three
        around = {"before": before, "current": current, "after": after}
        call = _features.struct(**around, palette=palette, plane=plane, threshold=threshold, **self._scratch)
        for row in rows:
            call.row = row
            _features(call)
            yield self._scratch["features"], self._scratch["classes"], self._scratch["nearest"]

    def restored(self, three: Three, chosen: Chosen, threshold: int) -> np.ndarray:
        """The middle of three frames with what it lacks, uint16 [3, H, W]."""
        before, current, after = three
        planes = np.empty((PLANES, self.height, self.width), np.uint16)
        _apply(
            before=before,
            current=current,
            after=after,
            palette=chosen.palette,
            set_of=chosen.set_of,
            weights=chosen.weights,
            threshold=threshold,
            planes=planes,
            **self._scratch,
        )
        return planes

    def all_restored(self, frames: Iterable[np.ndarray], chosen: Chosen, strength: int) -> Iterator[np.ndarray]:
        """A group's planes uint16 [3, H, W], one after another, restored; each needs the one after it."""
        for three in in_threes(frames):
            yield self.restored(three, chosen, THRESHOLDS[strength])
