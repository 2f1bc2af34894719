"""Some frames of a recording, at one size, with their exact timestamps."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from math import floor
from pathlib import Path

import av
import numpy as np

from lvc.errors import InputError, OptionError
from lvc.frames import DEFAULT_GEOMETRY, FrameBatch, Geometry
from lvc.parallel.background import Ahead
from lvc.rates import rate_of
from lvc.video.colours import check_colours
from lvc.video.decoder import timed_frames
from lvc.video.demux import (
    BESIDE_OTHERS,
    Orientation,
    Ticks,
    VideoInfo,
    aspect_note,
    opened_video,
    streams_note,
)
from lvc.video.resize import AreaScaler

MAX_BATCH = 32  # frames
BATCHES_AHEAD, AHEAD_BYTES = 4, 32 << 20


@dataclass(frozen=True)
class Sampling:
    """Which frames of a recording, and at which size: every N-th decoded frame, or `fps` frames a second.

    every: from 1; None with `fps`. fps: frames a second by timestamp (the first frame at or after each tick; a slower
    recording gives each of its frames once), above 0, kept as the fraction that `lvc.rates.rate_of` takes it for; None
    with `every`. native: the frames are the game's own pixels, see `lvc.native.sample.native_frames`. stream: number of
    the video stream, from 0; by default the one that is to be shown, see `lvc.video.demux.video_stream`. Raises
    OptionError unless exactly one of every and fps is given.
    """

    every: int | None = 10
    fps: Fraction | float | None = None
    geometry: Geometry = DEFAULT_GEOMETRY
    native: bool = False
    stream: int | None = None

    def __post_init__(self):
        if (self.every is None) == (self.fps is None):
            raise OptionError("frames are sampled by number (every) or by time (fps): give exactly one of them")
        if self.every is not None and not (isinstance(self.every, int) and self.every >= 1):
            raise OptionError(f"every must be a whole number from 1, not {self.every!r}")
        if self.fps is not None:
            object.__setattr__(self, "fps", rate_of(self.fps))
        if self.stream is not None and not (type(self.stream) is int and self.stream >= 0):
            raise OptionError(f"stream must be the number of a video stream, from 0, not {self.stream!r}")

    def as_json(self) -> dict:
        """How frames were chosen, for a header: {"every": 10} or {"fps": "3"}, and the stream where it was named; the
        size stands elsewhere.
        """
        stream = {} if self.stream is None else {"stream": self.stream}
        return stream | ({"every": self.every} if self.every is not None else {"fps": str(self.fps)})

    def nominal_ticks(self, info: VideoInfo) -> int:
        """Ticks of the recording's time base from one sampled frame to the next, at its average rate; at least 1."""
        period = 1 / self.fps if self.fps is not None else self.every / (info.average_rate or Fraction(25))
        return max(1, round(period / info.time_base))

    def chooser(self, time_base: Fraction) -> Callable[[int], bool]:
        """Says of one frame after another, by its timestamp, whether it is sampled."""
        return EveryNth(self.every) if self.every is not None else FirstOfTicks(Fraction(self.fps) * time_base)

    def expected_frames(self, info: VideoInfo) -> int | None:
        """About how many frames will be sampled, where the recording says enough."""
        if self.every is not None and info.frames:
            return -(-info.frames // self.every)
        if info.duration_seconds is None:
            return None
        return max(1, round(info.duration_seconds / (self.nominal_ticks(info) * float(info.time_base))))


class EveryNth:
    """Takes the first of each N frames."""

    def __init__(self, every: int):
        self._numbers = cycle(range(every))

    def __call__(self, pts: int) -> bool:
        return next(self._numbers) == 0


class FirstOfTicks:
    """Takes the first frame at or after each tick from the first frame's time on. rate: ticks in a unit of pts."""

    def __init__(self, rate: Fraction):
        self._rate = rate
        self._start: int | None = None
        self._next_tick = 0

    def __call__(self, pts: int) -> bool:
        if self._start is None:
            self._start = pts
        ticks = (pts - self._start) * self._rate
        if ticks < self._next_tick:
            return False
        self._next_tick = floor(ticks) + 1
        return True


@dataclass(frozen=True)
class SampledFrame:
    """A decoded frame that is sampled. pts: its time; rotation: how it is to be turned, degrees counterclockwise, 0,
    90, 180 or 270.
    """

    frame: av.VideoFrame
    pts: int
    rotation: int


def chosen_frames(
    path: Path, sampling: Sampling, *, threads: int = 0, notes: list[str] | None = None
) -> Iterator[tuple[SampledFrame, Fraction]]:
    """Decodes a recording, and yields the frames that are sampled, as they are, each with the seconds of a tick.

    notes: gets a line for each thing that was done and that the file does not say: which stream was taken, how times
    go on. Raises InputError for a file that cannot be read, has no video, is damaged or cut off (after the frames that
    are there), or holds no picture.
    """
    path, notes = Path(path), [] if notes is None else notes
    with opened_video(path, threads=threads, stream=sampling.stream) as (container, stream):
        said = (
            [aspect_note(stream)]
            if sampling.stream is not None
            else [streams_note(container, stream), aspect_note(stream)]
        )
        notes += [note for note in said if note is not None]
        time_base, orientation = Ticks.of(stream).time_base, Orientation(path)
        empty = True
        for frame, pts in timed_frames(container, stream, path, takes=sampling.chooser(time_base), notes=notes):
            empty = False
            check_colours(frame, path)
            yield SampledFrame(frame, pts, orientation.of(frame)), time_base
        if empty:
            raise InputError(f"{path}: holds no picture that can be decoded")


def sampled_frames(
    path: Path, sampling: Sampling, *, batch: int = MAX_BATCH, threads: int = 0, notes: list[str] | None = None
) -> Generator[FrameBatch, None, None]:
    """Decodes a recording and yields its sampled frames, RGB, in batches of at most `batch`.

    The data of a batch is fresh uint8 [T, H, W, 3]; pts are whole numbers in units of `probe(path).time_base`. Memory
    does not grow with the recording. threads: of the decoder; 0 means as many as the machine has cores. notes: as for
    `chosen_frames`, as are errors.
    """
    geometry, scaler = sampling.geometry, AreaScaler(sampling.geometry)
    waiting: list[tuple[np.ndarray, int]] = []
    time_base = None
    for chosen, time_base in chosen_frames(path, sampling, threads=threads, notes=notes):
        picture = np.empty((geometry.height, geometry.width, 3), np.uint8)
        scaler.scale_into(chosen.frame, picture, chosen.rotation)
        waiting.append((picture, chosen.pts))
        if len(waiting) == batch:
            yield one_batch(waiting, time_base)
            waiting = []
    if waiting:
        yield one_batch(waiting, time_base)


def one_batch(pictures: list[tuple[np.ndarray, int]], time_base: Fraction) -> FrameBatch:
    data, times = zip(*pictures)
    return FrameBatch(np.stack(data), times, time_base)


class FramesAhead(Ahead):
    """Batches of sampled frames that a thread makes from now on, some megabytes ahead of a coder.

    frames: makes the batches, of at most so many frames, by so many threads of a decoder, into whose list it writes
    notes. threads: of the decoder; 0 for what is best beside a coder. notes: what was done that the recording does not
    say; complete after the last batch.
    """

    def __init__(
        self,
        frames: Callable[..., Generator[FrameBatch, None, None]],
        path: Path,
        sampling: Sampling,
        *,
        threads: int = 0,
    ):
        self.notes: list[str] = []
        geometry = sampling.geometry
        batch = max(1, min(MAX_BATCH, AHEAD_BYTES // (BATCHES_AHEAD * 3 * geometry.width * geometry.height)))
        super().__init__(
            frames(path, sampling, batch=batch, threads=threads or BESIDE_OTHERS, notes=self.notes),
            BATCHES_AHEAD,
            name="lvc-sampling",
        )


def sampled_ahead(path: Path, sampling: Sampling, *, threads: int = 0) -> FramesAhead:
    """As `sampled_frames`, ahead."""
    return FramesAhead(sampled_frames, path, sampling, threads=threads)
