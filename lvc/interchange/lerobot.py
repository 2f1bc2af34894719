"""Datasets of LeRobot (v2.1 and v3: parquet, JSON, and videos of one or several episodes) whose videos become `.lvc`
files, and back.

    dataset = LeRobotFolder.open("pusht")
    for video in dataset.videos():
        convert_video(video, folder / video.changed(".lvc"))
    finished(dataset, folder, suffix=".lvc")

All else stays as it is, but for meta/info.json, which says where the videos are and what codes them; what it said
before stands in it under "lvc", for the way back.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lvc.container.reader import ContainerReader
from lvc.encoding.encode import AUTO, Encoded, encode
from lvc.errors import InputError, OptionError
from lvc.frames import Geometry
from lvc.output import sync
from lvc.reading.decoding import decode
from lvc.video.demux import probe
from lvc.video.sample import Sampling

INFO = PurePosixPath("meta/info.json")
MOST_INFO = 1 << 24  # bytes
VERSIONS = ("v2.", "v3.")
LVC = ".lvc"
# Of the videos, as LeRobot's features name them.
FACTS = {
    LVC: {"video.codec": "lvc", "video.pix_fmt": "rgb24"},
    ".mp4": {"video.codec": "h264", "video.pix_fmt": "gbrp"},
}
KEPT = "lvc"  # the key in info.json of what it said before


@dataclass(frozen=True)
class Video:
    """A video of a dataset. path: below the dataset's folder; camera: the feature that it belongs to."""

    root: Path
    path: PurePosixPath
    camera: str

    @property
    def source(self) -> Path:
        return self.root / self.path

    def changed(self, suffix: str) -> PurePosixPath:
        """Its path with another suffix."""
        return self.path.with_suffix(suffix)


@dataclass(frozen=True)
class LeRobotFolder:
    """A dataset in a folder. info: what its meta/info.json says."""

    root: Path
    info: dict[str, Any]

    @classmethod
    def open(cls, root: Path) -> "LeRobotFolder":
        """Raises InputError where the folder is no dataset of LeRobot with videos, of a version that is known."""
        root = Path(root)
        path = root / INFO
        try:
            if path.stat().st_size > MOST_INFO:
                raise InputError(f"{path}: has more than {MOST_INFO:,} bytes")
            info = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{root}: is no dataset of LeRobot: {INFO}: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: is no JSON: {error}") from error
        if not isinstance(info, dict) or not str(info.get("codebase_version", "")).startswith(VERSIONS):
            known = " and ".join(f"{version}x" for version in VERSIONS)
            raise InputError(f"{path}: a codebase_version was expected that is known, {known}")
        found = cls(root, info)
        if not found.cameras:
            raise InputError(f"{root}: has no videos; pictures in parquet stay as they are")
        template = info.get("video_path")
        if not isinstance(template, str) or PurePosixPath(template).is_absolute() or ".." in template:
            raise InputError(f"{path}: video_path must name files below the dataset, not {template!r}")
        if type(info.get("total_frames")) is not int:
            raise InputError(f"{path}: total_frames must be a whole number")
        return found

    @property
    def cameras(self) -> list[str]:
        """The features that are videos."""
        features = self.info.get("features")
        named = features.items() if isinstance(features, dict) else ()
        return sorted(name for name, one in named if isinstance(one, dict) and one.get("dtype") == "video")

    @property
    def suffix(self) -> str:
        """The ending of its videos: ".lvc", or another."""
        return PurePosixPath(self.info["video_path"]).suffix

    @property
    def frames(self) -> int:
        """Frames of all videos together: every camera has a frame for each row."""
        return self.info["total_frames"] * len(self.cameras)

    def videos(self) -> Iterator[Video]:
        """All videos, camera by camera. Raises InputError where a camera has none."""
        template = self.info["video_path"]
        for camera in self.cameras:
            pattern = re.sub(r"\{[^{}]*\}", "*", template.replace("{video_key}", camera))
            paths = sorted(path for path in self.root.glob(pattern) if path.is_file())
            if not paths:
                raise InputError(f"{self.root}: {camera} has no video: {pattern}")
            for path in paths:
                yield Video(self.root, PurePosixPath(path.relative_to(self.root).as_posix()), camera)

    def check_way(self, suffix: str) -> None:
        """Raises OptionError where the videos have that suffix already."""
        if self.suffix == suffix:
            other = "give --to mp4 for the way back" if suffix == LVC else "leave out --to"
            raise OptionError(f"{self.root}: its videos are {suffix} files already; {other}")

    def changed_info(self, suffix: str) -> dict[str, Any]:
        """What meta/info.json says of the dataset with videos of another suffix."""
        template = str(PurePosixPath(self.info["video_path"]).with_suffix(suffix))
        features = {name: dict(one) for name, one in self.info["features"].items()}
        kept = self.info.get(KEPT) if isinstance(self.info.get(KEPT), dict) else {}
        before = {camera: features[camera].get("info") for camera in self.cameras}
        for camera in self.cameras:
            stood = kept.get(camera) if suffix != LVC else before[camera]
            features[camera]["info"] = {**(stood if isinstance(stood, dict) else {}), **FACTS[suffix]}
        info = {**self.info, "video_path": template, "features": features}
        info.pop(KEPT, None)
        return {**info, KEPT: before} if suffix == LVC else info


def convert_video(
    video: Video,
    output: Path,
    *,
    model: str = AUTO,
    crf: int | None = None,
    effort: int | None = None,
    keyint: int | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Encoded:
    """Codes every frame of a video, at its size and times, into a `.lvc` file.

    Options and errors are as of `lvc.encode`.
    """
    info = probe(video.source)
    output.parent.mkdir(parents=True, exist_ok=True)
    return encode(
        video.source,
        output,
        sampling=Sampling(geometry=Geometry(info.width, info.height), every=1),
        model=model,
        crf=crf,
        effort=effort,
        keyint=keyint,
        device=device,
        overwrite=True,
        progress=progress,
    )


def convert_video_back(
    video: Video,
    output: Path,
    *,
    model: str | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> int:
    """Decodes a `.lvc` file into an mp4 (x264, RGB, every pixel kept) at its times; gives the number of frames.

    Errors are as of `lvc.decode`.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    return decode(video.source, output, model=model, device=device, overwrite=True, progress=progress)


def finished(dataset: LeRobotFolder, folder: Path, *, suffix: str) -> None:
    """Adds to a folder that holds the changed videos all other files of the dataset, and meta/info.json as the last.

    Raises InputError where the videos hold other than the dataset's number of frames, OSError.
    """
    videos = list(dataset.videos())
    made = [folder / video.changed(suffix) if suffix == LVC else video.source for video in videos]
    frames = sum(map(frames_of, made))
    if frames != dataset.frames:
        raise InputError(
            f"{dataset.root}: its videos hold {frames:,} frames, and meta/info.json says {dataset.frames:,}: "
            f"{dataset.info['total_frames']:,} of each of {len(dataset.cameras)} cameras"
        )
    others = {video.path for video in videos} | {INFO}
    for source in sorted(dataset.root.rglob("*")):
        path = PurePosixPath(source.relative_to(dataset.root).as_posix())
        if source.is_file() and path not in others:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / path)
            sync(folder / path)
    (folder / INFO).parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataset.changed_info(suffix), indent=4, ensure_ascii=False)
    (folder / INFO).write_text(text, encoding="utf-8")
    sync(folder / INFO)


def frames_of(path: Path) -> int:
    with ContainerReader(path) as container:
        return container.frame_count
