"""What a group says of its filters: colours, sets of them, and coefficients of a learned basis, coded with learned
probabilities."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from lvc.codecs.restoration.filters import (
    CLASSES,
    FEATURES,
    PLANES,
    WEIGHT_ONE,
    Chosen,
)
from lvc.entropy.bits import CERTAIN, CODER, BitReader, BitWriter, code_bits
from lvc.errors import FormatError, ModelError
from lvc.kernels.binding import Kernel, Struct

ROWS = PLANES * CLASSES  # of weights in a set
MOST = 15  # that a coefficient may be, either way
BASIS_BITS = 6  # of fractions of a weight's unit
MOST_VECTORS = FEATURES
FIRST_FEATURES = 104  # of bases that know no colours: those of files made before 2026-12-01, 15:00
SAMPLE_BITS, COUNT_BITS, SET_BITS, LENGTH_BITS = 10, 6, 4, 2
LENGTHS = 4, 16, MOST_VECTORS  # coefficients of a row that there may be: the others are nothing
MAX_FILE_BYTES = 1 << 20
FOLDER = Path(__file__).parent
_read_rows = Kernel(
    "lvc_restoration_read_rows",
    Struct(
        sizes="rows vectors lengths",
        structs={"coder": CODER},
        arrays={
            "most": ("int64", "lengths"),
            "probabilities": ("int64", "lengths vectors 3"),
            "coefficients": ("int64", "rows vectors"),
        },
    ),
)
SHIPPED, EARLIER = "colours", ("rich",)  # the basis that encoders use, and those that files may name


@dataclass(frozen=True, eq=False)
class Basis:
    """Vectors of weights, the most useful first, as training found them.

    name: with the first digits of the file's SHA-256, for a header. vectors: int32 [K, 108], what a coefficient of one
    adds to the weights, in 1/64 of their unit. probabilities: int64 [lengths, K, 3], in 1/65536, for rows of each of
    LENGTHS (of all K alone, in bases without colours): that a coefficient is nothing; is below nothing, where it is
    something; and is greater still, wherever that may be. has_colours: whether groups have a palette and sets.
    """

    name: str
    vectors: np.ndarray
    probabilities: np.ndarray
    has_colours: bool = True

    def __post_init__(self):
        count = len(self.vectors)
        if not (
            self.vectors.dtype == np.int32
            and self.vectors.shape == (count, FEATURES)
            and 1 <= count <= MOST_VECTORS
            and np.abs(self.vectors.astype(np.int64)).max() < 1 << 24
            and self.probabilities.dtype == np.int64
            and self.probabilities.shape == (len(LENGTHS) if self.has_colours else 1, count, 3)
            and 1 <= self.probabilities.min()
            and self.probabilities.max() < CERTAIN
        ):
            raise ModelError(
                f"a restoration basis has int32 vectors [K, 108] and int64 probabilities [{len(LENGTHS)}, K, 3]"
            )

    def weights(self, coefficients: np.ndarray) -> np.ndarray:
        """Filters' weights int16 [sets, 3, 6, 108] of coefficients int64 [sets, 18, K]."""
        sums = coefficients @ self.vectors.astype(np.int64) + (1 << (BASIS_BITS - 1))
        whole = np.clip(sums >> BASIS_BITS, -(1 << 15), (1 << 15) - 1).astype(np.int16)
        return whole.reshape(len(coefficients), PLANES, CLASSES, -1)

    @property
    def real_vectors(self) -> np.ndarray:
        """float64 [K, 108]: what a coefficient of one adds to what a feature counts."""
        return self.vectors / (1 << BASIS_BITS) / WEIGHT_ONE


def basis_of(content: bytes, name: str) -> Basis:
    """The basis of a weights file; raises ModelError for what is none."""
    if len(content) > MAX_FILE_BYTES:
        raise ModelError(f"a restoration basis takes {MAX_FILE_BYTES:,} bytes at most, not {len(content):,}")
    try:
        arrays = load_arrays(content)
        vectors, probabilities = arrays["vectors"], arrays["probabilities"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"no restoration basis: {error!r:.200}") from error
    first = vectors.ndim == 2 and vectors.shape[1] == FIRST_FEATURES
    if first:  # the features that came later count for nothing
        vectors, probabilities = np.pad(vectors, ((0, 0), (0, FEATURES - FIRST_FEATURES))), probabilities[None]
    return Basis(f"{name}-{hashlib.sha256(content).hexdigest()[:16]}", vectors, probabilities, has_colours=not first)


@lru_cache(maxsize=4)
def shipped(name: str = SHIPPED) -> Basis:
    """A basis that comes with the package; raises ModelError where it is missing or damaged."""
    path = FOLDER / f"{name}.safetensors"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the restoration basis {path.name} cannot be read: {error.strerror}") from error
    return basis_of(content, path.stem)


def named(name: str) -> Basis:
    """The basis of that name; raises ModelError where it is none of those that are shipped."""
    stem = name.rpartition("-")[0] if isinstance(name, str) else None
    if stem not in (SHIPPED, *EARLIER) or name != shipped(stem).name:
        raise ModelError(
            f"this file's frames are restored by {name!r:.60}, which this version of lvc does not have: it has "
            + ", ".join(shipped(one).name for one in (SHIPPED, *EARLIER))
        )
    return shipped(stem)


# Filters as bits


def symbols_of(coefficient: int) -> list[tuple[int, int]]:
    """A coefficient as bits, each with the number of its probability."""
    if not coefficient:
        return [(0, 1)]
    size = abs(coefficient)
    ends = [] if size == MOST else [(2, 0)]
    return [(0, 0), (1, int(coefficient < 0)), *[(2, 1)] * (size - 1), *ends]


def length_of(row: Sequence[int]) -> int:
    """0 where all coefficients of a row are nothing, else the first of LENGTHS, from 1 on, that holds the others."""
    used = max((place + 1 for place, coefficient in enumerate(row) if coefficient), default=0)
    return 0 if not used else 1 + next(number for number, most in enumerate(LENGTHS) if used <= most)


def bits_of_a_set(sets: int) -> int:
    """Bits of a set's number."""
    return (sets - 1).bit_length()


def coded(basis: Basis, palette: np.ndarray, set_of: np.ndarray, coefficients: np.ndarray) -> bytes:
    """Filters as bytes: palette int16 [N, 3], set_of [N], coefficients int64 [sets, 18, K]."""
    probabilities: list[int] = []
    values: list[int] = []

    def number(value: int, bits: int) -> None:
        probabilities.extend([CERTAIN // 2] * bits)
        values.extend(value >> place & 1 for place in reversed(range(bits)))

    number(len(palette) - 1, COUNT_BITS)
    number(len(coefficients) - 1, SET_BITS)
    for colour, of in zip(palette.tolist(), set_of.tolist()):
        for sample in colour:
            number(sample, SAMPLE_BITS)
        number(of, bits_of_a_set(len(coefficients)))
    for row in coefficients.reshape(-1, len(basis.vectors)).tolist():
        length = length_of(row)
        number(length, LENGTH_BITS)
        for place, coefficient in enumerate(row[: LENGTHS[length - 1]] if length else ()):
            for which, value in symbols_of(coefficient):
                probabilities.append(basis.probabilities[length - 1, place, which])
                values.append(value)
    # A probability is that of a one
    writer = BitWriter()
    writer.make_room(len(values))
    code_bits(coder=writer.state, probabilities=np.array(probabilities, np.int64), values=np.array(values, np.int64))
    return writer.finish()


def decoded(basis: Basis, payload: bytes) -> Chosen:
    """The filters that `coded` was given; raises FormatError for a colour of a set that is not there."""
    reader = BitReader(payload)
    probability, value = np.empty(1, np.int64), np.empty(1, np.int64)
    call = code_bits.struct(coder=reader.state, probabilities=probability, values=value)

    def bit(of: int) -> int:
        probability[0] = of
        if code_bits(call):
            raise FormatError("filters of a group cannot be read")
        return int(value[0])

    def number(bits: int) -> int:
        found = 0
        for _ in range(bits):
            found = 2 * found + bit(CERTAIN // 2)
        return found

    if not basis.has_colours:
        weights = basis.weights(_rows(basis, reader, ROWS)[None])
        return Chosen(np.zeros((1, 3), np.int16), np.zeros(1, np.uint8), weights)
    colours, sets = 1 + number(COUNT_BITS), 1 + number(SET_BITS)
    palette, set_of = np.empty((colours, 3), np.int16), np.empty(colours, np.uint8)
    for place in range(colours):
        palette[place] = [number(SAMPLE_BITS) for _ in range(3)]
        set_of[place] = number(bits_of_a_set(sets))
    if set_of.max() >= sets:
        raise FormatError(f"a colour has the filters of a set below {sets}, not {set_of.max()}")
    return Chosen(palette, set_of, basis.weights(_rows(basis, reader, sets * ROWS).reshape(sets, ROWS, -1)))


def _rows(basis: Basis, reader: BitReader, count: int) -> np.ndarray:
    """So many rows of coefficients, int64 [count, K]."""
    vectors = len(basis.vectors)
    lengths = LENGTHS if basis.has_colours else (vectors,)
    found = np.zeros((count, vectors), np.int64)
    most = np.minimum(np.array(lengths, np.int64), vectors)
    if _read_rows(coder=reader.state, most=most, probabilities=basis.probabilities, coefficients=found):
        raise FormatError("filters of a group cannot be read")
    return found
