"""An entropy model that learns while it codes: counts in whole numbers, with exponential forgetting.

After each block of symbols both directions update the same counts, so nothing travels beside the symbols. Each channel
is coded in one of two ways, whichever would have cost less so far: by its own histogram, or as the difference from the
frame before, by how much that latent has moved lately. The forgetting is that of an exponential moving average.
"""

import numpy as np

from lvc.entropy.tables import PRECISION, Tables, escape_class, escape_excess, quantised
from lvc.errors import FormatError, OptionError

REACH = 64  # an open alphabet's histogram covers -64 … 64, its differences likewise; what is beyond escapes
GAIN = 24  # what one symbol adds to its count
FORGET = 5  # each frame takes 1/32 off every count
MOST_FORGET = 8  # a longer memory could let the counts of the largest frames outgrow 64 bits
SHARED_WEIGHT = 3072  # a channel's histogram starts from all channels', as if 128 symbols had been seen
ACTIVITIES = 10  # classes of how much a latent has moved lately
FIRST_BLOCK = 8  # symbols of each channel before the first update; blocks double from there


class Adaptive:
    """Codes frames of symbols [*shape] in order; the state starts afresh with each object, that is with each group.

    alphabet: least and greatest symbol, or None for any 32-bit numbers. Channels are the first axis of the latents,
    where they have several. forget: each frame takes 1/2**forget off every count, 1 (what was there counts half) to 8.
    Raises OptionError for another, and FormatError where bytes lead out of the alphabet.
    """

    def __init__(self, alphabet: tuple[int, int] | None, *, forget: int = FORGET):
        check_forget(forget)
        self.forget = forget
        low, high = alphabet or (-REACH, REACH)
        self.low, self.high, self.escape = low, high, alphabet is None
        self.size = high - low + 1 + self.escape
        self.reach = REACH if alphabet is None else high - low
        self.direct: np.ndarray | None = None  # counts [channels, size]
        self.shared: np.ndarray | None = None  # counts [size]
        self.moved = np.zeros((ACTIVITIES, 2 * self.reach + 1 + self.escape), np.int64)  # counts of differences
        self.costs: np.ndarray | None = None  # [2, channels]: recent sixteenths of bits, direct and by difference
        # [channels, latents of each]: the last frame's symbols, and their unrest
        self.before: np.ndarray | None = None
        self.activity: np.ndarray | None = None
        # Differences are first thought small, the more so the quieter the latent.
        distance = np.abs(np.arange(-self.reach, self.reach + 1))
        for activity in range(ACTIVITIES):
            self.moved[activity, : len(distance)] = (64 * GAIN) >> np.minimum(distance * 4 >> min(activity, 6), 40)

    def code_frame(self, symbols: np.ndarray | None, coder, shape: tuple[int, ...]) -> np.ndarray:
        """Codes int32 symbols [*shape], or decodes them where `symbols` is None; gives them back."""
        channels = shape[0] if len(shape) > 1 else 1
        count = int(np.prod(shape)) // channels
        wanted = None if symbols is None else np.asarray(symbols).reshape(channels, count)
        if self.direct is None:
            self._start(channels)
        by_difference = np.zeros(channels, bool) if self.before is None else self.costs[1] < self.costs[0]
        result = np.empty((channels, count), np.int32)
        for start, stop in self._blocks(count):
            block = None if wanted is None else wanted[:, start:stop]
            result[:, start:stop] = self._code_block(block, coder, by_difference, start, stop)
        self._forget()
        self.before = result
        return result.reshape(shape)

    def _start(self, channels: int) -> None:
        self.direct = np.zeros((channels, self.size), np.int64)
        self.shared = np.full(self.size, GAIN // 2)
        self.costs = np.zeros((2, channels), np.int64)
        # Until measured a difference is thought cheaper, as most of a game's picture stands still.
        self.costs[0] = 1

    def _blocks(self, count: int):
        """Yields (start, stop): one block, but in the first frame, which starts from nothing, doubling ones."""
        start, length = 0, count if self.before is not None else FIRST_BLOCK
        while start < count:
            yield start, min(start + length, count)
            start, length = start + length, 2 * length

    def _code_block(self, wanted, coder, by_difference, start, stop) -> np.ndarray:
        channels, length = len(by_difference), stop - start
        direct, rows = self._direct_tables(), np.arange(channels)
        indices = np.broadcast_to(rows[:, None], (channels, length))
        plain, moving = np.flatnonzero(~by_difference), np.flatnonzero(by_difference)
        result = np.empty((channels, length), np.int32)
        if len(plain):
            here = None if wanted is None else wanted[plain].ravel()
            result[plain] = coder.code(here, direct, indices[plain].ravel()).reshape(-1, length)
        if self.before is not None:
            before = self.before[:, start:stop]
            classes = activity_class(self.activity[:, start:stop])
            moved = self._moved_tables()
            if len(moving):
                here = None if wanted is None else wrapped(wanted[moving].astype(np.int64) - before[moving]).ravel()
                found = coder.code(here, moved, classes[moving].ravel()).reshape(-1, length)
                result[moving] = self._checked(wrapped(found.astype(np.int64) + before[moving]))
            difference = wrapped(result.astype(np.int64) - before).astype(np.int64)
            self.costs[0] += cost(direct, indices, result).sum(axis=1)
            self.costs[1] += cost(moved, classes, difference).sum(axis=1)
            entry = entries(moved, classes, difference)[0]
            self.moved += GAIN * histograms(classes, entry, self.moved.shape)
            unrest = np.minimum(np.abs(difference), 255) * 16
            self.activity[:, start:stop] += (unrest - self.activity[:, start:stop]) >> 2
        else:
            if start == 0:
                self.activity = np.full((channels, 0), 16, np.int64)
            self.activity = np.concatenate((self.activity, np.full((channels, length), 16, np.int64)), axis=1)
        counts = histograms(indices, entries(direct, indices, result)[0], self.direct.shape)
        self.direct += GAIN * counts
        self.shared += GAIN * counts.sum(axis=0)
        return result

    def _checked(self, symbols: np.ndarray) -> np.ndarray:
        if not self.escape and not (self.low <= symbols.min() and symbols.max() <= self.high):
            raise FormatError(f"the coded symbols are damaged: a difference leads out of {self.low} to {self.high}")
        return symbols

    def _direct_tables(self) -> Tables:
        counts = self.direct + self.shared * SHARED_WEIGHT // self.shared.sum()
        counts[:, 0] += 1  # never all zero
        return tables_of(counts, self.low, self.escape)

    def _moved_tables(self) -> Tables:
        return tables_of(self.moved, -self.reach, self.escape)

    def _forget(self) -> None:
        for counts in (self.direct, self.moved, self.costs):
            counts -= counts >> self.forget
        self.shared -= (self.shared - 1) >> self.forget


def check_forget(forget) -> None:
    if not (type(forget) is int and 1 <= forget <= MOST_FORGET):
        raise OptionError(f"entropy adaptive: forget must be a whole number from 1 to {MOST_FORGET}, not {forget!r}")


def tables_of(counts: np.ndarray, low: int, escape: bool) -> Tables:
    """Tables of the counts [K, n]."""
    rows, size = counts.shape
    return Tables(quantised(counts).ravel(), np.full(rows, size), np.full(rows, low), np.full(rows, escape))


def histograms(rows: np.ndarray, entries: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How often each entry occurs in each row [rows, entries]."""
    return np.bincount((rows * shape[1] + entries).ravel(), minlength=shape[0] * shape[1]).reshape(shape)


def activity_class(activity: np.ndarray) -> np.ndarray:
    """Classes 0 … 9 of the moving average of a latent's differences, in sixteenths: one for each doubling."""
    return np.minimum(np.frexp(activity.astype(np.float64))[1], ACTIVITIES - 1).astype(np.int64)


def wrapped(values: np.ndarray) -> np.ndarray:
    """Whole numbers modulo 2**32 as int32: the difference of two symbols always fits,
    and adding it gives the first again.
    """
    return values.astype(np.int32)


def entries(tables: Tables, indices: np.ndarray, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each symbol's entry in its table, the last one for what the table does not cover, and how far beyond it is."""
    local, covers = symbols.astype(np.int64) - tables.lows[indices], tables.covers[indices].astype(np.int64)
    outside = (local < 0) | (local >= covers)
    return np.where(outside, covers, local), np.where(outside, escape_excess(local, covers), -1)


def cost(tables: Tables, indices: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Sixteenths of bits of symbols under tables, from whole numbers alone:
    the logarithm's mantissa is taken as linear.
    """
    entry, beyond = entries(tables, indices, symbols)
    frequencies = tables.frequencies[tables.starts[:-1][indices] + entry].astype(np.int64)
    exponent = np.frexp(frequencies.astype(np.float64))[1] - 1  # exact: how many bits follow the leading one
    mantissa = (frequencies << (PRECISION - exponent)) - (1 << PRECISION)
    escapes = np.where(beyond >= 0, 32 * escape_class(np.maximum(beyond, 0)) + 16, 0)
    return 16 * (PRECISION - exponent) - (mantissa >> (PRECISION - 4)) + escapes
