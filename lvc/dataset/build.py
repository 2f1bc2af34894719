"""Folders of recordings to a data set: frames of each recording in a file of its own, and a manifest."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from lvc.dataset.manifest import (
    FILE_NAME,
    Manifest,
    Source,
    VideoEntry,
    read_manifest,
    sampling_to_json,
    write_manifest,
)
from lvc.dataset.split import NamedSplit, RatioSplit, RecipeSplit
from lvc.dataset.storage import RUN, FrameFile, FrameFileWriter
from lvc.errors import InputError, OutputError, UnexpectedError
from lvc.native.sample import native_frames
from lvc.output import written_whole
from lvc.parallel.workers import Done, Lost, Report, run, threads_of
from lvc.video.demux import SUFFIXES, probe, source_digest
from lvc.video.find import files_in
from lvc.video.sample import Sampling, sampled_frames

FRAMES_FOLDER = "frames"


@dataclass(frozen=True)
class VideoDone:
    """A recording is in the data set. kept: it was there already, from an earlier run. notes:
    what was done that the recording does not say.
    """

    name: str
    frames: int
    kept: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class VideoFailed:
    """A recording could not be read and is left out; reason names it. trace: where what nobody foresaw came from."""

    name: str
    reason: str
    trace: str = ""


@dataclass(frozen=True)
class VideoLost:
    """The worker of a recording died, and another one begins it again."""

    name: str


@dataclass(frozen=True)
class DatasetDone:
    """The manifest is written."""

    manifest: Manifest


@dataclass(frozen=True)
class Job:
    """One recording to sample into one frame file."""

    name: str
    path: Path
    target: Path
    sampling: Sampling
    threads: int
    overwrite: bool


def find_videos(inputs: list[Path]) -> dict[str, Path]:
    """Finds recordings in files and folders: `{name: path}`, sorted by name.

    Folders are searched to any depth for the suffixes of video.demux.SUFFIXES, hidden files left out; a file is taken
    whatever its suffix. The name is the path inside the folder given; where two are equal, the path from the folder
    that all have in common. Raises InputError where a folder, or all together, hold no recording.
    """
    found: list[tuple[str, Path]] = []
    for entry in map(Path, inputs):
        if not entry.is_dir():
            found.append((entry.name, entry))
            continue
        videos = files_in(entry, SUFFIXES)
        if not videos:
            raise InputError(f"{entry}: no recording in this folder (looked for {' '.join(sorted(SUFFIXES))})")
        found.extend((path.relative_to(entry).as_posix(), path) for path in videos)
    unique = list({path.resolve(): (name, path) for name, path in found}.values())
    if not unique:
        raise InputError("no recordings were given")
    if len({name for name, _ in unique}) < len(unique):
        common = os.path.commonpath([path.resolve().parent for _, path in unique])
        unique = [(path.resolve().relative_to(common).as_posix(), path) for _, path in unique]
    return dict(sorted(unique))


def build_dataset(
    sources: dict[str, Path],
    output: Path,
    *,
    sampling: Sampling,
    split: RatioSplit | NamedSplit | RecipeSplit,
    workers: int | None = 1,
    ray: str | None = None,
    overwrite: bool = False,
    progress: Report | None = None,
) -> Iterator[VideoDone | VideoFailed | VideoLost | DatasetDone]:
    """Samples the recordings `{name: path}` into the folder `output`, and yields what happens, DatasetDone at the end.

    Each recording's frame file appears whole or not at all. Built again after an interruption, frame files are kept
    whose source has the same size and the same time of change or SHA-256; with `overwrite` none is. Splitting works
    on whole recordings; a ratio counts those that could be read. workers, ray: processes, 1 for none besides this one,
    or a cluster; see `lvc.parallel.workers.run`. progress is called with the frames written so far, of all recordings
    together. A recording that cannot be read is yielded as VideoFailed and listed in the manifest.
    Raises OutputError where `output` cannot be written or holds a data set of another sampling, OptionError where the
    split does not fit the recordings, InputError where no recording at all could be read.
    """
    output = Path(output)
    if not isinstance(split, RatioSplit):
        split.assign(sources)  # an option that makes no sense is told before hours of work
    check_folder(output, sampling, overwrite=overwrite)
    threads = threads_of(workers, ray, len(sources))
    jobs = [
        Job(name, path, output / FRAMES_FOLDER / f"{name}.frames", sampling, threads, overwrite)
        for name, path in sources.items()
    ]
    try:
        for job in jobs:
            job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror or error}") from error
    failed = []
    if isinstance(split, RecipeSplit):
        failed = [
            VideoFailed(file, f"{file}: the recipe names it but it was not given") for file in split.missing(sources)
        ]
        yield from failed
    done = set()
    with closing(
        run(build_video, jobs, workers=workers, ray=ray, progress=progress, name=lambda job: str(job.path))
    ) as outcomes:
        for outcome in outcomes:
            job = jobs[outcome.place]
            if isinstance(outcome, Lost):
                yield VideoLost(job.name)
            elif isinstance(outcome, Done):
                done.add(job.name)
                notes = outcome.result
                yield VideoDone(job.name, len(FrameFile(job.target)), kept=notes is None, notes=tuple(notes or ()))
            elif isinstance(outcome.error, InputError | UnexpectedError):
                failed.append(VideoFailed(job.name, str(outcome.error), getattr(outcome.error, "trace", "")))
                yield failed[-1]
            else:  # not the recording's fault: the output's, which the others share
                raise outcome.error
    if not done:
        raise InputError(f"{output}: no data set was made: none of the recordings could be read")
    read = {name: path for name, path in sources.items() if name in done}
    splits = split.assign(read) if isinstance(split, RatioSplit) else split.assign(sources)
    manifest = Manifest(
        sampling=sampling,
        videos=tuple(entry_of(job, splits[job.name], output) for job in jobs if job.name in done),
        failed=tuple((event.name, event.reason) for event in sorted(failed, key=lambda event: event.name)),
    )
    write_manifest(output, manifest)
    yield DatasetDone(manifest)


def check_folder(output: Path, sampling: Sampling, *, overwrite: bool) -> None:
    """Raises OutputError where `output` is a file, or a data set of another sampling that may not be overwritten."""
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: is a file; a folder was expected")
    if overwrite or not (output / FILE_NAME).exists():
        return
    try:
        present = read_manifest(output).sampling
    except InputError as error:
        raise OutputError(f"{error}; overwrite it with -y") from error
    if present != sampling:
        raise OutputError(
            f"{output}: holds a data set of another sampling ({described(present)}, not {described(sampling)}); "
            "overwrite it with -y"
        )


def described(sampling: Sampling) -> str:
    rate = f"every {sampling.every}" if sampling.every is not None else f"{sampling.fps} fps"
    return f"{rate}, {sampling.geometry}{' of the game' if sampling.native else ''}"


def entry_of(job: Job, split: str, output: Path) -> VideoEntry:
    frames = FrameFile(job.target)
    return VideoEntry(
        name=job.name,
        split=split,
        file=job.target.relative_to(output).as_posix(),
        source=Source(**frames.header["source"]),
        time_base=frames.time_base,
        pts=tuple(frames.pts.tolist()),
    )


def build_video(job: Job, report: Report) -> list[str] | None:
    """Writes one frame file and reports the number of frames written so far;
    gives the notes of sampling, None where it is there already.
    """
    if not job.overwrite and is_built(job):
        return None
    info = probe(job.path, stream=job.sampling.stream)
    notes: list[str] = []
    status = job.path.stat()
    source = Source(
        path=str(job.path),
        sha256=source_digest(job.path),
        bytes=status.st_size,
        width=info.width,
        height=info.height,
        codec=info.codec,
        pixel_format=info.pixel_format,
    )
    geometry = job.sampling.geometry
    with written_whole(job.target, overwrite=True) as part, open(part, "wb") as file:
        writer = FrameFileWriter(file)
        sampled = native_frames if job.sampling.native else sampled_frames
        for batch in sampled(job.path, job.sampling, batch=RUN, threads=job.threads, notes=notes):
            writer.write(batch)
            report(len(writer.pts))
        writer.finish(
            {
                "width": geometry.width,
                "height": geometry.height,
                "time_base": str(info.time_base),
                "sampling": sampling_to_json(job.sampling),
                "source": asdict(source),
                "modified_ns": status.st_mtime_ns,
            }
        )
    return notes


def is_built(job: Job) -> bool:
    """Whether an earlier run made this frame file, whole, from the same recording with the same sampling."""
    if not job.target.exists():
        return False
    try:
        header = FrameFile(job.target).header
        status = job.path.stat()
        source = Source(**header["source"])
        if header["sampling"] != sampling_to_json(job.sampling) or source.bytes != status.st_size:
            return False
        return header["modified_ns"] == status.st_mtime_ns or source.sha256 == source_digest(job.path)
    except (InputError, OSError, KeyError, TypeError):
        return False  # damaged, or the recording is gone: building it says what is wrong
