"""How a restoration basis is learned: from what the frames of many groups say, by a singular value decomposition."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from lvc.codecs.restoration.filters import FEATURES
from lvc.codecs.restoration.group import BASIS_BITS, MOST, SETS, Basis, best_for, symbols_of
from lvc.codecs.restoration.statistics import Statistics
from lvc.entropy.bits import CERTAIN

RIDGE = 2e-4
STEP = 0.015  # of a coefficient, where one adds 1 / 18 to a group's error: rounding costs less than 0.01 dB
GROUP_BYTES = 100_000  # a usual group's, by which bits are weighed in training


def learned(groups: Sequence[Statistics], vectors: int, name: str) -> Basis:
    """The basis of so many vectors in which the best filters of most groups are near, and the probabilities of its
    coefficients on these groups."""
    tasks = [
        (group.moments[place] / group.error, group.products[place] / group.error)
        for group in groups
        for place in range(SETS)
        if group.moments[place].any()
    ]
    mean = sum(moments for moments, _ in tasks) / len(tasks)
    ridge = RIDGE * np.trace(mean) / FEATURES * np.eye(FEATURES)
    best = np.stack([np.linalg.solve(moments + 3 * ridge, products) for moments, products in tasks], 1)
    root = np.linalg.cholesky(mean + ridge)
    axes, _, _ = np.linalg.svd(root.T @ best, full_matrices=False)
    real = np.linalg.solve(root.T, axes[:, :vectors]).T * STEP
    whole = np.ascontiguousarray(np.rint(real * 8192 * (1 << BASIS_BITS)), np.int32)
    basis = Basis(name, whole, np.tile(np.array([CERTAIN // 2] * 3, np.int64), (vectors, 1)))
    for _ in range(3):  # what is chosen depends on what it costs
        basis = Basis(
            name, whole, probabilities_of([best_for(basis, group, GROUP_BYTES, vectors) for group in groups], vectors)
        )
    return basis


def probabilities_of(groups: Sequence[np.ndarray], vectors: int) -> np.ndarray:
    """Probabilities int64 [K, 3] of coefficients [18, K] as groups chose them; neighbours in the basis share a half."""
    counts = np.full((vectors, 3, 2), 0.5)
    for row in np.concatenate(groups):
        for number, coefficient in enumerate(row):
            for which, value in symbols_of(int(np.clip(coefficient, -MOST, MOST))):
                counts[number, which, value] += 1
    smooth = counts.copy()
    smooth[1:] += counts[:-1] / 2
    smooth[:-1] += counts[1:] / 2
    smooth[:, 1] = counts[:, 1] + 2  # signs have nothing to do with their neighbours'
    shares = smooth[..., 1] / smooth.sum(-1)
    return np.clip(np.rint(shares * CERTAIN), 512, CERTAIN - 512).astype(np.int64)


def save(basis: Basis, path: Path) -> None:
    """Writes the weights file that `lvc.codecs.restoration.group.basis_of` reads."""
    save_file({"vectors": basis.vectors, "probabilities": basis.probabilities}, path)
