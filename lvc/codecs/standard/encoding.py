"""The encoders of standard codecs, each on the frames of one group: libaom by an ffmpeg program, the others by PyAV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from lvc.codecs.standard import ffmpeg
from lvc.codecs.standard.colour import difference_planes_of, planes_of
from lvc.codecs.standard.decoding import SAMPLE_TYPES, pyav
from lvc.codecs.standard.streams import STREAMS, joined, nal_units
from lvc.errors import OptionError
from lvc.frames import Geometry

# Copying within a frame gains 1 to 2 % on games, in half as much time again: for the highest effort alone.
SCREEN, COPYING = (
    "tune-content=screen:enable-palette=1",
    (":enable-intrabc=0", ":enable-intrabc=0", ":enable-intrabc=1"),
)
AOM_SPEEDS = (6, 4, 1)  # cpu-used, by effort
AOM_GRID = (1, 4, 8, 16, 24, 32, 40, 48, 56, 63)  # 0 is lossless, in 30 times the bytes of 1
AOM_GAIN = 0.6
X265_PRESETS = ("medium", "slow", "veryslow")
# PSNR is what crf means here: x265's ways to please the eye cost 5 to 10 % of the bytes at the same PSNR.
X265_PARAMETERS = "info=0:aud=0:slices=1:open-gop=0:keyint=-1:log-level=none:pools=1:frame-threads=1"
X265_LEVELS_A_CRF = 2
X265_GRID = tuple(range(0, 51 * X265_LEVELS_A_CRF + 1, 17))
X265_GAIN = 0.2
# libaom's quantisers whose steps are as wide as those of x265's
X265_STRENGTHS = (0, 12, 23, 30, 34, 39, 51), (0, 4, 16, 32, 40, 48, 63)
LOSSLESS_STREAMS = ("ffv1", "h264")  # by the first byte of a group's payload
FFV1_OPTIONS = {"level": "3", "coder": "range_tab", "context": "1", "slicecrc": "0", "g": "4096"}
FFV1_ONE_SLICE = 352, 288  # width and height beyond which its encoder takes four slices at least
H264_OPTIONS = {"preset": "slow", "qp": "0", "x264-params": "keyint=infinite:open-gop=0:slices=1:aud=0:sei=0"}


@dataclass(frozen=True)
class Encoder:
    """What codes lossy groups of one model. name: with its version, for the header.

    levels: of its quantiser, the best first. grid: some of them, between which quality is about a straight line. gain:
    dB that the highest effort gives at a level beside the next. encode: the stream of frames uint8 [T, H, W, 3] at a
    level and an effort. strength: how coarse a level is, 0 to 63, as restoration is told.
    """

    name: str
    levels: range
    grid: tuple[int, ...]
    gain: float
    encode: Callable[[np.ndarray, int, int], bytes]
    strength: Callable[[int], int]


@lru_cache(maxsize=4)
def encoder_of(model: str) -> Encoder:
    """The encoder of a model of this family; raises OptionError where there is none."""
    return {"av1": av1_encoder, "hevc": hevc_encoder}[model]()


def av1_encoder() -> Encoder:
    """libaom; raises OptionError where no ffmpeg has it."""
    program = ffmpeg.found()
    if program is None:
        raise OptionError(
            "no ffmpeg with libaom is found: install ffmpeg, or pip install imageio-ffmpeg, or choose --model hevc"
        )

    def encode(frames: np.ndarray, level: int, effort: int) -> bytes:
        return program.encode(
            planes_of(frames), quantiser=level, speed=AOM_SPEEDS[effort], tools=SCREEN + COPYING[effort]
        )

    return Encoder(program.name, range(ffmpeg.MAX_QUANTISER + 1), AOM_GRID, AOM_GAIN, encode, int)


def hevc_encoder() -> Encoder:
    """x265, which PyAV brings along."""
    av = pyav()

    def encode(frames: np.ndarray, level: int, effort: int) -> bytes:
        options = {
            "preset": X265_PRESETS[effort],
            "tune": "psnr",
            "crf": str(level / X265_LEVELS_A_CRF),
            "x265-params": X265_PARAMETERS,
        }
        coded = STREAMS["hevc"].coded(Geometry(frames.shape[2], frames.shape[1]))
        beyond = (0, coded.height - frames.shape[1]), (0, coded.width - frames.shape[2])
        planes = np.pad(planes_of(frames), ((0, 0), (0, 0), *beyond), mode="edge")
        _, packets = packets_of("libx265", "yuv444p10le", planes, options)
        return joined([unit for packet in packets for unit in nal_units(packet)])

    return Encoder(
        f"x265 by PyAV {av.__version__}",
        range(51 * X265_LEVELS_A_CRF + 1),
        X265_GRID,
        X265_GAIN,
        encode,
        lambda level: round(float(np.interp(level / X265_LEVELS_A_CRF, *X265_STRENGTHS))),
    )


def lossless_payload(frames: np.ndarray) -> bytes:
    """The smaller of two streams that give the frames back exactly: FFV1 where frames are noisy,
    H.264 where they stand still.
    """
    red_last = np.zeros((len(frames), 1, frames.shape[1], frames.shape[2], 4), np.uint8)
    red_last[:, 0, :, :, :3] = frames[..., ::-1]
    small = frames.shape[2] <= FFV1_ONE_SLICE[0] and frames.shape[1] <= FFV1_ONE_SLICE[1]
    options = {**FFV1_OPTIONS, "slices": "1" if small else "4"}
    extradata, packets = packets_of("ffv1", "bgr0", red_last.reshape(len(frames), 1, frames.shape[1], -1), options)
    ffv1 = joined([extradata, *packets])
    _, packets = packets_of("libx264", "yuv444p10le", difference_planes_of(frames), H264_OPTIONS)
    h264 = joined([unit for packet in packets for unit in nal_units(packet)])
    return min((bytes([number]) + payload for number, payload in enumerate((ffv1, h264))), key=len)


def packets_of(
    encoder: str, pixel_format: str, samples: np.ndarray, options: dict[str, str]
) -> tuple[bytes, Sequence[bytes]]:
    """Extradata and packets of frames by one of PyAV's encoders. samples: [T, planes, H, W] of the pixel format, bgr0's
    four in a row.

    Raises OptionError where it fails.
    """
    av = pyav()
    height, width = samples.shape[2], samples.shape[3] // (4 if pixel_format == "bgr0" else 1)
    packets = []
    try:
        context = av.codec.CodecContext.create(encoder, "w")
        context.width, context.height, context.pix_fmt, context.time_base = width, height, pixel_format, Fraction(1, 30)
        context.thread_count, context.options = 1, options
        for number, planes in enumerate(samples):
            packets += context.encode(picture_of(planes, width, height, pixel_format, number))
        packets += context.encode(None)
        return context.extradata or b"", [bytes(packet) for packet in packets]
    except (av.FFmpegError, ValueError) as error:
        raise OptionError(f"{encoder} of PyAV fails: {error}") from error


def picture_of(planes: np.ndarray, width: int, height: int, pixel_format: str, number: int):
    picture = pyav().VideoFrame(width, height, pixel_format)
    picture.pts = number
    for plane, samples in zip(picture.planes, planes):
        rows = np.frombuffer(plane, SAMPLE_TYPES[pixel_format]).reshape(height, -1)
        rows[:, : samples.shape[1]] = samples
    return picture
