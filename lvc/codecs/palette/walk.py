"""The order in which a frame of few colours is coded: actors, what else moved, which blocks are coded, new colours, then their pixels.

Each of these is one compiled function for both directions. The decoder goes through all of them, frame after frame, in compiled code;
the encoder stops between them, where it is asked what it wants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from lvc.codecs.palette.actors import ACTORS_MOST, after_frame, code_actors, draw
from lvc.codecs.palette.blocks import code_blocks
from lvc.codecs.palette.colour_table import CHANNEL_BITS, COUNT_BITS, ColourTable, code_colours
from lvc.codecs.palette.memory import Memory, memory_of
from lvc.codecs.palette.memory_pool import Memories
from lvc.codecs.palette.model import NO_COLOUR, SIDE, Palette
from lvc.codecs.palette.moves import NUMBER_MOST, Moves, code_places, code_ways, expect, keep_recent
from lvc.codecs.palette.numbers import BACKDROP, code_unary
from lvc.codecs.palette.past import (
    BACKDROPS,
    BORDER,
    COLOURS,
    COLOURS_LIMIT,
    DIRECTIONS_LIMIT,
    EDGE,
    FRAMES,
    NO_GAME,
    WAYS,
    Game,
    Past,
    clear_map,
    copy_map,
    next_frame,
    no_past,
    with_room,
)
from lvc.codecs.palette.pixels import MOST_DECISIONS, Wish, code_pixels
from lvc.codecs.palette.stage import CAST, Scene, Sprites
from lvc.entropy.bits import BitCoder
from lvc.errors import FormatError
from lvc.kernels.compiled import bare

CODING_RATE = 5  # of learning weights, while a file is coded
ROOM = 1 << 16  # pixels that are coded at once: bounds the memory for what is written
ROOM_BYTES = 1 << 26  # of frames that are still to come
NOTHING = Wish(np.empty((0, 0, 3), np.uint8), np.empty((0, 3), np.int64), np.empty((0, 0)))
UNKNOWN = np.empty((0, 0), np.int16)
WRONG_WAY, TOO_MANY_COLOURS, NO_COLOURS_AT_ALL, NO_SUCH_ACTOR = 1, 2, 3, 4
FAULTS = "", "a direction from outside of the frames before", f"a group of more than {COLOURS_LIMIT} colours", "there are no colours", "an actor that cannot be"
NO_WAYS, NO_COLOURS = np.empty((0, 3), np.int64), np.empty(0, np.int32)
NOTHING_WANTED = Scene.nothing(), NO_WAYS, NO_COLOURS, UNKNOWN, NOTHING


class Motion(NamedTuple):
    """What an encoder found a frame to be: the known scene that a group begins from, counted from 1, the actors, and what else has moved."""

    backdrop: int = 0
    scene: Scene | None = None
    moves: Moves | None = None


class Wanted(Protocol):
    """What a writer is to code."""

    def backdrop(self, scenes: np.ndarray, colours: np.ndarray) -> int:
        """Which of the known scenes int16 [S, H, W], places of colours int32 [K], the group begins from, counted from 1; 0 for none."""

    def actors(self) -> Scene | None:
        """Who is seen before the background."""

    def ways(self) -> Moves | None:
        """What else has moved, where the actors before their background are expected."""

    def blocks(self, expected: np.ndarray, colours: np.ndarray) -> np.ndarray:
        """Which blocks uint8 [rows, columns] are coded, where places int16 [H, W] of colours int32 [K] are expected."""

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        """Colours int32 [N] that these blocks need, at least those that the table lacks."""

    def picture(self, table: ColourTable) -> tuple[np.ndarray, Wish]:
        """The places of the colours int16 [H, W], or none and what they are chosen by."""


@dataclass(frozen=True)
class Known:
    """A frame whose colours int32 [H, W] are known before they are coded, and what has moved in it."""

    whole: np.ndarray
    motion: Motion = Motion()

    def backdrop(self, scenes: np.ndarray, colours: np.ndarray) -> int:
        return self.motion.backdrop

    def actors(self) -> Scene | None:
        return self.motion.scene

    def ways(self) -> Moves | None:
        return self.motion.moves

    def blocks(self, expected: np.ndarray, colours: np.ndarray) -> np.ndarray:
        rows, columns = (side // SIDE for side in self.whole.shape)
        return (self.whole != colours[expected]).reshape(rows, SIDE, columns, SIDE).any(axis=(1, 3)).astype(np.uint8)

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        missing = table.places(self.whole) == NO_COLOUR
        return np.unique(self.whole[(np.repeat(np.repeat(coded, SIDE, axis=0), SIDE, axis=1) > 0) & missing])

    def picture(self, table: ColourTable) -> tuple[np.ndarray, Wish]:
        return table.places(self.whole), NOTHING  # outside of the coded blocks some may have no place, and are not asked for


class PaletteFrames:
    """Codes the frames of one group in order; keeps them, because the next ones are predicted from them.

    memory: of this group alone; teaches on. Or memories: of which it takes one until it is done. most: frames that there will be, about.
    """

    def __init__(self, model: Palette, memory: Memory | None = None, *, memories: Memories | None = None, most: int = 1):
        self._memories = memories
        if memory is None:
            memory = memory_of(model, CODING_RATE) if memories is None else memories.take()
        self.memory: Memory | None = memory
        self.past: Past | None = None
        self._game, self._most = game_of(model), most

    def __len__(self) -> int:
        return 0 if self.past is None else int(self.past.counts[FRAMES] - self.past.counts[BACKDROPS])

    @property
    def nbytes(self) -> int:
        """Memory held, about."""
        return (0 if self.memory is None else self.memory.nbytes) + (0 if self.past is None else (len(self) + 4) * self.past.expected.nbytes)

    @property
    def known_colours(self) -> np.ndarray:
        """Of the game that the weights know, int32 [K]."""
        return self._game.colours

    @property
    def colours(self) -> np.ndarray:
        """Of the group so far, int32 [K], 0xRRGGBB each."""
        return self._game.colours if self.past is None else self.past.colours[: self.past.counts[COLOURS]]

    def code_frames(self, symbols, count: int, coder: BitCoder, shape: tuple[int, int, int], moves: Sequence[Motion] = ()) -> np.ndarray:
        """Codes colours int32 [T, 1, H, W] of the next `count` frames with `coder`, or decodes them where `symbols` is None; gives them
        back. In place of one frame's colours may stand a `Choice`, that finds them. moves: of each frame, or none at all.

        Raises FormatError for what cannot be.
        """
        first = len(self)
        if symbols is None:
            self.read(count, coder, shape)
        else:
            self._make_room(count, shape)
            for place in range(count):
                wanted = symbols[place]
                if isinstance(wanted, np.ndarray):
                    wanted = Known(wanted[0], moves[place] if moves else Motion())
                self._write(wanted, coder)
        return self.frames(slice(first, first + count))

    def read(self, count: int, coder: BitCoder, shape: tuple[int, int, int]) -> None:
        """Decodes the next `count` frames, all of them in compiled code; raises FormatError for what cannot be."""
        self._make_room(count, shape)
        blocks = np.zeros([side // SIDE for side in shape[1:]], np.uint8)
        if fault := read_frames(coder.parts, self.memory, self.past, count, (*NOTHING_WANTED, blocks)):
            raise FormatError(f"the coded symbols are damaged: {FAULTS[fault]}")

    def frames(self, numbers) -> np.ndarray:
        """Colours int32 [N, 1, H, W] of frames of the group: a slice, or whole numbers from 0 to len - 1."""
        places = range(len(self))[numbers] if isinstance(numbers, slice) else numbers
        result = np.empty((len(places), *(side - 2 * BORDER for side in self.past.expected.shape)), np.int32)
        find_colours(self.past.pictures, np.asarray(places, np.int64) + self.past.counts[BACKDROPS], self.past.colours, result)
        return result[:, None]

    def painted(self, back: int) -> np.ndarray:
        """uint8 [H, W, 3] of the frame so many before the last, or the first; for -1 of the actors before their background."""
        picture = inside(self.past.pictures[0 if back < 0 else max(1, int(self.past.counts[FRAMES]) - back)])
        result = np.empty((*picture.shape, 3), np.uint8)
        paint(picture, self.colours, result)
        return result

    @property
    def background(self) -> np.ndarray:
        """Places of colours int16 [H, W] of what stands behind the actors."""
        return inside(self.past.stage.background)

    def finish(self) -> None:
        """Lets go of all but the frames: no others come."""
        memory, self.memory = self.memory, None
        if self._memories is not None and memory is not None:
            self._memories.give(memory)

    def __del__(self):
        """Gives its memory back where nobody goes on: a damaged group, or one of which no further frame was asked for."""
        if getattr(self, "memory", None) is not None:  # without one where it was never made
            self.finish()

    def _make_room(self, count: int, shape: tuple[int, int, int]) -> None:
        past = no_past(*shape[1:], self._game) if self.past is None else self.past
        self.past = with_room(past, 1 + max(count, min(self._most - len(self), ROOM_BYTES // past.expected.nbytes)))

    def _write(self, wanted: Wanted, coder: BitCoder) -> None:
        past, memory = self.past, self.memory
        rows, columns = (side - 2 * EDGE for side in past.coded.shape)
        coder.room(NUMBER_MOST * (DIRECTIONS_LIMIT + 1) + (DIRECTIONS_LIMIT + 4) * rows * (columns + 1))
        if past.counts[FRAMES] == 0 and len(past.scenes):
            code_backdrop(coder.parts, memory.slots, past, wanted.backdrop(inside(past.scenes), self.colours))
        begin_frame(past)
        if past.counts[FRAMES]:
            coder.room(ACTORS_MOST)
            scene = wanted.actors() or Scene.nothing()
            assert len(scene.new) <= CAST, "more are not read"
            if code_actors(coder.parts, memory, past.stage, scene, past.room):
                raise FormatError(FAULTS[NO_SUCH_ACTOR])
            draw(past)
            moves = wanted.ways() or Moves((), np.zeros((rows, columns), np.uint8))
            if code_ways(coder.parts, memory.slots, past, np.array(moves.directions, np.int64).reshape(-1, 3)):
                raise FormatError(FAULTS[WRONG_WAY])
            assert moves.places.shape == (rows, columns) and moves.places.max(initial=0) < past.counts[WAYS], "compiled code checks no bounds"
            code_places(coder.parts, memory, past, moves.places)
            expect(past)
            count = code_blocks(coder.parts, memory, past, wanted.blocks(inside(past.expected), self.colours))
        else:
            count = rows * columns
        table = ColourTable(self.colours)
        if count:
            new = table.new(wanted.colours(past.coded[EDGE:-EDGE, EDGE:-EDGE], table))
            coder.room(3 * CHANNEL_BITS * len(new) + COUNT_BITS + 1)
            if code_colours(coder.parts, memory.slots, past, new):
                raise ValueError("a group without colours")
            table = ColourTable(self.colours) if len(new) else table
            begin_pixels(past)
            picture, wish = wanted.picture(table)
            at_once = SIDE * max(1, ROOM // (columns * SIDE * SIDE))
            for start in range(0, rows * SIDE, at_once):
                coder.room(MOST_DECISIONS * columns * SIDE * at_once)
                code_pixels(coder.parts, memory, past, picture, wish, start, min(rows * SIDE, start + at_once))
        else:
            begin_pixels(past)
        end_frame(past)


def game_of(model: Palette) -> Game:
    if not model.config.colours:
        return NO_GAME
    return Game(model.colours, Sprites(model.sprites, model.sizes.astype(np.int64)), model.scenes)


@bare
def code_backdrop(coder, slots, past, number):
    """Codes which known scene a group begins from, as if it were a frame before the first; 0 for none."""
    number = code_unary(coder, slots, BACKDROP, number, past.scenes.shape[0])
    if number:
        copy_map(past.scene_words[number - 1], past.words[1])
        copy_map(past.scene_words[number - 1], past.stage.background_words)
        next_frame(past)
        past.counts[BACKDROPS] = 1


@bare
def begin_frame(past):
    """In a keyframe all blocks are coded, and nothing is expected."""
    rows, columns = past.coded.shape
    if past.counts[FRAMES] == 0:
        clear_map(past.coded[EDGE : rows - EDGE, EDGE : columns - EDGE], 1)
        clear_map(past.expected, NO_COLOUR)


@bare
def begin_pixels(past):
    """The picture is as expected, until the pixels of coded blocks are known."""
    words, expected, unknown, coded = past.words, past.expected_words, past.unknown, past.coded
    copy_map(expected, words[1 + past.counts[FRAMES]])
    for row in range(EDGE, coded.shape[0] - EDGE):
        for column in range(EDGE, coded.shape[1] - EDGE):
            if coded[row, column]:
                y, x = (row - EDGE) * SIDE + BORDER, (column - EDGE) * SIDE + BORDER
                clear_map(unknown[y : y + SIDE, x : x + SIDE], 1)


@bare
def end_frame(past):
    if past.counts[FRAMES]:
        keep_recent(past)
        after_frame(past)
    else:
        copy_map(past.words[1], past.stage.background_words)
    next_frame(past)


@bare
def read_frames(coder, memory, past, count, nothing):
    """Decodes the next frames; gives 0, or which of FAULTS was found. nothing: NOTHING_WANTED, and blocks uint8 [rows, columns]."""
    any_scene, any_ways, any_colours, any_picture, any_wish, any_blocks = nothing
    rows, columns = any_blocks.shape
    for _ in range(count):
        if past.counts[FRAMES] == 0 and past.scenes.shape[0]:
            code_backdrop(coder, memory.slots, past, np.int64(0))
        begin_frame(past)
        coded = rows * columns
        if past.counts[FRAMES]:
            if code_actors(coder, memory, past.stage, any_scene, past.room):
                return NO_SUCH_ACTOR
            draw(past)
            if code_ways(coder, memory.slots, past, any_ways):
                return WRONG_WAY
            code_places(coder, memory, past, any_blocks)
            expect(past)
            coded = code_blocks(coder, memory, past, any_blocks)
        if coded and code_colours(coder, memory.slots, past, any_colours):
            return NO_COLOURS_AT_ALL if past.counts[COLOURS] == 0 else TOO_MANY_COLOURS
        begin_pixels(past)
        if coded:
            code_pixels(coder, memory, past, any_picture, any_wish, 0, rows * SIDE)
        end_frame(past)
    return 0


@bare
def paint(picture, colours, result):
    """Fills uint8 [H, W, 3] with the colours that stand at these places."""
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            colour = colours[picture[y, x]]
            result[y, x, 0], result[y, x, 1], result[y, x, 2] = colour >> 16, colour >> 8, colour


@bare
def find_colours(pictures, numbers, colours, result):
    """Fills int32 [N, H, W] with the frames of these numbers, int64 [N], among places int16 [1 + T, H, W] within their border; colours: int32 [COLOURS_LIMIT]."""
    for place in range(result.shape[0]):
        picture = pictures[1 + numbers[place]]
        for y in range(result.shape[1]):
            for x in range(result.shape[2]):
                # A mask in place of the question whether an index is negative: with it a frame takes 7 µs, and not 27.
                result[place, y, x] = colours[np.int64(picture[y + BORDER, x + BORDER]) & (COLOURS_LIMIT - 1)]


def inside(picture: np.ndarray) -> np.ndarray:
    """[..., H, W] without its border."""
    return picture[..., BORDER:-BORDER, BORDER:-BORDER]
