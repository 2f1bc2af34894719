"""manifest.json of a data set: the recordings it was made of, and the split that each belongs to."""

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath

from lvc.errors import InputError, LvcError
from lvc.frames import Geometry
from lvc.output import written_whole
from lvc.video.sample import Sampling

FILE_NAME = "manifest.json"
FORMAT = "lvc data set"
VERSION = 1
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """A recording as it was read: path as given, SHA-256, size in bytes, picture size as shown, codec, pixel format."""

    path: str
    sha256: str
    bytes: int
    width: int
    height: int
    codec: str
    pixel_format: str


@dataclass(frozen=True)
class VideoEntry:
    """One recording of a data set. file: its frame file, relative to the data set. pts:
    in units of time_base seconds.
    """

    name: str
    split: str
    file: str
    source: Source
    time_base: Fraction
    pts: tuple[int, ...]


@dataclass(frozen=True)
class Manifest:
    """All recordings of a data set, sorted by name, and `(name, reason)` of those that could not be read."""

    sampling: Sampling
    videos: tuple[VideoEntry, ...]
    failed: tuple[tuple[str, str], ...] = ()


def sampling_to_json(sampling: Sampling) -> dict:
    fps = None if sampling.fps is None else str(sampling.fps)
    native = {"native": True} if sampling.native else {}
    stream = {} if sampling.stream is None else {"stream": sampling.stream}
    return {
        "every": sampling.every,
        "fps": fps,
        "width": sampling.geometry.width,
        "height": sampling.geometry.height,
        **native,
        **stream,
    }


def sampling_from_json(content: dict) -> Sampling:
    fps = None if content["fps"] is None else Fraction(content["fps"])
    return Sampling(
        every=content["every"],
        fps=fps,
        geometry=Geometry(content["width"], content["height"]),
        native=content.get("native") is True,
        stream=content.get("stream"),
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes manifest.json, replacing an older one at once."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "sampling": sampling_to_json(manifest.sampling),
        "videos": [
            {
                "name": video.name,
                "split": video.split,
                "file": video.file,
                "source": asdict(video.source),
                "frames": len(video.pts),
                "time_base": str(video.time_base),
                "pts": list(video.pts),
            }
            for video in manifest.videos
        ],
        "failed": [{"name": name, "reason": reason} for name, reason in manifest.failed],
    }
    with written_whole(folder / FILE_NAME, overwrite=True) as part:
        part.write_text(lines_of(content), encoding="utf-8")


def lines_of(content: dict) -> str:
    """JSON with one recording a line: the timestamps, one a line, would make it unreadable."""
    parts = []
    for key, value in content.items():
        if isinstance(value, list) and value:
            rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
            parts.append(f" {json.dumps(key)}: [\n{rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_manifest(folder: Path) -> Manifest:
    """Reads manifest.json of a data set; raises InputError where it is missing, damaged or of another version."""
    path = Path(folder) / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{folder}: is no data set: it has no {FILE_NAME}; make one with lvc build-dataset") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f'{path}: is no manifest of a data set: "format": "{FORMAT}" was expected')
    if content.get("version") != VERSION:
        raise InputError(f"{path}: has version {content.get('version')!r}; this lvc reads version {VERSION}")
    try:
        return Manifest(
            sampling=sampling_from_json(content["sampling"]),
            videos=tuple(video_from_json(video) for video in content["videos"]),
            failed=tuple((failure["name"], failure["reason"]) for failure in content["failed"]),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError, LvcError) as error:
        raise InputError(f"{path}: is damaged: {type(error).__name__}: {error}") from error


def video_from_json(content: dict) -> VideoEntry:
    file = PurePosixPath(content["file"])
    if file.is_absolute() or ".." in file.parts:
        raise ValueError(f"{file} lies outside the data set")
    if content["split"] not in SPLITS:
        raise ValueError(f"a split is one of {', '.join(SPLITS)}, not {content['split']!r}")
    return VideoEntry(
        name=content["name"],
        split=content["split"],
        file=str(file),
        source=Source(**content["source"]),
        time_base=Fraction(content["time_base"]),
        pts=tuple(content["pts"]),
    )
