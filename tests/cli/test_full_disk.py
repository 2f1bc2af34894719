"""A disk that is full, a real one where mounting is allowed: one line, exit code 1, and all that was there before."""

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lvc as library
from lvc.container.reader import ContainerReader
from tests.builders import all_families
from tests.builders.all_families import frames_of

PAGE = 4096
SIZE = 256 * PAGE


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of 1 MiB in memory."""
    place = tmp_path_factory.mktemp("disk")
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system may be mounted here")
    yield place
    # Lazily: PyAV 18 keeps the file of an mp4 open, until the process ends, where not even its header found room.
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def disk(small_disk):
    """`disk(pages)` leaves so many pages of it free."""

    def filled(pages):
        status = os.statvfs(small_disk)
        with open(small_disk / "filler", "wb") as filler:
            filler.write(bytes((status.f_bavail - pages) * status.f_bsize))
        assert os.statvfs(small_disk).f_bavail == pages
        return small_disk

    yield filled
    for path in small_disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def contents(folder: Path) -> dict:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


SAMPLING = ("--every", 2, "--size", "48x32")


def commands(game, coded, dataset, recordings, model) -> dict:
    """name of the output: what makes it."""
    noise = ("--model", model)
    return {
        "out.lvc": ("encode", game, *SAMPLING, "--keyint", 2, *noise),
        "out.mp4": ("decode", coded, *noise),
        "out.mkv": ("decode", coded, *noise),
        "out.npy": ("decode", coded, *noise),
        "pictures": ("decode", coded, *noise),
        "set": ("build-dataset", recordings, *SAMPLING, "-w", 1),
        "many": ("build-dataset", recordings, *SAMPLING, "-w", 2),
        "new.safetensors": (
            "train",
            dataset,
            "--model",
            "conv4",
            "--steps",
            1,
            "--threads",
            1,
            "--option",
            "stages=2",
            "--option",
            "channels=32",
        ),
        "out.html": ("report", coded, game, *noise),
        "sheet.png": ("storyboard", coded, *noise),
        "net.onnx": ("export-onnx", model),
    }


NAMES = list(commands(*"abcde"))
# Whose name is not that of a file which they make.
FOLDERS = ("pictures", "set", "many", "net.onnx")


@pytest.mark.parametrize("pages", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_so_and_leaves_what_was_there(
    lvc, disk, coded, game, dataset, recordings, tiny_model, name, pages
):
    output = disk(pages) / name
    (output.parent / "mine.txt").touch()
    command = commands(game, coded, dataset, recordings, tiny_model)[name]
    before = contents(output.parent)
    shown = lvc(*command, "-o", output, "-q")
    assert (shown.code, shown.out, len(shown.err)) == (1, "", 1), shown
    assert "cannot be written: " in shown.err[0] and "No space left on device" in shown.err[0]
    assert str(output.parent) in shown.err[0]
    after = contents(output.parent)
    left = {path for path in after if path not in before and not (output.parent / path).is_dir()}
    # An encoder's groups are worth keeping; of a data set the recordings that were done are.
    assert left <= {"out.lvc.part"} or (
        name in ("set", "many") and not any(path.endswith((".part", "manifest.json")) for path in left)
    )
    assert {path: after[path] for path in before} == before
    if left == {"out.lvc.part"}:
        assert f"lvc verify --repair {output}.part" in shown.err[0]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FOLDERS])
def test_the_earlier_file_is_intact(lvc, disk, small_disk, coded, game, dataset, recordings, tiny_model, name):
    output = small_disk / name
    output.write_text("precious")
    disk(0)
    shown = lvc(*commands(game, coded, dataset, recordings, tiny_model)[name], "-o", output, "-y", "-q")
    assert (shown.code, len(shown.err)) == (1, 1) and "No space left" in shown.err[0]
    assert output.read_text() == "precious"
    assert sorted(os.listdir(small_disk)) == sorted(["filler", name])


def test_pictures_and_data_sets_of_before_are_intact(lvc, disk, small_disk, coded, recordings, tiny_model):
    decode = ("decode", coded, "-o", small_disk / "pictures", "--model", tiny_model, "-q")
    build = ("build-dataset", recordings, "-o", small_disk / "set", "--every", 20, "--size", "48x32", "-w", 1, "-q")
    assert lvc(*decode, "--keyframes-only").code == lvc(*build).code == 0
    before = contents(small_disk)
    disk(1)
    for command in ((*decode, "-y"), (*build[:4], *SAMPLING, "-w", 1, "-q", "-y")):
        shown = lvc(*command)
        assert (shown.code, len(shown.err)) == (1, 1) and "No space left" in shown.err[0]
        (small_disk / "filler").unlink()
        assert contents(small_disk) == before
        disk(1)


@pytest.mark.usefixtures("coded")
def test_what_was_coded_before_it_was_full_is_recovered(lvc, disk, game, tiny_model, tmp_path):
    part = disk(2) / "out.lvc.part"
    encode = ("encode", game, "-o", part.with_name("out.lvc"), *SAMPLING, "--keyint", 2, "--model", tiny_model, "-q")
    shown = lvc(*encode)
    assert shown.code == 1 and f"lvc verify --repair {part}" in shown.err[0]
    # There is no room for the repaired file either; elsewhere there is.
    shown = lvc("verify", "--repair", part, "-q")
    assert shown.code == 1 and "No space left" in shown.err[0]
    shutil.copy(part, tmp_path)
    assert lvc("verify", "--repair", tmp_path / "out.lvc.part", "-q").code == 3
    assert lvc("decode", tmp_path / "out.repaired.lvc", "-o", "out.npy", "--model", tiny_model, "-q").code == 0
    # With room again the same command, told to, makes the whole file.
    (part.parent / "filler").unlink()
    assert lvc(*encode, "-y").code == 0 and not part.exists()


@pytest.mark.parametrize("model", all_families.models())
def test_every_family_keeps_what_found_room(lvc, disk, tmp_path, save_small, model):
    def written(path, note=""):
        options = {"fps": 30, "geometry": all_families.SIZE, "model": checkpoint, "keyint": 4}
        with library.Writer(path, source={"note": note}, **options) as writer:
            writer.write(frames_of(24))

    def shown(path):
        with library.open(path, model=weights) as reader:
            return np.stack([frame.numpy() for frame in reader]).astype(int)

    with all_families.toy():
        checkpoint, weights = all_families.small_model(model, tmp_path, save_small)
        whole = tmp_path / "whole.lvc"
        written(whole)
        note, pages = note_and_pages(whole)
        path = disk(0) / "game.lvc"
        with pytest.raises(library.OutputError, match="cannot be written: No space left on device"):
            written(path, note)
        assert not path.exists() and not path.with_name("game.lvc.part").exists()
        (path.parent / "filler").unlink()
        part = disk(pages) / "game.lvc.part"
        with pytest.raises(library.OutputError, match="cannot be written: No space left on device"):
            written(path, note)
        shutil.copy(part, tmp_path)
        assert not path.exists() and lvc("verify", "--repair", tmp_path / part.name, "-q").code == 3
        found, frames = shown(tmp_path / "game.repaired.lvc"), shown(whole)
        assert len(found) == 12 and np.abs(found - frames[:12]).max() <= 1
        model_named = () if weights is None else ("--model", weights)
        made = lvc("decode", whole, "-o", path.parent / "game.mkv", *model_named, "-q")
        assert (made.code, len(made.err)) == (1, 1) and "No space left on device" in made.err[0]
        assert not (path.parent / "game.mkv").exists()


def note_and_pages(whole: Path) -> tuple[str, int]:
    """What is to stand in a file's header so that a disk of so many pages is full inside its fourth group."""
    with ContainerReader(whole) as reader:
        header, record = reader.header, reader.index[3]
        before, size = record.offset - reader.header_bytes, record.byte_size
    random = np.random.default_rng(2)
    text = random.bytes(PAGE).hex()  # a header is compressed
    for length in range(0, len(text), 8):
        note = text[:length]
        start = len(dataclasses.replace(header, source={"note": note}).to_bytes()) + before
        if (start + size - 1) // PAGE > start // PAGE:
            return note, start // PAGE + 1
    raise AssertionError("no such note")
