"""The examples run as they are shown."""

import os
import re
import subprocess
import sys

import pytest

from tests import ROOT


@pytest.mark.slow  # loads an emulator, a model and torch in a process of its own
def test_a_world_model_learns_from_a_game_that_it_plays(tmp_path):
    arguments = ["--folder", tmp_path / "run", "--frames", 24, "--steps", 3, "--batch", 4, "--threads", 1]
    command = [sys.executable, ROOT / "examples/world_model.py", *arguments]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith((".lvc", ".png"))]
    assert len(lines) == 2 and all("24 frames; 3 steps of 4: data" in line for line in lines)
    # Both readers gave the same frames, as far as the codec keeps them, in the same order: the errors are alike.
    first, second = (float(re.search(r"([\d.]+) by repeating", line)[1]) for line in lines)
    assert abs(first - second) < 0.2 * second
