"""docs/format/adaptive.md is complete: a model made from that page alone, in plain Python, gives the same tables."""

import numpy as np
import pytest

from lvc.entropy.adaptive import Adaptive
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.tables import Tables


class Plain:
    """Decodes frames of latents [channels, n]; low, high: None where any 32 bits may come."""

    def __init__(self, channels: int, n: int, low: int | None, high: int | None, forget: int):
        self.escape = low is None
        self.low, self.high = (-64, 64) if self.escape else (low, high)
        self.reach, self.forget = 64 if self.escape else high - low, forget
        size = self.high - self.low + 1 + self.escape
        self.direct, self.shared = [[0] * size for _ in range(channels)], [12] * size
        self.moved = [
            [1536 >> min(4 * abs(d) >> min(a, 6), 40) for d in range(-self.reach, self.reach + 1)] + [0] * self.escape
            for a in range(10)
        ]
        self.cost = [[1] * channels, [0] * channels]
        self.activity = [[16] * n for _ in range(channels)]
        self.before: list[list[int]] | None = None

    def frame(self, reader: SymbolReader) -> list[list[int]]:
        channels, n = range(len(self.direct)), len(self.activity[0])
        late = [self.before is not None and self.cost[1][c] < self.cost[0][c] for c in channels]
        found = [[0] * n for _ in channels]
        start, length = 0, n if self.before else 8
        while start < n:
            self._block(reader, found, late, range(start, min(start + length, n)))
            start, length = start + length, 2 * length
        for counts in (*self.direct, *self.moved, *self.cost):
            counts[:] = [c - (c >> self.forget) for c in counts]
        self.shared = [c - ((c - 1) >> self.forget) for c in self.shared]
        self.before = found
        return found

    def _block(self, reader, found, late, block) -> None:
        total = sum(self.shared)
        direct = [[c + 3072 * s // total for c, s in zip(counts, self.shared)] for counts in self.direct]
        for counts in direct:
            counts[0] += 1
        direct, moved = list(map(frequencies, direct)), list(map(frequencies, self.moved))
        for by_difference in (False, True):
            places = [(c, i) for c in range(len(found)) if late[c] == by_difference for i in block]
            tables = [self._class(c, i) if by_difference else c for c, i in places]
            rows, low = (moved, -self.reach) if by_difference else (direct, self.low)
            if places:
                for (c, i), symbol in zip(places, self._read(reader, rows, low, tables)):
                    found[c][i] = wrapped(symbol + self.before[c][i]) if by_difference else symbol
        for c in range(len(found)):
            for i in block:
                if self.before:
                    difference = wrapped(found[c][i] - self.before[c][i])
                    row = self._class(c, i)
                    self.cost[0][c] += self._bits(direct[c], found[c][i], self.low)
                    self.cost[1][c] += self._bits(moved[row], difference, -self.reach)
                    self.moved[row][self._entry(self.moved[row], difference, -self.reach)[0]] += 24
                    self.activity[c][i] += (16 * min(abs(difference), 255) - self.activity[c][i]) >> 2
                entry, _ = self._entry(self.shared, found[c][i], self.low)
                self.direct[c][entry] += 24
                self.shared[entry] += 24

    def _class(self, c: int, i: int) -> int:
        return min(self.activity[c][i].bit_length(), 9)

    def _read(self, reader, rows: list, low: int, tables: list) -> list[int]:
        count, size = len(rows), len(rows[0])
        made = Tables(np.concatenate(rows), np.full(count, size), np.full(count, low), np.full(count, self.escape))
        return reader.code(None, made, np.array(tables)).tolist()

    def _entry(self, row: list, symbol: int, low: int) -> tuple[int, int | None]:
        """The entry of a symbol, and how far outside it is, if it is."""
        last = len(row) - 1 - self.escape
        if 0 <= symbol - low <= last:
            return symbol - low, None
        return last + 1, 2 * (symbol - low - last - 1) if symbol >= low else 2 * (low - symbol - 1) + 1

    def _bits(self, row: list, symbol: int, low: int) -> int:
        entry, outside = self._entry(row, symbol, low)
        f = int(row[entry])
        e = f.bit_length() - 1
        more = 0 if outside is None else 32 * ((outside + 1).bit_length() - 1) + 16
        return 16 * (24 - e) - (((f << (24 - e)) - 2**24) >> 20) + more


def frequencies(counts: list[int]) -> np.ndarray:
    sums = [sum(counts[: i + 1]) for i in range(len(counts))]
    upper = [0, *(s * (2**24 - len(counts)) // sums[-1] for s in sums)]
    return np.array([one - other + 1 for one, other in zip(upper[1:], upper)], np.int32)


def wrapped(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@pytest.mark.parametrize("alphabet, forget", [((0, 15), 5), ((-3, 3), 2), (None, 5), (None, 8)])
def test_frames_are_decoded_by_the_page_alone(alphabet, forget):
    random, shape = np.random.default_rng(6), (3, 4, 6)
    low, high = alphabet or (-2, 2)
    frames = [random.integers(low, high + 1, shape)]
    for number in range(6):  # one channel stands still, one changes a little, one is new
        frame = frames[-1].copy()
        frame[1] = np.where(random.random(shape[1:]) < 0.2, random.integers(low, high + 1, shape[1:]), frame[1])
        frame[2] = random.integers(low, high + 1, shape[1:])
        if alphabet is None and number % 2:
            frame[1, 0, :3] = 70, -(2**31), 2**31 - 1  # beyond the tables, and further than 32 bits apart
        frames.append(frame)
    writer, coding = SymbolWriter(), Adaptive(alphabet, forget=forget)
    for frame in frames:
        coding.code_frame(frame.astype(np.int32), writer, shape)
    reader, plain = SymbolReader(writer.finish()), Plain(3, 24, *(alphabet or (None, None)), forget)
    for frame in frames:
        assert np.array_equal(plain.frame(reader), frame.reshape(3, 24))
