"""Whole numbers of variable length, as group records hold them: LEB128, zigzag and runs."""

from collections.abc import Iterable
from itertools import groupby

from lvc.errors import FormatError

MAX_BITS = 64


def append_varint(out: bytearray, value: int) -> None:
    """Appends an unsigned LEB128: seven bits a byte, lowest first, the top bit set on all bytes but the last."""
    assert 0 <= value < 1 << MAX_BITS
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def zigzag(value: int) -> int:
    """Signed to unsigned, small magnitudes first: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return 2 * value if value >= 0 else -2 * value - 1


def unzigzag(value: int) -> int:
    return value >> 1 if value & 1 == 0 else -(value >> 1) - 1


def append_runs(out: bytearray, values: Iterable[int]) -> None:
    """Appends unsigned values, equal neighbours as one: varint(2 v) for one v,
    varint(2 v + 1) varint(n) for n of them.
    """
    for value, run in groupby(values):
        length = sum(1 for _ in run)
        append_varint(out, 2 * value + (length > 1))
        if length > 1:
            append_varint(out, length)


class Cursor:
    """Reads numbers one after another; every fault is a FormatError that names the field and its byte in the file.

    data: the bytes to read; offset: where in the file data[0] lies.
    """

    def __init__(self, data: bytes, *, offset: int):
        self.data = data
        self.offset = offset
        self.position = 0

    @property
    def remaining(self) -> int:
        return len(self.data) - self.position

    def fail(self, message: str, *, position: int | None = None) -> FormatError:
        return FormatError(message, offset=self.offset + (self.position if position is None else position))

    def varint(self, field: str, *, low: int = 0, high: int = (1 << MAX_BITS) - 1) -> int:
        """One unsigned number from `low` to `high`, in its shortest form."""
        start, value, shift = self.position, 0, 0
        while True:
            if self.position >= len(self.data):
                raise self.fail(f"{field}: a number was expected, the record ends", position=start)
            byte = self.data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift >= MAX_BITS + 6:
                raise self.fail(f"{field}: a number of at most 64 bits was expected", position=start)
        if byte == 0 and shift > 7:
            raise self.fail(f"{field}: a number in its shortest form was expected", position=start)
        if not low <= value <= high:
            raise self.fail(f"{field}: a number from {low} to {high} was expected, not {value}", position=start)
        return value

    def run(self, field: str, *, low: int = 0, high: int = (1 << MAX_BITS - 1) - 1, longest: int) -> tuple[int, int]:
        """One value from `low` to `high` and how often it comes, from 1 to `longest`."""
        start = self.position
        token = self.varint(field)
        value = token >> 1
        if not low <= value <= high:
            raise self.fail(f"{field}: a value from {low} to {high} was expected, not {value}", position=start)
        length = self.varint(f"{field}, run length", low=2, high=max(longest, 2)) if token & 1 else 1
        if length > longest:
            raise self.fail(f"{field}: {longest} more were expected, not {length}", position=start)
        return value, length

    def take(self, count: int, field: str) -> bytes:
        if count > self.remaining:
            raise self.fail(f"{field}: {count} bytes were expected, {self.remaining} are left")
        taken = self.data[self.position : self.position + count]
        self.position += count
        return taken
