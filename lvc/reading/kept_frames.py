"""Decoded frames in memory, without loss: each block of 8x8 pixels that frames of a group have in common is kept
once.
"""

from collections.abc import Hashable, Iterable

import numpy as np

from lvc.codecs.latent_history import grown, numbers_type
from lvc.reading.recency import RecentlyUsed

SIDE = 8  # pixels of a block, the latents' stride: what stands still in latents does so in blocks
BLOCK = 3 * SIDE * SIDE
# A block's hash is the sum of its words times these, modulo 2**64; that two blocks are alike is then looked at.
FACTORS = np.random.default_rng(0).integers(0, 1 << 63, BLOCK // 8, np.uint64) * 2 + 1


class KeptFrames:
    """Some of the frames uint8 [3, height, width] of a group of `most`, put in and taken out by number.

    nbytes: memory held.
    """

    def __init__(self, height: int, width: int, most: int):
        self._height, self._width, self._most = height, width, most
        self._size = -(-height // SIDE), -(-width // SIDE)
        self._positions = self._size[0] * self._size[1]
        self._slots: dict[int, int] = {}  # where each frame's row of `_places` is
        # Which block each frame has at each position
        self._places: np.ndarray = np.empty((0, self._positions), numbers_type(most * self._positions))
        self._blocks = np.empty((0, BLOCK), np.uint8)
        # Ascending, and the blocks that have them
        self._hashes, self._owners = np.empty(0, np.uint64), np.empty(0, np.uint32)
        self._block_count = 0

    def __contains__(self, number: int) -> bool:
        return number in self._slots

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self._places, self._blocks, self._hashes, self._owners))

    def get(self, number: int) -> np.ndarray:
        """A frame that was put in, uint8 [3, height, width]; KeyError for another."""
        rows, columns = self._size
        blocks = self._blocks[self._places[self._slots[number]]].reshape(rows, columns, 3, SIDE, SIDE)
        frame = blocks.transpose(2, 0, 3, 1, 4).reshape(3, rows * SIDE, columns * SIDE)
        return np.ascontiguousarray(frame[:, : self._height, : self._width])

    def put(self, number: int, frame: np.ndarray) -> None:
        """Takes a frame; one that is there already stays as it is."""
        if number in self._slots:
            return
        blocks = self._cut(frame)
        hashes = (blocks.view(np.uint64) * FACTORS).sum(axis=1, dtype=np.uint64)
        slot = len(self._slots)
        self._places = grown(self._places, slot, slot + 1, self._most)
        self._places[slot], known = self._found(blocks, hashes)
        new = np.flatnonzero(~known)
        self._places[slot, new] = self._added(blocks[new], hashes[new])
        self._slots[number] = slot

    def _cut(self, frame: np.ndarray) -> np.ndarray:
        """Blocks uint8 [positions, BLOCK] of a frame, continued by zeros."""
        rows, columns = self._size
        wide = np.zeros((3, rows * SIDE, columns * SIDE), np.uint8)
        wide[:, : self._height, : self._width] = frame
        return wide.reshape(3, rows, SIDE, columns, SIDE).transpose(1, 3, 0, 2, 4).reshape(self._positions, BLOCK)

    def _found(self, blocks: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each block the number of one that is there, and whether it is the same."""
        if not len(self._hashes):
            return np.zeros(len(blocks), np.uint32), np.zeros(len(blocks), bool)
        owners = self._owners[np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)]
        return owners, (self._blocks[owners] == blocks).all(axis=1)

    def _added(self, blocks: np.ndarray, hashes: np.ndarray) -> np.ndarray:
        """Numbers of new blocks, which may be alike among themselves."""
        hashes, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        if not np.array_equal(blocks[first][which], blocks):  # two have one hash: of this frame all are kept
            hashes, first, which = np.empty(0, np.uint64), np.arange(len(blocks)), np.arange(len(blocks))
        count = self._block_count + len(first)
        self._blocks = grown(self._blocks, self._block_count, count, self._most * self._positions)
        self._blocks[self._block_count : count] = blocks[first]
        numbers = np.arange(self._block_count, count, dtype=np.uint32)
        where = np.searchsorted(self._hashes, hashes)
        self._hashes, self._owners = (
            np.insert(self._hashes, where, hashes),
            np.insert(self._owners, where, numbers[: len(hashes)]),
        )
        self._block_count = count
        return numbers[which]


class FrameCache:
    """Frames of the groups that were used last, as many as fit `limit` bytes. Not for several threads at once."""

    def __init__(self, limit: int, *, height: int, width: int):
        self._height, self._width = height, width
        self._groups = RecentlyUsed(limit)

    def get(self, group: Hashable, numbers: Iterable[int]) -> dict[int, np.ndarray]:
        """The frames of a group that are kept, by their numbers in it: uint8 [3, height, width]."""
        kept: KeptFrames | None = self._groups.get(group)
        return {} if kept is None else {number: kept.get(number) for number in numbers if number in kept}

    def put(self, group: Hashable, most: int, frames: dict[int, np.ndarray]) -> None:
        """Keeps frames uint8 [3, height, width] of a group that has `most`."""
        if not self._groups.limit:
            return
        kept = self._groups.get(group) or KeptFrames(self._height, self._width, most)
        for number, frame in frames.items():
            kept.put(number, frame)
        self._groups.put(group, kept, kept.nbytes)
