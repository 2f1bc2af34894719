"""The range coder, adaptive probabilities and mixing of docs/format/palette.md, in plain Python."""

import math

WORD = (1 << 64) - 1
STRETCH = [max(-2047, min(2047, round(256 * math.log((i + 0.5) / (4095.5 - i))))) for i in range(4096)]
SQUASH = {s: max(24, min(65512, round(65536 / (1 + math.exp(-s / 256))))) for s in range(-2048, 2048)}
SHARE = [math.floor(65536 / (n + 1.6)) for n in range(1024)]


class BitReader:
    def __init__(self, payload: bytes):
        self._bytes = iter(payload)
        self._low, self._high = 0, 0xFFFFFFFF
        self._value = int.from_bytes(bytes(next(self._bytes, 0) for _ in range(4)), "big")

    def bit(self, p: int) -> int:
        """A bit that is 1 with probability p / 65536."""
        width = self._high - self._low
        middle = self._low + (width >> 16) * p + ((width & 0xFFFF) * p >> 16)
        bit = int(self._value <= middle)
        if bit:
            self._high = middle
        else:
            self._low = middle + 1
        while self._low >> 24 == self._high >> 24:
            self._low = self._low << 8 & 0xFFFFFFFF
            self._high = self._high << 8 & 0xFFFFFFFF | 0xFF
            self._value = self._value << 8 & 0xFFFFFFFF | next(self._bytes, 0)
        return bit


class Contexts:
    """Probabilities and rows of weights of a group, which learn."""

    reader: BitReader

    def __init__(self, weights: dict):
        chances, counts = list(map(int, weights["chances"])), list(map(int, weights["counts"]))
        chances += map(int, weights.get("own_chances", [0] * 815104))
        counts += map(int, weights.get("own_counts", [0] * 815104))
        self._values, self._counts = [(chance + 32768) << 6 for chance in chances], counts
        self._rows = [list(map(int, row)) for row in weights["weights"]]

    def _learn(self, context: int, bit: int, most: int) -> None:
        value, count = self._values[context], self._counts[context]
        target = (1 << 22) - 1 if bit else 0
        self._values[context] = max(0, value + (((target - value) >> 3) * SHARE[count] >> 13))
        if count < most:
            self._counts[context] += 1

    def alone(self, context: int, most: int) -> int:
        bit = self.reader.bit(max(24, min(65512, self._values[context] >> 6)))
        self._learn(context, bit, most)
        return bit

    def mixed(self, patterns: tuple, colours: tuple, rows: tuple[int, int]) -> int:
        """patterns, colours: where their kind begins, contexts of each, and the number of each context in its own."""
        contexts = []
        for (start, size, numbers), most in ((patterns, 255), (colours, 30)):
            assert all(0 <= number < size for number in numbers)
            contexts += [(start + size * place + number, most) for place, number in enumerate(numbers)]
        logits = [STRETCH[self._values[at] >> 10] if self._counts[at] else 0 for at, _ in contexts]
        outputs = []
        for row in rows:
            total = sum(weight * logit for weight, logit in zip(self._rows[row], logits))
            outputs.append(max(-2047, min(2047, total >> 16)))
        bit = self.reader.bit(SQUASH[sum(outputs) >> 1])
        for row, output in zip(rows, outputs):
            error = 5 * (65536 * bit - SQUASH[output])
            for place, logit in enumerate(logits):
                weight = self._rows[row][place] + ((logit * error + (1 << 17)) >> 18)
                self._rows[row][place] = max(-1 << 24, min(1 << 24, weight))
        for at, most in contexts:
            self._learn(at, bit, most)
        return bit


class Numbers:
    def __init__(self, contexts: Contexts):
        self._contexts = contexts

    def _flag(self, kind: int, context: int) -> int:
        return self._contexts.alone(128 * kind + context, 255)

    def unary(self, kind: int, most: int) -> int:
        number = 0
        while number < most and self._flag(kind, min(number, 30)):
            number += 1
        return number

    def signed(self, kind: int) -> int:
        if not self._flag(kind, 0):
            return 0
        negative, length, found = self._flag(kind, 1), 0, 1
        while length < 24 and self._flag(kind, 2 + length):
            length += 1
        for place in reversed(range(length)):
            early = found < 4 and length < 16
            found = 2 * found + self._flag(kind, 32 + 4 * length + found if early else 96 + place)
        return -found if negative else found

    def uniform(self, bits: int) -> int:
        number = 0
        for _ in range(bits):
            number = 2 * number + self._contexts.reader.bit(32768)
        return number


def place_of(*parts) -> int:
    """Bits from the lowest on: of each part one, or as many as it says."""
    place = shift = 0
    for part in parts:
        value, bits = part if isinstance(part, tuple) else (part, 1)
        assert 0 <= value < 1 << bits
        place |= int(value) << shift
        shift += bits
    return place


def scattered(number: int, bits: int) -> int:
    mixed = number * 0x9E3779B97F4A7C15 & WORD
    return ((mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 & WORD) >> (64 - bits)


def joined(one: int, other: int) -> int:
    mixed = one * 0xD6E8FEB86659FD93 & WORD
    return ((mixed ^ mixed >> 32) + other) & WORD


def packed(*indices: int) -> int:
    return place_of(*((index + 1, 13) for index in indices))


def hashed(one: int, other: int) -> int:
    low = 0x7FFFFFFF
    mixed = ((one & low) * 0x2545F491 + (other & low) * 0x1E3779B1 + 0x7F4A7C15) & ((1 << 63) - 1)
    mixed = ((mixed ^ mixed >> 29) & low) * 0x45EBCA6B
    return (mixed >> 15 ^ mixed) & low


def content(block: list[list[int]]) -> int:
    """A number of what four lines of four pixels show."""
    factors = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
    lines = [sum(index << 16 * place for place, index in enumerate(line)) for line in block]
    mixed = sum(line * factor for line, factor in zip(lines, factors)) & WORD
    return mixed ^ mixed >> 31
