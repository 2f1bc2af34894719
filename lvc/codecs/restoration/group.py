"""What a group says of its filters: coefficients of a learned basis, chosen by its frames and coded with learned
probabilities."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from lvc.codecs.calibration import BYTES_A_DECIBEL
from lvc.codecs.restoration.filters import CLASSES, FEATURES, PLANES, WEIGHT_ONE
from lvc.codecs.restoration.statistics import Statistics
from lvc.entropy.bits import CERTAIN, BitReader, BitWriter, code_bits
from lvc.errors import FormatError, ModelError

SETS = PLANES * CLASSES
MOST = 15  # that a coefficient may be, either way
BASIS_BITS = 6  # of fractions of a weight's unit
MOST_VECTORS = FEATURES
MAX_FILE_BYTES = 1 << 20
SHIPPED = Path(__file__).parent / "rich.safetensors"
RIDGE = 1e-4  # of the mean moment: what frames that were not looked at may differ by


@dataclass(frozen=True, eq=False)
class Basis:
    """Vectors of weights, the most useful first, as training found them.

    name: with the first digits of the file's SHA-256, for a header. vectors: int32 [K, 104], what a coefficient of one
    adds to the weights, in 1/64 of their unit. probabilities: int64 [K, 3], in 1/65536: that a coefficient is nothing;
    is below nothing, where it is something; and is greater still, wherever that may be.
    """

    name: str
    vectors: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self):
        count = len(self.vectors)
        if not (
            self.vectors.dtype == np.int32
            and self.vectors.shape == (count, FEATURES)
            and 1 <= count <= MOST_VECTORS
            and np.abs(self.vectors.astype(np.int64)).max() < 1 << 24
            and self.probabilities.dtype == np.int64
            and self.probabilities.shape == (count, 3)
            and 1 <= self.probabilities.min()
            and self.probabilities.max() < CERTAIN
        ):
            raise ModelError("a restoration basis has int32 vectors [K, 104] and int64 probabilities [K, 3]")

    def weights(self, coefficients: np.ndarray) -> np.ndarray:
        """Filters' weights int16 [3, 6, 104] of coefficients int64 [18, K]."""
        sums = coefficients @ self.vectors.astype(np.int64) + (1 << (BASIS_BITS - 1))
        return np.clip(sums >> BASIS_BITS, -(1 << 15), (1 << 15) - 1).astype(np.int16).reshape(PLANES, CLASSES, -1)


def basis_of(content: bytes, name: str) -> Basis:
    """The basis of a weights file; raises ModelError for what is none."""
    if len(content) > MAX_FILE_BYTES:
        raise ModelError(f"a restoration basis takes {MAX_FILE_BYTES:,} bytes at most, not {len(content):,}")
    try:
        arrays = load_arrays(content)
        vectors, probabilities = arrays["vectors"], arrays["probabilities"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"no restoration basis: {error!r:.200}") from error
    return Basis(f"{name}-{hashlib.sha256(content).hexdigest()[:16]}", vectors, probabilities)


@lru_cache(maxsize=1)
def shipped() -> Basis:
    """The basis that comes with the package; raises ModelError where it is missing or damaged."""
    try:
        content = SHIPPED.read_bytes()
    except OSError as error:
        raise ModelError(f"the restoration basis {SHIPPED.name} cannot be read: {error.strerror}") from error
    return basis_of(content, SHIPPED.stem)


def named(name: str) -> Basis:
    """The basis of that name; raises ModelError where it is not the shipped one."""
    if not (isinstance(name, str) and name == shipped().name):
        raise ModelError(
            f"this file's frames are restored by {name!r:.60}, which this version of lvc does not have: it has "
            f"{shipped().name}"
        )
    return shipped()


# Coefficients as bits


def symbols_of(coefficient: int) -> list[tuple[int, int]]:
    """A coefficient as bits, each with the number of its probability."""
    if not coefficient:
        return [(0, 1)]
    size = abs(coefficient)
    ends = [] if size == MOST else [(2, 0)]
    return [(0, 0), (1, int(coefficient < 0)), *[(2, 1)] * (size - 1), *ends]


def coded(basis: Basis, coefficients: np.ndarray) -> bytes:
    """Coefficients int64 [18, K] as bytes."""
    probabilities, values = [], []
    for row in coefficients.tolist():
        for number, coefficient in enumerate(row):
            for which, value in symbols_of(coefficient):
                probabilities.append(basis.probabilities[number, which])
                values.append(value)
    # A probability is that of a one
    writer = BitWriter()
    writer.make_room(len(values))
    code_bits(coder=writer.state, probabilities=np.array(probabilities, np.int64), values=np.array(values, np.int64))
    return writer.finish()


def decoded(basis: Basis, payload: bytes) -> np.ndarray:
    """The coefficients int64 [18, K] that `coded` was given; of any bytes there are some."""
    reader = BitReader(payload)
    probability, value = np.empty(1, np.int64), np.empty(1, np.int64)
    call = code_bits.struct(coder=reader.state, probabilities=probability, values=value)

    def bit(number: int, which: int) -> int:
        probability[0] = basis.probabilities[number, which]
        if code_bits(call):
            raise FormatError("filters of a group cannot be read")
        return int(value[0])

    found = np.zeros((SETS, len(basis.vectors)), np.int64)
    for place in range(SETS):
        for number in range(len(basis.vectors)):
            if not bit(number, 0):
                sign = -1 if bit(number, 1) else 1
                size = 1
                while size < MOST and bit(number, 2):
                    size += 1
                found[place, number] = sign * size
    return found


# Their choice


def bit_costs(basis: Basis) -> np.ndarray:
    """Bits of each coefficient from -MOST to MOST: float64 [K, 2 * MOST + 1]."""
    costs = -np.log2(np.stack([CERTAIN - basis.probabilities, basis.probabilities], -1) / CERTAIN)
    found = np.empty((len(basis.vectors), 2 * MOST + 1))
    for coefficient in range(-MOST, MOST + 1):
        found[:, coefficient + MOST] = sum(costs[:, which, value] for which, value in symbols_of(coefficient))
    return found


def chosen(basis: Basis, halves: tuple[Statistics, Statistics], group_bytes: int) -> np.ndarray | None:
    """The coefficients int64 [18, K] that are worth their bits in a group of so many bytes; None where none are.

    halves: of a group's frames: what one half's filters do for the other says what filters will do for all of them.
    """
    if not all(half.error > 0 for half in halves):
        return None
    most = len(basis.vectors)
    found, best = None, 0.0
    for vectors in sorted({max(1, most // 4), max(1, most // 2), most}):
        gains = [
            other.gain(real_weights(basis, best_for(basis, half, group_bytes, vectors)))
            for half, other in (halves, halves[::-1])
        ]
        coefficients = best_for(basis, halves[0] + halves[1], group_bytes, vectors)
        worth = sum(gains) / 2 * np.log(BYTES_A_DECIBEL) * group_bytes - len(coded(basis, coefficients))
        if worth > best:
            found, best = coefficients, worth
    return found


def real_weights(basis: Basis, coefficients: np.ndarray) -> np.ndarray:
    return basis.weights(coefficients).reshape(SETS, FEATURES) / WEIGHT_ONE


def best_for(basis: Basis, statistics: Statistics, group_bytes: int, count: int) -> np.ndarray:
    """Coefficients int64 [18, K] of least error and cost, those behind the first `count` nothing."""
    # What bits may cost: a decibel is worth a share of the group's bytes.
    bits_of_error = 10 / np.log(10) * np.log(BYTES_A_DECIBEL) * 8 * group_bytes
    costs = bit_costs(basis)[:count] / bits_of_error
    vectors = basis.vectors[:count] / (1 << BASIS_BITS) / WEIGHT_ONE
    found = np.zeros((SETS, len(basis.vectors)), np.int64)
    for place in range(SETS):
        moments = vectors @ statistics.moments[place] @ vectors.T / statistics.error
        if moments.any():
            products = vectors @ statistics.products[place] / statistics.error
            found[place, :count] = quantised(moments, products, costs)
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
    for number in range(count):
        wish = inverse[0] @ left[number:]
        curvature = 1 / inverse[0, 0]  # of the error along this one, the others following
        near = np.unique(np.clip([np.floor(wish), np.ceil(wish), 0], -MOST, MOST)).astype(int)
        loss = [curvature * (value - wish) ** 2 + costs[number, value + MOST] for value in near]
        found[number] = near[int(np.argmin(loss))]
        left = left - moments[:, number] * found[number]
        # The inverse of what is left, without its first row and column
        inverse = inverse[1:, 1:] - np.outer(inverse[1:, 0], inverse[0, 1:]) / inverse[0, 0]
    return found
