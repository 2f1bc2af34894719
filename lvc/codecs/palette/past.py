"""What a group's frames are predicted from, in arrays that compiled code fills frame by frame.

Pictures stand within a border of one block that holds no colour, so that what is around a pixel needs no question; four pixels are one
word of 64 bits, so that blocks are compared and copied by the word.
"""

from typing import NamedTuple

import numpy as np

from lvc.codecs.palette.memory import MOST_CONTEXTS
from lvc.codecs.palette.model import NO_COLOUR, SIDE
from lvc.codecs.palette.stage import NO_SPRITES, Sprites, Stage, stage_of
from lvc.kernels.compiled import bare, inlined

BORDER = SIDE  # pixels
EDGE = 2  # blocks around maps of blocks
BACKS = 4  # frames before that something can have moved from
DIRECTIONS_LIMIT = 15  # of a frame
RECENT = 8  # directions of the frames before that are told by their place
MOST_WAYS = 2 + DIRECTIONS_LIMIT
COLOURS_LIMIT = 1 << 12  # in a group
# Places in `counts`: frames that are there, ways of this frame and of the last, recent ways, colours, and whether the first frame is a scene that the weights know.
FRAMES, WAYS, LAST_WAYS, RECENTS, COLOURS, BACKDROPS = range(6)
SPREAD = 0x0001000100010001  # times a colour: four of them


class Room(NamedTuple):
    """Where compiled functions put what they need for a moment: made once, because making arrays costs more than what is done with them."""

    contexts: np.ndarray  # int64 [MOST_CONTEXTS]
    odds: np.ndarray  # int32 [MOST_CONTEXTS]
    around: np.ndarray  # int64 [64]
    candidates: np.ndarray  # int64 [32]
    scores: np.ndarray  # int64 [32]
    sources: np.ndarray  # int64 [MOST_WAYS, 3]
    shown: np.ndarray  # uint64 [MOST_WAYS, SIDE, columns]
    apart: np.ndarray  # uint64 [columns]
    contents: np.ndarray  # uint64 [MOST_WAYS]
    tried: np.ndarray  # int64 [MOST_WAYS]
    before: np.ndarray  # int64 [MOST_WAYS]
    stir: np.ndarray  # uint8 [columns]
    ways: np.ndarray  # int64 [MOST_WAYS + RECENT, 3]


def room_of(columns: int) -> Room:
    def numbers(*shape, kind=np.int64):
        return np.zeros(shape, kind)

    return Room(
        numbers(MOST_CONTEXTS),
        numbers(MOST_CONTEXTS, kind=np.int32),
        numbers(64),
        numbers(32),
        numbers(32),
        numbers(MOST_WAYS, 3),
        numbers(MOST_WAYS, SIDE, columns, kind=np.uint64),
        numbers(columns, kind=np.uint64),
        numbers(MOST_WAYS, kind=np.uint64),
        numbers(MOST_WAYS),
        numbers(MOST_WAYS),
        numbers(columns, kind=np.uint8),
        numbers(MOST_WAYS + RECENT, 3),
    )


class Past(NamedTuple):
    """pictures: places of colours int16 [1 + N, H, W] within their border: actors before their background, then the frames. expected: int16 [H, W], of the frame that is coded.
    words, expected_words: the same, four pixels at a time, uint64. unknown: uint8 [H, W] as pictures, 1 for pixels that are not yet coded.

    coded, once, before: uint8 [rows, columns], blocks coded in this frame, in the last and in the one before that; taken, took: which way blocks went in this frame and in the last;
    traits: see `blocks`; all of them within EDGE. ways, last_ways: int64 [MOST_WAYS, 3], told in this frame and in the last, see `moves`; recent: those of late.
    colours: int32 [COLOURS_LIMIT], 0xRRGGBB. counts: int64 [6]. scenes: int16 [S, H, W] as pictures, that the weights know, and four pixels at a time.
    """

    pictures: np.ndarray
    words: np.ndarray
    expected: np.ndarray
    expected_words: np.ndarray
    unknown: np.ndarray
    coded: np.ndarray
    once: np.ndarray
    before: np.ndarray
    taken: np.ndarray
    took: np.ndarray
    traits: np.ndarray
    ways: np.ndarray
    last_ways: np.ndarray
    recent: np.ndarray
    colours: np.ndarray
    counts: np.ndarray
    room: Room
    stage: Stage
    scenes: np.ndarray
    scene_words: np.ndarray


class Game(NamedTuple):
    """What weights know of one game: colours int32 [K], sprites, and scenes int16 [S, H, W], of places of these colours."""

    colours: np.ndarray
    sprites: Sprites
    scenes: np.ndarray


NO_GAME = Game(np.empty(0, np.int32), NO_SPRITES, np.empty((0, 0, 0), np.int16))


def no_past(height: int, width: int, game: Game = NO_GAME) -> Past:
    """Before a group's first frame; sides in pixels, multiples of SIDE. Scenes of another size are as if they were not there."""
    size = height + 2 * BORDER, width + 2 * BORDER
    blocks = height // SIDE + 2 * EDGE, width // SIDE + 2 * EDGE
    pictures, expected = np.full((1, *size), NO_COLOUR, np.int16), np.full(size, NO_COLOUR, np.int16)
    maps = [np.zeros(blocks, np.uint8) for _ in range(6)]
    ways = np.zeros((2, MOST_WAYS, 3), np.int64)
    colours, counts = np.zeros(COLOURS_LIMIT, np.int32), np.zeros(6, np.int64)
    colours[: len(game.colours)], counts[COLOURS] = game.colours, len(game.colours)
    suited = game.scenes if game.scenes.shape[1:] == (height, width) else game.scenes[:0]
    scenes = np.full((len(suited), *size), NO_COLOUR, np.int16)
    scenes[:, BORDER : BORDER + height, BORDER : BORDER + width] = suited if len(suited) else NO_COLOUR
    return Past(
        pictures,
        pictures.view(np.uint64),
        expected,
        expected.view(np.uint64),
        np.zeros(size, np.uint8),
        *maps,
        *ways,
        np.zeros((RECENT, 3), np.int64),
        colours,
        counts,
        room_of(width // SIDE),
        stage_of(np.full(size, NO_COLOUR, np.int16), game.sprites),
        scenes,
        scenes.view(np.uint64),
    )


def frame_bytes(height: int, width: int) -> int:
    """Memory that a frame takes."""
    return 2 * (height + 2 * BORDER) * (width + 2 * BORDER)


def with_room(past: Past, frames: int) -> Past:
    """The same with room for so many frames more; what is not used of it is not yet memory."""
    there = 1 + int(past.counts[FRAMES])
    if there + frames <= len(past.pictures):
        return past
    pictures = np.empty((max(there + frames, 2 * len(past.pictures)), *past.pictures.shape[1:]), np.int16)
    pictures[:there] = past.pictures[:there]
    return past._replace(pictures=pictures, words=pictures.view(np.uint64))


@inlined
def copy_map(source, target):
    """Of two axes: assigning one to the other would make a copy between, lest they overlap."""
    for y in range(target.shape[0]):
        for x in range(target.shape[1]):
            target[y, x] = source[y, x]


@inlined
def clear_map(target, number):
    for y in range(target.shape[0]):
        for x in range(target.shape[1]):
            target[y, x] = number


@bare
def next_frame(past):
    """Makes the frame that was coded the last one."""
    words, counts = past.words, past.counts
    number = counts[FRAMES]
    if number == 0:
        copy_map(words[1], words[0])
        clear_map(past.coded, 0)
        counts[LAST_WAYS], past.last_ways[1, 0] = 2, BACKS
    else:
        copy_map(past.once, past.before)
        copy_map(past.coded, past.once)
        copy_map(past.taken, past.took)
        copy_map(past.ways, past.last_ways)
        counts[LAST_WAYS] = counts[WAYS]
    counts[FRAMES] = number + 1
