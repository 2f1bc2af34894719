import subprocess
import sys
from contextlib import nullcontext

import cv2
import numpy as np
import pytest

import lvc as library
from lvc.cli.main import main
from tests import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a window server")
def test_without_a_display_one_line_names_decode_and_the_process_lives(tmp_path):
    # In a process of its own: Qt would end it with a signal, not with exit code 1.
    done = subprocess.run(
        [sys.executable, "-m", "lvc", "play", "game.lvc"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "lvc decode game.lvc -o game.mp4" in done.stderr


@pytest.mark.parametrize("start", ["-1", "nan", "inf"])
def test_a_start_that_is_no_time_is_refused(capsys, start):
    assert main(["play", "game.lvc", f"--start={start}"]) == 1
    assert "from 0" in capsys.readouterr().err


def test_a_missing_folder_for_screenshots_is_told_first(capsys, tmp_path):
    assert main(["play", "game.lvc", "--screenshots", str(tmp_path / "none")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_source_and_decoded_stand_side_by_side_at_the_same_time(
    coded, game, tiny_model, source_frames, open_window, until, tmp_path
):
    command = [
        sys.executable,
        "-m",
        "lvc",
        "play",
        coded,
        "--compare",
        game,
        "--model",
        tiny_model,
        "--pause",
        "--screenshots",
        tmp_path,
    ]
    source, _, _ = source_frames
    with library.open(coded, model=tiny_model) as reader:
        decoded = reader[:].numpy()
    with open_window(command, "^game.lvc - lvc$", stderr=subprocess.PIPE, text=True) as (player, press):
        # Across groups, forward and back; frames are 1/15 s apart.
        for keys, number in (
            ((), 0),
            (["period"] * 3, 3),
            (["shift+Right"], 18),
            (["Right"], 29),
            (["shift+Left", "comma"], 13),
        ):
            press(*keys, "s")
            path = tmp_path / f"game-{number + 1:06d}.png"
            until(lambda path=path: path.is_file() and path.stat().st_size)
            picture = cv2.imread(str(path))[:, :, ::-1]
            assert (picture[:, :48] == source[number]).all()
            # Batches of another size may sum floats in another order: one level.
            assert np.abs(picture[:, 48:].astype(int) - decoded[number].transpose(1, 2, 0)).max() <= 1
        press("q")
        assert player.wait(timeout=30) == 0
        assert player.stderr.read().count("saved") == 5


def test_a_source_that_is_no_video_is_told_in_one_line(lvc, coded, tiny_model, monkeypatch):
    monkeypatch.setattr("lvc.player.display.Display", nullcontext)
    coded.with_name("text.mp4").write_text("no video at all" * 100)
    shown = lvc("play", coded, "--compare", "text.mp4", "--model", tiny_model)
    assert shown.code == 1 and len(shown.err) == 1
    assert shown.err[0].startswith("lvc play: text.mp4: cannot be read as a video")
