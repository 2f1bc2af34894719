"""Integer latents of consecutive frames in memory, of which what changes from frame to frame alone is kept."""

from bisect import bisect_right

import numpy as np

NARROW = (np.int8, np.int16, np.int32)  # numbers are kept in the first that fits
MOST_BETWEEN = 64  # frames from one that is kept whole to the next: bounds what reading one frame costs


class LatentHistory:
    """Frames of latents int32 [C, h, w], or of any shape, appended one after another and read in any order.

    Kept are some frames whole, and of each of the others the rows of C numbers that differ from those of the frame
    before. A frame is kept whole where the rows since the one before would take as much memory. Latents of other than
    three axes are one row a frame.
    shape: of one frame's latents. most: frames there will be at most. nbytes: memory held.
    """

    def __init__(self, shape: tuple[int, ...], most: int):
        self._shape, self._most = tuple(shape), most
        self._channels = shape[0] if len(shape) == 3 else int(np.prod(shape))
        self._positions = int(np.prod(shape)) // max(1, self._channels)
        self._whole: list[np.ndarray] = []  # [positions, C] each
        self._whole_at: list[int] = []  # numbers of these frames
        self._rows = np.empty((0, self._channels), NARROW[0])
        self._places: np.ndarray = np.empty(0, numbers_type(self._positions))  # where each row is
        self._starts = [0]  # of each frame's rows, and the end of the last one's
        self._last: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def nbytes(self) -> int:
        whole = sum(frame.nbytes for frame in self._whole)
        return whole + self._rows.nbytes + self._places.nbytes + (0 if self._last is None else self._last.nbytes)

    def append(self, frames: np.ndarray) -> None:
        """Takes the next frames, int32 [N, *shape]; after the last of `most` nothing but what is read is held."""
        for frame in frames:
            rows = np.ascontiguousarray(frame.reshape(self._channels, self._positions).T)  # [positions, C]
            changed = np.empty(0, int) if self._last is None else np.flatnonzero((rows != self._last).any(axis=1))
            if self._last is None or self._is_kept_whole(len(changed)):
                self._whole.append(rows.astype(narrow_type(rows)))
                self._whole_at.append(len(self))
                changed = changed[:0]
            self._take(rows[changed], changed)
            self._last = rows
        if len(self) == self._most:
            self._last = None
            self._rows, self._places = self._rows[: self._starts[-1]].copy(), self._places[: self._starts[-1]].copy()

    def _is_kept_whole(self, changed: int) -> bool:
        """Whether the next frame is, of which so many rows have changed."""
        at = self._whole_at[-1]
        since = self._starts[-1] - self._starts[at] + changed
        return since >= max(1, self._positions) or len(self) - at >= MOST_BETWEEN

    def _take(self, rows: np.ndarray, places: np.ndarray) -> None:
        used, count = self._starts[-1], self._starts[-1] + len(rows)
        most = self._most * self._positions
        self._rows, self._places = grown(self._rows, used, count, most), grown(self._places, used, count, most)
        if len(rows):
            kind = np.promote_types(narrow_type(rows), self._rows.dtype)
            self._rows = self._rows.astype(kind, copy=False)
        self._rows[used:count], self._places[used:count] = rows, places
        self._starts.append(count)

    def frames(self, numbers) -> np.ndarray:
        """Latents int32 [N, *shape] of these frames: a slice, or whole numbers from 0 to len - 1."""
        wanted = np.arange(len(self))[numbers] if isinstance(numbers, slice) else np.asarray(numbers, int)
        found = np.empty((len(wanted), self._channels, self._positions), np.int32)
        rows = np.empty((self._positions, self._channels), np.int32)
        at = -1  # number of the frame that `rows` are
        for place in np.argsort(wanted, kind="stable"):
            number = int(wanted[place])
            whole = self._whole_at[bisect_right(self._whole_at, number) - 1]
            if at < whole:
                rows[:] = self._whole[self._whole_at.index(whole)]
                at = whole
            changed = slice(self._starts[at + 1], self._starts[number + 1])
            rows[self._places[changed]] = self._rows[changed]  # where a place stands twice, the later holds
            at = number
            found[place] = rows.T
        return found.reshape(len(wanted), *self._shape)


def narrow_type(rows: np.ndarray) -> type:
    """The first of NARROW that holds these numbers."""
    low, high = (rows.min(), rows.max()) if rows.size else (0, 0)
    return next(kind for kind in NARROW if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)


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
