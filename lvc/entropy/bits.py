"""Yes or no to bytes and back: a binary range coder for compiled code, which asks one question after another.

Writer and reader are arrays that compiled functions take turns with; `code_bit` is the same call for both directions, so that the
order of coding is written once. The bytes are one long binary fraction, the most significant byte first; the reader continues it
with zeros, so the writer ends with the shortest fraction that is still inside the final interval.
"""

import math

import numpy as np

from lvc.kernels.compiled import inlined

CERTAIN = 1 << 16  # probabilities are whole numbers 1 … CERTAIN - 1
WRITING, READING, COUNTING, MEASURING = range(4)  # odd ones read; MEASURING: reads, and says what that cost
_MODE, _LOW, _HIGH, _VALUE, _PLACE = range(5)
MOST_BYTES = 4  # that a decision can cost: all of the interval
_FIRST_BYTES = 1 << 12
# What a decision costs whose probability was so much.
SPENT = np.array([0.0] + [-math.log2(p / CERTAIN) for p in range(1, CERTAIN + 1)])


class BitCoder:
    """Arrays for `code_bit`: state int64 [5], data uint8 [N] and spent float64 [1], in bits. `room` comes before a compiled function that writes."""

    def __init__(self, mode: int, data: np.ndarray):
        self.state = np.array([mode, 0, 0xFFFFFFFF, 0, 0], np.int64)
        self.data, self.spent = data, np.zeros(1)

    @property
    def reads(self) -> bool:
        return self.state[_MODE] in (READING, MEASURING)

    @property
    def bits(self) -> float:
        """What the decisions so far cost, by their probabilities; 0 of a reader that does not measure."""
        return float(self.spent[0])

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.state, self.data, self.spent

    def room(self, decisions: int) -> None:
        """Makes room for so many decisions, whatever they are."""
        needed = int(self.state[_PLACE]) + MOST_BYTES * decisions + 8
        if self.state[_MODE] == WRITING and needed > len(self.data):
            self.data = np.append(self.data, np.zeros(max(needed, len(self.data)), np.uint8))


class BitWriter(BitCoder):
    """Collects decisions and gives the bytes at the end."""

    def __init__(self):
        super().__init__(WRITING, np.zeros(_FIRST_BYTES, np.uint8))

    def finish(self) -> bytes:
        """The shortest bytes from which a BitReader gives the same decisions."""
        low, high, place = int(self.state[_LOW]), int(self.state[_HIGH]), int(self.state[_PLACE])
        for kept in range(5):
            unit = 1 << (32 - 8 * kept)
            rounded = -(-low // unit) * unit
            if rounded <= high:
                break
        return (self.data[:place].tobytes() + rounded.to_bytes(5, "big")[1:]).rstrip(b"\0")


class BitCounter(BitCoder):
    """Takes decisions for a writer, and keeps only what they cost."""

    def __init__(self):
        super().__init__(COUNTING, np.zeros(0, np.uint8))


class BitReader(BitCoder):
    """Finds the decisions that a BitWriter was given, when asked in the same order with the same probabilities.

    measuring: `bits` are added up, which costs a tenth more time.
    """

    def __init__(self, payload: bytes, *, measuring: bool = False):
        super().__init__(MEASURING if measuring else READING, np.frombuffer(bytearray(payload + bytes(4)), np.uint8))
        self.state[_VALUE], self.state[_PLACE] = int.from_bytes(bytes(self.data[:4]), "big"), 4


@inlined
def code_bit(coder, bit, yes):
    """Codes a bit, 0 or 1, that is 1 with probability yes / CERTAIN, 1 … CERTAIN - 1; gives it. A reader ignores `bit`. coder: a BitCoder's `parts`."""
    state, data, spent = coder
    low, high = state[_LOW], state[_HIGH]
    middle = low + ((high - low) >> 16) * yes + ((((high - low) & 0xFFFF) * yes) >> 16)
    mode = state[_MODE]
    if mode & 1:
        bit = np.int64(state[_VALUE] <= middle)
    if mode != READING:  # whose table of half a megabyte would push others out of the cache
        spent[0] += SPENT[yes] if bit else SPENT[CERTAIN - yes]
        if mode == COUNTING:
            return bit
    if bit:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) & 0xFF000000 == 0:
        place = state[_PLACE]
        if mode == WRITING:
            data[place] = high >> 24
        else:
            following = np.int64(data[place]) if place < data.shape[0] else 0
            state[_VALUE] = ((state[_VALUE] << 8) & 0xFFFFFFFF) | following
        state[_PLACE] = place + 1
        low = (low << 8) & 0xFFFFFFFF
        high = ((high << 8) & 0xFFFFFFFF) | 0xFF
    state[_LOW], state[_HIGH] = low, high
    return bit
