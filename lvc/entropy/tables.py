"""Integer frequency tables: what a symbol costs, exactly the same on every machine.

A table covers the symbols low, low+1, … and may end with an escape, which announces a symbol that it does not cover.
Its frequencies are whole numbers from 1 that sum to 2**24, the precision of the range coder.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lvc.errors import ModelError

if TYPE_CHECKING:
    from constriction import stream

PRECISION = 24
TOTAL = 1 << PRECISION
MAX_SIZE = 1 << 16  # entries of one table
MAX_ENTRIES = 1 << 24  # entries of a set of tables


class Tables:
    """A set of K frequency tables over whole numbers; immutable.

    frequencies: int32, the tables' entries one after another; each >= 1, each table's sum 2**24.
    sizes: int32 [K], entries of each table, its escape included. lows: int32 [K], the first symbol of each.
    escapes: bool [K], whether the table's last entry is an escape.
    places: int32 [N] or None: which table stands for each of a frame's N latents, where that is fixed.
    Raises ModelError where the arrays do not fit together.
    """

    def __init__(
        self,
        frequencies: np.ndarray,
        sizes: np.ndarray,
        lows: np.ndarray,
        escapes: np.ndarray,
        places: np.ndarray | None = None,
    ):
        self.frequencies = _whole(frequencies, "frequencies")
        self.sizes, self.lows = _whole(sizes, "sizes"), _whole(lows, "lows")
        self.escapes = _whole(escapes, "escapes").astype(bool)
        count = len(self.sizes)
        if not (len(self.lows) == len(self.escapes) == count > 0):
            raise ModelError(
                f"{count} sizes of frequency tables with {len(self.lows)} lows and {len(self.escapes)} escapes"
            )
        if self.sizes.min() < 1 or self.sizes.max() > MAX_SIZE or len(self.frequencies) > MAX_ENTRIES:
            raise ModelError(
                f"a frequency table must have 1 to {MAX_SIZE} entries, not {self.sizes.min()} to {self.sizes.max()}"
            )
        if self.sizes.sum(dtype=np.int64) != len(self.frequencies):
            raise ModelError(
                f"{len(self.frequencies)} frequencies where the sizes add up to {self.sizes.sum(dtype=np.int64)}"
            )
        # How many symbols each table covers; the escape is the local symbol of that number.
        self.covers = self.sizes - self.escapes
        if self.covers.min() < 1 or (self.lows.astype(np.int64) + self.covers).max() > 2**31:
            raise ModelError("a frequency table covers no symbol, or symbols beyond 32 bits")
        self.starts = np.concatenate(([0], np.cumsum(self.sizes, dtype=np.int64)))
        if self.frequencies.min() < 1:
            raise ModelError("a frequency is below 1")
        if (np.add.reduceat(self.frequencies, self.starts[:-1], dtype=np.int64) != TOTAL).any():
            raise ModelError(f"the frequencies of a table do not add up to {TOTAL}")
        self.places = None if places is None else _whole(places, "places")
        if places is not None and not (len(self.places) and 0 <= self.places.min() and self.places.max() < count):
            raise ModelError(f"the places of frequency tables must name tables 0 to {count - 1}")
        self._models: dict[int, stream.model.Categorical] = {}
        self._of_size: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.sizes)

    def __repr__(self) -> str:
        return f"Tables({len(self)} tables of {self.sizes.min()} to {self.sizes.max()} entries)"

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_models": {}, "_of_size": {}}

    def model(self, index: int) -> "stream.model.Categorical":
        """The range coder's model of table `index`, of at least two entries; built once."""
        model = self._models.get(index)
        if model is None:
            model = self._models[index] = categorical(self.frequencies[self.starts[index] : self.starts[index + 1]])
        return model

    @cached_property
    def size_ranks(self) -> np.ndarray:
        """Which of the set's sizes, in ascending order, each table has: int64 [K]."""
        return np.unique(self.sizes, return_inverse=True)[1]

    @cached_property
    def plain(self) -> bool:
        """Whether all tables have one size, start at 0 and have no escape: then a symbol is its place in its table."""
        return not self.escapes.any() and not self.lows.any() and int(self.sizes.min()) == int(self.sizes.max())

    def of_size(self, rank: int, indices: np.ndarray) -> np.ndarray:
        """The tables that indices [N] name, all of this rank of size, as float64 [N, size] for `categorical`."""
        if rank not in self._of_size:
            members = np.flatnonzero(self.size_ranks == rank)
            if self.sizes[members[0]] < 2:
                raise ModelError("tables that are used by their size must have at least two entries")
            rows = np.zeros(len(self), np.int64)
            rows[members] = np.arange(len(members))
            entries = self.starts[members][:, None] + np.arange(self.sizes[members[0]])
            self._of_size[rank] = (self.frequencies[entries] - 1).astype(np.float64), rows
        frequencies, rows = self._of_size[rank]
        return frequencies.take(rows.take(indices), axis=0)

    def bits(self, symbols: np.ndarray, indices: np.ndarray) -> float:
        """The ideal code length in bits of `symbols` under the tables named by `indices`, escapes included."""
        indices = np.asarray(indices, np.int64)
        local = np.asarray(symbols, np.int64) - self.lows[indices]
        covers = self.covers[indices]
        outside = (local < 0) | (local >= covers)
        entries = self.frequencies[self.starts[:-1][indices] + np.where(outside, covers, local)]
        return float((PRECISION - np.log2(entries)).sum() + escape_bits(local[outside], covers[outside]).sum())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays to keep in a checkpoint: int32 each, as `from_arrays` takes them."""
        arrays = {
            "frequencies": self.frequencies,
            "sizes": self.sizes,
            "lows": self.lows,
            "escapes": self.escapes,
            "places": self.places,
        }
        return {name: array.astype(np.int32) for name, array in arrays.items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Tables":
        """Rebuilds tables exactly; raises ModelError where an array is missing or does not fit."""
        names = ("frequencies", "sizes", "lows", "escapes")
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ModelError(f"frequency tables lack {', '.join(missing)}")
        frequencies, sizes, lows, escapes = (arrays[name] for name in names)
        return cls(frequencies, sizes, lows, escapes, arrays.get("places"))


def categorical(frequencies: np.ndarray) -> "stream.model.Categorical":
    """A model of exactly these whole frequencies, >= 1 with sum 2**24, of at least two symbols.

    constriction gives each symbol one unit and shares out the other 2**24 - n in proportion to the floats it is given.
    Those are made whole numbers with just that sum, so its factor is 1.0 and no rounding happens.
    """
    from constriction import stream

    return stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)


def quantised(counts: np.ndarray) -> np.ndarray:
    """Frequencies int32 [..., n], >= 1 with sum 2**24, in proportion to whole counts [..., n] (sum 1 to 2**38).

    In integers alone, so that an adaptive table is the same on every machine.
    """
    counts = np.asarray(counts, np.int64)
    cumulative = np.cumsum(counts, axis=-1)
    upper = cumulative * (TOTAL - counts.shape[-1]) // cumulative[..., -1:]
    return (np.diff(upper, axis=-1, prepend=0) + 1).astype(np.int32)


def from_probabilities(masses: Sequence[np.ndarray], lows: Sequence[int], *, escape: bool) -> Tables:
    """Tables from probabilities of the symbols low, low+1, … of each table.

    With `escape`, what a table's masses lack to 1 is the probability of its escape; otherwise they are scaled to 1.
    """
    frequencies = []
    for mass in masses:
        mass = np.asarray(mass, np.float64)
        if not (np.isfinite(mass).all() and (mass >= 0).all() and mass.sum() > 0):
            raise ModelError("probabilities must be finite, not negative, and not all zero")
        if escape:
            mass = np.append(mass, max(1 - mass.sum(), 0.0))
        counts = np.rint(mass / mass.sum() * 2**36).astype(np.int64)
        # The most probable symbol gets the remainder's error, where it matters least.
        frequency = quantised(counts)
        frequencies.append(frequency)
    sizes = [len(frequency) for frequency in frequencies]
    return Tables(np.concatenate(frequencies), np.array(sizes), np.array(lows), np.full(len(sizes), escape))


def from_counts(counts: np.ndarray, low: int, *, escape: bool) -> Tables:
    """Tables from histograms [K, n] of the symbols low … low+n-1; with `escape` the last entry counts what was beyond.

    To each histogram the mean of all is added with the weight of one symbol, so that what was never seen stays
    possible.
    """
    counts = np.asarray(counts, np.float64)
    together = counts.sum(axis=0) + 1.0
    smoothed = counts + together / together.sum()
    frequencies = quantised(np.rint(smoothed / smoothed.sum(axis=1, keepdims=True) * 2**36))
    rows, size = counts.shape
    return Tables(frequencies.ravel(), np.full(rows, size), np.full(rows, low), np.full(rows, escape))


def escape_class(excess: np.ndarray) -> np.ndarray:
    """How many bits follow the leading one of excess + 1 (whole, >= 0, below 2**33)."""
    # Exact: float64 holds whole numbers to 2**53, and frexp reads the exponent.
    return np.frexp((np.asarray(excess, np.int64) + 1).astype(np.float64))[1] - 1


def escape_excess(local: np.ndarray, covers: np.ndarray) -> np.ndarray:
    """How far local symbols lie outside 0 … covers-1: even above, odd below."""
    return np.where(local < 0, 2 * (-1 - local) + 1, 2 * (local - covers))


def escape_symbol(excess: np.ndarray, covers: np.ndarray) -> np.ndarray:
    """The local symbols that `escape_excess` came from."""
    return np.where(excess % 2 == 1, -1 - excess // 2, excess // 2 + covers)


def escape_bits(local: np.ndarray, covers: np.ndarray) -> np.ndarray:
    """Bits that each escaped symbol costs after its escape."""
    classes = escape_class(escape_excess(local, covers))
    return PRECISION - np.log2(ESCAPE_CLASSES[classes]) + classes


ESCAPE_CLASS_COUNT = 34
# Elias's gamma code as a table: one more bit for each doubling of the distance.
ESCAPE_CLASSES = quantised(1 << np.arange(ESCAPE_CLASS_COUNT - 1, -1, -1, dtype=np.int64))


def _whole(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise ModelError(
            f"{name} of frequency tables must be whole numbers in one row, not {values.dtype} {list(values.shape)}"
        )
    if len(values) and not (-(2**31) <= int(values.min()) and int(values.max()) < 2**31):
        raise ModelError(f"{name} of frequency tables must fit 32 bits")
    # A copy that nobody else can write to.
    whole = values.astype(np.int32)
    whole.setflags(write=False)
    return whole
