"""`Writer`: frames in, one `.lvc` file out, a group at a time; the coding runs in threads of its own."""

import contextlib
import operator
import os
import shlex
import shutil
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from lvc.codecs.codec import CodedGroup, GroupCodec, tools_off
from lvc.codecs.family import check_pixels, open_codec, traits_of
from lvc.container.layout import MAX_SPAN_TICKS, Group, Header
from lvc.container.reader import ContainerReader
from lvc.container.writer import ContainerWriter
from lvc.errors import FormatError, OptionError, OutputError
from lvc.frames import DEFAULT_GEOMETRY, FrameBatch, Geometry
from lvc.native.pixel_grid import PixelGrid
from lvc.output import check_output, check_unclaimed, identity, part_of, repaired_name, written_path, written_whole
from lvc.parallel.background import Background
from lvc.quality.metrics import mean_of_psnr, mean_squared_error
from lvc.rates import rate_of
from lvc.weights import checkpoints
from lvc.writing.choice import AUTO, Run, candidates
from lvc.writing.clock import Clock
from lvc.writing.pictures import checked_order, pictures_of
from lvc.writing.scene import is_cut

VERSION = "0.1.0"
# Frames by which a writer chooses the model or its quantiser, where none is named: a group of most models. Fewer where
# groups are to be shorter, or frames large.
CHOSEN_BY, FEWEST_CHOSEN_BY, CHOSEN_BY_BYTES = 256, 48, 1 << 26
RUN_FRAMES = 12  # of each run of them that models are tried on
SAMPLE_FRAMES = 4  # decoded again from the first group, to tell whether the model suits the recording
SHORTEST_SCENE = 8  # frames: a screen that flashes does not get a keyframe for each flash
MAX_KEYINT = 4096  # bounds what one group costs in memory: 4096 frames of 200x160 latents are 130 MB
PTS_LIMIT = 1 << 63
SAME_RATE = 0.05  # ticks of a millisecond put 60 frames a second 2 % off


class Writer:
    """Codes frames as they come, in threads of its own; each group is in the file as soon as it is coded.

        with lvc.Writer("run.lvc", fps=30) as writer:
            writer.write(frame)

    fps: frames a second as they are written; may be left out where `time_base`, seconds of a tick, is given (by default
    1 / fps) and each frame comes with its `pts`. frame_duration: ticks from one kept frame to the next (by default as
    fps says).
    geometry: size of the coded frames (by default 200x160 for models that take any, and else the model's); others are
    area-averaged to it. every: keep one frame of so many.
    grid: how the game's own pixels, that every batch brings along then, are shown as frames; for models that take them.
    model, quantiser, entropy, crf, effort, keyint, device: as for `encode`; without a model the first frames choose
    one. dimension_order: "HWC" or "CHW", see `write`.
    queue_frames: how many may wait to be coded (one group may in any case); beyond that `write` blocks, so that memory
    is bounded.
    source: JSON object for the header. append: continue a file that is there, at its settings.

    The file grows as `part` (`<path>.part`), which `lvc.open` reads at any time, and takes its name on `close`. Where
    the block fails, or the program dies, the name stays as it was: free, or with `append` the old file, whole. The
    frames that were written are then in the part (without one coded there is none), which `lvc verify --repair` makes
    whole; it is not written over unless `overwrite`.
    Raises OptionError, ModelError, OutputError, and FormatError for a damaged file to append to. For one thread.
    """

    # Frames [H, W, 3] of the next group, their timestamps, and native pixels where there are any
    _waiting: list[tuple[np.ndarray, int, np.ndarray | None]]

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        fps: float | Fraction | np.floating | None = None,
        geometry: Geometry | None = None,
        grid: PixelGrid | None = None,
        every: int | None = None,
        model: str | os.PathLike | checkpoints.Checkpoint | None = None,
        quantiser: dict | None = None,
        entropy: dict | None = None,
        crf: int | None = None,
        effort: int | None = None,
        restoration: bool = True,
        without: Collection[str] = (),
        keyint: int | None = None,
        time_base: Fraction | None = None,
        frame_duration: int | None = None,
        dimension_order: str | None = None,
        device: str = "cpu",
        queue_frames: int = 128,
        source: dict | None = None,
        append: bool = False,
        overwrite: bool = False,
        inputs: tuple[Path, ...] = (),
    ):
        self.path, self.part = Path(path), part_of(Path(path))
        self._order = checked_order(dimension_order)
        self._queue_frames = whole("queue_frames", queue_frames, 0)
        if append and overwrite:
            raise OptionError("append keeps the file that is there, and overwrite does not: give one of them")
        if append:
            check_left_behind(self.path, self.part)
        check_output(self.path, overwrite=overwrite, inputs=inputs, recoverable=True, extends=append)
        # Told from one that is put in its place meanwhile, whose frames would be lost.
        self._continued = identity(self.path) if append else None
        old = ContainerReader(self.path) if self._continued else None
        header = None if old is None else old.header
        try:
            checkpoint = self._checkpoint(header, model, device)
            usual = (
                DEFAULT_GEOMETRY
                if checkpoint is None or traits_of(checkpoint).any_size
                else checkpoint.metadata.geometry
            )
            self.geometry = chosen(geometry, header, "geometry", usual)
            if not isinstance(self.geometry, Geometry):
                raise OptionError(f"geometry must be a Geometry, as lvc.Geometry(200, 160), not {self.geometry!r:.60}")
            check_pixels(self.geometry)
            keyint = chosen(keyint, header, "keyint", None)
            self.keyint = None if keyint is None else whole("keyint", keyint, 1, MAX_KEYINT)
            self._coding_options = {
                "quantiser": chosen(quantiser, header, "quantiser", None),
                "entropy": chosen(entropy, header, "entropy", None),
                "crf": crf if crf is not None or header is None else header.extra.get("crf"),
                "effort": effort,
                "device": device,
                "grid": grid if header is None else agreed_grid(header, grid),
                # A quantiser that is given, as that of a file that is continued, says itself whether there is one.
                "without": tools_off(restoration and header is None and quantiser is None, without),
            }
            self._ticks = self._set_clock(header, fps, every, time_base, frame_duration)
            self._source = chosen(source, header, "source", {"every": self.every})
            self.codec: GroupCodec | None = None  # until the first frames have said which
            self.header: Header | None = None
            self._pending = checkpoint if checkpoint is not None and self._is_fitted(checkpoint) else None
            if checkpoint is None and (quantiser or entropy):
                raise OptionError("a quantiser or an entropy coder goes with a model: name one")
            if checkpoint is not None and self._pending is None:
                self._settle(checkpoint, header)
            self._open(old, overwrite=overwrite, inputs=inputs)
        finally:
            if old is not None:
                old.close()

    # The model, and what of it the first frames decide

    def _is_fitted(self, checkpoint: checkpoints.Checkpoint) -> bool:
        """Whether frames choose the quantiser of this model, and none is given."""
        return traits_of(checkpoint).fitted and self._coding_options["quantiser"] is None

    def _settle(self, checkpoint: checkpoints.Checkpoint, old: Header | None = None) -> None:
        """Opens the codec, and says in a header what the file is."""
        self.codec = open_codec(checkpoint, geometry=self.geometry, **self._coding_options)
        if self.keyint is None:
            self.keyint = min(self.codec.traits.usual_keyint, self.codec.most_group_frames)
        self.codec.check_group_frames(self.keyint)
        self.header = self._agreed(
            old,
            Header(
                width=self.geometry.width,
                height=self.geometry.height,
                time_base=self.time_base,
                frame_duration=self._ticks,
                keyint=self.keyint,
                model={"name": checkpoint.name, "sha256": checkpoint.sha256},
                quantiser=self.codec.quantiser_spec,
                entropy=self.codec.entropy_spec,
                source=self._source,
                encoder=f"lvc {VERSION}",
                extra=self._extra(),
            ),
        )

    @property
    def _chosen_by(self) -> int:
        """How many frames have to be there for a choice."""
        fitting = CHOSEN_BY_BYTES // (3 * self.geometry.width * self.geometry.height)
        wanted = CHOSEN_BY if self.keyint is None else min(CHOSEN_BY, max(self.keyint, FEWEST_CHOSEN_BY))
        return max(min(wanted, fitting), 2 * RUN_FRAMES)

    def _choose(self) -> None:
        """Takes the model that serves the waiting frames best, fitted to them, and begins the file."""
        options = self._coding_options
        runs = [Run(*run) for run in self._runs()]
        chosen_model, fit = self._pending, None
        if not runs:  # a file without a frame
            chosen_model = chosen_model or checkpoints.load(checkpoints.DEFAULT)
        elif chosen_model is None:
            best = candidates(
                runs,
                self.geometry,
                grid=options["grid"],
                crf=options["crf"],
                effort=options["effort"],
                device=options["device"],
            )[0]
            chosen_model, fit = best.checkpoint, best.fit
        if chosen_model is not None and not traits_of(chosen_model).takes_native:
            options["grid"] = None
        if runs and self._is_fitted(chosen_model):
            codec = open_codec(chosen_model, geometry=self.geometry, **options)
            if fit is None:
                fit = codec.fitted([(run.frames, run.frames) for run in runs])
            options["quantiser"] = codec.settled(
                fit, [np.stack([picture for picture, _, _ in self._waiting])]
            ).quantiser
        self._settle(chosen_model)
        if self.codec.grid is None:
            self._waiting = [(picture, time, None) for picture, time, _ in self._waiting]
        self._begin_coding()
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self._take(*frame)

    def _runs(self) -> Iterator[tuple]:
        """Frames of the waiting ones to choose by, with their native pixels."""
        count = min(len(self._waiting), RUN_FRAMES)
        starts = {0, len(self._waiting) - count} if len(self._waiting) >= 2 * RUN_FRAMES else {0}
        for start in sorted(starts) if count else ():
            frames, _, native = zip(*self._waiting[start : start + count])
            yield np.stack(frames), None if native[0] is None else np.stack(native)

    # What was not asked for is as in the header of the file that is continued

    def _extra(self) -> dict:
        crf = {} if self.codec.crf is None else {"crf": self.codec.crf}
        return crf if self.codec.grid is None else {**crf, "grid": self.codec.grid.as_json()}

    def _checkpoint(self, old: Header | None, model, device: str) -> checkpoints.Checkpoint | None:
        """The model that was named, or the header's; None where frames are to choose it."""
        if model is None and old is not None:
            return checkpoints.find(old.model["name"], old.model["sha256"], device=device)
        if model in (None, AUTO):
            if old is not None:
                raise OptionError(
                    f"{self.path}: is continued with its own model, {old.model['name']}; leave the model out"
                )
            return None
        if not isinstance(model, checkpoints.Checkpoint):
            model = checkpoints.load(model, device=device)
        if old is not None:
            self._check_same(
                "model", f"{old.model['name']} ({old.model['sha256'][:16]})", f"{model.name} ({str(model.sha256)[:16]})"
            )
        return model

    def _set_clock(self, old: Header | None, fps, every, time_base, frame_duration) -> int:
        """Sets how frames are kept and timed; gives the ticks from one kept frame to the next."""
        if every is None:
            stated = old.source.get("every") if old is not None else None
            every = stated if type(stated) is int and stated >= 1 else 1
        self.every = whole("every", every, 1)
        rate = None if fps is None else rate_of(fps)
        if rate is None and old is not None:
            rate = self.every / (old.frame_duration * old.time_base)
        if rate is None and time_base is None:
            raise OptionError("fps, the frames a second, or time_base for frames with pts of their own was expected")
        self.time_base = chosen(time_base, old, "time_base", None if rate is None else 1 / rate)
        if not (isinstance(self.time_base, Fraction) and self.time_base > 0):
            raise OptionError(f"time_base must be a Fraction above 0, not {self.time_base!r:.60}")
        self._clock = None if rate is None else Clock(rate, self.time_base, every=self.every)
        if (
            old is not None
            and fps is not None
            and abs(self._clock.step * self.every / old.frame_duration - 1) > SAME_RATE
        ):
            theirs = 1 / (old.frame_duration * old.time_base)
            raise OptionError(
                f"{self.path}: cannot be continued at another rate: it has {theirs} frames a second, and "
                f"{rate / self.every} would be kept"
            )
        if frame_duration is not None:
            return frame_duration
        return 1 if self._clock is None else self._clock.kept_ticks

    def _agreed(self, old: Header | None, new: Header) -> Header:
        """The header that the file gets; raises OptionError where a file is continued that has another."""
        if old is None:
            return new
        for name in ("geometry", "time_base", "frame_duration", "keyint", "quantiser", "entropy", "source"):
            self._check_same(name, getattr(old, name), getattr(new, name))
        for name in ("crf", "grid"):
            self._check_same(name, old.extra.get(name), new.extra.get(name))
        return old

    def _check_same(self, name: str, theirs, ours) -> None:
        if theirs != ours:
            raise OptionError(
                f"{self.path}: cannot be continued with another {name}: it has {theirs}, and {ours} was asked for"
            )

    def _open(self, old: ContainerReader | None, *, overwrite: bool, inputs: tuple[Path, ...]) -> None:
        self._waiting = []
        self._given = 0  # frames, with those that `every` leaves out
        self._timed: bool | None = None  # whether frames come with pts
        # Mean dB of a few frames of the first group, when it is written;
        # None before, and where all came back identical.
        self.sample_psnr: float | None = None
        self._coding: Background | None = None
        self._file: BinaryIO | None = None
        self._container: ContainerWriter | None = None
        self._old_frames = 0 if old is None else old.frame_count
        self._output = written_whole(
            self.path,
            overwrite=overwrite,
            inputs=inputs,
            recoverable=self._recoverable,
            extends=self._continued is not None,
        )
        self._output.__enter__()
        self._last_pts: int | None = None
        try:
            self._file = open(self.part, "wb")  # noqa: SIM115, closed by close()
            if self.codec is not None:
                self._begin_coding(old)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        if self._clock is not None and self._last_pts is not None:
            self._clock.start = self._last_pts + self.header.frame_duration

    def _begin_coding(self, old: ContainerReader | None = None) -> None:
        """Writes the header, and what is there already; from here on groups can be coded."""
        threads = (os.cpu_count() or 1) if self.codec.traits.side_by_side else 1
        self._coding = Background(self._queue_frames, name="lvc-writer", threads=threads)
        self._container = ContainerWriter(self._file, self.header)
        if old is not None:
            self._check_unchanged()
            self._container.continue_from(old)
            self._last_pts = self._container.last_pts
            shutil.copymode(self.path, self.part)

    def _recoverable(self) -> bool:
        # Before a group is coded there is nothing to recover.
        return self._container is not None and self.frames_written > self._old_frames

    def _check_unchanged(self) -> None:
        if identity(self.path) != self._continued:
            raise OutputError(f"{self.path}: was changed by somebody else while it was continued")

    @property
    def frames_written(self) -> int:
        """Frames that are coded and in the file, those of a file that was continued among them."""
        return self._old_frames if self._container is None else self._container.frame_count

    def write(self, frames, pts: int | Iterable[int] | None = None) -> None:
        """Takes one frame or a batch; blocks while the queue is full.

        frames: uint8 RGB of any size, numpy or torch: [H, W, 3], [3, H, W] or a batch of either; or a FrameBatch of
        this file's geometry and time base. They are copied. pts: timestamps in ticks of `time_base`, which must go up,
        for all frames of a file or for none. Raises OptionError, after which nothing of the call was taken, and what
        the coding thread met.
        """
        if self._output is None:
            raise OptionError(f"{self.path}: is closed; nothing more can be written")
        if self._coding is not None:
            self._coding.check()
        native = None
        if isinstance(frames, FrameBatch):
            pts = self._checked_batch(frames, pts)
            pictures, native = frames.data, frames.native
        else:
            pictures = pictures_of(frames, dimension_order=self._order)
        grid = self._coding_options["grid"]
        if grid is None:
            native = None
        elif native is None or frames.grid.native != grid.native:
            raise OptionError(f"this file shows a game's {grid} pixels: batches that bring these along were expected")
        kept = range(-self._given % self.every, len(pictures), self.every)
        times = self._times(len(pictures), pts)
        self._check_times([times[place] for place in kept])
        self._given, self._timed = self._given + len(pictures), pts is not None
        for place in kept:
            self._take(self._fitted(pictures[place]), times[place], None if native is None else native[place].copy())
            self._last_pts = times[place]

    def _take(self, picture: np.ndarray, time: int, native: np.ndarray | None) -> None:
        """Adds a frame to the next group, and hands over what is whole with it or before it."""
        if self.codec is None:
            self._waiting.append((picture, time, native))
            if len(self._waiting) >= self._chosen_by:
                self._choose()
            return
        if self._ends_scene(picture):
            self._hand_over()
        self._waiting.append((picture, time, native))
        if len(self._waiting) == self.keyint:
            self._hand_over()

    def _ends_scene(self, picture: np.ndarray) -> bool:
        """Whether the waiting frames are a group of their own, because this one has nothing to do with them."""
        looks = self.codec.traits.predicts and not self.codec.traits.finds_scenes
        return looks and len(self._waiting) >= SHORTEST_SCENE and is_cut(self._waiting[-1][0], picture)

    def _checked_batch(self, batch: FrameBatch, pts) -> tuple[int, ...]:
        if pts is not None:
            raise OptionError("a FrameBatch has timestamps of its own")
        if batch.geometry != self.geometry:
            raise OptionError(f"frames are {batch.geometry}, and this file holds {self.geometry}")
        if batch.time_base != self.time_base:
            raise OptionError(f"timestamps are in {batch.time_base} s, and this file's in {self.time_base} s")
        return batch.pts

    def _times(self, count: int, pts) -> list[int]:
        """Timestamps of the next `count` frames."""
        timed = pts is not None
        if self._timed not in (None, timed):
            raise OptionError("timestamps (pts) were expected for all frames of a file, or for none")
        if not timed:
            if self._clock is None:
                raise OptionError("this file has no fps: timestamps (pts) were expected")
            return [self._clock.pts(self._given + number) for number in range(count)]
        try:
            times = [operator.index(time) for time in (pts if isinstance(pts, Iterable) else [pts])]
        except TypeError:
            raise OptionError(f"timestamps must be whole numbers of {self.time_base} s") from None
        if len(times) != count:
            raise OptionError(f"{count} frames came with {len(times)} timestamps")
        return times

    def _check_times(self, times: list[int]) -> None:
        """Raises OptionError where these timestamps of kept frames cannot follow those before."""
        last = self._last_pts
        first = self._waiting[0][1] if self._waiting else None
        for place, time in enumerate(times):
            if not -PTS_LIMIT <= time < PTS_LIMIT:
                raise OptionError(f"timestamps must be within 64 bits, not {time}")
            if last is not None and time <= last:
                raise OptionError(f"timestamps must increase from frame to frame; {time} follows {last}")
            if (len(self._waiting) + place) % (self.keyint or MAX_KEYINT) == 0:
                first = time
            if time - first >= MAX_SPAN_TICKS:
                raise OptionError(f"timestamps of a group must span less than 2**50 ticks, not {first} to {time}")
            last = time

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        """A picture uint8 [H, W, 3] as a fresh frame of the file's geometry."""
        if picture.shape[:2] == (self.geometry.height, self.geometry.width):
            return np.array(picture, order="C")
        from lvc.video.resize import resize  # not above: frames of the right size need neither OpenCV nor FFmpeg

        return resize(picture[None], self.geometry)[0]

    # The coding threads, and the one that writes what they make in order

    def _hand_over(self) -> None:
        """Gives the waiting frames to a coding thread as a group, once there is room."""
        self._coding.submit(len(self._waiting), self._code, self._waiting, take=self._put)
        self._waiting = []  # not before: what interrupts the waiting for room loses no frame

    def _code(self, group: list[tuple]) -> tuple:
        frames, times, native = zip(*group)
        frames = np.stack(frames)
        return times, frames, self.codec.encode_group(frames if native[0] is None else np.stack(native))

    def _put(self, given: tuple) -> None:
        times, frames, coded = given
        if self.frames_written == self._old_frames:
            self.sample_psnr = self._sample_psnr(frames, coded)
        try:
            self._container.write_group(
                Group(first_frame=self.frames_written, pts=times, packets=coded.packets, digest=coded.digest)
            )
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _sample_psnr(self, frames: np.ndarray, coded: CodedGroup) -> float | None:
        chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLE_FRAMES).astype(int))
        decoded = self.codec.decoded_pictures(coded, chosen)
        return mean_of_psnr(mean_squared_error(*pair) for pair in zip(frames[chosen], decoded))

    def _finish_coding(self) -> None:
        """Codes all frames that were written."""
        if self.codec is None:
            self._choose()
        if self._waiting:
            self._hand_over()
        self._coding.finish()

    def close(self) -> None:
        """Codes what is waiting, writes the index and gives the file its name."""
        if self._output is None:
            return
        try:
            self._finish_coding()
            self._container.finish()
            if self._continued is not None:
                self._check_unchanged()
            self._file.close()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        output, self._output = self._output, None
        self._coding.stop()
        output.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        elif self._output is not None:
            output, self._output = self._output, None
            with contextlib.suppress(BaseException):  # `error` came first and is told; an interrupt ends the waiting
                self._finish_coding()
            if self._coding is not None:
                self._coding.stop()
            with contextlib.suppress(OSError):  # of a full disk, which `error` tells already
                if self._file is not None:
                    self._file.close()
            output.__exit__(kind, error, trace)


def check_left_behind(path: Path, part: Path) -> None:
    """Raises OutputError that says what to do where a writer died while it continued `path`."""
    check_unclaimed(path, part)
    if not part.is_file():
        return
    there = frames_in(part)
    before = frames_in(path) if path.exists() else 0
    # A writer that is killed while it copies the old frames leaves fewer of them than the file has.
    if there > before:
        whole = written_path(path)
        commands = (
            ["lvc", "verify", "--repair", str(part)],
            ["mv", str(repaired_name(part)), str(whole)],
            ["rm", str(part)],
        )
        what = f"{part} holds its frames and {there - before} more" if before else f"{part} holds {there} frames"
        raise OutputError(
            f"{path}: a writer died while it wrote it, and {what}: first run {'; '.join(map(shlex.join, commands))}"
        )
    raise OutputError(
        f"{path}: a writer died while it wrote it, and {part} holds no more frames: first run "
        f"{shlex.join(['rm', str(part)])}"
    )


def frames_in(path: Path) -> int:
    """Frames of a file that can be read, also of one that was not finished; 0 of what is none."""
    try:
        with ContainerReader(path) as reader:
            return reader.frame_count
    except FormatError:
        return 0


def agreed_grid(header: Header, grid: PixelGrid | None) -> PixelGrid | None:
    """The grid that was asked for, or the header's; what differs is told later, with the rest.
    Raises FormatError for a header's that cannot be.
    """
    stated = header.extra.get("grid")
    try:
        return grid if grid is not None or stated is None else PixelGrid.from_json(stated)
    except OptionError as error:
        raise FormatError(f"the header asks for what cannot be: {error}") from error


def chosen(given, header: Header | None, name: str, default):
    """What was asked for, or else the header's field, or else the default."""
    if given is not None:
        return given
    return default if header is None else getattr(header, name)


def whole(name: str, value, low: int, high: int | None = None) -> int:
    """The whole number of frames; raises OptionError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high is not None and value > high):
        raise OptionError(
            f"{name} must be a whole number of frames from {low}{'' if high is None else f' to {high}'}, not {value!r}"
        )
    return value
