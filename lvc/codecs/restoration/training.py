"""How a restoration basis is learned: from what the frames of many groups say, by a singular value decomposition."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from lvc.codecs.restoration.choice import MERGED_BY, best_rows, bit_costs, bits_of_error, merged
from lvc.codecs.restoration.filters import FEATURES, WEIGHT_ONE
from lvc.codecs.restoration.group import BASIS_BITS, LENGTHS, Basis, length_of, symbols_of
from lvc.codecs.restoration.statistics import Statistics
from lvc.entropy.bits import CERTAIN

RIDGE = 2e-4
STEP = 0.015  # of a coefficient, where one adds 1 / 18 to a group's error: rounding costs less than 0.01 dB
DECIBEL = 10_000  # bytes that one is worth in a usual group
ROUNDS = 3
SETS = 1, 4, 12  # of colours, that groups are likely to have: filters of all these are learned from


def learned(groups: Sequence[Statistics], vectors: int, name: str) -> Basis:
    """The basis of so many vectors in which the best filters of most groups are near, and the probabilities of its
    coefficients on these groups."""
    whole = [rows_of(group, [tuple(range(len(group.moments)))]) for group in groups]
    few = axes_of(*joined(whole), min(MERGED_BY, vectors))
    moments, products = joined([rows_of(group, likely_sets(group, few)) for group in groups])
    real = axes_of(moments, products, vectors)
    fixed = np.ascontiguousarray(np.rint(real * WEIGHT_ONE * (1 << BASIS_BITS)), np.int32)
    basis = Basis(name, fixed, np.full((len(LENGTHS), vectors, 3), CERTAIN // 2))
    moments, products = basis.real_vectors @ moments @ basis.real_vectors.T, products @ basis.real_vectors.T
    for _ in range(ROUNDS):  # what is chosen depends on what it costs
        costs = bit_costs(basis) / bits_of_error(DECIBEL)
        basis = Basis(name, fixed, probabilities_of(best_rows(moments, products, costs), vectors))
    return basis


def likely_sets(group: Statistics, vectors: np.ndarray) -> list[tuple[int, ...]]:
    """Sets of a group's colours, as many as in SETS, told apart by their gain along vectors [K, 108]."""
    found = merged(vectors @ group.moments @ vectors.T / group.error, group.products @ vectors.T / group.error)
    return [one for sets in found if len(sets) in SETS for one in sets]


def rows_of(group: Statistics, sets: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Moments [n, 108, 108] and products [n, 108] of sets of colours, for each plane and class that is there."""
    moments = np.concatenate([group.moments[list(one)].sum(0) for one in sets]) / group.error
    products = np.concatenate([group.products[list(one)].sum(0) for one in sets]) / group.error
    there = moments.any((1, 2))
    return moments[there], products[there]


def joined(rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([one for one, _ in rows]), np.concatenate([one for _, one in rows])


def axes_of(moments: np.ndarray, products: np.ndarray, count: int) -> np.ndarray:
    """float64 [count, 108]: axes in which the best weights lie, of moments [n, 108, 108] and products [n, 108]; the
    most useful first, each as long as it takes to add STEP to a group's error."""
    mean = moments.mean(0)
    ridge = RIDGE * np.trace(mean) / FEATURES * np.eye(FEATURES)
    best = np.linalg.solve(moments + 3 * ridge, products[..., None])[..., 0].T
    root = np.linalg.cholesky(mean + ridge)
    axes, _, _ = np.linalg.svd(root.T @ best, full_matrices=False)
    return np.linalg.solve(root.T, axes[:, :count]).T * STEP


def probabilities_of(rows: np.ndarray, vectors: int) -> np.ndarray:
    """Probabilities int64 [lengths, K, 3] of coefficients [n, K] as groups chose them; neighbours in the basis share a
    half."""
    counts = np.full((len(LENGTHS), vectors, 3, 2), 0.5)
    for row in rows[rows.any(1)].tolist():
        length = length_of(row) - 1
        for number, coefficient in enumerate(row[: LENGTHS[length]]):
            for which, value in symbols_of(coefficient):
                counts[length, number, which, value] += 1
    smooth = counts.copy()
    smooth[:, 1:] += counts[:, :-1] / 2
    smooth[:, :-1] += counts[:, 1:] / 2
    smooth[:, :, 1] = counts[:, :, 1] + 2  # signs have nothing to do with their neighbours'
    shares = smooth[..., 1] / smooth.sum(-1)
    return np.clip(np.rint(shares * CERTAIN), 512, CERTAIN - 512).astype(np.int64)


def save(basis: Basis, path: Path) -> None:
    """Writes the weights file that `lvc.codecs.restoration.group.basis_of` reads."""
    save_file({"vectors": basis.vectors, "probabilities": basis.probabilities}, path)
