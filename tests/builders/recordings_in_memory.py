"""What a training loop reads of a data set, held in memory: `geometry`, `frames(indices)` and `clips(length)`."""

from collections.abc import Iterable, Sequence

import numpy as np

from lvc.frames import Geometry


class RecordingsInMemory:
    """pictures: one uint8 [T, 3, H, W] a recording."""

    def __init__(self, pictures: Sequence[np.ndarray]):
        self.lengths = [len(recording) for recording in pictures]
        self.data = np.concatenate(pictures)
        self.geometry = Geometry(self.data.shape[3], self.data.shape[2])

    def __len__(self) -> int:
        return len(self.data)

    def frames(self, indices: Iterable[int]) -> np.ndarray:
        return self.data[np.asarray(indices)]

    def clips(self, length: int) -> list[int]:
        """Where a clip of so many frames of one recording may start."""
        starts: list[int] = []
        first = 0
        for count in self.lengths:
            starts += range(first, first + count - length + 1)
            first += count
        return starts


def running_square(ground: np.ndarray, colour: np.ndarray, count: int) -> np.ndarray:
    """uint8 [count, 3, H, W]: a square of 8 pixels that runs to the right over a ground [3, H, W]."""
    pictures = np.repeat(ground[None], count, axis=0)
    for number in range(count):
        left = 2 * number % (ground.shape[2] - 8)
        pictures[number, :, 10:18, left : left + 8] = colour.reshape(3, 1, 1)
    return pictures


def small_maze(count: int = 40) -> RecordingsInMemory:
    """Two recordings of 40x32, of one square that runs over a maze through both."""
    maze = np.kron(np.random.default_rng(3).integers(0, 256, (3, 4, 5)), np.ones((1, 8, 8))).astype(np.uint8)
    return RecordingsInMemory(np.array_split(running_square(maze, np.array([250, 220, 10]), count), 2))


def small_tiles(count: int = 40, *, seed: int = 3) -> RecordingsInMemory:
    """Two recordings of 40x32, of one square that runs over tiles through both; seed:
    of another game's tiles and colours.
    """
    generator = np.random.default_rng(seed)
    tiles = np.kron(generator.choice(generator.integers(0, 256, 3), (3, 4, 5)), np.ones((8, 8))).astype(np.uint8)
    return RecordingsInMemory(np.array_split(running_square(tiles, generator.integers(0, 256, 3), count), 2))


def squares(recordings: int, length: int, *, seed: int) -> RecordingsInMemory:
    """Recordings of 32x16, each of a white square that moves over a background of its own."""
    random, found = np.random.default_rng(seed), []
    for _ in range(recordings):
        background = np.kron(random.integers(0, 200, (3, 4, 8)), np.ones((1, 4, 4))).astype(np.uint8)
        pictures = np.repeat(background[None], length, axis=0)
        for number in range(length):
            row, column = (3 * number) % 12, (5 * number) % 28
            pictures[number, :, row : row + 4, column : column + 4] = 255
        found.append(pictures)
    return RecordingsInMemory(found)
