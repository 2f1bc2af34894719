"""Reading a data set at random: frames by number, clips that stay within a recording."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from lvc.dataset.manifest import SPLITS, Manifest, VideoEntry, read_manifest
from lvc.dataset.storage import FrameFile
from lvc.errors import InputError, OptionError
from lvc.frames import FrameBatch, Geometry

STILL_CACHE_BYTES = 64 << 20
OPEN_FILES = 128


class FrameStore:
    """A data set made by `build_dataset`; `manifest` says what it holds. Raises InputError where it is none."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.manifest: Manifest = read_manifest(self.folder)

    @property
    def geometry(self) -> Geometry:
        """Width and height of every frame, in pixels."""
        return self.manifest.sampling.geometry

    def split(self, name: str) -> "FrameSource":
        """The recordings of "train", "validation" or "test"; OptionError for another name. May be empty."""
        if name not in SPLITS:
            raise OptionError(f"a split is one of {', '.join(SPLITS)}, not {name!r}")
        videos = tuple(video for video in self.manifest.videos if video.split == name)
        return FrameSource(self.folder, videos, self.geometry)

    def everything(self) -> "FrameSource":
        """All recordings, whatever their split."""
        return FrameSource(self.folder, self.manifest.videos, self.geometry)


class FrameSource:
    """Frames of some recordings of a data set, numbered from 0 through all of them in order.

    Pickles without its open files and caches; a copy in another process, forked or spawned, opens its own as needed.
    cache_bytes: memory for backgrounds, which make reading twice as fast where they are found again.
    """

    def __init__(
        self, folder: Path, videos: Sequence[VideoEntry], geometry: Geometry, *, cache_bytes: int = STILL_CACHE_BYTES
    ):
        self.folder = folder
        self.entries = tuple(videos)
        self.geometry = geometry
        self.cached_stills = cache_bytes // (3 * geometry.width * geometry.height)
        self.starts = np.cumsum([0, *(len(entry.pts) for entry in self.entries)])
        self.forget()

    def forget(self) -> None:
        self.files: OrderedDict[int, FrameFile] = OrderedDict()
        self.stills: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self.lock = threading.Lock()

    def __getstate__(self):
        return {key: value for key, value in vars(self).items() if key not in ("files", "stills", "lock")}

    def __setstate__(self, state):
        vars(self).update(state)
        self.forget()

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def videos(self) -> list[tuple[str, int]]:
        """`(name, number of frames)` of each recording, in the order of the frames."""
        return [(entry.name, len(entry.pts)) for entry in self.entries]

    def frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """The frames of these numbers, in this order, uint8 [N, 3, H, W].

        Raises IndexError for a number outside 0 to len - 1, InputError where the data set is damaged.
        """
        indices = np.asarray(indices, np.int64).reshape(-1)
        if len(indices) and not (0 <= indices.min() and indices.max() < len(self)):
            wrong = indices[(indices < 0) | (indices >= len(self))][0]
            raise IndexError(f"frame {wrong} of {len(self)} frames")
        pictures = np.empty((len(indices), 3, self.geometry.height, self.geometry.width), np.uint8)
        positions = np.searchsorted(self.starts, indices, side="right") - 1
        for picture, index, position in zip(pictures, indices.tolist(), positions.tolist()):
            file = self.file(position)
            picture[:] = file.frame(index - int(self.starts[position]), partial(self.still, file, position))
        return pictures

    def clips(self, length: int, *, stride: int = 1) -> list[int]:
        """Numbers of the first frames of all clips of `length` frames, `stride` apart, that stay within a recording."""
        if length < 1 or stride < 1:
            raise OptionError(f"clips need a length and a stride from 1, not {length} and {stride}")
        spans = zip(self.starts[:-1].tolist(), self.starts[1:].tolist())
        return [start for first, end in spans for start in range(first, end - length + 1, stride)]

    def video(self, name: str, start: int = 0, stop: int | None = None) -> FrameBatch:
        """Frames `start` to `stop` (of Python slices) of a recording, with their timestamps;
        KeyError for another name.
        """
        for position, entry in enumerate(self.entries):
            if entry.name == name:
                chosen = range(len(entry.pts))[start:stop]
                data = self.frames([int(self.starts[position]) + number for number in chosen])
                return FrameBatch(data.transpose(0, 2, 3, 1), entry.pts[start:stop], entry.time_base)
        raise KeyError(name)

    def time_base(self, name: str) -> Fraction:
        """Seconds in a unit of the timestamps of a recording; KeyError for another name."""
        return {entry.name: entry.time_base for entry in self.entries}[name]

    def file(self, position: int) -> FrameFile:
        with self.lock:
            file = self.files.get(position)
            if file is None:
                file = self.open(self.entries[position])
                self.files[position] = file
                if len(self.files) > OPEN_FILES:
                    self.files.popitem(last=False)
            else:
                self.files.move_to_end(position)
        return file

    def open(self, entry: VideoEntry) -> FrameFile:
        file = FrameFile(self.folder / entry.file)
        if len(file) != len(entry.pts) or file.geometry != self.geometry:
            raise InputError(
                f"{file.path}: {len(file)} frames of {file.geometry}, where the manifest says {len(entry.pts)} "
                f"of {self.geometry}; build the data set again"
            )
        return file

    def still(self, file: FrameFile, position: int, run: int) -> np.ndarray:
        with self.lock:
            still = self.stills.get((position, run))
            if still is not None:
                self.stills.move_to_end((position, run))
                return still
        still = file.still(run)
        with self.lock:
            self.stills[position, run] = still
            while len(self.stills) > max(1, self.cached_stills):
                self.stills.popitem(last=False)
        return still
