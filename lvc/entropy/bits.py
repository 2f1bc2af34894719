"""Bits to bytes and back: the binary range coder that compiled kernels code with, one bit after another, each with its
own probability.

The bytes are one long binary fraction, the most significant byte first; a reader continues it with zeros, so a writer
ends with the shortest fraction that is still inside the final interval. See lvc/kernels/bits.h.
"""

import math
from functools import lru_cache

import numpy as np

from lvc.kernels.binding import Kernel, Struct

CERTAIN = 1 << 16  # probabilities are whole numbers 1 … CERTAIN - 1
WRITING, READING, COUNTING, MEASURING = range(4)  # a counter writes nothing; a measuring reader says what bits cost
MOST_BYTES = 4  # that a bit can cost: all of the interval
_FIRST_BYTES = 1 << 12
CODER = Struct(
    sizes="size",
    integers="mode low high value position",
    reals="bits",
    arrays={"data": ("uint8", "size"), "costs": ("float64", str(CERTAIN + 1))},
)
code_bits = Kernel(
    "lvc_code_bits",
    Struct(
        sizes="count",
        structs={"coder": CODER},
        arrays={"probabilities": ("int64", "count"), "values": ("int64", "count")},
    ),
)


@lru_cache(maxsize=1)
def bit_costs() -> np.ndarray:
    """float64 [CERTAIN + 1]: bits that an event of each probability costs."""
    return np.array([0.0] + [-math.log2(p / CERTAIN) for p in range(1, CERTAIN + 1)])


class BitCoder:
    """Codes bits in compiled kernels, to which it goes as `state`, a CODER.
    `make_room` comes before one that writes.
    """

    def __init__(self, mode: int, data: np.ndarray):
        costs = {} if mode == READING else {"costs": bit_costs()}
        self.state = CODER(mode=mode, high=0xFFFFFFFF, data=data, **costs)

    @property
    def data(self) -> np.ndarray:
        """uint8 [N]: what is read, or there is room for."""
        return self.state.kept["data"]

    @property
    def reads(self) -> bool:
        return self.state.mode in (READING, MEASURING)

    @property
    def bits(self) -> float:
        """What was coded so far costs, by its probabilities; 0 of a reader that does not measure."""
        return self.state.bits

    def make_room(self, bits: int) -> None:
        """Makes room for so many further bits, whatever they are."""
        needed = self.state.position + MOST_BYTES * bits + 8
        if self.state.mode == WRITING and needed > self.state.size:
            grown = np.zeros(max(needed, 2 * self.state.size), np.uint8)
            grown[: self.state.position] = self.data[: self.state.position]
            CODER.replace(self.state, data=grown)


class BitWriter(BitCoder):
    """Collects bits and gives the bytes at the end."""

    def __init__(self):
        super().__init__(WRITING, np.zeros(_FIRST_BYTES, np.uint8))

    def finish(self) -> bytes:
        """The shortest bytes from which a BitReader gives the same bits."""
        low, high, position = self.state.low, self.state.high, self.state.position
        assert position <= self.state.size, "bytes were lost for which there was no room"
        for kept in range(5):
            unit = 1 << (32 - 8 * kept)
            rounded = -(-low // unit) * unit
            if rounded <= high:
                break
        return (self.data[:position].tobytes() + rounded.to_bytes(5, "big")[1:]).rstrip(b"\0")


class BitCounter(BitCoder):
    """Takes bits as a writer does, and keeps only what they cost."""

    def __init__(self):
        super().__init__(COUNTING, np.zeros(0, np.uint8))


class BitReader(BitCoder):
    """Finds the bits that a BitWriter was given, when asked in the same order with the same probabilities.

    measuring: `bits` are added up, which costs a tenth more time.
    """

    def __init__(self, payload: bytes, *, measuring: bool = False):
        super().__init__(MEASURING if measuring else READING, np.frombuffer(bytearray(payload + bytes(4)), np.uint8))
        self.state.value, self.state.position = int.from_bytes(payload[:4].ljust(4, b"\0"), "big"), 4
