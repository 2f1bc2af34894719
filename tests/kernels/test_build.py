"""The library of kernels: built from any compiler, refused where it is not of the sources beside it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lvc.kernels import binding, build
from lvc.kernels.binding import KernelError

ROOT = Path(build.__file__).parents[2]


@pytest.fixture
def sources(tmp_path):
    """A folder with one C file that a library can be made of."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("version.c", "api.h"):
        shutil.copy(build.FOLDER / name, folder / name)
    return folder


def test_every_change_of_a_source_changes_the_digest(sources):
    found = {build.sources_digest(sources)}
    for path in build.sources(sources):
        text = path.read_text()
        path.write_text(text + "\n")
        found.add(build.sources_digest(sources))
        path.write_text(text)
    (sources / "api.h").rename(sources / "apis.h")
    found.add(build.sources_digest(sources))
    assert len(found) == 4


def test_a_library_is_current_until_a_source_changes(sources, tmp_path):
    library = tmp_path / "made" / "kernels.so"
    assert not build.is_current(library, folder=sources)
    build.build(library, folder=sources)
    assert build.is_current(library, folder=sources)
    assert [path.name for path in library.parent.iterdir()] == ["kernels.so"], "nothing else is left"
    with open(sources / "api.h", "a") as file:
        file.write("\n")
    assert not build.is_current(library, folder=sources)


def test_what_a_compiler_refuses_is_told_and_nothing_is_left(sources, tmp_path):
    (sources / "wrong.c").write_text("int broken(\n")
    with pytest.raises(build.BuildError, match=r"wrong\.c"):
        build.build(tmp_path / "kernels.so", folder=sources)
    assert not list(tmp_path.glob("*.so"))


def test_without_a_compiler_it_is_said_what_is_missing(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(build.BuildError, match="ziglang"):
        build.build(tmp_path / "kernels.so", folder=sources)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: name)
    assert build.find_compiler() == [sys.executable, "-m", "ziglang", "cc"]
    monkeypatch.setenv("CC", "some-cc -m64")
    assert build.find_compiler() == ["some-cc", "-m64"]
    with pytest.raises(build.BuildError, match="some-cc"):
        build.build(tmp_path / "kernels.so", folder=sources)


@pytest.mark.parametrize("fault", ["missing", "stale", "not a library"])
def test_a_library_that_is_not_of_these_sources_is_refused(fault, sources, tmp_path, monkeypatch):
    library = tmp_path / "kernels.so"
    if fault == "stale":
        build.build(library, folder=sources)
    if fault == "not a library":
        library.write_bytes(b"\x7fELF" + bytes(99))
    monkeypatch.setenv(binding.LIBRARY_VARIABLE, str(library))
    with pytest.raises(KernelError, match=r"lvc\.kernels\.build"):
        binding.library.__wrapped__()


def test_the_command_builds_in_place():
    """As a developer calls it, whose environment may lack numpy."""
    answer = subprocess.run(
        [sys.executable, "-S", "-m", "lvc.kernels.build"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(answer.stdout.strip()) == build.LIBRARY and build.is_current()
