"""Recordings that are not what they began as: whole files of them, and what is said of what was done."""

from fractions import Fraction

import av
import numpy as np

import lvc
from lvc.cli.main import main
from lvc.frames import Geometry
from tests import ROOT
from tests.builders.pixel_art import game

CASES = ROOT / "tests" / "cases"
FINE = {"crf": "8", "preset": "veryfast"}


def test_a_game_that_ends_is_coded_as_an_ordinary_recording(tmp_path, make_recording, gameplay):
    parts = [
        make_recording(tmp_path / "first.ts", game(20, Geometry(480, 420)).shown, options=FINE),
        make_recording(tmp_path / "second.ts", gameplay(6, 320, 240), options=FINE),
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    made = lvc.encode(path, tmp_path / "out.lvc", sampling=lvc.Sampling(every=2), model="arcade", keyint=8)
    assert made.frames == 13 and not (tmp_path / "out.lvc.part").exists()
    assert (
        made.notes[0]
        == "changes to frames of 320x240, which do not show the game of 160x210 pixels of those before: all were "
        "coded as an ordinary recording's"
    )
    with lvc.open(made.path) as reader:
        assert "grid" not in reader.header.extra and len(reader) == 13


def test_what_was_done_is_said_by_the_command_line(tmp_path, capsys):
    assert (
        main(
            [
                "encode",
                str(CASES / "restarted_clock.ts"),
                "-o",
                str(tmp_path / "x.lvc"),
                "--model",
                "arcade",
                "--every",
                "20",
            ]
        )
        == 0
    )
    assert (
        "restarted_clock.ts: its clock starts again after frame 60: times go on from there" in capsys.readouterr().err
    )
    assert (
        main(
            [
                "encode",
                str(CASES / "two_video_streams.mkv"),
                "-o",
                str(tmp_path / "y.lvc"),
                "--model",
                "arcade",
                "--stream",
                "0",
                "--every",
                "40",
            ]
        )
        == 0
    )
    assert lvc.open(tmp_path / "y.lvc").metadata.source == {
        "every": 40,
        "height": 48,
        "name": "two_video_streams.mkv",
        "stream": 0,
        "width": 64,
    }
    assert main(["report", str(tmp_path / "y.lvc"), str(CASES / "two_video_streams.mkv"), "-q"]) == 0
    assert "partner" not in capsys.readouterr().out, "the report reads the same stream"


def test_times_before_zero_come_back_in_a_video(tmp_path, capsys):
    assert (
        main(
            [
                "encode",
                str(CASES / "clock_wraps.ts"),
                "-o",
                str(tmp_path / "x.lvc"),
                "--model",
                "arcade",
                "--every",
                "20",
                "-q",
            ]
        )
        == 0
    )
    for suffix in ("mp4", "mkv"):
        assert main(["decode", str(tmp_path / "x.lvc"), "-o", str(tmp_path / f"x.{suffix}")]) == 0
        assert (
            "its first frame is at -1.818 s, which players leave out: all times were shifted to start at 0"
            in capsys.readouterr().err
        )
        with av.open(str(tmp_path / f"x.{suffix}")) as container:
            times = [Fraction(frame.pts) * frame.time_base for frame in container.decode(video=0)]
        assert np.allclose([float(time) for time in times], np.arange(6) * 2 / 3, atol=1e-3)
