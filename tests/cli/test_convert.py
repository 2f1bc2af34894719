"""`lvc convert`: other programs' files to `.lvc` and back, exactly counted."""

import json

import numpy as np
import pytest

import lvc
from lvc.cli.main import main

COUNT = 9
FRAMES = np.random.default_rng(2).integers(0, 256, (COUNT, 16, 24, 3), np.uint8)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "runs.npz"
    np.savez(path, one=FRAMES, two=FRAMES[::-1], reward=np.zeros(COUNT))
    return path


def convert(*arguments) -> int:
    return main(["convert", *map(str, arguments)])


def frames_of(path):
    with lvc.open(path, dimension_order="NHWC") as reader:
        return reader[:].numpy(), [reader.pts_seconds(number) for number in range(len(reader))]


def test_each_recording_becomes_a_file_that_tells_its_counts(archive, tmp_path, capsys):
    assert convert(archive, "-o", tmp_path / "out", "--lossless", "--fps", 10, "--json") == 0
    printed = capsys.readouterr()
    facts = [json.loads(line) for line in printed.out.splitlines()]
    assert [(one["key"], one["frames"], one["expected_frames"], one["lost"]) for one in facts] == [
        (key, COUNT, COUNT, []) for key in ("one", "two")
    ]
    assert "9 of 9 frames" in printed.err and "every pixel is kept" in printed.err
    for name, expected in (("one", FRAMES), ("two", FRAMES[::-1])):
        frames, seconds = frames_of(tmp_path / f"out/runs_{name}.lvc")
        assert np.array_equal(frames, expected) and seconds == pytest.approx(np.arange(COUNT) / 10)


def test_what_is_lost_is_said(archive, tmp_path, capsys):
    assert (
        convert(
            archive, "-o", tmp_path / "one.lvc", "--key", "one", "--codec-model", "hevc", "--crf", 20, "--size", "32x16"
        )
        == 0
    )
    told = capsys.readouterr().err
    assert "at crf 20" in told and "dB" in told and "lost: size: 24x16 became 32x16" in told


def test_list_shows_and_writes_nothing(archive, tmp_path, capsys):
    assert convert(archive, "--list") == 0
    assert capsys.readouterr().out.splitlines() == [f"{archive}: {key}: 9 frames of 24x16" for key in ("one", "two")]
    assert list(tmp_path.iterdir()) == [archive]


def test_resume_leaves_what_is_done(archive, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/runs_one.lvc").write_bytes(b"done before")
    (tmp_path / "out/runs_two.lvc.part").write_bytes(b"left behind")
    assert convert(archive, "-o", tmp_path / "out", "--lossless", "--resume") == 0
    assert (tmp_path / "out/runs_one.lvc").read_bytes() == b"done before"
    assert np.array_equal(frames_of(tmp_path / "out/runs_two.lvc")[0], FRAMES[::-1])


def test_one_bad_input_does_not_end_the_others(archive, tmp_path, capsys):
    (tmp_path / "bad.npz").write_bytes(b"bad")
    assert convert(tmp_path / "bad.npz", archive, "-o", tmp_path / "out", "--lossless") == 3
    assert len(list((tmp_path / "out").iterdir())) == 2 and "bad.npz" in capsys.readouterr().err
    assert convert(tmp_path / "bad.npz", "-o", tmp_path / "out") == 1


def test_two_workers(archive, tmp_path):
    assert convert(archive, "-o", tmp_path / "out", "--lossless", "-w", 2, "-q") == 0
    assert np.array_equal(frames_of(tmp_path / "out/runs_two.lvc")[0], FRAMES[::-1])


def test_back_to_hdf5_npy_and_mp4(archive, tmp_path, capsys):
    h5py = pytest.importorskip("h5py")
    assert convert(archive, "-o", tmp_path / "one.lvc", "--key", "one", "--lossless", "--fps", 10) == 0
    for name in ("one.h5", "one.npy", "one.mp4"):
        assert convert(tmp_path / "one.lvc", "-o", tmp_path / name) == 0
        assert f"{name}: 9 of 9 frames" in capsys.readouterr().err
    with h5py.File(tmp_path / "one.h5") as file:
        assert np.array_equal(file["frames"][...], FRAMES) and file["pts_seconds"][...].tolist() == pytest.approx(
            np.arange(COUNT) / 10
        )
        assert file.attrs["model"] == "lossless" and file.attrs["source"] == "runs.npz"
    assert np.array_equal(np.load(tmp_path / "one.npy"), FRAMES.transpose(0, 3, 1, 2))
    # There and back once more: what came out goes in again.
    assert convert(tmp_path / "one.h5", "-o", tmp_path / "again.lvc", "--lossless") == 0
    assert np.array_equal(frames_of(tmp_path / "again.lvc")[0], FRAMES)
    assert convert(tmp_path / "one.lvc", tmp_path / "again.lvc", "-o", tmp_path / "back", "--to", "npy") == 0
    assert {path.name for path in (tmp_path / "back").glob("*.npy")} == {"one.npy", "again.npy"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["runs.npz"], "folder"),
        (["runs.npz", "one.lvc", "-o", "out"], "one kind"),
        (["runs.npz", "-o", "out.lvc"], "--key"),
        (["runs.npz", "-o", "out", "--lossless", "--crf", "3"], "--lossless"),
        (["one.lvc", "-o", "out.txt"], "out.txt"),
        (["one.lvc", "two.lvc", "-o", "out"], "--to"),
        (["one.lvc", "--list"], "lvc info"),
        (["missing.h5", "-o", "out"], "missing.h5"),
        (["runs.npz", "-o", "out", "--key", "nothing"], "nothing"),
        (["runs.npz", "-o", "out", "--fps", "0/0"], "--fps"),
    ],
)
@pytest.mark.usefixtures("archive")
def test_refusals_are_one_line(tmp_path, monkeypatch, capsys, arguments, word):
    monkeypatch.chdir(tmp_path)
    assert convert(*arguments) in (1, 3)
    told = capsys.readouterr().err.strip().splitlines()
    assert word in "\n".join(told) and all(line.startswith("lvc convert") for line in told)
