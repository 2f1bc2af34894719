"""Quantised latents of some frames, and what tells whether they are the right ones."""

import zlib
from dataclasses import dataclass

import numpy as np

@dataclass(frozen=True)
class Latents:
    """Quantised latents of some frames: symbols int32 [T, *latent_shape], parameters float32 [T, P] of the quantiser.

    moves: `Motion` of each frame, what an encoder found to have moved in each frame, or nothing; it makes the same symbols cheaper to code.
    """

    symbols: np.ndarray
    parameters: np.ndarray
    moves: tuple = ()

    def __len__(self) -> int:
        return len(self.symbols)


def symbols_digest(symbols: np.ndarray, before: int = 0) -> int:
    """CRC-32 of symbols as little-endian int32, in order, of which those before had that one: tells a wrong model or a numeric fault
    from a right decode."""
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4"), before)
