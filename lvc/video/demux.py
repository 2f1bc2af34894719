"""Opening a recording safely: what it holds, and errors that name the file and what is wrong with it."""

import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from lvc.errors import InputError
from lvc.frames import MAX_SIDE

# Formats that hold pictures themselves. Playlists and scripts (hls, dash, concat) are left out: they make
# the demuxer open other files and addresses, which a recording given to us must never do.
CONTAINER_FORMATS = (
    "mov,matroska,avi,flv,mpegts,mpeg,mpegvideo,asf,ogg,nut,ivf,h264,hevc,m4v,obu,gif,apng,mjpeg,mxf,dv,wtv,rm,yuv4mpegpipe"
)

SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg")
    + (".wmv", ".ogv", ".nut", ".ivf", ".3gp", ".gif", ".y4m", ".mxf")
)

BESIDE_OTHERS = -1
LARGE_PIXELS = 1920 * 1088


@dataclass(frozen=True)
class VideoInfo:
    """What the headers of a recording say of its (first) video stream.

    width, height: as shown, that is after rotation. rotation: degrees counterclockwise, 0, 90, 180 or 270.
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


@contextmanager
def opened_video(path: Path, *, threads: int = 0):
    """Gives `(container, stream)` of the first video stream that is no cover picture.

    threads: of the decoder; 0 means as many as the machine has cores, BESIDE_OTHERS what is best where a coder runs beside it.
    Raises InputError for a missing, empty or unreadable file, and for one without video. An FFmpeg error
    inside the block becomes an InputError too.
    """
    path = Path(path)
    check_file(path)
    try:
        # "file:" keeps a name such as "http:x.mp4" a name. Names that are no Unicode are for nobody to see: ignored.
        with av.open(
            f"file:{path}",
            options={"format_whitelist": CONTAINER_FORMATS, "protocol_whitelist": "file"},
            metadata_errors="ignore",
        ) as container:
            stream = video_stream(container, path)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads_beside(stream) if threads == BESIDE_OTHERS else threads
            yield container, stream
    except (av.error.FFmpegError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as a video: {reason}") from error


def threads_beside(stream) -> int:
    """Threads of a decoder that leave a core to a coder; all cores for pictures so large that the coder would wait.

    Each thread more costs a fifth of the decoder's time, because more pictures leave the cache before they are referred to.
    """
    cores = os.cpu_count() or 1
    return cores if stream.width * stream.height > LARGE_PIXELS else max(1, cores - 1)


def check_file(path: Path) -> None:
    """Raises InputError where there is no file, or an empty one."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a video was expected")
    if size == 0:
        raise InputError(f"{path}: is empty (0 bytes); a video was expected")


def video_stream(container, path: Path):
    """The first video stream that is no cover picture and has a size that we take; raises InputError."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        kinds = {"cover picture" if stream.type == "video" else stream.type for stream in container.streams}
        raise InputError(f"{path}: has no video stream, only: {', '.join(sorted(kinds)) or 'nothing'}")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise InputError(f"{path}: its video codec is not known to this FFmpeg")
    if not (1 <= context.width <= MAX_SIDE and 1 <= context.height <= MAX_SIDE):
        raise InputError(f"{path}: pictures of {context.width}x{context.height}; sides of 1 to {MAX_SIDE} were expected")
    return stream


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


def probe(path: Path) -> VideoInfo:
    """Reads the headers of a recording and decodes its first picture, where the rotation stands.

    Raises InputError for a missing, empty or unreadable file, one without video, or one without any picture.
    """
    path = Path(path)
    with opened_video(path, threads=1) as (container, stream):
        frame = next(container.decode(stream), None)
        if frame is None:
            raise InputError(f"{path}: holds no picture that can be decoded")
        rotation = rotation_of(frame, path)
        width, height = (frame.width, frame.height) if rotation % 180 == 0 else (frame.height, frame.width)
        if stream.duration is not None:
            duration = float(stream.duration * stream.time_base)
        else:
            duration = container.duration / av.time_base if container.duration else None
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            time_base=Fraction(stream.time_base),
            average_rate=Fraction(stream.average_rate) if stream.average_rate else None,
            frames=stream.frames or None,
            codec=stream.codec_context.name,
            pixel_format=frame.format.name,
            rotation=rotation,
            duration_seconds=duration,
        )


def source_digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits; raises InputError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
