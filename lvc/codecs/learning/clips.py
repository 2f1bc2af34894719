"""Batches of frames for training, in an order that the seed alone decides."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np

from lvc.errors import InputError, OptionError
from lvc.frames import Geometry

AHEAD = 2  # batches that each thread may hold ready


class Frames(Protocol):
    """What training reads: `lvc.dataset.read.FrameSource`, or anything alike."""

    geometry: Geometry

    def __len__(self) -> int: ...

    def frames(self, indices: Sequence[int] | np.ndarray) -> np.ndarray: ...

    def clips(self, length: int) -> list[int]: ...


class ClipSampler:
    """Every clip of the source once an epoch, in an order drawn from (seed, epoch).

    length: consecutive frames of one recording to a clip; 1 for models that code each frame alone.
    lead: where above 0, a clip begins with one frame more, drawn from as many before it.
    batch: clips that come together. An epoch's last batch is left out where it is not full, unless it is the only one.
    parts: of each batch, of as many processes, `batch` clips each; part: the one that comes here.
    Raises InputError where no recording is long enough.
    """

    def __init__(
        self, source: Frames, *, batch: int, seed: int, length: int = 1, lead: int = 0, part: int = 0, parts: int = 1
    ):
        for name, value in (("batch", batch), ("length", length)):
            if not (isinstance(value, int) and value >= 1):
                raise OptionError(f"{name} must be a whole number from 1, not {value!r}")
        self.source, self.seed, self.length, self.lead = source, seed, length, lead
        self.starts = np.asarray(source.clips(lead + length), np.int64)
        if not len(self.starts):
            raise InputError(f"there is no recording of {lead + length} frames to train on")
        self.part, self.parts = part, parts
        self.batch = min(batch, len(self.starts) // parts) * parts  # of all parts together
        if not self.batch:
            raise InputError(f"there are {len(self.starts)} clips to train on, too few for {parts} processes")

    def __len__(self) -> int:
        """Batches to an epoch."""
        return len(self.starts) // self.batch

    def indices(self, epoch: int) -> np.ndarray:
        """Frame numbers of this part of an epoch's batches, int64 [batches, batch / parts * frames of a clip]."""
        rng = np.random.default_rng([self.seed, epoch])
        starts = self.starts[rng.permutation(len(self.starts))[: len(self) * self.batch]]
        clips = starts[:, None] + self.lead + np.arange(self.length)
        if self.lead:
            clips = np.concatenate((starts[:, None] + rng.integers(self.lead, size=(len(starts), 1)), clips), axis=1)
        return clips.reshape(len(self), self.parts, -1)[:, self.part]

    def batches(self, epoch: int, *, start: int = 0, workers: int = 1) -> Iterator[np.ndarray]:
        """The epoch's batches from number `start` on, this part of each, uint8 [clips * frames of a clip, 3, H, W].

        workers: threads that read ahead; they change the speed, never the order. 0 reads when asked.
        """
        chosen = self.indices(epoch)[start:]
        if workers == 0:
            yield from map(self.source.frames, chosen)
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="lvc-read") as pool:
            waiting: deque[Future] = deque()
            try:
                for indices in chosen:
                    waiting.append(pool.submit(self.source.frames, indices))
                    if len(waiting) > workers * AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def moving_windows(
    frames: np.ndarray, length: int, side: int, block: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of clips, drawn where their last two frames differ: most of a game's picture stands still and teaches
    little.

    frames: uint8 [clips * length, 3, H, W]. side: of a window, in blocks of `block` pixels; no more than the frame has.
    Gives uint8 [clips * length, 3, side * block, side * block] and each clip's corner [clips, 2], in blocks.
    """
    clips = frames.reshape(-1, length, *frames.shape[1:])
    rows, columns = frames.shape[2] // block, frames.shape[3] // block
    high, wide = min(side, rows), min(side, columns)
    windows, corners = [], []
    for clip in clips:
        change = np.abs(clip[-1].astype(np.int16) - clip[-2])[:, : rows * block, : columns * block]
        change = change.reshape(3, rows, block, columns, block).sum(axis=(0, 2, 4), dtype=np.float64)
        # Some of everything, and no more of a flash than of a sprite.
        chances = np.minimum(change, 16 * 3 * block * block) + 20
        row, column = divmod(int(rng.choice(rows * columns, p=(chances / chances.sum()).ravel())), columns)
        row = int(np.clip(row - rng.integers(high), 0, rows - high))
        column = int(np.clip(column - rng.integers(wide), 0, columns - wide))
        windows.append(clip[:, :, row * block : (row + high) * block, column * block : (column + wide) * block])
        corners.append((row, column))
    return np.concatenate(windows), np.array(corners)


def spread(count: int, limit: int | None) -> np.ndarray:
    """At most `limit` of the numbers 0 … count-1, evenly spread, so that every recording is in."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, limit).round().astype(np.int64)
