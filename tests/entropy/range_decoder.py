"""A range decoder in plain whole numbers, written from the format alone: the oracle that the bytes mean what we say.

Range coding after Martin (1979), with 32-bit words, 64-bit state and 24-bit frequencies.
"""


class PlainDecoder:
    def __init__(self, payload: bytes):
        self.payload, self.place, self.point, self.size = payload, 0, 0, 2**64 - 1
        self.point = self._word() << 32 | self._word()

    def _word(self) -> int:
        word = self.payload[self.place : self.place + 4]
        self.place += 4
        return int.from_bytes(word.ljust(4, b"\0"), "big")

    def symbol(self, frequencies: list[int]) -> int:
        unit = self.size >> 24
        symbol = below = 0
        while self.point >= unit * (below + frequencies[symbol]):
            below += frequencies[symbol]
            symbol += 1
        self.point -= unit * below
        self.size = unit * frequencies[symbol]
        if self.size < 2**32:
            self.size <<= 32
            self.point = self.point << 32 | self._word()
        return symbol
