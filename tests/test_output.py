"""Outputs are there whole or not at all, on the disk before they have their name,
and written by one program at a time.
"""

import errno
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lvc import output
from lvc.errors import OutputError
from lvc.output import check_output, repaired_name, written_whole
from lvc.video.mux import folder_written_whole
from tests import ROOT

HELD = """
import sys
from lvc.output import written_whole
with written_whole(__import__("pathlib").Path(sys.argv[1]), overwrite=True) as part:
    part.write_text("half")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "out.bin"
    path.write_text("precious")
    return path


@pytest.fixture
def other_writer(path):
    """Another process that is writing `path`; it ends when it is killed, or its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HELD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def names(path):
    return sorted(os.listdir(path.parent))


# One writer at a time


def test_a_second_writer_is_refused_whatever_it_asks_for(path, other_writer):
    for options in ({}, {"recoverable": lambda: True}):
        with (
            pytest.raises(OutputError, match="is being written by another program"),
            written_whole(path, overwrite=True, **options),
        ):
            pytest.fail("two writers of one file")
    with pytest.raises(OutputError, match="is being written"):
        check_output(path, overwrite=True)
    assert path.read_text() == "precious" and path.with_name("out.bin.part").read_text() == "half"
    other_writer.communicate()
    assert path.read_text() == "half" and names(path) == ["out.bin"]
    with written_whole(path, overwrite=True) as part:
        part.write_text("next")
    assert path.read_text() == "next"


def test_a_writer_that_was_killed_holds_nothing(path, other_writer):
    other_writer.kill()
    other_writer.wait()
    assert path.read_text() == "precious"
    with (
        pytest.raises(OutputError, match="died.*--repair"),
        written_whole(path, recoverable=lambda: True, extends=True),
    ):
        pytest.fail("what it left is worth keeping")
    assert path.with_name("out.bin.part").read_text() == "half"
    with written_whole(path, overwrite=True) as part:
        assert part.read_bytes() == b""
        part.write_text("next")
    assert path.read_text() == "next" and names(path) == ["out.bin"]


def test_a_child_that_lives_on_does_not_keep_the_file(path):
    """A fork has its parent's open files, and with them its locks."""
    ended = multiprocessing.get_context("fork").Event()
    with written_whole(path, overwrite=True) as part:
        part.write_text("one")
        child = multiprocessing.get_context("fork").Process(target=ended.wait)
        child.start()
    try:
        with written_whole(path, overwrite=True) as part:
            part.write_text("two")
    finally:
        ended.set()
        child.join()
    assert path.read_text() == "two"


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    """Whoever gets through writes a whole file; the others are told; nothing is mixed, and nothing is left."""
    path, outcomes = tmp_path / "out.bin", []

    def write(number):
        for _ in range(30):
            try:
                with written_whole(path, overwrite=True) as part, open(part, "wb", buffering=0) as file:
                    for _ in range(5):
                        file.write(bytes([number]) * 100)
            except OutputError as error:
                assert "is being written" in str(error), error
                outcomes.append(False)
            else:
                outcomes.append(True)
            data = path.read_bytes() if path.exists() else b""
            assert data in (b"", *(bytes([one]) * 500 for one in range(4)))

    errors = []
    monitored = [threading.Thread(target=caught, args=(write, number, errors)) for number in range(4)]
    for thread in monitored:
        thread.start()
    for thread in monitored:
        thread.join()
    assert errors == [] and len(outcomes) == 120 and any(outcomes)
    assert os.listdir(tmp_path) == ["out.bin"]


def caught(function, argument, errors):
    try:
        function(argument)
    except BaseException as error:  # a thread's errors are nobody's
        errors.append(error)


def test_two_writers_of_one_folder(tmp_path):
    folder = tmp_path / "pictures"
    with folder_written_whole(folder, overwrite=False) as part:
        (part / "frame_000000.png").write_text("first")
        for overwrite in (False, True):
            with (
                pytest.raises(OutputError, match="is being written"),
                folder_written_whole(folder, overwrite=overwrite),
            ):
                pytest.fail("two writers of one folder")
    assert os.listdir(tmp_path) == ["pictures"] and os.listdir(folder) == ["frame_000000.png"]
    # What a killed one left is cleared away.
    (tmp_path / "pictures.part").mkdir()
    (tmp_path / "pictures.part" / "frame_000007.png").touch()
    with folder_written_whole(folder, overwrite=True) as part:
        (part / "frame_000001.png").touch()
    assert os.listdir(tmp_path) == ["pictures"] and os.listdir(folder) == ["frame_000001.png"]


@pytest.mark.parametrize("error", sorted(output.NO_LOCKS_HERE))
def test_where_files_cannot_be_locked_all_else_holds(path, monkeypatch, error):
    def no_locks(_descriptor, _operation):
        raise OSError(error, "No locks available")

    monkeypatch.setattr(output.fcntl, "flock", no_locks)
    with written_whole(path, overwrite=True) as part:
        part.write_text("next")
    monkeypatch.setattr(output, "fcntl", None)
    with written_whole(path, overwrite=True) as part:
        assert part.read_text() == "" and path.read_text() == "next"
        part.write_text("last")
    assert path.read_text() == "last" and names(path) == ["out.bin"]


def test_locks_that_need_a_file_open_for_writing_are_asked_so(path, monkeypatch):
    """As NFS makes them."""
    real = output.fcntl.flock

    def of_nfs(descriptor, operation):
        if output.fcntl.fcntl(descriptor, output.fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return real(descriptor, operation)

    monkeypatch.setattr(output.fcntl, "flock", of_nfs)
    with written_whole(path, overwrite=True) as part:
        part.write_text("next")
        with pytest.raises(OutputError, match="is being written"):
            output.check_output(path, overwrite=True)
    assert path.read_text() == "next"


# Links


def test_a_link_stays_and_the_file_it_means_is_written(path, tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link.bin"
    link.symlink_to("../out.bin")
    with pytest.raises(OutputError, match="exists already"), written_whole(link):
        pytest.fail("the file that the link means is there")
    with written_whole(link, overwrite=True) as part:
        assert part == tmp_path / "out.bin.part"
        part.write_text("next")
    assert link.is_symlink() and path.read_text() == "next"
    assert os.listdir(tmp_path / "folder") == ["link.bin"] and names(path) == ["folder", "out.bin"]


def test_a_link_to_what_is_not_there_makes_it(tmp_path):
    link = tmp_path / "link.bin"
    link.symlink_to("new.bin")
    with written_whole(link) as part:
        part.write_text("new")
    assert link.is_symlink() and (tmp_path / "new.bin").read_text() == "new"
    link.unlink()
    link.symlink_to("none/new.bin")
    with pytest.raises(OutputError, match="there is no folder"), written_whole(link):
        pytest.fail("no folder")


def test_one_file_by_two_names_has_one_writer(path, tmp_path):
    link = tmp_path / "link.bin"
    link.symlink_to("out.bin")
    with written_whole(path, overwrite=True) as part:
        part.write_text("next")
        with pytest.raises(OutputError, match="is being written"), written_whole(link, overwrite=True):
            pytest.fail("two writers")


def test_a_hard_link_keeps_the_old_bytes(path, tmp_path):
    """The name is what is replaced, so another name of the same file is not written through."""
    os.link(path, tmp_path / "other.bin")
    with written_whole(path, overwrite=True) as part:
        part.write_text("next")
    assert path.read_text() == "next" and (tmp_path / "other.bin").read_text() == "precious"


def test_a_temporary_name_that_is_a_link_is_not_written_through(path, tmp_path):
    (tmp_path / "new.bin.part").symlink_to("out.bin")
    for options in ({}, {"overwrite": True}, {"overwrite": True, "recoverable": lambda: True}):
        with pytest.raises(OutputError, match="is a link"), written_whole(tmp_path / "new.bin", **options):
            pytest.fail("through the link")
    (tmp_path / "pictures.part").symlink_to(".")
    with pytest.raises(OutputError), folder_written_whole(tmp_path / "pictures", overwrite=True):
        pytest.fail("through the link")
    assert path.read_text() == "precious"


# On the disk first


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(path, monkeypatch):
    calls = []

    def noted(name, function):
        def call(*arguments, **options):
            if name == "fsync":
                mode = os.fstat(arguments[0]).st_mode
                calls.append("fsync folder" if stat.S_ISDIR(mode) else f"fsync {os.fstat(arguments[0]).st_size} bytes")
            else:
                calls.append(name)
            return function(*arguments, **options)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "replace"):
        noted(name, getattr(os, name))
    with written_whole(path, overwrite=True) as part:
        part.write_text("twelve bytes")
    assert calls == ["fsync 12 bytes", "replace", "fsync folder"]
    calls.clear()
    with folder_written_whole(path.with_name("pictures"), overwrite=False) as part:
        for number in range(3):
            (part / f"frame_{number:06d}.png").write_text("1")
    assert calls == ["fsync 1 bytes"] * 3 + ["fsync folder", "replace", "fsync folder"]


def test_a_disk_that_tells_late_that_it_is_full(path, monkeypatch):
    """Some file systems take bytes for which they have no room, and say so when they are to be on the disk."""

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match="out.bin: cannot be written: No space left"),
        written_whole(path, overwrite=True) as part,
    ):
        part.write_text("next")
    assert path.read_text() == "precious" and names(path) == ["out.bin"]


# Names


def test_where_what_was_repaired_goes():
    for name in ("game.lvc", "game.lvc.part", "game"):
        assert repaired_name(Path("a") / name) == Path("a/game.repaired.lvc")


@pytest.mark.parametrize("name", ["x" * 250, "x" * 251, "x" * 255, "ü" * 127, "x" * 253 + "ü", "\udcff" * 255], ids=len)
def test_names_as_long_as_may_be_have_a_temporary_name(tmp_path, name):
    path, other = tmp_path / name, tmp_path / (name[:-1] + "y")
    with written_whole(path) as part, written_whole(other) as another:
        assert part != another and len(os.fsencode(part.name)) <= 255 and part.name.endswith(".part")
        part.write_text("whole")
    assert path.read_text() == "whole" and sorted(tmp_path.iterdir()) == sorted([path, other])
    assert len(os.fsencode(repaired_name(path).name)) <= 255


def test_names_that_are_too_long(tmp_path):
    path = tmp_path / ("x" * 256)
    with pytest.raises(OutputError, match="File name too long"), written_whole(path):
        pytest.fail("no such name")
    assert os.listdir(tmp_path) == []
