"""Sampled frames of a recording with the pixels that the game itself drew, where the recording shows these enlarged."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lvc.errors import InputError
from lvc.frames import FrameBatch, Geometry
from lvc.native.grid_search import found_grid
from lvc.native.pixel_grid import Blur, PixelGrid
from lvc.native.planes import NativeSampler, PlaneReader, Planes, unsmeared
from lvc.video.resize import AreaScaler
from lvc.video.sample import MAX_BATCH, FramesAhead, SampledFrame, Sampling, chosen_frames

# Sampled frames of a recording's beginning that are looked through for the game's own pixels;
# fewer of large ones, which wait in memory.
LOOKED_THROUGH, LOOKED_BYTES = 12, 96 << 20
FIRST_BATCH = 12  # frames: enough to begin with, for one who waits
FLAT_LEVELS = 8  # of luma within which a picture shows nothing


class GridLost(InputError):
    """The frames of a recording change their size, and show other pixels than the game's that were found, or none:
    it is to be coded without.
    """


@dataclass(frozen=True)
class Ready:
    """A picture uint8 [H, W, 3] with its time, and the game's own pixels uint8 [h, w, 3] of a grid, or None both."""

    picture: np.ndarray
    pts: int
    native: np.ndarray | None
    grid: PixelGrid | None
    seen: Blur | None


def frames_with_native(
    path: Path, sampling: Sampling, *, batch: int = MAX_BATCH, threads: int = 0, notes: list[str] | None = None
) -> Generator[FrameBatch, None, None]:
    """As `lvc.video.sample.sampled_frames`, with the game's own pixels and their grid where the first frames show
    these.

    Raises InputError as that does, and GridLost.
    """
    finder = NativeFinder(Path(path), sampling.geometry)
    waiting: list[Ready] = []
    size = min(FIRST_BATCH, batch)
    for ready, time_base in pictures_of(finder, chosen_frames(path, sampling, threads=threads, notes=notes)):
        waiting.append(ready)
        if len(waiting) == size:
            yield one_batch(waiting, time_base)
            waiting, size = [], batch
    if waiting:
        yield one_batch(waiting, time_base)


def pictures_of(
    finder: "NativeFinder", frames: Iterable[tuple[SampledFrame, Fraction]]
) -> Iterator[tuple["Ready", Fraction]]:
    """What a finder makes of frames, each with the seconds of a tick."""
    time_base = None
    for chosen, time_base in frames:
        for ready in finder.given(chosen):
            yield ready, time_base
    for ready in finder.rest():
        yield ready, time_base


def native_frames(
    path: Path, sampling: Sampling, *, batch: int = MAX_BATCH, threads: int = 0, notes: list[str] | None = None
) -> Iterator[FrameBatch]:
    """The game's own pixels as frames, of which `sampling.geometry` says how many.

    Raises InputError, beside what `frames_with_native` raises, for a recording that shows others or none.
    """
    for found in frames_with_native(path, sampling, batch=batch, threads=threads, notes=notes):
        if found.grid is None or found.grid.native != sampling.geometry:
            shows = "no game's own pixels" if found.grid is None else f"a game of {found.grid} pixels"
            raise InputError(f"{path}: shows {shows} enlarged; one of {sampling.geometry} was expected")
        yield FrameBatch(found.native, found.pts, found.time_base)


def frames_with_native_ahead(path: Path, sampling: Sampling, *, threads: int = 0) -> FramesAhead:
    """As `frames_with_native`, by a thread that begins at once."""
    return FramesAhead(frames_with_native, path, sampling, threads=threads)


def one_batch(ready: Sequence[Ready], time_base: Fraction) -> FrameBatch:
    grid = ready[0].grid
    native = None if grid is None else np.stack([one.native for one in ready])
    return FrameBatch(
        np.stack([one.picture for one in ready]),
        tuple(one.pts for one in ready),
        time_base,
        native,
        grid,
        ready[0].seen,
    )


class NativeFinder:
    """Makes pictures of decoded frames, with the game's own pixels where the first frames show that there are any.

    Frames of another size, which a stream may change to, are looked through anew: where they show as many pixels of a
    game, or nothing at all, its own pixels go on, shown as at the beginning. looks: False where none are looked for.
    known: the grid of the recording and how its chroma came about, where others of its frames have shown that.
    """

    def __init__(
        self, path: Path, geometry: Geometry, *, looks: bool = True, known: tuple[PixelGrid, Blur] | None = None
    ):
        self.geometry, self._path = geometry, path
        self._area, self._planes = AreaScaler(geometry), PlaneReader()
        self._grid: PixelGrid | None = None  # that all frames of the recording are shown by
        self._looks = looks  # whether the grid is still to be found
        self._sampler: NativeSampler | None = None  # of frames as the latest
        if known is not None:
            self._grid, self._looks = known[0], False
        self._known = known
        self._kind: tuple | None = None  # of the frames that are held, or of those that the sampler is for
        self._held: list[SampledFrame] = []  # until there are enough to look through

    def given(self, chosen: SampledFrame) -> Iterator[Ready]:
        """Takes a frame; gives those that are ready."""
        if not self._looks and self._grid is None:
            yield self._made(chosen)
            return
        frame = chosen.frame
        kind = frame.width, frame.height, self._planes.stride_of(frame), chosen.rotation
        if kind != self._kind:
            yield from self.rest()
            self._change(kind)
        if self._sampler is not None or (not self._looks and self._grid is None):
            yield self._made(chosen)
            return
        self._held.append(chosen)
        if len(self._held) >= max(2, min(LOOKED_THROUGH, LOOKED_BYTES // (2 * frame.width * frame.height))):
            yield from self.rest()

    def _change(self, kind: tuple) -> None:
        """Turns to frames of another size, stride of chroma or rotation: with a sampler, or looking for one."""
        before, self._kind = self._kind, kind
        width, height, stride, rotation = kind
        if before is None and self._known is not None:
            seen = self._known[1]
            if (Geometry(width, height), stride, rotation) == (self._grid.source, seen.stride_x, 0):
                self._sampler = NativeSampler(self._grid, seen)
        if before is None or self._grid is None:
            return
        self._sampler = None
        # Where pixels stand is known; how new chroma is smeared is not
        if (before[0], before[1], before[3]) == (width, height, rotation):
            self._sampler = NativeSampler(replace(self._grid, source=Geometry(width, height)), unsmeared(stride))

    def rest(self) -> Iterator[Ready]:
        """Looks through the frames that are held, and gives them."""
        if self._held:
            self._look([one.frame for one in self._held], self._held[0].rotation)
        held, self._held = self._held, []
        for one in held:
            yield self._made(one)

    def _look(self, frames: list, rotation: int) -> None:
        planes = [self._planes.planes(frame) for frame in frames]
        found = None
        if rotation == 0:
            found = found_grid(planes, np.stack([self._area.planes(frame) for frame in frames]))
        if self._looks:
            self._looks = False
            if found is not None:
                self._grid, self._sampler = found[0], NativeSampler(*found)
        elif found is not None and found[0].native == self._grid.native:
            self._sampler = NativeSampler(*found)
        elif rotation == 0 and all(map(is_flat, planes)) and fits(self._grid.native, planes[0].geometry):
            self._sampler = NativeSampler(replace(self._grid, source=planes[0].geometry), unsmeared(planes[0].stride))
        else:
            raise GridLost(
                f"{self._path}: changes to frames of {planes[0].geometry}, which do not show the game of {self._grid} "
                "pixels of those before"
            )

    def _made(self, chosen: SampledFrame) -> Ready:
        picture = np.empty((self.geometry.height, self.geometry.width, 3), np.uint8)
        self._area.scale_into(chosen.frame, picture, chosen.rotation)
        if self._sampler is None:
            return Ready(picture, chosen.pts, None, None, None)
        native = np.empty((self._grid.native.height, self._grid.native.width, 3), np.uint8)
        self._sampler.sample_into(chosen.frame, native)
        return Ready(picture, chosen.pts, native, self._grid, self._sampler.seen)


def fits(native: Geometry, source: Geometry) -> bool:
    """Whether a recording of that size can show so many pixels."""
    return native.width <= source.width and native.height <= source.height


def is_flat(planes: Planes) -> bool:
    """Whether a picture shows nothing, as a black screen."""
    return int(planes.luma.max()) - int(planes.luma.min()) <= FLAT_LEVELS
