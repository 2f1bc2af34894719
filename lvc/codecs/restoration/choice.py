"""How an encoder chooses its group's filters: colours by frequency, sets by what filters they ask for, coefficients by
error and bits, and how many sets there are by trying them."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lvc.codecs.restoration.filters import MOST_SETS, REACH, THRESHOLDS, Chosen, Filters, in_threes
from lvc.codecs.restoration.group import LENGTHS, MOST, Basis, coded, symbols_of
from lvc.codecs.restoration.statistics import Statistics, frame_weight, statistics_of
from lvc.entropy.bits import CERTAIN

RIDGE = 1e-4  # of the mean moment: what samples that were not looked at may differ by
COLOURS = (40_000, 16), (150_000, 32), (math.inf, 64)  # so many in groups of fewer bytes than that
BIN_BITS = 4  # of a sample that make no difference where colours are counted
CLUSTER_ROUNDS = 6
SAMPLED = 1 << 16  # pixels that colours are found in, about
MERGED_BY = 20  # of the basis' vectors, the most useful: sets are told apart by what they gain
SETS_TRIED = 1, 2, 3, 4, 6, 8, 12, 16


# Bytes of a decibel as a share of the group's, times its bytes and the threshold's square, over its squared error: so
# much it is for libaom at quantisers from 20 to 56, within a third, on six recordings whose shares are 0.08 to 0.3.
SLOPE = 0.002
SHARES = 0.05, 0.35  # beyond which it is not believed


@dataclass(frozen=True)
class Thoroughness:
    """Of the choice: rows and frames, every so manieth, by which filters are found and tried."""

    row_step: int
    frame_step: int


@dataclass(frozen=True, eq=False)
class Candidate:
    """Filters that may be chosen, and what they are as bytes."""

    chosen: Chosen
    content: bytes


def best_content(
    basis: Basis,
    decoded: Callable[[], Iterable[np.ndarray]],
    source: Callable[[int], np.ndarray],
    strength: int,
    stream_bytes: int,
    thoroughness: Thoroughness,
) -> bytes | None:
    """The filters, as `coded` gives them, that serve a group best; None where none are worth their bytes.

    decoded: gives planes uint16 [3, H, W] of its frames as they decode, as often as it is asked. source: those of a
    frame before coding.
    """
    if not basis.has_colours:  # what goes on a file that an earlier version began: it is read, and no more made
        return None
    palette = palette_of(decoded(), next(count for most, count in COLOURS if stream_bytes < most))
    statistics = statistics_of(decoded(), source, strength, palette, row_step=thoroughness.row_step)
    if not statistics.error > 0:
        return None
    decibel = bytes_of_a_decibel(statistics, strength, stream_bytes)
    candidates = list(candidates_of(basis, palette, statistics, decibel))
    gains = tried(candidates, decoded(), source, strength, thoroughness.frame_step)
    worths = [gain * decibel - len(candidate.content) for gain, candidate in zip(gains, candidates)]
    best = max(range(len(candidates)), key=worths.__getitem__, default=None)
    return None if best is None or worths[best] <= 0 else candidates[best].content


def bytes_of_a_decibel(statistics: Statistics, strength: int, stream_bytes: int) -> float:
    """What the group's encoder would give for a decibel: an encoder weighs squared errors and bits by the square of its
    quantiser's step, so what a decibel costs is told by the errors that it left."""
    threshold = THRESHOLDS[strength] / 16
    share = SLOPE * np.exp(statistics.log_error) * statistics.pixels / (stream_bytes * threshold**2)
    return float(np.clip(share, *SHARES)) * stream_bytes


def palette_of(decoded: Iterable[np.ndarray], count: int) -> np.ndarray:
    """At most so many colours int16 [N, 3] near which most of a group's samples lie. decoded: planes uint16 [3, H, W].

    Source: Lloyd, "Least squares quantization in PCM", 1982, from the colours that add most to the error.
    """
    counts = np.zeros(1 << (3 * (10 - BIN_BITS)), np.int64)
    for place, planes in enumerate(decoded):
        step = max(1, planes[0].size * 16 // SAMPLED)
        bins = (planes.reshape(3, -1)[:, place % step :: step] >> BIN_BITS).astype(np.int64)
        width = 10 - BIN_BITS
        counts += np.bincount((bins[0] << 2 * width) | (bins[1] << width) | bins[2], minlength=len(counts))
    there = np.flatnonzero(counts)
    weight, mask = counts[there].astype(np.float64), (1 << (10 - BIN_BITS)) - 1
    parts = [there >> shift * (10 - BIN_BITS) & mask for shift in (2, 1, 0)]
    colours = (np.stack(parts, 1) * (1 << BIN_BITS) + (1 << BIN_BITS) / 2).astype(np.float64)
    centres = colours[[int(np.argmax(weight))]]
    distance = np.square(colours - centres[0]).sum(1)
    while len(centres) < min(count, len(there)):
        place = int(np.argmax(weight * np.minimum(distance, 4096)))
        if not distance[place]:
            break
        centres = np.vstack([centres, colours[place]])
        distance = np.minimum(distance, np.square(colours - colours[place]).sum(1))
    for _ in range(CLUSTER_ROUNDS):
        nearest = np.abs(colours[:, None] - centres).sum(2).argmin(1)
        total = np.bincount(nearest, weight, len(centres))
        sums = np.stack([np.bincount(nearest, weight * axis, len(centres)) for axis in colours.T], 1)
        centres = np.where(total[:, None] > 0, sums / np.maximum(total, 1)[:, None], centres)
    return np.clip(np.rint(centres), 0, 1023).astype(np.int16)


def candidates_of(basis: Basis, palette: np.ndarray, statistics: Statistics, decibel: float) -> Iterator[Candidate]:
    """Filters of 16 sets of colours and fewer, most first. decibel: the bytes that one is worth."""
    vectors = basis.real_vectors
    moments = vectors @ statistics.moments @ vectors.T / statistics.error
    products = statistics.products @ vectors.T / statistics.error
    costs = bit_costs(basis) / bits_of_error(decibel)
    found: dict[tuple[int, ...], np.ndarray] = {}
    for sets in merged(moments[..., :MERGED_BY, :MERGED_BY], products[..., :MERGED_BY]):
        if len(sets) not in SETS_TRIED:
            continue
        for one in sets:
            if one not in found:
                found[one] = best_rows(moments[list(one)].sum(0), products[list(one)].sum(0), costs)
        set_of = np.zeros(len(palette), np.uint8)
        for number, one in enumerate(sets):
            set_of[list(one)] = number
        coefficients = np.stack([found[one] for one in sets])
        if coefficients.any():
            chosen = Chosen(palette, set_of, basis.weights(coefficients))
            yield Candidate(chosen, coded(basis, palette, set_of, coefficients))


def bits_of_error(decibel: float) -> float:
    """What it is worth to take all of the error away, as the first of it goes. decibel: the bytes that one is worth."""
    return 10 / np.log(10) * 8 * decibel


def merged(moments: np.ndarray, products: np.ndarray) -> Iterator[list[tuple[int, ...]]]:
    """Sets of colours, at most 16, then one fewer each time: those go together that lose the least by it.

    moments: [N, 18, K, K]. products: [N, 18, K].
    """
    sets = [(one,) for one in range(len(moments))]
    moments, products = list(moments), list(products)
    gains = list(explained(np.stack(moments), np.stack(products)))
    losses: dict[tuple, float] = {}
    while True:
        if len(sets) <= MOST_SETS:
            yield list(sets)
        if len(sets) == 1:
            return
        pairs = [(i, j) for i in range(len(sets)) for j in range(i)]
        new = [pair for pair in pairs if (sets[pair[0]], sets[pair[1]]) not in losses]
        for start in range(0, len(new), 16):
            some = new[start : start + 16]
            together = explained(
                np.stack([moments[i] + moments[j] for i, j in some]),
                np.stack([products[i] + products[j] for i, j in some]),
            )
            for (i, j), gain in zip(some, together):
                losses[sets[i], sets[j]] = gains[i] + gains[j] - gain
        i, j = min(pairs, key=lambda pair: losses[sets[pair[0]], sets[pair[1]]])
        both = moments[i] + moments[j], products[i] + products[j]
        gain = explained(both[0][None], both[1][None])[0]
        keep = [place for place in range(len(sets)) if place not in (i, j)]
        sets = [sets[place] for place in keep] + [sets[i] + sets[j]]
        moments = [moments[place] for place in keep] + [both[0]]
        products = [products[place] for place in keep] + [both[1]]
        gains = [gains[place] for place in keep] + [gain]


def explained(moments: np.ndarray, products: np.ndarray) -> np.ndarray:
    """The shares of error [n] that the best weights take away, of moments [n, 18, K, K] and products [n, 18, K]."""
    best = np.linalg.solve(_ridged(moments), products[..., None])[..., 0]
    return np.einsum("nrk,nrk->n", best, products)


def _ridged(moments: np.ndarray) -> np.ndarray:
    count = moments.shape[-1]
    ridge = RIDGE * np.trace(moments, axis1=-2, axis2=-1) / count + 1e-12
    return moments + ridge[..., None, None] * np.eye(count)


def bit_costs(basis: Basis) -> np.ndarray:
    """Bits of each coefficient from -MOST to MOST in rows of each length: float64 [lengths, K, 2 * MOST + 1]."""
    costs = -np.log2(np.stack([CERTAIN - basis.probabilities, basis.probabilities], -1) / CERTAIN)
    found = np.empty((*basis.probabilities.shape[:2], 2 * MOST + 1))
    for coefficient in range(-MOST, MOST + 1):
        found[..., coefficient + MOST] = sum(costs[..., which, value] for which, value in symbols_of(coefficient))
    return found


def best_rows(moments: np.ndarray, products: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Coefficients int64 [n, K] of least error and cost, of moments [n, K, K] and products [n, K]; of all lengths.

    costs: [lengths, K, 2 * MOST + 1], in units of error.
    """
    found = np.zeros(products.shape, np.int64)
    for row, (moment, product) in enumerate(zip(moments, products)):
        best = 0.0
        for length, cost in zip(LENGTHS, costs) if moment.any() else ():
            count = min(length, len(product))
            one = quantised(moment[:count, :count], product[:count], cost[:count])
            bits = cost[np.arange(count), one + MOST].sum()
            worth = 2 * one @ product[:count] - one @ moment[:count, :count] @ one - bits
            if worth > best:
                best, found[row] = worth, np.pad(one, (0, len(product) - count))
    return found


def quantised(moments: np.ndarray, products: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Whole coefficients [K] of least error and cost: each rounded in turn, and those after it solved anew.

    costs: in units of error, of each coefficient and value. Source: successive rounding as in Frantar and Alistarh,
    "Optimal Brain Compression", NeurIPS 2022.
    """
    count = len(products)
    found, left = np.zeros(count, np.int64), products.astype(np.float64)
    ridge = RIDGE * np.trace(moments) / count + 1e-15
    inverse = np.linalg.inv(moments + ridge * np.eye(count))
    prices = costs.tolist()
    for number in range(count):
        first = inverse[0]
        wish, curvature = float(first @ left[number:]), 1 / float(first[0])  # of the error, the others following
        below = max(-MOST, min(MOST - 1, math.floor(wish)))
        found[number] = value = min(
            (0, below, below + 1), key=lambda one: curvature * (one - wish) ** 2 + prices[number][one + MOST]
        )
        if value:
            left -= moments[number] * value
        # The inverse of what is left, without its first row and column
        rest = first[1:]
        inverse = inverse[1:, 1:] - rest[:, None] * (rest * curvature)
    return found


def tried(
    candidates: list[Candidate],
    decoded: Iterable[np.ndarray],
    source: Callable[[int], np.ndarray],
    strength: int,
    frame_step: int,
) -> list[float]:
    """The dB by which each candidate makes every `frame_step`-th frame better, all its samples looked at."""
    before, after = 0.0, np.zeros(len(candidates))
    filters = None
    for place, three in enumerate(in_threes(decoded)):
        if place % frame_step:
            continue
        current = three[1][:, REACH:-REACH, REACH:-REACH] >> 4
        filters = filters or Filters(*current.shape[1:])
        planes = source(place).astype(np.float32)
        weight = frame_weight(planes - current)
        before += weight * float(np.square(planes - current).sum())
        for number, candidate in enumerate(candidates):
            better = filters.restored(three, candidate.chosen, THRESHOLDS[strength])
            after[number] += weight * float(np.square(planes - better).sum())
    return [float(10 * np.log10(before / max(one, 1e-9 * before))) if before else 0.0 for one in after]
