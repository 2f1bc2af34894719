"""Fuzz target: the container's reader, `verify` and `repair`, over files whose checksums hold and over any bytes.

python -m tests.fuzz.seeds FOLDER && python -m tests.fuzz.fuzz_container FOLDER/corpus/container [libFuzzer's options]
 (or `make fuzz`)
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lvc.container"]):
    from lvc.container.reader import ContainerReader
    from lvc.container.recover import repair, verify
    from lvc.errors import FormatError, LvcError

from tests.fuzz.sealing import mutated_container

FOLDER = Path(tempfile.mkdtemp(prefix="lvc-fuzz-"))


def test_one_input(data: bytes) -> None:
    read(data)
    path, output = FOLDER / "input.lvc", FOLDER / "output.lvc"
    path.write_bytes(data)
    report = verify(path)
    try:
        repair(path, output, overwrite=True)
    except FormatError:
        assert report.groups == 0 and not report.ok
        return
    again = verify(output)
    assert again.ok
    assert (again.groups, again.frames) == (report.groups, report.frames)


def read(data: bytes) -> None:
    try:
        reader = ContainerReader(data)
    except LvcError:
        return
    for k in range(len(reader.index)):
        try:
            reader.group(k)
        except LvcError:
            continue
    for n in (0, reader.frame_count // 2, reader.frame_count - 1):
        try:
            reader.frame_at_seconds(reader.pts_of(n) * reader.header.time_base)
        except (LvcError, IndexError):
            continue


def mutate(data: bytes, limit: int, seed: int) -> bytes:
    return mutated_container(data, limit, seed, atheris.Mutate)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input, custom_mutator=mutate)
    atheris.Fuzz()
