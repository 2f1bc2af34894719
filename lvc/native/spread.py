"""Short runs of a recording's sampled frames, spread over its length: what there is to see in it, without decoding it
all."""

from collections.abc import Iterator
from pathlib import Path

import av

from lvc.errors import InputError
from lvc.frames import FrameBatch
from lvc.native.pixel_grid import Blur, PixelGrid
from lvc.native.sample import NativeFinder, one_batch
from lvc.video.demux import Orientation, Ticks, opened_video, probe
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
            with opened_video(path, threads=threads, stream=sampling.stream) as (container, stream):
                container.seek((stream.start_time or 0) + int(place * seconds / stream.time_base), stream=stream)
                finder = NativeFinder(path, sampling.geometry, looks=False, known=known)
                ready = [
                    one for chosen in taken(container, stream, path, sampling, frames) for one in finder.given(chosen)
                ]
                ready += finder.rest()
        except (InputError, av.FFmpegError):
            continue
        if ready:
            found.append(one_batch(ready, Ticks.of(stream).time_base))
    return found


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
