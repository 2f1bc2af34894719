"""The command lvc build-dataset: exit codes, what goes to which stream, and its options."""

import json

import numpy as np
import pytest

from lvc.cli.main import main
from lvc.dataset.read import FrameStore
from lvc.frames import Geometry
from tests.builders.pixel_art import game


@pytest.fixture
def recordings(tmp_path, make_recording, gameplay):
    for number in range(4):
        make_recording(tmp_path / "in" / f"game_{number}.mp4", gameplay(30, seed=number))
    return tmp_path / "in"


def run(*arguments):
    return main(["build-dataset", *map(str, arguments)])


def splits(folder):
    return {video.name: video.split for video in FrameStore(folder).manifest.videos}


def test_by_default_every_tenth_frame_at_200x160(recordings, tmp_path, capsys):
    assert run(recordings, "-o", tmp_path / "out", "-w", 1) == 0
    store = FrameStore(tmp_path / "out")
    assert str(store.geometry) == "200x160"
    assert len(store.everything()) == 12
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "6 train frames of 2 recordings" in captured.err


def test_every_fps_and_size(recordings, tmp_path):
    assert run(recordings, "-o", tmp_path / "a", "--every", 3, "--size", "48x32", "-w", 1, "-q") == 0
    assert len(FrameStore(tmp_path / "a").everything()) == 40
    assert run(recordings, "-o", tmp_path / "b", "--fps", 15, "--size", "48x32", "-w", 1, "-q") == 0
    assert len(FrameStore(tmp_path / "b").everything()) == 60


def test_a_bad_recording_is_named_on_stderr_and_the_exit_code_is_3(recordings, tmp_path, capsys):
    (recordings / "broken.mp4").write_text("no video")
    assert run(recordings, "-o", tmp_path / "out", "-w", 2, "-q") == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "left out: " in captured.err and "broken.mp4: cannot be read as a video" in captured.err
    assert len(splits(tmp_path / "out")) == 4


def test_a_missing_file_is_named_beside_good_ones(recordings, tmp_path, capsys):
    assert run(recordings, tmp_path / "nowhere.mp4", "-o", tmp_path / "out", "-w", 1, "-q") == 3
    assert "nowhere.mp4: No such file" in capsys.readouterr().err


def test_nothing_that_can_be_read_is_exit_code_1(tmp_path, capsys):
    assert run(tmp_path / "nowhere.mp4", "-o", tmp_path / "out", "-q") == 1
    assert "none of the recordings could be read" in capsys.readouterr().err


def test_splits_by_ratio_name_and_recipe(recordings, tmp_path):
    assert run(recordings, "-o", tmp_path / "out", "--split", "2:1:1", "--seed", 3, "-w", 1, "-q") == 0
    assert sorted(splits(tmp_path / "out").values()) == ["test", "train", "train", "validation"]
    named = ["--validation", "game_1.mp4", "--test", "game_[23].mp4"]
    assert run(recordings, "-o", tmp_path / "out", *named, "-w", 1, "-q") == 0
    wanted = dict(zip([f"game_{number}.mp4" for number in range(4)], ["train", "validation", "test", "test"]))
    assert splits(tmp_path / "out") == wanted
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"recordings": [{"file": name, "split": "test"} for name in wanted]}))
    assert run(recordings, "-o", tmp_path / "out", "--recipe", recipe, "-w", 1, "-q") == 0
    assert set(splits(tmp_path / "out").values()) == {"test"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--split", "8:1:1", "--test", "game_1.mp4"], "choose one"),
        (["--split", "most"], "TRAIN:VALIDATION:TEST"),
        (["--size", "big"], "WIDTHxHEIGHT"),
        (["--every", "0"], "every must be"),
        (["--fps", "-1"], "frames a second, as in 3"),
        (["--fps", "1/0"], "frames a second, as in 3"),
        (["-w", "0"], "--workers must be"),
        (["--test", "game_9.mp4"], "none of the recordings"),
        (["--recipe", "nowhere.json"], "No such file"),
    ],
)
def test_options_that_make_no_sense(recordings, tmp_path, capsys, options, reason):
    assert run(recordings, "-o", tmp_path / "out", *options) == 1
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1 or "video" in captured.err  # one line, besides the progress bar
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_another_sampling_needs_y_and_n_leaves_it(recordings, tmp_path, capsys):
    assert run(recordings, "-o", tmp_path / "out", "--size", "48x32", "-w", 1, "-q") == 0
    assert run(recordings, "-o", tmp_path / "out", "--size", "24x16", "-w", 1, "-q") == 1
    assert "overwrite it with -y" in capsys.readouterr().err
    assert run(recordings, "-o", tmp_path / "out", "--size", "24x16", "-w", 1, "-n") == 0
    assert str(FrameStore(tmp_path / "out").geometry) == "48x32"
    assert run(recordings, "-o", tmp_path / "out", "--size", "24x16", "-w", 1, "-y", "-q") == 0
    assert str(FrameStore(tmp_path / "out").geometry) == "24x16"


# The game's own pixels


@pytest.fixture
def arcade(recordings, make_recording):
    """Four recordings of no game's own pixels, and two of 60x40 of them."""
    for number in range(2):
        shown = game(9, Geometry(480, 320), native=Geometry(60, 40), seed=number, colours=6).shown
        make_recording(recordings / f"arcade_{number}.mp4", shown, options={"crf": "8", "preset": "veryfast"})
    return recordings


def test_native_takes_the_games_own_pixels_and_names_the_recordings_without(arcade, tmp_path, capsys):
    options = "-o", tmp_path / "out", "--native", "--size", "60x40", "--every", 2, "--split", "1:1:0", "-w", 1, "-q"
    assert run(arcade, *options) == 3
    told = capsys.readouterr().err
    for number in range(4):
        assert f"game_{number}.mp4: shows no game's own pixels enlarged; one of 60x40 was expected" in told
    store = FrameStore(tmp_path / "out")
    assert splits(tmp_path / "out").keys() == {"arcade_0.mp4", "arcade_1.mp4"} and str(store.geometry) == "60x40"
    found = store.everything()
    wanted = game(9, Geometry(480, 320), native=Geometry(60, 40), seed=0, colours=6).native[::2].transpose(0, 3, 1, 2)
    # A recording at this quality is some levels off where chroma changes from pixel to pixel,
    # and exact enough elsewhere.
    assert len(found) == 10 and np.median(np.abs(found.frames(range(5)).astype(int) - wanted)) <= 2
    assert len(store.manifest.failed) == 4 and store.manifest.sampling.native


def test_native_pixels_of_another_number_are_named_too(arcade, tmp_path, capsys):
    assert run(arcade / "arcade_0.mp4", "-o", tmp_path / "out", "--native", "--size", "64x40", "-w", 1, "-q") == 1
    assert "shows a game of 60x40 pixels enlarged; one of 64x40 was expected" in capsys.readouterr().err


def test_a_data_set_of_frames_is_not_continued_with_native_pixels(arcade, tmp_path, capsys):
    recording, out = arcade / "arcade_0.mp4", tmp_path / "out"
    size = "--size", "60x40", "-w", 1, "-q"
    assert run(recording, "-o", out, *size) == 0 and not FrameStore(out).manifest.sampling.native
    assert run(recording, "-o", out, *size, "--native") == 1
    assert (
        "holds a data set of another sampling (every 10, 60x40, not every 10, 60x40 of the game)"
        in capsys.readouterr().err
    )
    assert run(recording, "-o", out, *size, "--native", "-y") == 0 and FrameStore(out).manifest.sampling.native
