"""The order in which a frame of few colours is coded: what moved, which blocks are coded, new colours, then their pixels.

One walk serves both directions: the encoder passes frames, the decoder passes None, and both get the colours back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lvc.entropy.bits import BitCoder
from lvc.errors import FormatError
from lvc.models.palette import SIDE, Palette
from lvc.palette import actors
from lvc.palette.actors import Stage
from lvc.palette.blocks import code_blocks, differing
from lvc.palette.colour_table import ColourTable
from lvc.palette.memory import NO_COLOUR, Memory, memory_of
from lvc.palette.moves import (
    BACKS,
    DIRECTIONS_LIMIT,
    SETTLED,
    STILL,
    Direction,
    Moves,
    code_directions,
    code_places,
    expected_picture,
    recent_after,
)
from lvc.palette.pixels import BORDER, MOST_DECISIONS, Surroundings, Wish, code_pixels

CODING_RATE = 5  # of learning weights, while a file is coded
ROOM = 1 << 16  # pixels that are coded at once: bounds the memory for what is written
NOTHING = Wish(np.empty((0, 0, 3), np.uint8), np.empty((0, 3), np.int64), np.empty((0, 0)))
UNKNOWN = np.empty((0, 0), np.int16)


class Wanted(Protocol):
    """What a writer is to code."""

    moves: Moves | None

    def blocks(self, expected: np.ndarray) -> np.ndarray:
        """Which blocks uint8 [rows, columns] are coded, where colours int32 [H, W] are expected."""

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        """Colours int32 [N] that these blocks need, at least those that the table lacks."""

    def picture(self, table: ColourTable) -> tuple[np.ndarray, Wish]:
        """The places of the colours int16 [H, W], or none and what they are chosen by."""


@dataclass(frozen=True)
class Known:
    """A frame whose colours int32 [H, W] are known before they are coded, and what has moved in it."""

    whole: np.ndarray
    moves: Moves | None = None

    def blocks(self, expected: np.ndarray) -> np.ndarray:
        return differing(self.whole, expected)

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        return np.unique(self.whole[(in_pixels(coded) > 0) & (table.places(self.whole) == NO_COLOUR)])

    def picture(self, table: ColourTable) -> tuple[np.ndarray, Wish]:
        return table.places(self.whole), NOTHING  # outside of the coded blocks some may have no place, and are not asked for


class PaletteFrames:
    """Codes the frames of one group in order; keeps what the next one is predicted from.

    memory: of this group alone; teaches on.
    """

    def __init__(self, model: Palette, memory: Memory | None = None):
        self.memory = memory_of(model, CODING_RATE) if memory is None else memory
        self.table = ColourTable()
        self.stage = Stage.empty()
        self.past: Past | None = None

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.memory[:-1]) + (0 if self.past is None else self.past.nbytes)

    def code_frames(self, symbols, count: int, coder: BitCoder, shape: tuple[int, int, int], moves: Sequence[Moves | None] = ()) -> np.ndarray:
        """Codes colours int32 [T, 1, H, W] of the next `count` frames with `coder`, or decodes them where `symbols` is None; gives them
        back. In place of one frame's colours may stand a `Choice`, that finds them. moves: of each frame, or none at all.

        Raises FormatError for what cannot be.
        """
        result = np.empty((count, *shape), np.int32)
        for place in range(count):
            wanted = None if symbols is None else symbols[place]
            if isinstance(wanted, np.ndarray):
                wanted = Known(wanted[0], moves[place] if moves else None)
            picture = self._code_frame(wanted, coder, shape[1:])
            result[place, 0] = self.table.colours[picture]
        return result

    def _code_frame(self, wanted: Wanted | None, coder: BitCoder, size: tuple[int, int]) -> np.ndarray:
        past, shape = self.past, (size[0] // SIDE, size[1] // SIDE)
        if past is None:
            coded, places, directions = np.ones(shape, np.uint8), None, ()
            expected = np.full(size, NO_COLOUR, np.int16)
            earlier = expected, expected, expected
        else:
            staged, owned = np.empty_like(past.settled), np.empty(size, np.uint8)
            actors.told(self.stage, coder, self.memory, None if wanted is None else getattr(wanted, "scene", None), size)
            actors.draw(self.stage, past.settled, staged, owned)
            background = past.settled
            past = replace(past, settled=staged)
            if wanted is not None and hasattr(wanted, "staged"):
                wanted.staged(self.table.colours[staged])
            expected, places, directions = self._code_moves(None if wanted is None else wanted.moves, coder, past)
            coded = self._code_blocks(wanted, expected, places, coder, past)
            earlier = past.settled, past.pictures[0], past.pictures[min(1, past.count - 1)]
        if coded.any():
            self.table.code_new(None if wanted is None else wanted.colours(coded, self.table), coder, self.memory.slots)
        if not len(self.table.colours):
            raise FormatError("the coded symbols are damaged: there are no colours")
        around = surroundings_of(expected, coded, earlier, key=int(past is None))
        if coded.any():
            self._code_pixels(wanted, around, coded, coder)
        picture = around.picture[BORDER:-BORDER, BORDER:-BORDER].copy()
        self.past = Past.after(past, picture, coded, places, directions)
        if past is not None:
            background = background.copy()
            actors.after_frame(self.stage, background, past.pictures[0], picture, staged, owned)
            self.past = replace(self.past, settled=background)
        return picture

    def _code_moves(self, moves: Moves | None, coder: BitCoder, past: "Past") -> tuple[np.ndarray, np.ndarray, tuple[Direction, ...]]:
        """What is expected, int16 [H, W], and the directions that it comes from."""
        shape = past.coded.shape
        coder.room(64 * DIRECTIONS_LIMIT + (DIRECTIONS_LIMIT + 1) * shape[0] * shape[1])
        reads = coder.reads
        told = code_directions(None if reads else moves.directions if moves else (), coder, self.memory, past.recent, past.count)
        directions = STILL, SETTLED, *told
        assert moves is None or (told == tuple(moves.directions) and moves.places.max(initial=0) < len(directions)), "compiled code checks no bounds"
        places = np.zeros(shape, np.uint8)
        numbers, pictures = np.array(directions, np.int64), past.shown
        code_places(coder.parts, self.memory, pictures, numbers, moves.places if moves else places, places, past.places_among(directions), past.coded)
        expected = np.empty_like(past.settled)
        expected_picture(pictures, numbers, places, expected)
        return expected, places, directions

    def _code_blocks(self, wanted: Wanted | None, expected: np.ndarray, places: np.ndarray, coder: BitCoder, past: "Past") -> np.ndarray:
        coded = np.zeros(past.coded.shape, np.uint8)
        coder.room(coded.size)
        given = coded if wanted is None else wanted.blocks(self.table.colours[expected])
        code_blocks(coder.parts, self.memory, expected, past.pictures[0], past.settled, past.coded, past.coded_before, places, given, coded)
        return coded

    def _code_pixels(self, wanted: Wanted | None, around: Surroundings, coded: np.ndarray, coder: BitCoder) -> None:
        picture, wish = (UNKNOWN, NOTHING) if wanted is None else wanted.picture(self.table)
        rows, width = coded.shape[0] * SIDE, coded.shape[1] * SIDE
        at_once = rows if coder.reads else SIDE * max(1, ROOM // (width * SIDE))
        for start in range(0, rows, at_once):
            coder.room(MOST_DECISIONS * width * at_once)
            code_pixels(coder.parts, self.memory, around, coded, len(self.table.colours), picture, wish, start, min(rows, start + at_once))


@dataclass(frozen=True)
class Past:
    """What a frame is predicted from: colours int16 [BACKS, H, W] of the `count` frames before, the latest first, and of what last stood
    still; which blocks were coded in the last frame and the one before; which directions blocks took, and those of late.
    """

    pictures: np.ndarray
    count: int
    settled: np.ndarray
    coded: np.ndarray
    coded_before: np.ndarray
    places: np.ndarray
    directions: tuple[Direction, ...]
    recent: tuple[Direction, ...]

    @property
    def nbytes(self) -> int:
        return self.pictures.nbytes + self.settled.nbytes

    @staticmethod
    def after(past: "Past | None", picture: np.ndarray, coded: np.ndarray, places: np.ndarray | None, directions: tuple[Direction, ...]) -> "Past":
        if past is None:
            none = np.zeros_like(coded)
            return Past(np.repeat(picture[None], BACKS, axis=0), 1, picture, none, none, none, (STILL, SETTLED), ())
        settled = np.where(picture == past.pictures[0], picture, past.settled)
        pictures = np.concatenate((picture[None], past.pictures[: BACKS - 1]))
        return Past(pictures, min(past.count + 1, BACKS), settled, coded, past.coded, places, directions, recent_after(past.recent, directions[2:]))

    def places_among(self, directions: tuple[Direction, ...]) -> np.ndarray:
        """Which of these directions each block took, int16 [rows, columns], or -1."""
        numbers = [directions.index(direction) if direction in directions else -1 for direction in self.directions]
        return np.array(numbers, np.int16)[self.places]

    @property
    def shown(self) -> np.ndarray:
        """All that a block can show, by a direction's number of frames back: int16 [BACKS + 1, H, W]."""
        return np.concatenate((self.pictures, self.settled[None]))


def surroundings_of(expected: np.ndarray, coded: np.ndarray, earlier: tuple[np.ndarray, np.ndarray, np.ndarray], *, key: int) -> Surroundings:
    """A frame none of whose coded blocks is known yet; earlier: what is settled, and the two frames before."""
    around = [bordered(picture, NO_COLOUR) for picture in (expected, expected, *earlier)]
    return Surroundings(around[0], bordered(1 - in_pixels(coded), 0), *around[1:], key)


def bordered(picture: np.ndarray, outside: int) -> np.ndarray:
    """[H, W] within a border of BORDER pixels; in a tenth of the time of NumPy's pad."""
    result = np.full((picture.shape[0] + 2 * BORDER, picture.shape[1] + 2 * BORDER), outside, picture.dtype)
    result[BORDER:-BORDER, BORDER:-BORDER] = picture
    return result


def in_pixels(blocks: np.ndarray) -> np.ndarray:
    """Of blocks [rows, columns], for each of their pixels."""
    return np.repeat(np.repeat(blocks, SIDE, axis=0), SIDE, axis=1)
