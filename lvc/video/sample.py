"""Some frames of a recording, at one size, with their exact timestamps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import cycle
from math import floor
from pathlib import Path

import av
import numpy as np

from lvc.errors import InputError, OptionError
from lvc.frames import DEFAULT_GEOMETRY, FrameBatch, Geometry
from lvc.native.grid_search import found_grid
from lvc.native.planes import NativeSampler, PlaneReader
from lvc.parallel.background import Ahead
from lvc.video.demux import BESIDE_OTHERS, VideoInfo, opened_video, rotation_of
from lvc.video.lookahead import Foresight
from lvc.video.resize import AreaScaler

MAX_BATCH = 32  # frames
BATCHES_AHEAD, AHEAD_BYTES = 4, 32 << 20
# Sampled frames of a recording's beginning that are looked through for the game's own pixels; fewer of large ones, which wait in memory.
LOOKED_THROUGH, LOOKED_BYTES = 12, 96 << 20


@dataclass(frozen=True)
class Sampling:
    """Which frames of a recording, and at which size: every N-th decoded frame, or `fps` frames a second.

    native: the frames are the game's own pixels, and a recording that does not show just these enlarged is refused.

    every: from 1; None with `fps`. fps: frames a second by timestamp (the first frame at or after each
    tick; a slower recording gives each of its frames once), above 0; None with `every`.
    Raises OptionError unless exactly one is given.
    """

    every: int | None = 10
    fps: Fraction | None = None
    geometry: Geometry = DEFAULT_GEOMETRY
    native: bool = False

    def __post_init__(self):
        if (self.every is None) == (self.fps is None):
            raise OptionError("frames are sampled by number (every) or by time (fps): give exactly one of them")
        if self.every is not None and not (isinstance(self.every, int) and self.every >= 1):
            raise OptionError(f"every must be a whole number from 1, not {self.every!r}")
        if self.fps is not None and not self.fps > 0:
            raise OptionError(f"fps must be above 0, not {self.fps}")

    def as_json(self) -> dict:
        """How frames were chosen, for a header: {"every": 10} or {"fps": "3"}; the size stands elsewhere."""
        return {"every": self.every} if self.every is not None else {"fps": str(self.fps)}

    def nominal_ticks(self, info: VideoInfo) -> int:
        """Ticks of the recording's time base from one sampled frame to the next, at its average rate; at least 1."""
        period = 1 / self.fps if self.fps is not None else self.every / (info.average_rate or Fraction(25))
        return max(1, round(period / info.time_base))

    def chooser(self, time_base: Fraction) -> Callable[[int], bool]:
        """Says of one frame after another, by its timestamp, whether it is sampled."""
        return EveryNth(self.every) if self.every is not None else FirstOfTicks(self.fps * time_base)

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


def sampled_frames(path: Path, sampling: Sampling, *, native: bool = False, batch: int = MAX_BATCH, threads: int = 0) -> Iterator[FrameBatch]:
    """Decodes a recording and yields its sampled frames, RGB, in batches of at most `batch`.

    The data of a batch is fresh uint8 [T, 3, H, W]; pts are whole numbers in the stream's time base. Memory does
    not grow with the recording. native: with the game's own pixels, where the recording shows them enlarged. threads: of the
    decoder; 0 means as many as the machine has cores.
    Raises InputError for a file that cannot be read, has no video, is damaged or cut off (after the
    frames that are there), holds no picture, or has timestamps that run backwards.
    """
    path = Path(path)
    if sampling.native:
        yield from native_frames(path, sampling, batch=batch, threads=threads)
        return
    with opened_video(path, threads=threads) as (container, stream):
        time_base = Fraction(stream.time_base)
        collected = Collected(sampling.geometry, time_base, batch)
        scaler = Scaler(sampling.geometry, looks=native)
        latest = rotation = None
        for frame, frame_pts in timed_frames(container, stream, path, Foresight(sampling.chooser(time_base))):
            if latest is not None and frame_pts <= latest:
                raise InputError(f"{path}: timestamps run backwards: {frame_pts} after {latest}, in units of {time_base} s")
            latest = frame_pts
            if rotation is None:
                # Asked of one frame only: PyAV's frame and its side data hold each other, and 3 MB of 1080p, until
                # the garbage collector comes by, which for so few objects is seldom.
                rotation = rotation_of(frame, path)
            for ready in scaler.given(frame, frame_pts, rotation):
                yield from collected.added(*ready)
        if latest is None:
            raise InputError(f"{path}: holds no picture that can be decoded")
        for ready in scaler.rest(rotation):
            yield from collected.added(*ready)
        yield from collected.rest()


def native_frames(path: Path, sampling: Sampling, *, batch: int, threads: int) -> Iterator[FrameBatch]:
    """The game's own pixels as frames; raises InputError, beside what `sampled_frames` raises, for a recording that shows others or none."""
    for found in sampled_frames(path, replace(sampling, native=False), native=True, batch=batch, threads=threads):
        if found.grid is None or found.grid.native != sampling.geometry:
            shows = "no game's own pixels" if found.grid is None else f"a game of {found.grid} pixels"
            raise InputError(f"{path}: shows {shows} enlarged; one of {sampling.geometry} was expected")
        yield FrameBatch(found.native, found.pts, found.time_base)


class Scaler:
    """Makes pictures of decoded frames, and the game's own pixels where `looks` and the first frames show that there are any."""

    def __init__(self, geometry: Geometry, *, looks: bool):
        self.geometry, self._looks = geometry, looks
        self._area = AreaScaler(geometry)
        self._native: NativeSampler | None = None
        self._held: list[tuple] = []  # frames and their timestamps, until there are enough to look through

    def given(self, frame, pts: int, rotation: int) -> Iterator[tuple]:
        """Takes a frame; gives those that are ready, as picture, timestamp, native pixels and grid."""
        if not self._looks:
            yield self._made(frame, pts, rotation)
            return
        self._held.append((frame, pts))
        if len(self._held) >= max(2, min(LOOKED_THROUGH, LOOKED_BYTES // (2 * frame.width * frame.height))):
            yield from self.rest(rotation)

    def rest(self, rotation: int) -> Iterator[tuple]:
        """Looks through the frames that are held, and gives them."""
        if self._held and rotation == 0:
            reader = PlaneReader()
            frames = [frame for frame, _ in self._held]
            small = np.stack([self._area.planes(frame) for frame in frames])
            found = found_grid([reader.planes(frame) for frame in frames], small)
            self._native = None if found is None else NativeSampler(*found)
        self._looks = False
        held, self._held = self._held, []
        for frame, pts in held:
            yield self._made(frame, pts, rotation)

    def _made(self, frame, pts: int, rotation: int) -> tuple:
        picture = np.empty((3, self.geometry.height, self.geometry.width), np.uint8)
        self._area.scale_into(frame, picture, rotation)
        if self._native is None:
            return picture, pts, None, None
        grid = self._native.grid
        native = np.empty((3, grid.native.height, grid.native.width), np.uint8)
        self._native.sample_into(frame, native)
        return picture, pts, native, grid


class Collected:
    """Gathers pictures into batches."""

    def __init__(self, geometry: Geometry, time_base: Fraction, size: int):
        self._geometry, self._time_base, self._size = geometry, time_base, size
        self._waiting: list[tuple] = []

    def added(self, *ready) -> Iterator[FrameBatch]:
        self._waiting.append(ready)
        if len(self._waiting) == self._size:
            yield from self.rest()

    def rest(self) -> Iterator[FrameBatch]:
        if self._waiting:
            pictures, times, natives, grids = zip(*self._waiting)
            self._waiting = []
            yield FrameBatch(np.stack(pictures), times, self._time_base, None if grids[0] is None else np.stack(natives), grids[0])


def sampled_ahead(path: Path, sampling: Sampling, *, native: bool = False, threads: int = 0) -> Ahead:
    """As `sampled_frames`, by a thread that begins at once and stays some megabytes of frames ahead of a coder. threads: of the decoder; 0 for what is best beside that."""
    geometry = sampling.geometry
    batch = max(1, min(MAX_BATCH, AHEAD_BYTES // (BATCHES_AHEAD * 3 * geometry.width * geometry.height)))
    return Ahead(sampled_frames(path, sampling, native=native, batch=batch, threads=threads or BESIDE_OTHERS), BATCHES_AHEAD, name="lvc-sampling")


def timed_frames(container, stream, path: Path, foresight: Foresight | None = None):
    """Yields `(frame, pts)` of all frames, or of those that are foreseen to be needed; a stream without timestamps counts
    frames at its average rate.

    Raises InputError, after the frames that are there, for a recording that was cut off or is damaged.
    """
    period = 1 / (Fraction(stream.average_rate or 25) * stream.time_base)
    foresight = foresight or Foresight()
    seconds = 0.0
    try:
        for packet in foresight.packets(container, stream):
            for frame in packet.decode():
                pts = frame.pts if frame.pts is not None else round(foresight.number * period)
                if foresight.takes(pts):
                    yield frame, pts
                seconds = float(pts * stream.time_base)
    except av.error.FFmpegError as error:
        reason = f"{error.strerror or error}"
        raise InputError(f"{path}: is damaged after frame {foresight.number} ({seconds:.2f} s): {reason}") from error
    last = foresight.finish()
    seconds = seconds if last is None else float(last * stream.time_base)
    number = foresight.number
    promised = promised_seconds(container, stream, number)
    start = float((stream.start_time or 0) * stream.time_base)
    if number and promised is not None and seconds - start < 0.98 * promised - 1:
        raise InputError(f"{path}: was cut off: ends at {seconds - start:.2f} of {promised:.2f} s, after frame {number}")


def promised_seconds(container, stream, frames: int) -> float | None:
    """How long the header says the video is where it also promises more frames than there were; None otherwise.

    Either alone proves nothing: an edit list hides frames, a duration may be that of the sound or of a last picture
    that stands still. So mkv and ts, which count no frames, are read as far as they go: they are made to survive that.
    """
    durations = []
    if stream.duration is not None:
        durations.append(float(stream.duration * stream.time_base))
    if container.duration is not None:
        durations.append(container.duration / av.time_base)
    return min(durations) if durations and stream.frames > frames else None
