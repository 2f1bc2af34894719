"""Fuzz target: weights files, from their header to the loaded model.

python -m tests.fuzz.seeds FOLDER && python -m tests.fuzz.fuzz_weights FOLDER/corpus/weights [libFuzzer's options]
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lvc.weights.checkpoints", "lvc.codecs", "lvc.entropy"]):
    from lvc.codecs import in_numpy, in_torch  # noqa: F401, which are imported late
    from lvc.errors import LvcError
    from lvc.weights import checkpoints

from tests.fuzz.sealing import mutated_weights

PATH = Path(tempfile.mkdtemp(prefix="lvc-fuzz-")) / "input.safetensors"


def test_one_input(data: bytes) -> None:
    PATH.write_bytes(data)
    try:
        checkpoints.load_file(PATH)
    except LvcError:
        return


def mutate(data: bytes, limit: int, seed: int) -> bytes:
    return mutated_weights(data, limit, seed, atheris.Mutate)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input, custom_mutator=mutate)
    atheris.Fuzz()
