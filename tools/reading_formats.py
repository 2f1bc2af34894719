"""How a clip of frames is kept in a file, or in a folder of files, and how frames of it are read: lvc and its peers.

A `Format` writes clips; each of its readers opens one and gives frames by number as uint8 tensors [N, 3, H, W].
"""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch

import lvc
from lvc.errors import InputError, OptionError
from lvc.frames import FrameBatch

RATE = 3  # frames a second, of every tenth frame of a recording

# Opens a clip: gives what reads frames by number, and a call that closes it.
Read = Callable[[Sequence[int]], torch.Tensor]
Open = Callable[[Path], tuple[Read, Callable[[], None]]]


@dataclass(frozen=True)
class Format:
    """write: takes frames and the path without suffix, gives the path that holds them. readers: by name."""

    name: str
    description: str
    write: Callable[[FrameBatch, Path], Path]
    readers: dict[str, Open]


def bytes_of(path: Path) -> int:
    return sum(one.stat().st_size for one in path.iterdir()) if path.is_dir() else path.stat().st_size


# lvc


def write_lvc(frames: FrameBatch, stem: Path, *, model: str, keyint: int, crf: int) -> Path:
    path = stem.with_suffix(".lvc")
    ticks = round(1 / (RATE * frames.time_base))
    options = {"geometry": frames.geometry, "grid": frames.grid, "time_base": frames.time_base, "frame_duration": ticks}
    with lvc.Writer(path, model=model, keyint=keyint, crf=crf, overwrite=True, **options) as writer:
        writer.write(frames)
    return path


def packed(frames: FrameBatch) -> np.ndarray:
    """uint8 [T, H, W, 3]."""
    return np.ascontiguousarray(frames.data)


def open_lvc(path: Path) -> tuple[Read, Callable[[], None]]:
    reader = lvc.open(path)
    return lambda numbers: reader.get_frames_at(numbers).data, reader.close


# Video codecs


def write_with_pyav(frames: FrameBatch, stem: Path, *, encoder: str, options: dict, gop: int | None) -> Path:
    path = stem.with_suffix(".mp4")
    with av.open(str(path), "w") as output:
        stream = output.add_stream(encoder, rate=RATE, options=options)
        stream.height, stream.width = frames.data.shape[1:3]
        stream.pix_fmt = "yuv420p"
        if gop:
            stream.codec_context.gop_size = gop
        for frame in packed(frames):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def write_with_ffmpeg(frames: FrameBatch, stem: Path, *, arguments: Sequence[str]) -> Path:
    path = stem.with_suffix(".mp4")
    height, width = frames.data.shape[1:3]
    shape = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(RATE)]
    command = [
        ffmpeg(),
        "-v",
        "error",
        "-y",
        *shape,
        "-i",
        "-",
        "-sws_flags",
        "accurate_rnd+full_chroma_int",
        *arguments,
        str(path),
    ]
    done = subprocess.run(command, input=packed(frames).tobytes(), capture_output=True, check=False)
    if done.returncode:
        raise InputError(f"ffmpeg failed with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return path


def ffmpeg() -> str:
    found = shutil.which("ffmpeg")
    if found is None:
        raise InputError("libaom needs an ffmpeg binary on the PATH; there is none")
    return found


def has_libaom() -> bool:
    if shutil.which("ffmpeg") is None:
        return False
    return (
        "libaom-av1"
        in subprocess.run([ffmpeg(), "-v", "error", "-encoders"], capture_output=True, text=True, check=False).stdout
    )


def open_with_torchcodec(path: Path) -> tuple[Read, Callable[[], None]]:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1)
    return lambda numbers: decoder.get_frames_at(list(numbers)).data, lambda: None


def open_with_pyav(path: Path) -> tuple[Read, Callable[[], None]]:
    container = av.open(str(path))
    stream = container.streams.video[0]
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1

    def read(numbers: Sequence[int]) -> torch.Tensor:
        """Consecutive frames, or a few: from the keyframe before the first one to the last one."""
        times = [round(number / RATE / stream.time_base) for number in numbers]
        container.seek(min(times), stream=stream)
        found = {}
        for frame in container.decode(stream):
            if frame.pts in times:
                found[frame.pts] = frame.to_ndarray(format="rgb24")
            if frame.pts >= max(times):
                break
        return as_tensor([found[time] for time in times])

    return read, container.close


def video_readers() -> dict[str, Open]:
    readers: dict[str, Open] = {"PyAV": open_with_pyav}
    try:
        importlib.import_module("torchcodec.decoders")
    except (ImportError, OSError, RuntimeError) as error:
        print(f"torchcodec cannot be had here: {str(error).splitlines()[0]}", file=sys.stderr)
    else:
        readers["torchcodec"] = open_with_torchcodec
    return readers


# A picture a frame, in a folder for each clip


def write_pictures(frames: FrameBatch, stem: Path, *, suffix: str) -> Path:
    stem.mkdir(exist_ok=True)
    for number, frame in enumerate(packed(frames)):
        cv2.imwrite(str(stem / f"{number:06d}{suffix}"), np.ascontiguousarray(frame[:, :, ::-1]))
    return stem


def open_pictures(path: Path, *, suffix: str) -> tuple[Read, Callable[[], None]]:
    def read(numbers: Sequence[int]) -> torch.Tensor:
        pictures = [cv2.imread(str(path / f"{number:06d}{suffix}")) for number in numbers]
        return as_tensor([cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in pictures])

    return read, lambda: None


# Raw pixels


def write_hdf5(frames: FrameBatch, stem: Path) -> Path:
    import h5py

    path = stem.with_suffix(".h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=packed(frames), chunks=(1, *packed(frames).shape[1:]))
    return path


def open_hdf5(path: Path) -> tuple[Read, Callable[[], None]]:
    import h5py

    file = h5py.File(path, "r")
    frames = file["frames"]
    return lambda numbers: as_tensor([frames[number] for number in numbers]), file.close


def as_tensor(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Pictures uint8 [H, W, 3] as [N, 3, H, W]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def formats(*, model: str, crf: int, keyints: Sequence[int]) -> dict[str, Format]:
    """All formats that can be had here, by name, lvc's first."""
    os.environ.setdefault("SVT_LOG", "1")  # errors alone
    videos = video_readers()
    found = [
        Format(
            f"lvc keyint {keyint}",
            f"lvc, model {model}, crf {crf}, keyint {keyint}",
            partial(write_lvc, model=model, keyint=keyint, crf=crf),
            {"lvc": open_lvc},
        )
        for keyint in keyints
    ]
    svt = partial(
        write_with_pyav, encoder="libsvtav1", options={"crf": "30", "preset": "6", "svtav1-params": "lp=1"}, gop=2
    )
    found.append(
        Format("SVT-AV1 g=2", "SVT-AV1 4:2:0, crf 30, g 2, preset 6 (as LeRobot keeps its videos)", svt, videos)
    )
    if has_libaom():
        arguments = [
            "-c:v",
            "libaom-av1",
            "-crf",
            "30",
            "-b:v",
            "0",
            "-g",
            "2",
            "-cpu-used",
            "4",
            "-threads",
            "1",
            "-pix_fmt",
            "yuv444p",
        ]
        arguments += ["-aom-params", "tune-content=screen:enable-palette=1:enable-intrabc=1"]
        found.append(
            Format(
                "libaom AV1 g=2",
                "libaom AV1 4:4:4, crf 30, g 2, cpu-used 4, screen tools",
                partial(write_with_ffmpeg, arguments=arguments),
                videos,
            )
        )
    for gop, says in ((2, "g=2"), (None, "g=250")):
        x264 = partial(write_with_pyav, encoder="libx264", options={"crf": "23", "threads": "1"}, gop=gop)
        found.append(Format(f"H.264 {says}", f"x264 4:2:0, crf 23, preset medium, {says}", x264, videos))
    for name, suffix in (("JPEG", ".jpg"), ("PNG", ".png")):
        how = "quality 95, 4:2:0" if name == "JPEG" else "OpenCV's level"
        found.append(
            Format(
                name,
                f"a {name} file a frame, {how}",
                partial(write_pictures, suffix=suffix),
                {"OpenCV": partial(open_pictures, suffix=suffix)},
            )
        )
    if importlib.util.find_spec("h5py"):
        found.append(Format("HDF5", "HDF5 of uint8, a chunk a frame, not compressed", write_hdf5, {"h5py": open_hdf5}))
    return {one.name: one for one in found}


def chosen(found: dict[str, Format], names: Sequence[str] | None) -> list[Format]:
    """The formats of these names, or all; OptionError for one that cannot be had."""
    missing = [name for name in names or () if name not in found]
    if missing:
        raise OptionError(f"no format {', '.join(missing)}; there are {', '.join(found)}")
    return [found[name] for name in names or found]
