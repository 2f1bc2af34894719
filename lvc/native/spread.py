"""Short runs of a recording's sampled frames, spread over its length: what there is to see in it, without decoding it
all."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Self

import av

from lvc.errors import InputError
from lvc.frames import FrameBatch, Geometry
from lvc.native.pixel_grid import Blur, PixelGrid
from lvc.native.sample import LOOKED_BYTES, NativeFinder, one_batch
from lvc.video.demux import Orientation, Ticks, VideoInfo, opened_video, probe
from lvc.video.sample import SampledFrame, Sampling


def spread_runs(
    path: Path,
    sampling: Sampling,
    *,
    places: tuple[float, ...],
    frames: int,
    known: tuple[PixelGrid, Blur] | None = None,
    threads: int = 0,
) -> list[FrameBatch]:
    """Up to `frames` sampled frames in a row from each place, a share of the recording's length.

    known: the grid of the recording and how its chroma came about, by which the game's own pixels come with the frames;
    None for none. They are not looked for again, which would take a second of processor time a place.

    A run begins at the keyframe before its place, so its frames may lie a little beside those that
    `frames_with_native` gives, and times are the stream's own. A place that cannot be reached, or shows another grid,
    gives none: runs are for estimates. Raises InputError for a recording
    that cannot be opened.
    """
    seconds = probe(path, stream=sampling.stream).duration_seconds
    found = []
    for place in places if seconds else ():
        try:
            with opened_at(path, sampling, place * seconds, threads=threads) as (container, stream):
                chosen = taken(container, stream, path, sampling, frames)
                found += batches_of(chosen, Ticks.of(stream).time_base, path, sampling.geometry, known)
        except (InputError, av.FFmpegError):
            continue
    return found


class RunsAhead:
    """What `spread_runs` gives, of frames that a thread decodes from now on, before their grid is known; later, where
    they are too large to wait for that in memory.
    """

    def __init__(self, path: Path, sampling: Sampling, info: VideoInfo, *, places: tuple[float, ...], frames: int):
        self._later = partial(spread_runs, path, sampling, places=places, frames=frames)
        self._path, self._geometry = path, sampling.geometry
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lvc-runs")
        self._runs: list[Future] | None = None
        seconds = info.duration_seconds
        if seconds and 2 * info.width * info.height * frames * len(places) <= LOOKED_BYTES:
            self._runs = [
                self._pool.submit(decoded_run, path, sampling, place * seconds, frames=frames) for place in places
            ]

    def batches(self, known: tuple[PixelGrid, Blur] | None) -> list[FrameBatch]:
        """As `spread_runs`, once."""
        if self._runs is None:
            return self._later(known=known)
        runs, self._runs = self._runs, None
        found = []
        for run in runs:
            chosen, time_base = run.result()
            with suppress(InputError):
                found += batches_of(chosen, time_base, self._path, self._geometry, known)
        return found

    def close(self) -> None:
        """Ends the thread after the run that it is at."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def decoded_run(path: Path, sampling: Sampling, seconds: float, *, frames: int) -> tuple[list[SampledFrame], Fraction]:
    """Sampled frames from the keyframe before a time on, and the seconds of a tick; none where it cannot be reached."""
    try:
        with opened_at(path, sampling, seconds) as (container, stream):
            return list(taken(container, stream, path, sampling, frames)), Ticks.of(stream).time_base
    except (InputError, av.FFmpegError):
        return [], Fraction(1)


@contextmanager
def opened_at(path: Path, sampling: Sampling, seconds: float, *, threads: int = 0) -> Iterator[tuple]:
    """Gives `(container, stream)`, from the keyframe before a time on."""
    with opened_video(path, threads=threads, stream=sampling.stream) as (container, stream):
        container.seek((stream.start_time or 0) + int(seconds / stream.time_base), stream=stream)
        yield container, stream


def batches_of(
    chosen: Iterable[SampledFrame],
    time_base: Fraction,
    path: Path,
    geometry: Geometry,
    known: tuple[PixelGrid, Blur] | None,
) -> list[FrameBatch]:
    """Sampled frames as one batch, or none where there are no frames; raises InputError where they show another grid
    than is known.
    """
    finder = NativeFinder(path, geometry, looks=False, known=known)
    ready = [one for frame in chosen for one in finder.given(frame)]
    ready += finder.rest()
    return [one_batch(ready, time_base)] if ready else []


def taken(container, stream, path: Path, sampling: Sampling, frames: int) -> Iterator[SampledFrame]:
    """The next sampled frames of a stream from where it stands."""
    takes, orientation, latest = sampling.chooser(stream.time_base), Orientation(path), None
    for frame in container.decode(stream):
        if frame.pts is None or (latest is not None and frame.pts <= latest):
            continue
        latest = frame.pts
        if takes(latest):
            yield SampledFrame(frame, latest, orientation.of(frame))
            frames -= 1
            if not frames:
                return
