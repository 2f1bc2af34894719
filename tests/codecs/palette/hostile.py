"""Decodes hostile bits: python -m tests.codecs.palette.hostile SEED COUNT.
With a library of kernels that sanitizers watch over, whatever is read or written out of bounds ends it.
"""

import json
import sys
from collections import Counter

import numpy as np

from lvc.codecs.palette.bitstream import PaletteFrames
from lvc.entropy.bits import BitReader, BitWriter
from lvc.errors import FormatError
from lvc.frames import Geometry
from tests.builders.acting import acted
from tests.builders.palette import random_palette, random_pictures

GEOMETRY = Geometry(32, 24)
GAMES = {"many games": {}, "one game": {"colours": 9, "sprites": 12, "scenes": 2}}
FRAMES = 6


def written(model, seed: int) -> bytes:
    """Pictures with chance sprites."""
    coding, writer, symbols = PaletteFrames(model), BitWriter(), random_pictures(FRAMES, GEOMETRY, seed=seed)
    for wanted in acted(coding, symbols, np.random.default_rng(seed)):
        coding.code_frames([wanted], 1, writer, symbols.shape[1:])
    return writer.finish()


def spoiled(payload: bytes, generator: np.random.Generator) -> bytes:
    """Some bits changed, or nothing left as it was."""
    kind = generator.integers(4)
    if kind == 0:
        return generator.bytes(generator.integers(1, 300))
    if kind == 1:  # all yes, or all no, from somewhere on
        return payload[: generator.integers(len(payload))] + bytes([int(generator.choice([0, 255]))]) * 200
    changed = bytearray(payload)
    for place in generator.integers(0, len(payload), generator.integers(1, 6)):
        changed[place] ^= int(generator.integers(1, 256))
    return bytes(changed)


def ended(model, payload: bytes) -> str:
    try:
        found = PaletteFrames(model).code_frames(None, FRAMES, BitReader(payload), (1, GEOMETRY.height, GEOMETRY.width))
    except FormatError as error:
        return str(error).rpartition(": ")[2]
    assert 0 <= found.min() <= found.max() < 1 << 24
    return "frames"


def main(seed: int, count: int) -> None:
    ends = Counter()
    for game in GAMES.values():
        model, generator = random_palette(GEOMETRY, **game).model.for_coding(), np.random.default_rng(seed)
        payloads = [written(model, number) for number in range(5)]
        for number in range(count):
            ends[ended(model, spoiled(payloads[number % len(payloads)], generator))] += 1
    print(json.dumps(ends))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
