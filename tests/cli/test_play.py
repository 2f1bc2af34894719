import subprocess
import sys
from pathlib import Path

import pytest

from lvc.cli.main import main

ROOT = Path(__file__).parents[2]


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
