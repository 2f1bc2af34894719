"""What stands for a frame's pixels: blocks that are worth coding, and the colours whose error and bits together cost least.

Only an encoder chooses, so floats are welcome here: the colours that come out are what the file holds.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lvc.codecs.crf import CRF_LEVELS
from lvc.codecs.palette.actor_search import PIXEL_BITS, found_scene
from lvc.codecs.palette.colour_table import ColourTable
from lvc.codecs.palette.colours import palette_of, rgb
from lvc.codecs.palette.model import SIDE
from lvc.codecs.palette.move_search import Shown, found_moves
from lvc.codecs.palette.moves import Moves, recent_directions
from lvc.codecs.palette.past import BACKS
from lvc.codecs.palette.pixels import Wish, nearest_colour, squared_error
from lvc.codecs.palette.stage import Scene
from lvc.codecs.palette.walk import UNKNOWN, Motion, PaletteFrames
from lvc.entropy.bits import BitCoder, BitCounter
from lvc.kernels.compiled import bare, compiled, inlined

# At crf 0 and 63: bits that a squared level of error is worth while frames are chosen.
BEST_WORTH, LEAST_WORTH = 0.008, 0.00003
# What is kept about exactly is cheap to predict from: below this worth frames cost hardly less, or more, at many decibels less. So a coarser choice is
# taken only where it pays by what errors are worth in the end, which is so much less than while frames are chosen, where errors are passed on.
EXACT_WORTH, PASSED_ON = 0.001, 30
# Frames after which two ways are compared, and by how much one must be ahead to be taken before the last of them. Measured on 13 recordings: a third less
# time than both ways to the end, at 0.2 % more bytes; actors are told when they come first, so earlier their way looks dearer than it is.
DECIDED_AT, WELL_AHEAD = (16, 32, 48), 1.03
COARSER = 0.0003, 0.0001, 0.00003  # worths that are tried then, as far as a quality allows them: the same ones at every level, so that bytes fall from level to level
# How much more than once an error counts, because what is kept now is kept by the frames that follow: for each frame that a block stays
# as it is, of those at most, and the least. Measured: 9 % fewer bytes than with a keyframe's 40 times, other pixels' 2 and blocks' once.
# What moves on is kept by moving, so the least is more than once: with 2 in place of 0.6 and 0.5 for blocks and moves, bank_heist takes 43 bytes at 47.0 dB and not 53 at 44.8.
PIXEL_LASTS, PIXEL_FRAMES, PIXEL_LEAST = 2.0, 32, 4.0
BLOCK_LASTS, BLOCK_FRAMES, BLOCK_LEAST = 0.5, 16, 2.0
MOVE_LASTS, MOVE_FRAMES, MOVE_LEAST = 0.5, 16, 2.0
KEY_BITS = 0.1  # of a pixel of a keyframe, about
SCENE_LASTS = 2.0  # how much more than once an error counts that an actor takes away
BLOCK_BITS = 18.0  # what a block is thought to cost before it is coded
BESIDE_BITS = 5.0  # how much less with each block beside it that is coded
CELL_BITS = 6  # of each channel, for finding colours about
STAYS = 48 * 6**2  # squared levels by which a block differs that stays as it is


class Choice:
    """Chooses one frame's colours while it is coded.

    source: uint8 [H, W, 3]. palette: colours int32 [K] of the group. worth: bits that a squared level of error is worth.
    least: int32 [H, W], the least squared errors that the palette allows. lives: int64 [rows, columns], how many frames blocks stay as they are.
    coding: what codes it. before: the frames before, the latest first, as far as they were looked at. search, looks_for_actors: whether to look for what has moved, and for actors.
    """

    def __init__(self, source: np.ndarray, palette: np.ndarray, worth: float, least: np.ndarray, lives: np.ndarray, coding: PaletteFrames, before: list[Shown], *, search: bool, looks_for_actors: bool):
        self.source, self.palette, self.worth, self.least, self.lives = source, palette, worth, least, lives
        self.search, self.looks_for_actors = search, looks_for_actors
        self.coding, self.before, self.motion = coding, before, Motion()

    def backdrop(self, scenes: np.ndarray, colours: np.ndarray) -> int:
        table = channels(colours)
        costs = [KEY_BITS * self.least.size, *(scene_cost(self.source, scene, table, self.least, PIXEL_LEAST * self.worth) for scene in scenes)]
        self.motion = self.motion._replace(backdrop=int(np.argmin(costs)))
        return self.motion.backdrop

    def actors(self) -> Scene | None:
        if self.looks_for_actors:
            coding = self.coding
            scene = found_scene(self.source, coding.background, channels(coding.colours), self.least, coding.past.stage, SCENE_LASTS * self.worth)
            self.motion = self.motion._replace(scene=scene)
        return self.motion.scene

    def ways(self) -> Moves | None:
        if self.search:
            coding = self.coding
            self.before[:] = [Shown(coding.painted(0)), *self.before[: BACKS - 1]]
            worth = self.worth * lasting(self.lives, MOVE_LASTS, MOVE_FRAMES, MOVE_LEAST)
            moves = found_moves(Shown(self.source), self.before, coding.painted(-1), self.least, worth, recent_directions(coding.past))
            self.motion = self.motion._replace(moves=moves)
        return self.motion.moves

    def blocks(self, expected: np.ndarray, colours: np.ndarray) -> np.ndarray:
        worth = self.worth * lasting(self.lives, BLOCK_LASTS, BLOCK_FRAMES, BLOCK_LEAST)
        return worth_coding(worth * gains(self.source, expected, colours, self.least))

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        return self.palette

    def picture(self, table: ColourTable) -> tuple[np.ndarray, Wish]:
        return UNKNOWN, Wish(self.source, channels(table.colours), self.worth * lasting(self.lives, PIXEL_LASTS, PIXEL_FRAMES, PIXEL_LEAST))


def lasting(lives: np.ndarray, lasts: float, frames: float, least: float) -> np.ndarray:
    """How much more than once an error counts: float64 [rows, columns]."""
    return np.maximum(least, lasts * np.minimum(lives, frames))


def channels(colours: np.ndarray) -> np.ndarray:
    return rgb(colours).astype(np.int64)


def nearest_of_cells(palette: np.ndarray) -> np.ndarray:
    """int16 [2**(3 * CELL_BITS)]: the place of the colour of `palette` int64 [K, 3] nearest to the middle of each cell of all colours."""
    result = np.empty(1 << 3 * CELL_BITS, np.int16)
    find_nearest(palette, np.empty(3, np.int64), result)
    return result


@bare
def find_nearest(palette, middle, result):
    side, half = 1 << (8 - CELL_BITS), 1 << (7 - CELL_BITS)
    cells = 1 << CELL_BITS
    for red in range(cells):
        for green in range(cells):
            for blue in range(cells):
                middle[0], middle[1], middle[2] = red * side + half, green * side + half, blue * side + half
                result[(red * cells + green) * cells + blue] = nearest_colour(middle, palette)[0]


def least_errors(source: np.ndarray, palette: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """int32 [H, W]: about the least squared error of the pixels [H, W, 3] with colours of the palette; nearest: see `nearest_of_cells`."""
    result = np.empty(source.shape[:2], np.int32)
    find_least(source, palette, nearest, result)
    return result


@inlined
def cell_of(pixel):
    shift = 8 - CELL_BITS
    return ((np.int64(pixel[0]) >> shift << CELL_BITS | np.int64(pixel[1]) >> shift) << CELL_BITS) | np.int64(pixel[2]) >> shift


@bare
def find_least(source, palette, nearest, result):
    for y in range(source.shape[0]):
        for x in range(source.shape[1]):
            result[y, x] = squared_error(source[y, x], palette[nearest[cell_of(source[y, x])]])


def gains(source: np.ndarray, expected: np.ndarray, colours: np.ndarray, least: np.ndarray) -> np.ndarray:
    """float64 [rows, columns]: squared levels of error that coding a block takes away, from those of places int16 [H, W] of colours int32 [K] that
    are expected to the least int32 [H, W]."""
    result = np.zeros([side // SIDE for side in expected.shape])
    add_gains(source, expected, channels(colours), least, result)
    return result


@bare
def add_gains(source, expected, colours, least, result):
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            error = 0
            for y in range(SIDE * row, SIDE * (row + 1)):
                for x in range(SIDE * column, SIDE * (column + 1)):
                    error += squared_error(source[y, x], colours[expected[y, x]]) - least[y, x]
            result[row, column] = error


@compiled
def worth_coding(gained):
    """uint8 [rows, columns]: which blocks are worth coding that gain so many bits; beside others that are, a block costs less."""
    rows, columns = gained.shape
    coded = np.zeros((rows + 2, columns + 2), np.uint8)
    for turn in range(3):
        last = coded.copy()
        for row in range(rows):
            for column in range(columns):
                y, x = row + 1, column + 1
                beside = 1 if turn == 0 else np.int64(last[y - 1, x]) + last[y + 1, x] + last[y, x - 1] + last[y, x + 1]
                coded[y, x] = gained[row, column] > BLOCK_BITS + BESIDE_BITS * (1 - beside)
    return coded[1:-1, 1:-1].copy()


def lifetimes(pictures: np.ndarray) -> np.ndarray:
    """How many frames each block of uint8 [T, H, W, 3] stays about as it is, this one counted: int64 [T, rows, columns]."""
    count, height, width = pictures.shape[:3]
    result = np.ones((count, height // SIDE, width // SIDE), np.int64)
    count_lives(pictures.reshape(count, height, 3 * width), result)
    return result


@bare
def count_lives(pictures, result):
    count, rows, columns = result.shape
    for number in range(count - 2, -1, -1):
        for row in range(rows):
            for column in range(columns):
                error = 0
                for y in range(SIDE * row, SIDE * (row + 1)):
                    for x in range(3 * SIDE * column, 3 * SIDE * (column + 1)):
                        apart = np.int64(pictures[number, y, x]) - pictures[number + 1, y, x]
                        error += apart * apart
                    if error > STAYS:
                        break
                if error <= STAYS:
                    result[number, row, column] = 1 + result[number + 1, row, column]


def whole_pictures(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 [T, H, W, 3], continued to whole blocks by their last row and column."""
    missing = -frames.shape[1] % SIDE, -frames.shape[2] % SIDE
    if not any(missing):
        return frames
    return np.pad(frames, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


class Chosen(NamedTuple):
    """Colours int32 [T, 1, H, W] of a group, what has moved in each frame, what they cost to code, and what they cost with the errors that they leave."""

    symbols: np.ndarray
    motions: tuple[Motion, ...]
    bits: float
    cost: float


class Group:
    """Pictures uint8 [T, H, W, 3], whose sides are multiples of SIDE, with the palette int32 [K] that they are chosen from, and what is the same in whichever way they are."""

    def __init__(self, pictures: np.ndarray, palette: np.ndarray, lives: np.ndarray | None = None):
        self.pictures, self.palette = np.ascontiguousarray(pictures), palette
        self.lives = lifetimes(self.pictures) if lives is None else lives
        self._table, self._least = channels(palette), {}
        self._nearest = nearest_of_cells(self._table)

    def least(self, number: int) -> np.ndarray:
        """int32 [H, W]: the least squared errors that the palette allows."""
        if number not in self._least:
            self._least[number] = least_errors(self.pictures[number], self._table, self._nearest)
        return self._least[number]


class Choosing:
    """Chooses what stands for a group's pictures, from the first on; `coding` is at the group's beginning.

    search: whether to look for what has moved; actors: for actors too. worth: of errors while frames are chosen. coders: that take each frame as it is chosen, by default one that only counts.
    """

    def __init__(self, coding: PaletteFrames, group: Group, crf: int, *, search: bool, actors: bool, worth: float, coders: Sequence[BitCoder]):
        self.coding, self.group, self.coders = coding, group, coders or [BitCounter()] * len(group.pictures)
        self._search, self._actors, self._worth = search, actors, worth
        self._final_worth = error_worth(crf) / PASSED_ON
        self._symbols, self._motions, self._before, self._error = [], [], [], 0

    def advance(self, stop: int) -> None:
        """Chooses frames until `stop` of them are chosen."""
        group = self.group
        for number in range(len(self._symbols), min(stop, len(group.pictures))):
            source = group.pictures[number]
            choice = Choice(
                source, group.palette, self._worth, group.least(number), group.lives[number], self.coding, self._before, search=self._search, looks_for_actors=self._search and self._actors
            )
            self._symbols.append(self.coding.code_frames([choice], 1, self.coders[number], (1, *source.shape[:2]))[0])
            self._motions.append(choice.motion)
            self._error += error_left(source, self._symbols[-1][0])

    @property
    def bits(self) -> float:
        return sum(coder.bits for coder in set(self.coders))

    @property
    def cost(self) -> float:
        """Bits of what is chosen so far, and of the errors that it leaves."""
        return self.bits + self._final_worth * self._error

    def chosen(self) -> Chosen:
        """What is chosen for all frames."""
        self.advance(len(self.group.pictures))
        return Chosen(np.stack(self._symbols), tuple(self._motions), self.bits, self.cost)


def choose(
    coding: PaletteFrames, pictures: np.ndarray, crf: int, *, search: bool, actors: bool = True, worth: float | None = None, coders: Sequence[BitCoder] = (), palette: np.ndarray | None = None
) -> Chosen:
    """What stands for a group's pictures, as `Choosing` has them; worth by default that of crf, palette the colours that are worth their bits."""
    worth = error_worth(crf) if worth is None else worth
    palette = palette_of(pictures, worth, coding.known_colours) if palette is None else palette
    return Choosing(coding, Group(pictures, palette), crf, search=search, actors=actors, worth=worth, coders=coders).chosen()


def choose_cheapest(
    begun: Callable[[], tuple[PaletteFrames, Sequence[BitCoder]]], pictures: np.ndarray, crf: int, *, known: np.ndarray, search: bool
) -> tuple[Chosen, Sequence[BitCoder]]:
    """`choose` in the way that costs least, errors counted, and the coders that took it; begun: gives what codes a group, at its beginning, and coders.
    known: colours int32 [K] of the game that the weights know, if any.

    Actors are looked for in a game that the weights know; in others both ways are tried, because where the background moves they cost more than
    they save. Where errors are worth little it is tried whether a coarser choice pays.
    """
    wanted = error_worth(crf)

    def begin(actors: bool, worth: float, group: Group) -> Choosing:
        coding, coders = begun()
        return Choosing(coding, group, crf, search=search, actors=actors, worth=worth, coders=coders)

    exact = max(wanted, EXACT_WORTH)
    group = Group(pictures, palette_of(pictures, exact, known))
    if not search:
        made = begin(False, exact, group)
        return made.chosen(), made.coders
    if len(known):
        actors, made = True, begin(True, exact, group)
    else:
        actors, made = cheaper({actors: begin(actors, exact, group) for actors in (True, False)})
    found = [(made.chosen(), made.coders)]
    for coarser in COARSER:
        if coarser >= 0.999 * wanted:  # the last level's is the last of these, but for rounding
            made = begin(actors, coarser, Group(group.pictures, palette_of(pictures, coarser, known), group.lives))
            found.append((made.chosen(), made.coders))
    return min(found, key=lambda each: each[0].cost)


def cheaper(ways: dict[bool, Choosing]) -> tuple[bool, Choosing]:
    """The one of two ways that costs less, and the choosing that takes it: known as soon as one is well ahead, or after most of a group's news has come."""
    for stop in DECIDED_AT:
        for choosing in ways.values():
            choosing.advance(stop)
        ahead, behind = sorted(ways, key=lambda way: ways[way].cost)
        if ways[behind].cost > WELL_AHEAD * ways[ahead].cost:
            break
    return ahead, ways[ahead]


@compiled
def error_left(source, colours):
    """Squared levels of error of colours int32 [H, W] in place of pixels uint8 [H, W, 3]."""
    total = 0
    for y in range(colours.shape[0]):
        for x in range(colours.shape[1]):
            colour = np.int64(colours[y, x])
            red, green, blue = np.int64(source[y, x, 0]) - (colour >> 16), np.int64(source[y, x, 1]) - (colour >> 8 & 255), np.int64(source[y, x, 2]) - (colour & 255)
            total += red * red + green * green + blue * blue
    return total


@compiled
def scene_cost(source, scene, colours, least, worth):
    """Bits by which a picture [H, W, 3] is unlike a scene int16 [H, W] of places of colours."""
    total = 0.0
    for y in range(scene.shape[0]):
        for x in range(scene.shape[1]):
            total += min(PIXEL_BITS, max(0.0, worth * (squared_error(source[y, x], colours[scene[y, x]]) - least[y, x])))
    return total


def error_worth(crf: int) -> float:
    """Bits that a squared level of error is worth at a quality from 0 (best) to 63."""
    return BEST_WORTH * (LEAST_WORTH / BEST_WORTH) ** (crf / (CRF_LEVELS - 1))
