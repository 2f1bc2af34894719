"""Fuzz target: `lvc.open`'s Reader down to the pixels, with every entropy model and quantiser, under checksums that
hold.

python -m tests.fuzz.seeds FOLDER && LVC_MODELS=FOLDER/weights python -m tests.fuzz.fuzz_reader FOLDER/corpus/reader
[libFuzzer's options]
"""

import sys

import atheris

with atheris.instrument_imports(include=["lvc"]):
    from lvc.codecs.neural import codec  # noqa: F401, which is imported late
    from lvc.errors import LvcError
    from lvc.reading.reader import Reader

from tests.fuzz.sealing import mutated_container


def test_one_input(data: bytes) -> None:
    try:
        reader = Reader(data)
    except LvcError:
        return
    calls = (
        lambda: reader.metadata,
        lambda: reader[0],
        lambda: reader.latents_at([-1]),
        lambda: reader.get_frames_played_at([0.0, 0.1]),
        lambda: reader.frame_bytes,
    )
    for call in calls:
        try:
            call()
        except (LvcError, IndexError):
            continue


def mutate(data: bytes, limit: int, seed: int) -> bytes:
    return mutated_container(data, limit, seed, atheris.Mutate)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input, custom_mutator=mutate)
    atheris.Fuzz()
