"""Programs that are no encoder, and those that fail."""

import stat

import numpy as np
import pytest

from lvc.codecs.standard import encoding, ffmpeg
from lvc.codecs.standard.colour import planes_of
from lvc.errors import FormatError, OptionError


@pytest.fixture
def program(tmp_path):
    """`program(script)`: the path of a shell script that stands in for ffmpeg."""

    def made(script: str) -> str:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return made


def test_programs_that_have_no_libaom_or_fail_are_none(program):
    assert ffmpeg.asked(program("echo 'Encoder libaom-av1'; echo 'yuv420p'")) is None
    assert ffmpeg.asked(program("echo Codec libaom-av1 is not recognized")) is None
    assert ffmpeg.asked(program("exit 3")) is None
    assert ffmpeg.asked("/nowhere/ffmpeg") is None


def test_without_libaom_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(ffmpeg, "programs", lambda: iter(()))
    with pytest.raises(OptionError, match="imageio-ffmpeg"):
        encoding.av1_encoder()


@pytest.mark.parametrize(
    "script, told",
    [
        ("echo out of memory >&2; exit 1", "out of memory"),
        ("cat >/dev/null; echo nothing", "IVF"),
        ("cat >/dev/null; printf 'DKIF\\0\\0\\040\\0%024d' 0", "gave 0"),
    ],
)
def test_what_a_program_does_wrong_is_told(program, script, told):
    encoder = ffmpeg.Encoder(program(script), "stand-in")
    with pytest.raises(OptionError, match=told):
        encoder.encode(planes_of(np.zeros((2, 16, 16, 3), np.uint8)), quantiser=30, speed=6, tools="")


def test_ivf_that_is_cut_short_is_refused():
    whole = b"DKIF\0\0\x20\0" + bytes(24) + b"\x03\0\0\0" + bytes(8) + b"abc"
    assert list(ffmpeg.ivf_frames(whole)) == [b"abc"]
    for length in (0, 31, 40, 46):
        with pytest.raises(FormatError):
            list(ffmpeg.ivf_frames(whole[:length]))


@pytest.mark.skipif(ffmpeg.found() is None, reason="no ffmpeg with libaom is found")
def test_the_encoder_that_is_found_names_its_versions():
    assert "libaom" in ffmpeg.found().name and "by ffmpeg" in ffmpeg.found().name
