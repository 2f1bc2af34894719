"""Batches of frames for training, in an order that the seed alone decides."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from lvc.errors import InputError, OptionError
from lvc.frames import Geometry

AHEAD = 2  # batches that each thread may hold ready


class Frames(Protocol):
    """What training reads: `lvc.dataset.read.FrameSource`, or anything alike."""

    geometry: Geometry

    def __len__(self) -> int: ...

    def frames(self, indices: Sequence[int]) -> np.ndarray: ...

    def clips(self, length: int) -> list[int]: ...


class ClipSampler:
    """Every clip of the source once an epoch, in an order drawn from (seed, epoch).

    length: consecutive frames of one recording to a clip; 1 for models that code each frame alone.
    batch: clips that come together. An epoch's last batch is left out where it is not full, unless it is the only one.
    Raises InputError where no recording is long enough.
    """

    def __init__(self, source: Frames, *, batch: int, seed: int, length: int = 1):
        for name, value in (("batch", batch), ("length", length)):
            if not (isinstance(value, int) and value >= 1):
                raise OptionError(f"{name} must be a whole number from 1, not {value!r}")
        self.source, self.seed, self.length = source, seed, length
        self.starts = np.asarray(source.clips(length), np.int64)
        if not len(self.starts):
            raise InputError(f"there is no recording of {length} frames to train on")
        self.batch = min(batch, len(self.starts))

    def __len__(self) -> int:
        """Batches to an epoch."""
        return len(self.starts) // self.batch

    def indices(self, epoch: int) -> np.ndarray:
        """Frame numbers of an epoch's batches, int64 [batches, batch * length]."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.starts))
        starts = self.starts[order[: len(self) * self.batch]]
        return (starts[:, None] + np.arange(self.length)).reshape(len(self), -1)

    def batches(self, epoch: int, *, start: int = 0, workers: int = 1) -> Iterator[np.ndarray]:
        """The epoch's batches from number `start` on, uint8 [batch * length, 3, H, W].

        workers: threads that read ahead; they change the speed, never the order. 0 reads when asked.
        """
        chosen = self.indices(epoch)[start:]
        if workers == 0:
            yield from map(self.source.frames, chosen)
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="lvc-read") as pool:
            waiting = deque()
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


def spread(count: int, limit: int | None) -> np.ndarray:
    """At most `limit` of the numbers 0 … count-1, evenly spread, so that every recording is in."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, limit).round().astype(np.int64)
