"""Opening a recording safely: what it holds, and errors that name the file and what is wrong with it."""

import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from lvc.errors import InputError, OptionError
from lvc.frames import MAX_SIDE

# Formats that hold pictures themselves. Playlists and scripts (hls, dash, concat) are left out: they make
# the demuxer open other files and addresses, which a recording given to us must never do.
CONTAINER_FORMATS = (
    "mov,matroska,avi,flv,mpegts,mpeg,mpegvideo,asf,ogg,nut,ivf,h264,hevc,m4v,obu,gif,apng,mjpeg,mxf,dv,wtv,rm,"
    "yuv4mpegpipe"
)

SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"),
        *(".wmv", ".ogv", ".nut", ".ivf", ".3gp", ".gif", ".y4m", ".mxf"),
    )
)

BESIDE_OTHERS = -1
DEFAULT_RATE = Fraction(25)  # of a stream that names none, as FFmpeg's
# Marks of streams that are no moving picture.
PICTURES_ALONE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
LARGE_PIXELS = 1920 * 1088
LEAST_PYAV = 17  # before, full range was taken for limited one, and frames had no tags of HDR


@dataclass(frozen=True)
class Ticks:
    """What a stream's times count. time_base: seconds, of the times that `timed_frames` gives: a part of the stream's
    own tick where that is too long for its frames. period: of these, from frame to frame at the average rate.
    """

    time_base: Fraction
    period: Fraction
    finer: int

    @classmethod
    def of(cls, stream) -> "Ticks":
        rate, tick = Fraction(stream.average_rate or DEFAULT_RATE), Fraction(stream.time_base)
        finer = max(1, ceil(rate * tick))
        return cls(tick / finer, 1 / (rate * tick) * finer, finer)


@dataclass(frozen=True)
class VideoInfo:
    """What the headers of a recording say of the video stream that is read.

    width, height: as shown, that is after rotation, and with pixels made square. rotation: degrees counterclockwise, 0,
    90, 180 or 270.
    sample_aspect_ratio: width of a stored pixel to its height. time_base: seconds of a tick of the times that
    `timed_frames` gives.
    frames, average_rate, duration_seconds: None where the file does not say.
    """

    path: Path
    width: int
    height: int
    time_base: Fraction
    average_rate: Fraction | None
    frames: int | None
    codec: str
    pixel_format: str
    rotation: int
    duration_seconds: float | None
    sample_aspect_ratio: Fraction = Fraction(1)


@contextmanager
def opened_video(path: Path, *, threads: int = 0, stream: int | None = None):
    """Gives `(container, stream)` of a recording.

    threads: of the decoder; 0 means as many as the machine has cores, BESIDE_OTHERS what is best where a coder runs
    beside it.
    stream: number of the video stream, from 0 (FFmpeg's v:N); by default the one that `video_stream` chooses.
    Raises InputError for a missing, empty or unreadable file, and for one without video or that stream, OptionError for
    an old PyAV. An FFmpeg error inside the block becomes an InputError too.
    """
    path = Path(path)
    check_pyav()
    check_file(path)
    try:
        # "file:" keeps a name such as "http:x.mp4" a name. Names that are no Unicode are for nobody to see: ignored.
        with av.open(
            f"file:{path}",
            options={"format_whitelist": CONTAINER_FORMATS, "protocol_whitelist": "file"},
            metadata_errors="ignore",
        ) as container:
            chosen = video_stream(container, path, stream)
            chosen.thread_type = "AUTO"
            chosen.codec_context.thread_count = threads_beside(chosen) if threads == BESIDE_OTHERS else threads
            yield container, chosen
    except (av.error.FFmpegError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as a video: {reason}") from error


def threads_beside(stream) -> int:
    """Threads of a decoder that leave a core to a coder; all cores for pictures so large that the coder would wait.

    Each thread more costs a fifth of the decoder's time, because more pictures leave the cache before they are referred
    to.
    """
    cores = os.cpu_count() or 1
    return cores if stream.width * stream.height > LARGE_PIXELS else max(1, cores - 1)


def check_pyav() -> None:
    """Raises OptionError for a PyAV that reads recordings otherwise; `.lvc` files are read with older ones too."""
    if int(av.__version__.split(".")[0]) < LEAST_PYAV:
        raise OptionError(
            f"PyAV {LEAST_PYAV} or newer was expected to read recordings, and {av.__version__} is installed, which "
            f'takes the range of some colours wrongly: pip install "av>={LEAST_PYAV}"'
        )


def check_file(path: Path) -> None:
    """Raises InputError where there is no regular file, or an empty one."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a video was expected")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: is a pipe or a device, which can be read once; save it as a file first")
    if found.st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes); a video was expected")


def video_stream(container, path: Path, number: int | None = None):
    """The video stream of that number, or the one to be shown: no attached or single pictures, then by the default
    mark, then the largest.

    Raises InputError where there is none, or its size is not one that we take.
    """
    videos = container.streams.video
    moving = [stream for stream in videos if not stream.disposition & PICTURES_ALONE]
    if number is not None:
        if not 0 <= number < len(videos):
            raise InputError(
                f"{path}: has {len(videos)} video stream{'s' * (len(videos) != 1)}, numbered from 0, and no number "
                f"{number}"
            )
        stream = videos[number]
    elif moving:
        stream = max(moving, key=lambda one: (bool(one.disposition & Disposition.default), *size_of(one)))
    else:
        kinds = {"cover picture" if stream.type == "video" else stream.type for stream in container.streams}
        raise InputError(f"{path}: has no video stream, only: {', '.join(sorted(kinds)) or 'nothing'}")
    context = stream.codec_context
    if context is None:
        raise InputError(f"{path}: its video codec is not known to this FFmpeg")
    if not (1 <= context.width <= MAX_SIDE and 1 <= context.height <= MAX_SIDE):
        raise InputError(
            f"{path}: pictures of {context.width}x{context.height}; sides of 1 to {MAX_SIDE} were expected"
        )
    return stream


def size_of(stream) -> tuple[bool, int]:
    """Whether a stream can be decoded, and its pixels: what a larger one is told by."""
    context = stream.codec_context
    return context is not None, 0 if context is None else context.width * context.height


def streams_note(container, stream) -> str | None:
    """Says which stream was taken where there are several; pictures that are attached are not counted."""
    videos = list(container.streams.video)
    if sum(not one.disposition & PICTURES_ALONE for one in videos) < 2:
        return None
    number = next(place for place, one in enumerate(videos) if one.index == stream.index)
    sizes = ", ".join(
        f"{place}: {one.codec_context.width}x{one.codec_context.height}"
        for place, one in enumerate(videos)
        if one.codec_context
    )
    return f"has {len(videos)} video streams ({sizes}): number {number} was taken; --stream N chooses another"


def rotation_of(frame, path: Path) -> int:
    """The rotation that the file asks of a player, degrees counterclockwise: 0, 90, 180 or 270.

    Raises InputError for other angles, and for mirrored pictures.
    """
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return 0
    matrix = np.frombuffer(side_data, np.int32).reshape(3, 3).astype(float)
    if np.linalg.det(matrix[:2, :2]) <= 0:
        raise InputError(f"{path}: asks to be shown mirrored; only quarter turns can be read")
    rotation = round(frame.rotation) % 360
    if rotation % 90:
        raise InputError(f"{path}: asks to be rotated by {rotation} degrees; only quarter turns can be read")
    return rotation


class Orientation:
    """How decoded frames are turned, asked frame by frame, because a stream may change it."""

    def __init__(self, path: Path):
        self._path, self._angle, self._rotation = path, None, 0

    def of(self, frame) -> int:
        """Degrees counterclockwise, 0, 90, 180 or 270; raises InputError for other angles and mirrored pictures."""
        angle = frame.rotation
        if angle != self._angle:
            # The whole matrix is asked of few frames only: PyAV's frame and its side data hold each other, and 3 MB of
            # 1080p, until the garbage collector comes by, which for so few objects is seldom.
            self._angle, self._rotation = angle, rotation_of(frame, self._path)
        return self._rotation


def probe(path: Path, *, stream: int | None = None) -> VideoInfo:
    """Reads the headers of a recording and decodes its first picture, where the rotation stands. stream: as for
    `opened_video`.

    Raises InputError for a missing, empty or unreadable file, one without video, or one without any picture.
    """
    path = Path(path)
    with opened_video(path, threads=1, stream=stream) as (container, chosen):
        frame = next(container.decode(chosen), None)
        if frame is None:
            raise InputError(f"{path}: holds no picture that can be decoded")
        rotation = rotation_of(frame, path)
        aspect = aspect_of(chosen)
        width, height = max(1, round(frame.width * aspect)), frame.height
        if rotation % 180:
            width, height = height, width
        if chosen.duration is not None:
            duration = float(chosen.duration * chosen.time_base)
        else:
            duration = container.duration / av.time_base if container.duration else None
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            time_base=Ticks.of(chosen).time_base,
            average_rate=Fraction(chosen.average_rate) if chosen.average_rate else None,
            frames=chosen.frames or None,
            codec=chosen.codec_context.name,
            pixel_format=frame.format.name,
            rotation=rotation,
            duration_seconds=duration,
            sample_aspect_ratio=aspect,
        )


def aspect_of(stream) -> Fraction:
    """Width of a pixel to its height: what the container says, else the codec, else 1."""
    return Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)


def aspect_note(stream) -> str | None:
    """Says so where pixels are not square."""
    aspect, context = aspect_of(stream), stream.codec_context
    shown = round(context.width * aspect)
    if shown == context.width:
        return None
    return (
        f"its pixels are not square ({aspect.numerator}:{aspect.denominator}): what is stored as "
        f"{context.width}x{context.height} is shown as {shown}x{context.height}"
    )


def source_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits; raises InputError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
