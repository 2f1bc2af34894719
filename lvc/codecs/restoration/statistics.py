"""What frames of a group say of its filters: normal equations of the least squared error, by plane and class."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from lvc.codecs.restoration.filters import CLASSES, FEATURES, PLANES, REACH, THRESHOLDS, Filters, in_threes

LEAST_ERROR = 0.3  # of a level's square: frames that come out better than that count no more


@dataclass
class Statistics:
    """moments: float64 [18, 104, 104] of features, and products [18, 104] of features and what planes lack, of each
    plane and class; error: of all samples. Of each frame in units of its own squared error, so that frames weigh as in
    a mean of decibels."""

    moments: np.ndarray
    products: np.ndarray
    error: float

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics(self.moments + other.moments, self.products + other.products, self.error + other.error)

    def gain(self, weights: np.ndarray) -> float:
        """The dB by which weights, float64 [18, 104], make these frames better."""
        gained = sum(
            2 * row @ products - row @ moments @ row
            for row, moments, products in zip(weights, self.moments, self.products, strict=True)
        )
        return float(-10 * np.log10(max(1 - gained / max(self.error, 1e-12), 1e-6)))


def statistics_of(
    decoded: Iterable[np.ndarray],
    source: Callable[[int], np.ndarray],
    strength: int,
    *,
    row_step: int,
) -> tuple[Statistics, Statistics]:
    """Of every `row_step`-th row of a group's frames, other ones in each: of every second frame, and of the others.

    decoded: planes uint16 [3, H, W] of all its frames. source: those of a frame's source, by its number.
    """
    threshold = THRESHOLDS[strength]
    sets = PLANES * CLASSES
    one, other = (Statistics(np.zeros((sets, FEATURES, FEATURES)), np.zeros((sets, FEATURES)), 0.0) for _ in range(2))
    halves = one, other
    for place, three in enumerate(in_threes(decoded)):
        current = three[1][:, REACH:-REACH, REACH:-REACH]
        height, width = current.shape[1:]
        filters = Filters(height, width)
        lack = source(place).astype(np.float32) - current / np.float32(16)
        weight = 1 / max(float(np.square(lack).mean()), LEAST_ERROR)
        step = min(row_step, height)
        rows = range(7 * place % step, height, step)  # 7: in another order than the frames'
        _add(halves[place % 2], filters, three, lack * 16, threshold, rows, weight / 256 / (len(rows) * width))
    return halves


def _add(found: Statistics, filters: Filters, three, lack: np.ndarray, threshold: int, rows, weight: float) -> None:
    """Adds some rows of a frame. lack: in 1/16 of a level, as features are."""
    for plane in range(PLANES):
        features, classes = zip(
            *([part.copy() for part in filters.features(three, plane, row, threshold)] for row in rows)
        )
        features = np.concatenate(features, axis=1).astype(np.float32)
        classes = np.concatenate(classes)
        lacking = lack[plane, rows.start :: rows.step].reshape(-1)
        found.error += weight * float(lacking @ lacking)
        for number in range(CLASSES):
            here = classes == number
            if here.any():
                chosen = features[:, here]
                found.moments[plane * CLASSES + number] += weight * (chosen @ chosen.T)
                found.products[plane * CLASSES + number] += weight * (chosen @ lacking[here])
