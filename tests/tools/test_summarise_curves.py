"""Curves of several recordings summed up."""

import json
from pathlib import Path

import pytest

from tests.builders.tools import run


def write(folder: Path, name: str, rates, qualities) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(
        json.dumps({"name": name, "results": {"bytes_per_frame": rates, "psnr-rgb": qualities}})
    )


def test_half_the_bytes_everywhere_are_half_on_average(tmp_path):
    pytest.importorskip("matplotlib")
    for folder in ("frogger", "qbert"):
        write(tmp_path / folder, "x265", [400, 200, 100], [46, 40, 33])
        write(tmp_path / folder, "lvc-arcade", [50, 100, 200], [33, 40, 46])
    write(tmp_path / "qbert", "x265", [100, 200], [20, 30])  # no quality in common
    folders = tmp_path / "frogger", tmp_path / "qbert"
    ran = run("summarise_curves", *folders, "-o", tmp_path / "out", "--anchors", "x265")
    assert ran.returncode == 0, ran.stderr
    assert (
        "| frogger | -50.0 % |" in ran.stdout
        and "| qbert | no common quality |" in ran.stdout
        and "**-50.0 %**" in ran.stdout
    )
    assert (tmp_path / "out" / "rd.png").stat().st_size > 1000 and (
        tmp_path / "out" / "table.md"
    ).read_text() == ran.stdout


def test_what_is_not_there_is_told_in_one_line(tmp_path):
    ran = run("summarise_curves", tmp_path / "none", "-o", tmp_path / "out")
    assert ran.returncode == 1 and len(ran.stderr.splitlines()) == 1
