"""What frames of a group say of its filters: normal equations of the least squares, by colour, plane and class."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from lvc.codecs.restoration.filters import CLASSES, FEATURES, PLANES, REACH, THRESHOLDS, Filters, Three, in_threes

LEAST_ERROR = 0.3  # of a level's square: frames that come out better than that count no more
SETS = PLANES * CLASSES
TOGETHER = 1 << 16  # samples of a plane that are added at a time: products of small matrices are slow


@dataclass
class Statistics:
    """moments: float64 [N, 18, 108, 108] of features, and products [N, 18, 108] of features and what planes lack, of
    each colour, plane and class; error: of all samples. Of each frame in units of its own squared error, so that frames
    weigh as in a mean of decibels. log_error: the mean of logarithms of frames' mean squared errors, in levels; pixels:
    of all frames."""

    moments: np.ndarray
    products: np.ndarray
    error: float
    log_error: float = 0.0
    pixels: int = 0


def frame_weight(lack: np.ndarray) -> float:
    """What a frame's squared errors are taken times, for which `lack` [3, H, W] stands in levels."""
    return 1 / max(float(np.square(lack).mean()), LEAST_ERROR)


def statistics_of(
    decoded: Iterable[np.ndarray],
    source: Callable[[int], np.ndarray],
    strength: int,
    palette: np.ndarray,
    *,
    row_step: int,
) -> Statistics:
    """Of every `row_step`-th row of a group's frames, other ones in each.

    decoded: planes uint16 [3, H, W] of all its frames. source: those of a frame's source, by its number.
    palette: int16 [N, 3].
    """
    count = len(palette)
    found = Statistics(np.zeros((count, SETS, FEATURES, FEATURES)), np.zeros((count, SETS, FEATURES)), 0.0)
    waiting: list[tuple] = []
    logs: list[float] = []
    for place, three in enumerate(in_threes(decoded)):
        current = three[1][:, REACH:-REACH, REACH:-REACH]
        height, width = current.shape[1:]
        lack = source(place).astype(np.float32) - current / np.float32(16)
        step = min(row_step, height)
        rows = range(7 * place % step, height, step)  # 7: in another order than the frames'
        weight = frame_weight(lack)
        logs.append(-np.log(weight))
        waiting.append((three, lack * 16, rows, weight / 256 / (len(rows) * width)))
        found.pixels += height * width
        if sum(len(rows) * width for _, _, rows, _ in waiting) >= TOGETHER:
            _add(found, waiting, palette, THRESHOLDS[strength])
            waiting = []
    if waiting:
        _add(found, waiting, palette, THRESHOLDS[strength])
    found.log_error = float(np.mean(logs)) if logs else 0.0
    return found


def _add(found: Statistics, frames: list[tuple[Three, np.ndarray, range, float]], palette, threshold: int) -> None:
    """Adds some rows of frames, each with what it lacks in 1/16 of a level, as features are, and its weight."""
    height, width = frames[0][1].shape[1:]
    filters = Filters(height, width)
    for plane in range(PLANES):
        features, cells, lacking = [], [], []
        for three, lack, rows, weight in frames:
            found_rows = filters.rows(three, palette, plane, rows, threshold)
            for row, (one, classes, nearest) in zip(rows, found_rows, strict=True):
                features.append(one.T * np.float32(weight**0.5))
                cells.append(nearest.astype(np.int64) * SETS + plane * CLASSES + classes)
                lacking.append(lack[plane, row] * np.float32(weight**0.5))
        cell, lacks = np.concatenate(cells), np.concatenate(lacking)
        order = np.argsort(cell, kind="stable")
        cell, lacks, ordered = cell[order], lacks[order], np.concatenate(features)[order]
        found.error += float(lacks @ lacks)
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(cell)]):
            here, place = ordered[start:end], divmod(int(cell[start]), SETS)
            found.moments[place] += here.T @ here
            found.products[place] += here.T @ lacks[start:end]
