"""Integer latents of consecutive frames in memory, where what stands still from frame to frame is kept once."""

import numpy as np

NARROW = (np.int8, np.int16, np.int32)  # rows are kept in the first that fits


class LatentHistory:
    """Frames of latents int32 [C, h, w], or of any shape, appended one after another and read in any order.

    Kept are the rows of C numbers at each position that differ from those of the frame before, and for each frame which
    row each of its positions has. Latents of other than three axes are one row a frame.
    shape: of one frame's latents. most: frames there will be at most. nbytes: memory held.
    """

    def __init__(self, shape: tuple[int, ...], most: int):
        self._shape, self._most = tuple(shape), most
        self._channels = shape[0] if len(shape) == 3 else int(np.prod(shape))
        self._positions = int(np.prod(shape)) // max(1, self._channels)
        self._rows = np.empty((0, self._channels), NARROW[0])
        self._places = np.empty((0, self._positions), numbers_type(most * self._positions))
        self._count = self._row_count = 0
        self._last: np.ndarray | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        return self._rows.nbytes + self._places.nbytes + (0 if self._last is None else self._last.nbytes)

    def append(self, frames: np.ndarray) -> None:
        """Takes the next frames, int32 [N, *shape]; after the last of `most` nothing but what is read is held."""
        for frame in frames:
            rows = np.ascontiguousarray(frame.reshape(self._channels, self._positions).T)  # [positions, C]
            changed = (
                np.arange(self._positions) if self._last is None else np.flatnonzero((rows != self._last).any(axis=1))
            )
            self._places = grown(self._places, self._count, self._count + 1, self._most)
            if self._count:
                self._places[self._count] = self._places[self._count - 1]
            self._places[self._count, changed] = np.arange(self._row_count, self._row_count + len(changed))
            self._take(rows[changed])
            self._count += 1
            self._last = rows
        if self._count == self._most:
            self._last = None
            self._rows, self._places = self._rows[: self._row_count].copy(), self._places[: self._count].copy()

    def _take(self, rows: np.ndarray) -> None:
        count = self._row_count + len(rows)
        self._rows = grown(self._rows, self._row_count, count, self._most * self._positions)
        if len(rows):
            low, high = rows.min(), rows.max()
            kind = next(kind for kind in NARROW if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
            if np.iinfo(kind).bits > np.iinfo(self._rows.dtype).bits:
                self._rows = self._rows.astype(kind)
        self._rows[self._row_count : count] = rows
        self._row_count = count

    def frames(self, numbers) -> np.ndarray:
        """Latents int32 [N, *shape] of these frames: a slice, or whole numbers from 0 to len - 1."""
        found = self._rows[self._places[: self._count][numbers]]  # [N, positions, C]
        return np.ascontiguousarray(found.swapaxes(1, 2), np.int32).reshape(len(found), *self._shape)


def numbers_type(count: int) -> type:
    """What holds the numbers of so many rows."""
    return np.uint16 if count <= 1 << 16 else np.uint32


def grown(array: np.ndarray, used: int, needed: int, most: int) -> np.ndarray:
    """The array with room for `needed` rows: by doubling, so that one after another costs no more than all at once."""
    if needed <= len(array):
        return array
    room = np.empty((min(max(needed, 2 * len(array)), most), *array.shape[1:]), array.dtype)
    room[:used] = array[:used]
    return room
