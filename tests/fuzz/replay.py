"""Runs a fuzz target without atheris: over a folder of inputs, and over random changes of them.

    python -m tests.fuzz.seeds FOLDER && LVC_MODELS=FOLDER/weights python -m tests.fuzz.replay container
    FOLDER/corpus/container [--mutations N]

With a coverage tool around it, it tells which lines a corpus reaches. Ends with a line of figures; an error is as it
comes, after the input that led to it was written to `failed-TARGET` in the working folder.
"""

import argparse
import contextlib
import importlib
import random
import sys
import time
from pathlib import Path
from types import SimpleNamespace

chance = random.Random()


def mutate(data: bytes, limit: int) -> bytes:
    """What atheris.Mutate does, without knowing what is of use."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at, count = chance.randrange(len(changed) + 1), chance.choice((1, 1, 2, 4, 16))
        kind = chance.randrange(4)
        if kind == 0:
            changed[at : at + count] = chance.randbytes(count)
        elif kind == 1:
            del changed[at : at + count]
        elif kind == 2:
            changed[at:at] = chance.randbytes(count)
        elif at < len(changed):
            changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(changed[:limit])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=["container", "reader", "weights"])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--mutations", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # The targets need of atheris only these; they run the same under both.
    sys.modules["atheris"] = SimpleNamespace(instrument_imports=lambda **_: contextlib.nullcontext(), Mutate=mutate)
    target = importlib.import_module(f"tests.fuzz.fuzz_{options.target}")
    inputs = [path.read_bytes() for folder in options.folders for path in sorted(folder.iterdir())]
    chance.seed(options.seed)
    slowest = 0.0
    for number in range(len(inputs) + options.mutations):
        data = (
            inputs[number]
            if number < len(inputs)
            else target.mutate(chance.choice(inputs), 1 << 20, chance.getrandbits(32))
        )
        started = time.process_time()
        try:
            target.test_one_input(data)
        except BaseException:
            Path(f"failed-{options.target}").write_bytes(data)
            raise
        slowest = max(slowest, time.process_time() - started)
    print(f"{options.target}: {len(inputs)} inputs, {options.mutations} changes of them, the slowest {slowest:.2f} s")


if __name__ == "__main__":
    main()
