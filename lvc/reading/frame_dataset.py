"""`FrameDataset`: windows of frames, or of integer latents, from many `.lvc` files, as a torch Dataset."""

import math
import operator
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from lvc.errors import InputError, OptionError
from lvc.reading.columns import Columns, episode_starts
from lvc.reading.decoder_calls import DIMENSION_ORDERS
from lvc.reading.kept_frames import FrameCache
from lvc.reading.reader import IntegerLatents, Reader
from lvc.reading.recency import RecentlyUsed

SUFFIX = ".lvc"
MATCHES = ("nearest", "shown")
DEFAULT_CACHE_BYTES = 256 << 20
ITEM_KEYS = {
    "frames",
    "latents",
    "parameters",
    "pts_seconds",
    "is_pad",
    "index",
    "episode_index",
    "frame_index",
    "file",
}


@dataclass(frozen=True)
class Window:
    """Frames of one file: their numbers, and whether each stands in for a time beyond the file's ends."""

    numbers: list[int]
    is_pad: list[bool]


@dataclass(frozen=True)
class Latest:
    """Latents of frames of one file that were read just now, by number; position: of the file in the data set."""

    position: int
    reader: Reader
    numbers: list[int]
    latents: IntegerLatents


class OpenFile:
    """A reader with what finding frames by time needs."""

    def __init__(self, reader: Reader, deltas: Sequence[Fraction], match: str, tolerance_seconds: float | None):
        self.reader, self.match = reader, match
        base = reader.time_base
        self.deltas = [delta / base for delta in deltas]
        if tolerance_seconds is None:
            self.tolerance = Fraction(reader.header.frame_duration if match == "nearest" else 1, 2)
        else:
            self.tolerance = exact(tolerance_seconds) / base

    def window(self, number: int, episode: range) -> Window:
        """The frames at the deltas around a frame, of its episode alone;
        raises InputError where there is none within the tolerance.
        """
        pts = self.reader.container.pts_of(number)
        found = [(number, False) if delta == 0 else self._frame_at(pts + delta, episode) for delta in self.deltas]
        return Window(*map(list, zip(*found)))

    def _frame_at(self, wanted: Fraction, episode: range) -> tuple[int, bool]:
        container, index, shown = self.reader.container, self.reader.container.index, self.match == "shown"
        first = max(episode.start, int(index.first_frames[0]))
        if wanted < (int(index.first_pts[0]) if episode.start == 0 else container.pts_of(first)) - self.tolerance:
            return first, True
        last = min(episode.stop, len(self.reader)) - 1
        if last < len(self.reader) - 1 or wanted > int(index.first_pts[-1]):  # only then is the last group read
            last_pts = container.pts_of(last)
            if wanted >= last_pts + self.reader.header.frame_duration if shown else wanted > last_pts + self.tolerance:
                return last, True
        near = self._around(wanted + self.tolerance if shown else wanted)
        if shown:
            return min(max(near[0][0], first), last), False  # the tolerance may reach into the next episode
        near = [one for one in near if first <= one[0] <= last]
        number, pts = min(near, key=lambda one: abs(one[1] - wanted))
        if abs(pts - wanted) > self.tolerance:
            base = self.reader.time_base
            raise InputError(
                f"{self.reader.container.name}: no frame within {float(self.tolerance * base):.6g} s of "
                f"{float(wanted * base):.6f} s: "
                f"the nearest is frame {number} at {float(pts * base):.6f} s; choose other delta_timestamps, a "
                "greater tolerance_seconds, or match='shown'"
            )
        return number, False

    def _around(self, wanted: Fraction) -> list[tuple[int, int]]:
        """(number, pts) of the last frame that is not later, and of the one after it."""
        container, index = self.reader.container, self.reader.container.index
        ticks = max(math.floor(wanted), int(index.first_pts[0]))
        k = int(np.searchsorted(index.first_pts, ticks, side="right")) - 1
        group = container.group(k)
        inside = bisect_right(group.pts, ticks) - 1
        found = [(group.first_frame + inside, group.pts[inside])]
        if inside + 1 < group.frame_count:
            found.append((group.first_frame + inside + 1, group.pts[inside + 1]))
        elif k + 1 < len(index):
            found.append((int(index.first_frames[k + 1]), int(index.first_pts[k + 1])))
        return found


class FrameDataset(Dataset):
    """All frames of some `.lvc` files, each with the frames around it, for `torch.utils.data.DataLoader`.

    files: a folder (every .lvc below it, by name), a file, or a list of either. All must be of one size, and with
    `latents` of one model, quantiser and crf. Damaged files raise FormatError at the frames that are lost.
    delta_timestamps: seconds relative to the item's frame, N of them, (0,) by default. A time beyond an end of the file
    gives the frame at that end, marked in is_pad.
    match: "nearest" takes the frame nearest in time and raises InputError where it is further away than
    tolerance_seconds, by default half the file's nominal frame duration; "shown" takes the frame that a player shows at
    that time, which may start up to tolerance_seconds later, by default half a tick of the file's time base.
    latents: items hold integer latents, no pixels are made; `synthesise` makes them.
    columns: a table beside each file, such as actions in ".npz", see `Columns`; a suffix alone means a row for each
    frame.
    episodes: the column that tells the episodes of a file apart: bool, True at an episode's last frame, or whole
    numbers that change from one to the next. Without it each file is one. Windows do not cross their ends, which are as
    those of a file.
    output_dtype: torch.uint8, or torch.float32 with values in [0, 1]. transform: called with each item, gives what
    takes its place.
    model, device, dimension_order: as for `lvc.open`. cache_bytes: memory for decoded latents of all files (of
    codecs without latents, the pictures), for each process.
    frame_cache_bytes: alike for decoded frames, about 20 KB each of 200x160 where the scenery stays: those cost no
    decoding, and are the same bytes as at first. open_files: how many stay open.

    An item is a dict:
        frames       uint8 [N, 3, H, W], or [N, H, W, 3]; without `latents`
        latents      int32 [N, *latent_shape]; with `latents`
        parameters   float32 [N, P] of the quantiser, P may be 0; with `latents`
        pts_seconds  float64 [N], the frames' own timestamps
        is_pad       bool [N]
        index        number of the item in the data set
        episode_index  number of its episode in the data set
        frame_index  number of its frame in the file
        file         the file's path as text
        and each of the `columns` by its name, [N, ...], for the same frames
    DataLoader's collation puts a batch axis B in front. A batch is read at once: each group of it is decoded once, each
    frame of it made once. Files are opened when they are needed; a data set pickles without them, and is safe in
    workers, forked or spawned, which each open their own. Not for several threads at once.
    Raises InputError where there is no file or frame, OptionError for files that do not go together.
    """

    def __init__(
        self,
        files: str | os.PathLike | Iterable[str | os.PathLike],
        *,
        delta_timestamps: Sequence[float] | None = None,
        match: str = "nearest",
        tolerance_seconds: float | None = None,
        latents: bool = False,
        model: str | os.PathLike | None = None,
        device: str = "cpu",
        dimension_order: str = "NCHW",
        columns: Columns | str | None = None,
        episodes: str | None = None,
        output_dtype: torch.dtype = torch.uint8,
        transform: Callable[[dict], Any] | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        frame_cache_bytes: int = 0,
        open_files: int = 64,
    ):
        if match not in MATCHES:
            raise OptionError(f"match is one of {', '.join(MATCHES)}, not {match!r}")
        if dimension_order not in DIMENSION_ORDERS:
            raise OptionError(f"dimension_order is one of {', '.join(DIMENSION_ORDERS)}, not {dimension_order!r}")
        if output_dtype not in (torch.uint8, torch.float32):
            raise OptionError(f"output_dtype is torch.uint8 or torch.float32, not {output_dtype!r}")
        if transform is not None and not callable(transform):
            raise OptionError(f"a transform is called with each item, and {transform!r:.80} cannot be called")
        if episodes is not None and columns is None:
            raise OptionError(f"the column {episodes!r} tells episodes apart, and no columns are given")
        if tolerance_seconds is not None and not (finite(tolerance_seconds) and tolerance_seconds >= 0):
            raise OptionError(f"tolerance_seconds is a number of seconds from 0, not {tolerance_seconds!r}")
        for name, value, least in (
            ("cache_bytes", cache_bytes, 0),
            ("frame_cache_bytes", frame_cache_bytes, 0),
            ("open_files", open_files, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise OptionError(f"{name} is a whole number from {least}, not {value!r}")
        self.delta_timestamps = (0.0,) if delta_timestamps is None else tuple(delta_timestamps)
        if not self.delta_timestamps or not all(map(finite, self.delta_timestamps)):
            raise OptionError(f"delta_timestamps are some numbers of seconds, not {delta_timestamps!r}")
        self.files = tuple(found_files(files))
        if not self.files:
            raise InputError("a data set needs files, and the list is empty")
        self.latents, self.match, self.tolerance_seconds = latents, match, tolerance_seconds
        self.columns = Columns(columns) if isinstance(columns, str) else columns
        self.episodes, self.output_dtype, self.transform = episodes, output_dtype, transform
        self._deltas = [exact(delta) for delta in self.delta_timestamps]
        self._reading: dict[str, Any] = {"model": model, "device": device, "dimension_order": dimension_order}
        self._open_files, self._cache_bytes, self._frame_cache_bytes = open_files, cache_bytes, frame_cache_bytes
        self._look_through()
        if not len(self):
            raise InputError(f"{self.files[0]}: no frames, in any of {len(self.files)} files")
        self._forget()

    def _look_through(self) -> None:
        """Opens each file once: they must go together, and their frames, keyframe groups and episodes are counted.

        starts: the first item of each file, and the number of all. group_starts, episode_starts: of each group and
        episode.
        """
        first, starts, groups, episodes = None, [0], [], []
        for path in self.files:
            with Reader(path) as reader:
                if first is None:
                    first, self.geometry, key = path, reader.geometry, reader.codec_key
                if reader.geometry != self.geometry:
                    raise OptionError(
                        f"{path}: frames of {reader.geometry}, and {first} has {self.geometry}; make a data set of each"
                    )
                if self.latents and reader.codec_key != key:
                    raise OptionError(
                        f"{path}: latents of another model, quantiser or crf than {first}; make a data set of each"
                    )
                groups.append(starts[-1] + np.asarray(reader.container.index.first_frames, dtype=np.int64))
                if len(reader):
                    episodes.append(starts[-1] + self._episodes_of(path, reader))
                starts.append(starts[-1] + len(reader))
        self.starts = np.array(starts)
        self.group_starts, self.episode_starts = (
            np.concatenate([np.zeros(0, np.int64), *found]) for found in (groups, episodes)
        )

    def _episodes_of(self, path: Path, reader: Reader) -> np.ndarray:
        """The first frame of each episode of a file."""
        if self.episodes is None:
            return np.zeros(1, np.int64)
        values = self._table(path, reader)[self.episodes]
        return episode_starts(values)

    def _table(self, path: Path, reader: Reader) -> dict[str, np.ndarray]:
        """The columns of a file, with a row for each frame."""
        more = [] if self.episodes is None else [self.episodes]
        table = self.columns.read(path, more=more)
        pts = np.array(reader.pts if self.columns.by == "time" else [0] * len(reader), dtype=np.int64)
        rows = self.columns.rows_of(table, pts, 0, len(reader), reader.time_base, self.columns.path_of(path))
        for name in table:
            if name in ITEM_KEYS:
                raise OptionError(
                    f"{self.columns.path_of(path)}: a column named {name!r}, which items have already; choose others "
                    "by their names"
                )
        return {name: values[rows] for name, values in table.items()}

    def _forget(self) -> None:
        self._opened = RecentlyUsed(self._open_files)
        self._tables = RecentlyUsed(self._open_files)
        # Of the groups of all files, open or not.
        self._decoders = RecentlyUsed(self._cache_bytes)
        self._frames = FrameCache(self._frame_cache_bytes, height=self.geometry.height, width=self.geometry.width)

    def __getstate__(self) -> dict:
        return {
            name: value
            for name, value in vars(self).items()
            if name not in ("_opened", "_tables", "_decoders", "_frames")
        }

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._forget()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: int) -> dict:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict]:
        """Items by number, in any order, read together; DataLoader asks for a batch in this way."""
        numbers = [self._number(index) for index in indices]
        by_file: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            by_file.setdefault(int(np.searchsorted(self.starts, number, side="right")) - 1, []).append(place)
        windows: list[Window | None] = [None] * len(numbers)
        read: dict[tuple, list[Latest]] = {}  # by the codec that makes pixels of them
        whole: list[dict[str, torch.Tensor]] = []
        rows: list[tuple[int, int]] = []  # (file, frame number) of what is in `whole`, in order
        for position, places in by_file.items():
            opened = self._file(position)
            for place in places:
                windows[place] = opened.window(
                    numbers[place] - int(self.starts[position]), self._episode(position, numbers[place])
                )
            wanted = sorted({number for place in places for number in windows[place].numbers})
            kept = self._kept(opened.reader, wanted)
            if kept:
                whole.append(self._taken(opened.reader, kept))
                rows += [(position, number) for number in kept]
            missing = [number for number in wanted if number not in kept]
            if missing and not self.latents and not opened.reader.codec.traits.renders_latents:
                whole.append(self._decoded(opened.reader, missing))
                rows += [(position, number) for number in missing]
            elif missing:
                latents = opened.reader.latents_at(missing)
                read.setdefault(opened.reader.codec_key, []).append(Latest(position, opened.reader, missing, latents))
        for parts in read.values():
            whole.append(self._made(parts))
            rows += [(part.position, number) for part in parts for number in part.numbers]
        table = {name: torch.cat([part[name] for part in whole]) for name in (whole[0] if whole else ())}
        row_of = {frame: row for row, frame in enumerate(rows)}
        items: list[dict | None] = [None] * len(numbers)
        for position, places in by_file.items():
            start, columns = int(self.starts[position]), self._columns_of(position)
            for place in places:
                window = windows[place]
                chosen = torch.tensor([row_of[position, number] for number in window.numbers])
                item = {name: values[chosen.to(values.device)] for name, values in table.items()} | {
                    "is_pad": torch.tensor(window.is_pad),
                    "index": numbers[place],
                    "episode_index": int(np.searchsorted(self.episode_starts, numbers[place], side="right")) - 1,
                    "frame_index": numbers[place] - start,
                    "file": str(self.files[position]),
                }
                item |= {name: torch.from_numpy(values[window.numbers]) for name, values in columns.items()}
                if "frames" in item and self.output_dtype != torch.uint8:
                    item["frames"] = item["frames"].to(self.output_dtype) / 255
                items[place] = item if self.transform is None else self.transform(item)
        return items

    def _episode(self, position: int, item: int) -> range:
        """The frames of the episode that an item is of, numbered in its file."""
        start, stop = int(self.starts[position]), int(self.starts[position + 1])
        number = int(np.searchsorted(self.episode_starts, item, side="right"))
        if number < len(self.episode_starts):
            stop = min(stop, int(self.episode_starts[number]))
        return range(int(self.episode_starts[number - 1]) - start, stop - start)

    def _columns_of(self, position: int) -> dict[str, np.ndarray]:
        """The columns that items hold, a row for each frame of a file;
        those of the files that were used last are kept.
        """
        if self.columns is None:
            return {}
        table = self._tables.get(position)
        if table is None:
            table = {
                name: torchable(values)
                for name, values in self._table(self.files[position], self._file(position).reader).items()
            }
            self._tables.put(position, table, 1)
        return table

    def _made(self, parts: Sequence[Latest]) -> dict[str, torch.Tensor]:
        """What items hold of the frames of some files of one codec, which are kept."""
        names = ("symbols", "parameters", "pts_seconds")
        whole = replace(
            parts[0].latents, **{name: torch.cat([getattr(part.latents, name) for part in parts]) for name in names}
        )
        if self.latents:
            return {"latents": whole.symbols, "parameters": whole.parameters, "pts_seconds": whole.pts_seconds}
        frames = parts[0].reader.synthesise(whole)
        start = 0
        for part in parts:
            self._keep(part.reader, part.numbers, frames[start : start + len(part.numbers)])
            start += len(part.numbers)
        return {"frames": frames, "pts_seconds": whole.pts_seconds}

    def _decoded(self, reader: Reader, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
        """What items hold of frames of one file whose codec makes no pixels of latents alone; they are kept."""
        frames = reader.get_frames_at(numbers)
        self._keep(reader, numbers, frames.data)
        return {"frames": frames.data, "pts_seconds": frames.pts_seconds}

    # Frames that are kept

    def _kept(self, reader: Reader, numbers: Sequence[int]) -> dict[int, np.ndarray]:
        """Those of a file's frames that are kept, uint8 [3, H, W], by number."""
        if self.latents or not self._frame_cache_bytes:
            return {}
        found: dict[int, np.ndarray] = {}
        for group, first, inside in groups_of(reader, numbers):
            found |= {
                first + number: frame for number, frame in self._frames.get(reader.group_key(group), inside).items()
            }
        return found

    def _keep(self, reader: Reader, numbers: Sequence[int], frames: torch.Tensor) -> None:
        """Keeps frames of one file, as items hold them, for the next time."""
        if not self._frame_cache_bytes:
            return
        pictures = dict(zip(numbers, (frames if self._channels_first else frames.permute(0, 3, 1, 2)).cpu().numpy()))
        for group, first, inside in groups_of(reader, numbers):
            most = reader.container.frames_in_group(group)
            self._frames.put(reader.group_key(group), most, {number: pictures[first + number] for number in inside})

    def _taken(self, reader: Reader, kept: dict[int, np.ndarray]) -> dict[str, torch.Tensor]:
        """What items hold of frames that were kept."""
        frames = torch.from_numpy(np.stack(list(kept.values()))).to(reader.codec.device)
        times = [reader.pts_seconds(number) for number in kept]
        return {
            "frames": frames if self._channels_first else frames.permute(0, 2, 3, 1),
            "pts_seconds": torch.tensor(times, dtype=torch.float64),
        }

    @property
    def _channels_first(self) -> bool:
        return self._reading["dimension_order"] == "NCHW"

    def synthesise(self, latents: torch.Tensor, *, parameters: torch.Tensor | None = None) -> torch.Tensor:
        """Frames uint8 [..., 3, H, W] (or [..., H, W, 3]) of integer latents [..., *latent_shape], and parameters [...,
        P].

        For items of `latents=True`, or batches of them. Raises OptionError for another shape or type.
        """
        reader = self._file(int(np.flatnonzero(np.diff(self.starts))[0])).reader
        shape, width = reader.codec.latent_shape, reader.codec.parameter_count
        leading = latents.shape[: max(0, latents.dim() - len(shape))]
        flat = latents.reshape(math.prod(leading), *latents.shape[len(leading) :])
        parameters = None if parameters is None else parameters.reshape(len(flat), width)
        return reader.synthesise(flat, parameters=parameters).reshape(*leading, *self.frame_shape)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Shape of a frame as items hold it: (3, H, W) or (H, W, 3)."""
        height, width = self.geometry.height, self.geometry.width
        return (3, height, width) if self._channels_first else (height, width, 3)

    def _number(self, index: int) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"item {number} of {len(self)}")
        return number % len(self)

    def _file(self, position: int) -> OpenFile:
        opened = self._opened.get(position)
        if opened is None:
            reader = Reader(self.files[position], decoders=self._decoders, **self._reading)
            expected = int(self.starts[position + 1] - self.starts[position])
            if len(reader) < expected:
                reader.close()
                raise InputError(
                    f"{self.files[position]}: {len(reader)} frames, and {expected} when the data set was made"
                )
            opened = OpenFile(reader, self._deltas, self.match, self.tolerance_seconds)
            for closed in self._opened.put(position, opened, 1):
                closed.reader.close()
        return opened

    def __repr__(self) -> str:
        return (
            f"FrameDataset({len(self)} frames of {self.geometry} in {len(self.files)} files, windows of "
            f"{len(self.delta_timestamps)})"
        )


def found_files(files: str | os.PathLike | Iterable[str | os.PathLike]) -> Iterator[Path]:
    """The files meant by folders and paths; raises InputError for what is not there, or where there is none."""
    for path in map(Path, [files] if isinstance(files, str | os.PathLike) else files):
        if path.is_dir():
            inside = sorted(one for one in path.rglob(f"*{SUFFIX}") if one.is_file())
            if not inside:
                raise InputError(f"{path}: no {SUFFIX} files in this folder")
            yield from inside
        else:
            yield path


def groups_of(reader: Reader, numbers: Iterable[int]) -> Iterator[tuple[int, int, list[int]]]:
    """Frames by keyframe group: the group, its first frame, and the frames' numbers in it."""
    by_group: dict[int, list[int]] = {}
    for number in numbers:
        by_group.setdefault(reader.container.group_of_frame(number), []).append(number)
    for group, those in by_group.items():
        first = reader.container.first_frame_of_group(group)
        yield group, first, [number - first for number in those]


def torchable(values: np.ndarray) -> np.ndarray:
    """The same numbers in a type that torch has, in this machine's byte order."""
    if values.dtype.kind == "u" and values.dtype.itemsize > 1:
        return values.astype(np.int64)
    return np.ascontiguousarray(values, values.dtype.newbyteorder("="))


def finite(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def exact(seconds: float) -> Fraction:
    """The number that was written: 0.1 is a tenth."""
    return Fraction(str(seconds))
