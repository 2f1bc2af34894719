"""What is known of a pixel before its colour is: which colours stand around it, and which of the pixels around are alike.

The encoder, the decoder and the training all see a frame through these functions.
"""

from collections.abc import Sequence

import numpy as np

from lvc.models.palette import BLOCK_FACTS, PIXEL_FACTS, SIDE
from lvc.palette.passes import AROUND, BORDER, LATTICE, NEIGHBOURS, PASSES, Pass

NONE = -1  # no colour: not known, or outside
CANDIDATES = 6  # colours that a pixel is offered
# Where candidates come from: pixels around at the pass's distance, the eight neighbours, the expected picture here and around,
# what stood still here last, and the two frames before.
FAR, NEAR, HERE, MOVING, SETTLED, LAST, BEFORE = slice(0, 12), slice(12, 20), 20, slice(21, 29), 29, 30, 31
SOURCES = 32
WEIGHTS = np.array([4] * 4 + [2] * 8 + [3] * 8 + [6] + [1] * 8 + [3, 2, 2], np.int16)  # of a source, in the order of candidates
GUESSED = 1  # weight of a neighbour that is only expected
RANKS = 3  # told apart: first, second, later
COUNTS = 4  # candidates told apart: 1, 2, 3, more
PALETTE_SIZES = (10, 20, 40)  # colours of a palette told apart
AT_ONCE = 1024  # pixels whose candidates are compared at once: bounds the memory
BLOCK_PHASES = 4


class Surroundings:
    """A frame while it is coded: what is known of it, with the pictures it is expected from, all within a border.

    unknown: bool [H, W], pixels that are to be coded. expected: colours int32 [H, W], or None in a keyframe. earlier: what else stood
    here, in the order of SETTLED, LAST and BEFORE.
    """

    def __init__(self, unknown: np.ndarray, expected: np.ndarray | None = None, earlier: Sequence[np.ndarray] = ()):
        self.picture = bordered(np.full(unknown.shape, NONE, np.int32) if expected is None else expected, NONE)
        self.known = bordered(~unknown, False)
        self.given = self.known.copy()
        self.expected = None if expected is None else self.picture.copy()
        self.earlier = earlier

    def tell(self, rows: np.ndarray, columns: np.ndarray, colours: np.ndarray) -> None:
        """These pixels are known now."""
        self.picture[rows + BORDER, columns + BORDER] = colours
        self.known[rows + BORDER, columns + BORDER] = True

    def sources(self, step: Pass, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours int32 [N, SOURCES] around these pixels, NONE where there is none; and bool [N, 16], which of the eight neighbours are
        known, and which were before any pixel was coded.
        """
        colours = np.full((len(rows), SOURCES), NONE, np.int32)
        width = self.picture.shape[1]
        place = (rows + BORDER) * width + columns + BORDER
        picture, near = self.picture.ravel(), place[:, None] + offsets(NEIGHBOURS, width)
        if step.kind != LATTICE:
            colours[:, FAR] = picture[place[:, None] + step.distance * offsets(AROUND[step.kind], width)]
        colours[:, NEAR] = picture[near]
        if self.expected is not None:
            expected = self.expected.ravel()
            colours[:, HERE] = expected[place]
            colours[:, MOVING] = expected[near]
            for source, picture in zip((SETTLED, LAST, BEFORE), self.earlier):
                colours[:, source] = picture[rows, columns]
        return colours, np.concatenate((self.known.ravel()[near], self.given.ravel()[near]), axis=1)

    def whole(self) -> np.ndarray:
        """The picture [H, W] so far."""
        return self.picture[BORDER:-BORDER, BORDER:-BORDER].copy()


def bordered(plane: np.ndarray, value) -> np.ndarray:
    return np.pad(plane, BORDER, constant_values=value)


def offsets(steps: tuple[tuple[int, int], ...], width: int) -> np.ndarray:
    return np.array([row * width + column for row, column in steps])


class Candidates:
    """The colours that pixels may have, the likeliest first by a rule of thumb.

    colours: int32 [N, CANDIDATES], NONE where there are fewer. counts: [N]. alike: bool [N, CANDIDATES, SOURCES], which sources have
    each. known: bool [N, 16], see `Surroundings.sources`.
    """

    def __init__(self, sources: np.ndarray, known: np.ndarray):
        count = len(sources)
        self.known = known
        self.colours = np.full((count, CANDIDATES), NONE, np.int32)
        self.alike = np.zeros((count, CANDIDATES, SOURCES), bool)
        lowest = np.where(sources == NONE, np.iinfo(np.int32).max, sources).min(axis=1)
        highest = sources.max(axis=1)
        plain = lowest == highest  # one colour all around, as in most of a keyframe
        self.colours[plain, 0] = highest[plain]
        self.alike[plain, 0] = sources[plain] != NONE
        rest = np.flatnonzero(~plain & (highest != NONE))
        for start in range(0, len(rest), AT_ONCE):
            here = rest[start : start + AT_ONCE]
            self.colours[here], self.alike[here] = ordered(sources[here], known[here])
        self.counts = (self.colours != NONE).sum(axis=1)

    def facts(self, here: np.ndarray, rank: int, step: Pass, palette_size: int, *, predicted: bool) -> np.ndarray:
        """What the network is told of the candidates of this rank at pixels `here`, after those before were refused: float32 [N, PIXEL_FACTS]."""
        alike = self.alike[here]
        rest = np.zeros((len(here), PASSES + RANKS + 1 + len(PALETTE_SIZES) + 1 + COUNTS), np.float32)
        rest[:, step.number] = 1
        rest[:, PASSES + min(rank, RANKS - 1)] = 1
        rest[:, PASSES + RANKS] = not predicted
        rest[:, PASSES + RANKS + 1 + int(np.searchsorted(PALETTE_SIZES, palette_size))] = 1
        rest[np.arange(len(here)), -COUNTS - 1 + np.minimum(self.counts[here], COUNTS)] = 1
        later = alike[:, rank + 1] if rank + 1 < CANDIDATES else np.zeros_like(alike[:, 0])
        facts = np.concatenate((alike[:, rank], later, alike[:, :rank].any(axis=1), self.known[here], rest), axis=1, dtype=np.float32)
        assert facts.shape[1] == PIXEL_FACTS
        return facts


def ordered(sources: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The candidates' colours [N, CANDIDATES] and which sources have them, by the sum of their sources' weights; the first source decides ties."""
    weights = np.repeat(WEIGHTS[None], len(sources), axis=0)
    weights[:, NEAR] = np.where(known[:, :8], WEIGHTS[NEAR], GUESSED)
    weights[sources == NONE] = 0
    scores = ((sources[:, :, None] == sources[:, None, :]) * weights[:, None, :]).sum(axis=2, dtype=np.int32)
    scores[sources == NONE] = 0
    colours = np.full((len(sources), CANDIDATES), NONE, np.int32)
    alike = np.zeros((len(sources), CANDIDATES, SOURCES), bool)
    every = np.arange(len(sources))
    for rank in range(CANDIDATES):
        best = scores.argmax(axis=1)
        there = scores[every, best] > 0
        colours[:, rank] = np.where(there, sources[every, best], NONE)
        alike[:, rank] = (sources == colours[:, rank, None]) & there[:, None]
        scores[alike[:, rank]] = 0
    return colours, alike


class BlockFacts:
    """What is known of a frame's blocks before it is told which of them are coded.

    last, before: pictures [H, W] of the two frames before. expected, settled: see `Surroundings`. changed: which blocks
    [rows, columns] were coded in the last frame and in the one before.
    """

    def __init__(self, last: np.ndarray, expected: np.ndarray, settled: np.ndarray, changed: tuple[np.ndarray, np.ndarray]):
        blocks = in_blocks(expected)
        flat = (blocks == blocks[:, :1, :, :1]).all(axis=(1, 3))
        planes = (changed[0], changed[1], differs(expected, last), ~flat, differs(settled, expected))
        around = ((0, 0), *NEIGHBOURS)
        self.shape = flat.shape
        padded = [np.pad(plane, 1) for plane in planes]
        rows, columns = self.shape
        self.fixed = np.stack([plane[1 + row : 1 + row + rows, 1 + column : 1 + column + columns] for plane in padded for row, column in around], axis=-1)
        self.coded, self.told = np.zeros((rows + 2, columns + 2), bool), np.zeros((rows + 2, columns + 2), bool)

    def facts(self, phase: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """float32 [N, BLOCK_FACTS] of the blocks of this phase at rows and columns."""
        near = [(rows + 1 + row, columns + 1 + column) for row, column in NEIGHBOURS]
        coded = np.stack([self.coded[place] for place in near], axis=1)
        told = np.stack([self.told[place] for place in near], axis=1)
        phases = np.zeros((len(rows), BLOCK_PHASES))
        phases[:, phase] = 1
        facts = np.concatenate((coded, told & ~coded, self.fixed[rows, columns], phases), axis=1, dtype=np.float32)
        assert facts.shape[1] == BLOCK_FACTS
        return facts

    def tell(self, rows: np.ndarray, columns: np.ndarray, coded: np.ndarray) -> None:
        """Whether these blocks are coded is known now."""
        self.coded[rows + 1, columns + 1] = coded
        self.told[rows + 1, columns + 1] = True


def in_blocks(picture: np.ndarray) -> np.ndarray:
    """[H, W] as [rows, SIDE, columns, SIDE]."""
    height, width = picture.shape
    return picture.reshape(height // SIDE, SIDE, width // SIDE, SIDE)


def differs(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """In which blocks [rows, columns] two pictures differ."""
    return in_blocks(picture != other).any(axis=(1, 3))
