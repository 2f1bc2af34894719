"""An ffmpeg program that encodes AV1 by libaom at 4:4:4: found by asking each, and run on one group of frames."""

import contextlib
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lvc.codecs.standard import obu
from lvc.errors import FormatError, OptionError

PROGRAM_VARIABLE = "LVC_FFMPEG"  # names a program to try before the others
PIXEL_FORMAT = "yuv444p10le"
ASKED_SECONDS = 60  # for an answer of a program on a machine that does other work too
IVF_HEADER, IVF_FRAME = struct.Struct("<4sHH24x"), struct.Struct("<IQ")
# One keyframe, and the whole group in sight of the encoder.
ONE_GROUP = ("-g", "9999", "-b:v", "0", "-row-mt", "1")
MAX_QUANTISER = 63


@dataclass(frozen=True)
class Encoder:
    """An ffmpeg that has libaom. name: both versions, for a file's header."""

    program: str
    name: str

    def encode(self, planes: np.ndarray, *, quantiser: int, speed: int, threads: int = 1, tools: str) -> bytes:
        """One group's AV1 units, as `obu.packed` gives them, of 10-bit planes uint16 [T, 3, H, W].

        quantiser: 0 (best) to 63, libaom's cq-level. speed: libaom's cpu-used, 0 (slowest) to 8. tools: libaom's
        options, NAME=VALUE with ":" between. Raises OptionError where the program fails.
        """
        command = [
            *self._begin(planes),
            *ONE_GROUP,
            "-crf",
            str(quantiser),
            "-cpu-used",
            str(speed),
            "-threads",
            str(threads),
            "-aom-params",
            tools,
        ]
        stream = run([*command, "-f", "ivf", "pipe:1"], memoryview(planes).cast("B"))
        try:
            payload = obu.packed(list(ivf_frames(stream)))
            shown = len(obu.shown_frames(payload))
        except FormatError as error:
            raise OptionError(f"{self.program} gave AV1 that lvc does not take: {error}") from error
        if shown != len(planes):
            raise OptionError(f"{self.program} was given {len(planes)} frames and gave {shown}")
        return payload

    def _begin(self, planes: np.ndarray) -> list[str]:
        height, width = planes.shape[2:]
        given = ["-f", "rawvideo", "-pix_fmt", PIXEL_FORMAT, "-s", f"{width}x{height}", "-r", "30", "-i", "pipe:0"]
        return [self.program, "-v", "error", "-nostdin", *given, "-c:v", "libaom-av1", "-pix_fmt", PIXEL_FORMAT]


def ivf_frames(stream: bytes) -> Iterator[bytes]:
    """The frames of an IVF stream; raises FormatError where it is none."""
    if (
        len(stream) < IVF_HEADER.size
        or (head := IVF_HEADER.unpack_from(stream))[0] != b"DKIF"
        or head[2] < IVF_HEADER.size
    ):
        raise FormatError("an IVF stream was expected")
    at = head[2]
    while at < len(stream):
        if (
            at + IVF_FRAME.size > len(stream)
            or (size := IVF_FRAME.unpack_from(stream, at)[0]) > len(stream) - at - IVF_FRAME.size
        ):
            raise FormatError("an IVF stream is cut short")
        at += IVF_FRAME.size
        yield stream[at : at + size]
        at += size


def run(
    command: Sequence[str], data: bytes | memoryview = b"", *, seconds: float | None = None, errors: bool = False
) -> bytes:
    """What a program writes when it reads `data`: its output, or with `errors` its messages;
    raises OptionError where it fails.
    """
    try:
        # In a session of its own: an interrupt of lvc is not one of the group that is being coded.
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=seconds, check=False, start_new_session=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OptionError(f"{command[0]}: cannot be run: {error}") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["says nothing"]
        raise OptionError(f"{command[0]} failed with {done.returncode}: {last[0][:300]}")
    return done.stderr if errors else done.stdout


def programs() -> Iterator[str]:
    """The ffmpeg programs that there are: the one that $LVC_FFMPEG names, the path's,
    and that of PyPI's imageio-ffmpeg.
    """
    if named := os.environ.get(PROGRAM_VARIABLE):
        yield named
    if found := shutil.which("ffmpeg"):
        yield found
    with contextlib.suppress(ImportError, RuntimeError):  # the last where it has no program for this machine
        from imageio_ffmpeg import get_ffmpeg_exe

        yield get_ffmpeg_exe()


@lru_cache(maxsize=16)
def asked(program: str) -> Encoder | None:
    """The program as an encoder, if it says and shows that it has libaom at 10-bit 4:4:4;
    SVT-AV1, which has 4:2:0 alone, is none.
    """
    try:
        answer = run([program, "-hide_banner", "-h", "encoder=libaom-av1"], seconds=ASKED_SECONDS).decode(
            errors="replace"
        )
        if "Encoder libaom-av1" not in answer or PIXEL_FORMAT not in answer:
            return None
        version = run([program, "-version"], seconds=ASKED_SECONDS).decode(errors="replace")
        source = ["-f", "lavfi", "-i", "color=size=64x64:rate=1", "-frames:v", "1"]
        told = run(
            [
                program,
                "-hide_banner",
                "-nostdin",
                *source,
                "-c:v",
                "libaom-av1",
                "-pix_fmt",
                PIXEL_FORMAT,
                "-cpu-used",
                "8",
                "-f",
                "null",
                "-",
            ],
            seconds=ASKED_SECONDS,
            errors=True,
        )
    except OptionError:
        return None
    ours = re.search(r"ffmpeg version (\S{1,60})", version)
    theirs = re.search(r"libaom-av1 @ [^\]]*\] v?(\d\S{0,40})", told.decode(errors="replace"))
    return Encoder(
        program,
        f"libaom {theirs[1] if theirs else 'of unknown version'} by ffmpeg {ours[1] if ours else 'of unknown version'}",
    )


def found() -> Encoder | None:
    """The first program that encodes AV1 by libaom, or None."""
    return next(filter(None, map(asked, programs())), None)
