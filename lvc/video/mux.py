"""Pictures out, at their timestamps: mp4 and mkv video, an npy array, or a folder of png."""

import json
import os
import re
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from lvc.errors import OptionError, OutputError
from lvc.frames import FrameBatch, Geometry
from lvc.output import check_output, claimed, part_of, sync, sync_folder, written_whole
from lvc.video.picture import SUFFIXES, PictureWriter

MUXERS = {".mp4": "mp4", ".mkv": "matroska"}
PNG_FILE = re.compile(r"frame_\d{6,}\.png|timestamps\.json")
TIMESTAMPS_FILE = "timestamps.json"
SYNC_THREADS = 16

# pixel format and options of each codec. libx264rgb and ffv1 keep every pixel; libx264 in 4:2:0 plays anywhere.
# No B-frames: their reordering would make mp4 shift the timestamps.
CODECS = {
    "libx264rgb": ("rgb24", {"qp": "0", "bf": "0"}),
    "libx264": ("yuv420p", {"crf": "12", "bf": "0"}),
    "ffv1": ("bgr0", {}),
}


@contextmanager
def open_output(
    path: Path,
    *,
    geometry: Geometry,
    time_base: Fraction,
    codec: str = "libx264rgb",
    frame_duration: int | None = None,
    overwrite: bool = False,
    inputs: tuple[Path, ...] = (),
):
    """Gives a writer with `write(FrameBatch)` and `notes`; what it wrote appears as `path` whole, when the block ends
    well.

    .mp4 and .mkv make a video; .npy an array uint8 [T, 3, H, W] with a <name>.timestamps.json beside it; a name
    without suffix, or a folder that is there, a folder of frame_000000.png and so on with timestamps.json; .png and
    .jpg a picture, where there is one frame.
    codec: of a video: libx264rgb (every pixel kept), ffv1 (the same, mkv only) or libx264 (4:2:0, plays anywhere).
    frame_duration: of a video's last frame, in ticks of time_base (by default as that of the one before).
    Raises OptionError for another suffix or codec, OutputError where the output exists already, is one of the
    inputs, or cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir() or not suffix:
        with folder_written_whole(path, overwrite=overwrite) as part:
            writer = PngWriter(part, geometry=geometry, time_base=time_base)
            yield writer
            writer.close()
    elif suffix == ".npy":
        timestamps = path.with_suffix(".timestamps.json")
        check_output(timestamps, overwrite=overwrite, inputs=inputs)
        with (
            written_whole(path, overwrite=overwrite, inputs=inputs) as part,
            NpyWriter(part, geometry=geometry, time_base=time_base) as writer,
        ):
            yield writer
        with written_whole(timestamps, overwrite=overwrite) as part:
            write_timestamps(part, writer.pts, time_base)
    elif suffix in MUXERS:
        with (
            written_whole(path, overwrite=overwrite, inputs=inputs) as part,
            VideoWriter(
                part,
                geometry=geometry,
                time_base=time_base,
                codec=codec,
                frame_duration=frame_duration,
                muxer=MUXERS[suffix],
                name=path,
            ) as writer,
        ):
            yield writer
    elif suffix in SUFFIXES:
        with written_whole(path, overwrite=overwrite, inputs=inputs) as part:
            yield PictureWriter(part, geometry=geometry, name=path)
    else:
        raise OptionError(
            f"{path}: an output ends in .mp4, .mkv or .npy "
            "(.png or .jpg for one frame), or is a folder (no suffix) for png files"
        )


class VideoWriter:
    """Writes frames as mp4 or mkv. Timestamps are exact in mp4; mkv counts milliseconds, and rounds to them.

    Players leave out what is before 0, so where the first frame is, all are shifted to start there, as `notes` say
    then. frame_duration: of the last frame, in ticks of time_base; by default that of the one before. name: the file
    to speak of in errors, where `path` is a temporary one. Raises OptionError for an unknown codec or one that cannot
    hold the geometry, OutputError where writing fails.
    """

    def __init__(
        self,
        path: Path,
        *,
        geometry: Geometry,
        time_base: Fraction,
        codec: str = "libx264rgb",
        frame_duration: int | None = None,
        muxer: str = "mp4",
        name: Path | None = None,
    ):
        if codec not in CODECS:
            raise OptionError(f"a codec is one of {', '.join(CODECS)}, not {codec!r}")
        if codec == "ffv1" and muxer == "mp4":
            raise OptionError("ffv1 is for mkv: players do not expect it in mp4")
        if codec == "libx264" and (geometry.width % 2 or geometry.height % 2):
            raise OptionError(f"libx264 in 4:2:0 needs even sides, not {geometry}; libx264rgb takes any")
        self.name = name or path
        self.geometry = geometry
        self.time_base = time_base
        # The tick of the file: mp4 counts in a whole number of ticks a second, FFmpeg's mkv in milliseconds.
        self.tick = Fraction(1, 1000) if muxer == "matroska" else Fraction(1, time_base.denominator)
        self.notes: list[str] = []
        self.latest: int | None = None
        self.shift = 0  # ticks
        self.interval = 1
        self.last_duration = None if frame_duration is None else max(1, round(frame_duration * time_base / self.tick))
        self.held: av.Packet | None = None  # the latest packet: how long it is shown is known when the next one comes
        self.pixel_format, options = CODECS[codec]
        # A browser wants the index before the pictures. A start after 0 is counted in the film's own tick, which is
        # 1/1000 s unless told.
        container_options = (
            {"movflags": "+faststart", "movie_timescale": str(self.tick.denominator)} if muxer == "mp4" else {}
        )
        try:
            self.container = av.open(f"file:{path}", "w", format=muxer, container_options=container_options)
        except (OSError, av.error.FFmpegError) as error:
            raise OutputError(f"{self.name}: cannot be written: {error.strerror or error}") from error
        stream = self.container.add_stream(codec, options=options)
        assert isinstance(stream, av.VideoStream), "CODECS are of video"
        self.stream = stream
        self.stream.width, self.stream.height = geometry.width, geometry.height
        self.stream.pix_fmt = self.pixel_format
        self.stream.time_base = self.stream.codec_context.time_base = self.tick
        if self.pixel_format == "yuv420p":
            self.stream.codec_context.colorspace = av.video.reformatter.Colorspace.ITU709
            self.stream.codec_context.color_range = av.video.reformatter.ColorRange.MPEG

    def write(self, batch: FrameBatch) -> None:
        check_batch(batch, self.geometry)
        for picture, pts in zip(batch.data, batch.pts):
            ticks = round(pts * self.time_base / self.tick)
            if self.latest is None and ticks < 0:
                self.shift = -ticks
                self.notes.append(
                    f"its first frame is at {float(pts * self.time_base):.3f} s, which players leave out: "
                    "all times were shifted to start at 0"
                )
            ticks += self.shift
            if self.latest is not None:
                self.interval = ticks - self.latest
                if self.interval <= 0:
                    raise OutputError(
                        f"{self.name}: two frames within {self.tick} s, which this file format cannot tell apart"
                    )
            self.latest = ticks
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if self.pixel_format == "yuv420p":
                frame = frame.reformat(
                    format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="AREA"
                )
            frame.pts, frame.time_base = ticks, self.tick
            self.mux(frame)

    def mux(self, frame) -> None:
        try:
            for packet in self.stream.encode(frame):
                # The encoder knows no durations. Without B-frames packets come in the order of their times.
                if self.held is not None:
                    self.held.duration = packet.pts - self.held.pts
                    self.container.mux(self.held)
                self.held = packet
            if frame is None and self.held is not None:
                self.held.duration = self.interval if self.last_duration is None else self.last_duration
                self.container.mux(self.held)
        except av.error.FFmpegError as error:
            raise OutputError(f"{self.name}: cannot be written: {error.strerror or error}") from error

    def close(self) -> None:
        """Writes what the encoder still holds, and the index; OutputError where there was not one frame."""
        try:
            if self.latest is None:
                raise OutputError(f"{self.name}: there was no frame to write")
            self.mux(None)
        finally:
            self.container.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.close()
        else:
            self.container.close()


class NpyWriter:
    """Streams frames into an npy file, uint8 [T, 3, H, W]; their number is filled in at the end.

    pts: collects times.
    """

    HEADER_BYTES = 128  # fixed, so that it can be written again: npy pads with spaces

    def __init__(self, path: Path, *, geometry: Geometry, time_base: Fraction):
        self.geometry = geometry
        self.time_base = time_base
        self.notes: list[str] = []
        self.pts: list[int] = []
        self.file = open(path, "wb")  # noqa: SIM115  closed by close()
        self.file.write(self.header())

    def header(self) -> bytes:
        shape = (len(self.pts), 3, self.geometry.height, self.geometry.width)
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
        room = self.HEADER_BYTES - 10
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", room) + text.ljust(room - 1).encode() + b"\n"

    def write(self, batch: FrameBatch) -> None:
        check_batch(batch, self.geometry)
        self.file.write(np.ascontiguousarray(batch.data.transpose(0, 3, 1, 2)).data)
        self.pts.extend(batch.pts)

    def close(self) -> None:
        self.file.seek(0)
        self.file.write(self.header())
        self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.close()
        else:
            self.file.close()


class PngWriter:
    """Writes frame_000000.png and so on into a folder, and timestamps.json at the end."""

    def __init__(self, folder: Path, *, geometry: Geometry, time_base: Fraction):
        self.folder = folder
        self.geometry = geometry
        self.time_base = time_base
        self.notes: list[str] = []
        self.pts: list[int] = []

    def write(self, batch: FrameBatch) -> None:
        check_batch(batch, self.geometry)
        for picture, pts in zip(batch.data, batch.pts):
            written, png = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))  # as BGR
            if not written:
                raise OutputError(f"{self.folder}: OpenCV could not make a png of {self.geometry}")
            (self.folder / f"frame_{len(self.pts):06d}.png").write_bytes(png)
            self.pts.append(pts)

    def close(self) -> None:
        write_timestamps(self.folder / TIMESTAMPS_FILE, self.pts, self.time_base)


def check_batch(batch: FrameBatch, geometry: Geometry) -> None:
    if batch.geometry != geometry:
        raise ValueError(f"frames of {batch.geometry} for an output of {geometry}")


def write_timestamps(path: Path, pts: list[int], time_base: Fraction) -> None:
    """JSON: time_base as "1/15360", and pts, one whole number in units of it for each frame."""
    path.write_text(json.dumps({"time_base": str(time_base), "pts": pts}) + "\n", encoding="utf-8")


@contextmanager
def folder_written_whole(path: Path, *, overwrite: bool):
    """Gives the temporary folder `<path>.part`, renamed to `path` when the block ends well and removed otherwise.

    An empty folder may be there. With `overwrite` a folder of pictures that we wrote is replaced; a folder that holds
    anything else never is. Where `path` is a symbolic link the folder that it means is written.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    check_folder(path, overwrite=overwrite)
    part = part_of(path)
    try:
        # Left by a process that was killed; only pictures of ours are cleared away.
        check_folder(part, overwrite=True)
        with claimed(path, part, folder=True):
            for left in part.iterdir():
                left.unlink()
            try:
                yield part
                check_folder(path, overwrite=overwrite)
                # In threads, because a journal takes many at once: 500 files of 15 KB in 0.3 s on ext4, and 5.6 s
                # one after another.
                with ThreadPoolExecutor(SYNC_THREADS) as pool:
                    list(pool.map(sync, part.iterdir()))
                sync_folder(part)
                if path.exists():
                    shutil.rmtree(path)
                os.replace(part, path)
                sync_folder(path.parent)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_folder(path: Path, *, overwrite: bool) -> None:
    """Raises OutputError where `path` is no folder, is one that is not empty and may not be replaced, or has no
    parent.
    """
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}")
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"{path}: is a file; a folder was expected")
    names = os.listdir(path)
    foreign = [name for name in names if not PNG_FILE.fullmatch(name)]
    if foreign:
        raise OutputError(f"{path}: holds other files, such as {foreign[0]}; choose another folder")
    if names and not overwrite:
        raise OutputError(f"{path}: holds pictures already; overwrite them with -y")
