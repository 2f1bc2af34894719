"""Orders in which to read a `FrameDataset`: by episode, and shuffled through a buffer in any number of workers."""

import operator
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import IterableDataset, Sampler, get_worker_info

from lvc.errors import OptionError
from lvc.reading.frame_dataset import FrameDataset


class EpisodeSampler(Sampler[int]):
    """Items of a data set, episode by episode, for DataLoader's `sampler`.

    episodes: numbers of those that are wanted, None for all. drop_first, drop_last: frames to leave out at the start
    and the end of each episode, such as those whose windows are padded. shuffle: the order of all items is drawn anew
    in each epoch from `seed` and `set_epoch`; without it episodes and their frames come in order.
    Raises OptionError for an episode that is not there, or where nothing is left.
    """

    def __init__(
        self,
        dataset: FrameDataset,
        *,
        episodes: Sequence[int] | None = None,
        drop_first: int = 0,
        drop_last: int = 0,
        shuffle: bool = False,
        seed: int = 0,
    ):
        bounds = [*dataset.episode_starts.tolist(), len(dataset)]
        chosen = range(len(bounds) - 1) if episodes is None else [operator.index(number) for number in episodes]
        if min(drop_first, drop_last) < 0:
            raise OptionError("drop_first and drop_last are numbers of frames from 0")
        items = []
        for number in chosen:
            if not 0 <= number < len(bounds) - 1:
                raise OptionError(f"episode {number} of {len(bounds) - 1}")
            items.append(np.arange(bounds[number] + drop_first, bounds[number + 1] - drop_last))
        self.items = np.concatenate([np.zeros(0, np.int64), *items])
        if not len(self.items):
            raise OptionError("no frames are left of the episodes that were chosen")
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The next epoch is drawn by this number."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[int]:
        items = np.random.default_rng([self.seed, self.epoch]).permutation(self.items) if self.shuffle else self.items
        return iter(items.tolist())


class ShuffledFrames(IterableDataset):
    """Items of a data set in a random order that decodes each keyframe group once, for a DataLoader without sampler.

    Groups are read one after the other, in an order drawn for each epoch, into a buffer of `buffer_items` items, of
    which a random one is given each time: the greater the buffer, the better mixed, and the more memory. Workers, and
    the ranks of a distributed run, share the groups: together they give each item once an epoch, whatever their number.
    sampler: an `EpisodeSampler` whose items alone are given. seed, set_epoch: decide the order. rank, world_size: of
    this process among those that train together.
    """

    def __init__(
        self,
        dataset: FrameDataset,
        *,
        buffer_items: int = 1024,
        sampler: EpisodeSampler | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ):
        if isinstance(buffer_items, bool) or not isinstance(buffer_items, int) or buffer_items < 1:
            raise OptionError(f"buffer_items is a whole number from 1, not {buffer_items!r}")
        if not 0 <= rank < world_size:
            raise OptionError(f"rank is from 0 to world_size - 1, not {rank} of {world_size}")
        self.dataset, self.buffer_items, self.seed = dataset, buffer_items, seed
        self.rank, self.world_size, self.epoch = rank, world_size, 0
        self.items = np.arange(len(dataset)) if sampler is None else np.sort(sampler.items)

    def set_epoch(self, epoch: int) -> None:
        """The next epoch is drawn by this number; with persistent workers,
        it has no effect on those that run already.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        return (
            len(self.items)
            if self.world_size == 1
            else sum(len(run) for run in self._runs()[self.rank :: self.world_size])
        )

    def __iter__(self) -> Iterator[dict]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        runs = self._runs()
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(runs))
        draw = np.random.default_rng([self.seed, self.epoch, self.rank, number])
        buffer: list[dict] = []
        # Of a rank's runs, as in __len__, the worker takes its part.
        mine = [place for place in order.tolist() if place % self.world_size == self.rank]
        for place in mine[number::workers]:
            for item in self.dataset.__getitems__(runs[place].tolist()):
                buffer.append(item)
                if len(buffer) > self.buffer_items:
                    yield taken(buffer, draw)
        while buffer:
            yield taken(buffer, draw)

    def _runs(self) -> list[np.ndarray]:
        """The items of each keyframe group that has any."""
        edges = np.searchsorted(self.items, self.dataset.group_starts)
        return [run for run in np.split(self.items, edges[1:]) if len(run)]


def taken(buffer: list[dict], draw: np.random.Generator) -> dict:
    """A random item of the buffer, which it leaves."""
    place = int(draw.integers(len(buffer)))
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()
