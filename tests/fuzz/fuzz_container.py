"""Fuzz target for the container's reader and its recovery: python fuzz_container.py [corpus folder] (needs atheris).

The seed corpus is tests/golden. Without atheris, tests/container/test_container_damage.py runs random faults for some seconds.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lvc.container"]):
    from lvc.container.reader import ContainerReader
    from lvc.container.recover import repair, verify
    from lvc.errors import FormatError, LvcError

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


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
