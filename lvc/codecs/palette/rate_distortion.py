"""What stands for a frame's pixels: blocks that are worth coding, and the colours whose error and bits together cost
least.

Only an encoder chooses, so floats are welcome here: the colours that come out are what the file holds.
"""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from lvc.codecs.crf import CRF_LEVELS
from lvc.codecs.palette.bitstream import FramePlan, PaletteFrames, RdoTarget
from lvc.codecs.palette.colour_table import ColourTable
from lvc.codecs.palette.colours import palette_of, rgb
from lvc.codecs.palette.model import SIDE
from lvc.codecs.palette.motion import EARLIER_FRAMES, MotionField
from lvc.codecs.palette.motion_search import SearchPicture, found_motion
from lvc.codecs.palette.sprite_search import PIXEL_BITS, found_sprites
from lvc.codecs.palette.sprites import SpriteUpdate
from lvc.entropy.bits import BitCoder, BitCounter
from lvc.kernels.binding import Kernel, Struct

# At crf 0 and 63: bits that a squared level of error is worth while frames are chosen.
BEST_LAMBDA, LEAST_LAMBDA = 0.008, 0.00003
# What is kept about exactly is cheap to predict from: below this weight frames cost hardly less, or more, at many
# decibels less. So a coarser choice is taken only where it pays by what errors are worth in the end, which is so much
# less than while frames are chosen, where errors are passed on.
EXACT_LAMBDA, PASSED_ON = 0.001, 30
# Frames after which coding with sprites and without are compared, and by how much one must be ahead to be taken before
# the last of them. Measured on 13 recordings: a third less time than both to the end, at 0.2 % more bytes; sprites are
# told when they come first, so earlier they look dearer than they are.
DECIDED_AT, WELL_AHEAD = (16, 32, 48), 1.03
# Weights that are tried then, as far as a quality allows them: the same ones at every level,
# so that bytes fall from level to level
COARSER = 0.0003, 0.0001, 0.00003
# How much more than once an error counts, because what is kept now is kept by the frames that follow: for each frame
# that a block stays as it is, of those at most, and the least. Measured: 9 % fewer bytes than with a keyframe's 40
# times, other pixels' 2 and blocks' once. What moves on is kept by moving, so the least is more than once: with 2 in
# place of 0.6 and 0.5 for blocks and motion, bank_heist takes 43 bytes at 47.0 dB and not 53 at 44.8.
PIXEL_PROPAGATION, PIXEL_FRAMES, PIXEL_LEAST = 2.0, 32, 4.0
BLOCK_PROPAGATION, BLOCK_FRAMES, BLOCK_LEAST = 0.5, 16, 2.0
MOTION_PROPAGATION, MOTION_FRAMES, MOTION_LEAST = 0.5, 16, 2.0
KEY_BITS = 0.1  # of a pixel of a keyframe, about
SPRITE_PROPAGATION = 2.0  # how much more than once an error counts that a sprite takes away
BLOCK_BITS = 18.0  # what a block is thought to cost before it is coded
BESIDE_BITS = 5.0  # how much less with each block beside it that is coded
CELL_BITS = 6  # of each channel, for finding colours about
STAYS = 48 * 6**2  # squared levels by which a block differs that stays as it is


find_nearest = Kernel(
    "lvc_palette_nearest",
    Struct(sizes="colours cells", arrays={"channels": ("int32", "colours 3"), "nearest": ("int16", "cells")}),
)
find_least = Kernel(
    "lvc_palette_least",
    Struct(
        sizes="height width colours cells",
        arrays={
            "source": ("uint8", "height width 3"),
            "channels": ("int32", "colours 3"),
            "nearest": ("int16", "cells"),
            "least": ("int32", "height width"),
        },
    ),
)
find_gains = Kernel(
    "lvc_palette_gains",
    Struct(
        sizes="height width colours rows columns",
        arrays={
            "source": ("uint8", "height width 3"),
            "prediction": ("int16", "height width"),
            "channels": ("int32", "colours 3"),
            "least": ("int32", "height width"),
            "gains": ("float64", "rows columns"),
        },
    ),
)
find_worth_coding = Kernel(
    "lvc_palette_worth_coding",
    Struct(
        sizes="rows columns outer_rows outer_columns",
        reals="block_bits beside_bits",
        arrays={
            "gains": ("float64", "rows columns"),
            "before": ("uint8", "outer_rows outer_columns"),
            "after": ("uint8", "outer_rows outer_columns"),
            "coded": ("uint8", "rows columns"),
        },
    ),
)
find_lifetimes = Kernel(
    "lvc_palette_lifetimes",
    Struct(
        sizes="count height width rows columns",
        integers="most",
        arrays={"pictures": ("uint8", "count height width 3"), "lifetimes": ("int64", "count rows columns")},
    ),
)
squared_error = Kernel(
    "lvc_palette_error",
    Struct(sizes="height width", arrays={"source": ("uint8", "height width 3"), "colours": ("int32", "height width")}),
)
unlike_bits = Kernel(
    "lvc_palette_unlike",
    Struct(
        sizes="height width colours",
        reals="lambda_ pixel_bits",
        arrays={
            "source": ("uint8", "height width 3"),
            "picture": ("int16", "height width"),
            "channels": ("int32", "colours 3"),
            "least": ("int32", "height width"),
        },
    ),
    real=True,
)


class RdoFrame:
    """Chooses one frame's colours while it is coded.

    source: uint8 [H, W, 3]. palette: colours int32 [K] of the group. lambda_: bits that a squared level of error is
    worth.
    least: int32 [H, W], the least squared errors that the palette allows. lifetimes: int64 [rows, columns], how many
    frames blocks stay as they are.
    coding: what codes it. before: the frames before, the latest first, as far as they were looked at. search, sprites:
    whether to look for what has moved, and for sprites. plan: what was found.
    """

    def __init__(
        self,
        source: np.ndarray,
        palette: np.ndarray,
        lambda_: float,
        least: np.ndarray,
        lifetimes: np.ndarray,
        coding: PaletteFrames,
        before: list[SearchPicture],
        *,
        search: bool,
        sprites: bool,
    ):
        self.source, self.palette, self.lambda_, self.least, self.lifetimes = source, palette, lambda_, least, lifetimes
        self._search, self._sprites = search, sprites
        self.coding, self.before, self.plan = coding, before, FramePlan()

    def built_in(self, pictures: np.ndarray, colours: np.ndarray) -> int:
        table, lambda_ = channels(colours), PIXEL_LEAST * self.lambda_
        bits = [
            unlike_bits(
                source=self.source,
                picture=np.ascontiguousarray(picture),
                channels=table,
                least=self.least,
                lambda_=lambda_,
                pixel_bits=PIXEL_BITS,
            )
            for picture in pictures
        ]
        self.plan = self.plan._replace(built_in=int(np.argmin([KEY_BITS * self.least.size, *bits])))
        return self.plan.built_in

    def sprites(self) -> SpriteUpdate | None:
        if self._sprites:
            references = self.coding.references
            update = found_sprites(
                self.source,
                references.background,
                channels(self.coding.colours),
                self.least,
                references.sprites,
                SPRITE_PROPAGATION * self.lambda_,
            )
            self.plan = self.plan._replace(sprites=update)
        return self.plan.sprites

    def motion(self) -> MotionField | None:
        if self._search:
            coding = self.coding
            self.before[:] = [SearchPicture(coding.painted(0)), *self.before[: EARLIER_FRAMES - 1]]
            lambda_ = self.lambda_ * propagation(self.lifetimes, MOTION_PROPAGATION, MOTION_FRAMES, MOTION_LEAST)
            motion = found_motion(
                SearchPicture(self.source),
                self.before,
                coding.painted(-1),
                self.least,
                lambda_,
                coding.references.recent_vectors,
            )
            self.plan = self.plan._replace(motion=motion)
        return self.plan.motion

    def coded_blocks(self, prediction: np.ndarray, colours: np.ndarray) -> np.ndarray:
        lambda_ = self.lambda_ * propagation(self.lifetimes, BLOCK_PROPAGATION, BLOCK_FRAMES, BLOCK_LEAST)
        return worth_coding(lambda_ * gains(self.source, prediction, colours, self.least))

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        return self.palette

    def pixels(self, table: ColourTable) -> RdoTarget:
        return RdoTarget(
            self.source, self.lambda_ * propagation(self.lifetimes, PIXEL_PROPAGATION, PIXEL_FRAMES, PIXEL_LEAST)
        )


def propagation(lifetimes: np.ndarray, share: float, frames: float, least: float) -> np.ndarray:
    """How much more than once an error counts because later frames keep it, float64 [rows, columns]: `share` for each
    frame of a block's lifetime, of `frames` at most, and `least` at least.
    """
    return np.maximum(least, share * np.minimum(lifetimes, frames))


def channels(colours: np.ndarray) -> np.ndarray:
    """int32 [K, 3] of colours int32 [K]."""
    return rgb(colours).astype(np.int32)


def nearest_of_cells(palette: np.ndarray) -> np.ndarray:
    """int16 [2**(3 * CELL_BITS)]: the index of the colour of `palette` int32 [K,
    3] nearest to the middle of each cell of all colours.
    """
    nearest = np.empty(1 << 3 * CELL_BITS, np.int16)
    find_nearest(channels=palette, nearest=nearest)
    return nearest


def least_errors(source: np.ndarray, palette: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """int32 [H, W]: about the least squared error of the pixels [H, W, 3] with colours of the palette; nearest:
    see `nearest_of_cells`.
    """
    least = np.empty(source.shape[:2], np.int32)
    find_least(source=source, channels=palette, nearest=nearest, least=least)
    return least


def gains(source: np.ndarray, prediction: np.ndarray, colours: np.ndarray, least: np.ndarray) -> np.ndarray:
    """float64 [rows, columns]: squared levels of error that coding a block takes away, from those of predicted indices
    int16 [H, W] of colours int32 [K] to the least int32 [H, W].
    """
    result = np.zeros([side // SIDE for side in prediction.shape])
    find_gains(
        source=source,
        prediction=np.ascontiguousarray(prediction),
        channels=channels(colours),
        least=least,
        gains=result,
    )
    return result


def worth_coding(gained: np.ndarray) -> np.ndarray:
    """uint8 [rows, columns]: which blocks are worth coding that gain so many bits;
    beside others that are, a block costs less.
    """
    coded = np.empty(gained.shape, np.uint8)
    before, after = (np.zeros([side + 2 for side in gained.shape], np.uint8) for _ in range(2))
    find_worth_coding(
        gains=gained, before=before, after=after, coded=coded, block_bits=BLOCK_BITS, beside_bits=BESIDE_BITS
    )
    return coded


def lifetimes_of(pictures: np.ndarray) -> np.ndarray:
    """How many frames each block of uint8 [T, H, W, 3] stays about as it is, this one counted:
    int64 [T, rows, columns].
    """
    count, height, width = pictures.shape[:3]
    lifetimes = np.ones((count, height // SIDE, width // SIDE), np.int64)
    find_lifetimes(pictures=pictures, lifetimes=lifetimes, most=STAYS)
    return lifetimes


def whole_pictures(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 [T, H, W, 3], continued to whole blocks by their last row and column."""
    missing = -frames.shape[1] % SIDE, -frames.shape[2] % SIDE
    if not any(missing):
        return frames
    return np.pad(frames, ((0, 0), (0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


class Chosen(NamedTuple):
    """Colours int32 [T, 1, H, W] of a group, what was found of each frame, what they cost to code,
    and what they cost with the errors that they leave.
    """

    symbols: np.ndarray
    plans: tuple[FramePlan, ...]
    bits: float
    cost: float


class Group:
    """Pictures uint8 [T, H, W, 3], whose sides are multiples of SIDE, with the palette int32 [K] that they are chosen
    from, and what is the same however they are chosen.
    """

    def __init__(self, pictures: np.ndarray, palette: np.ndarray, lifetimes: np.ndarray | None = None):
        self.pictures, self.palette = np.ascontiguousarray(pictures), palette
        self.lifetimes = lifetimes_of(self.pictures) if lifetimes is None else lifetimes
        self._table = channels(palette)
        self._least: dict[int, np.ndarray] = {}
        self._nearest = nearest_of_cells(self._table)

    def least(self, number: int) -> np.ndarray:
        """int32 [H, W]: the least squared errors that the palette allows."""
        if number not in self._least:
            self._least[number] = least_errors(self.pictures[number], self._table, self._nearest)
        return self._least[number]


Coder = TypeVar("Coder", bound=BitCoder)


class Choosing(Generic[Coder]):
    """Chooses what stands for a group's pictures, from the first on; `coding` is at the group's beginning.

    search: whether to look for what has moved; sprites: for sprites too. lambda_: bits that a squared level of error is
    worth while frames are chosen. coders: of each frame the one that takes it as it is chosen.
    """

    def __init__(
        self,
        coding: PaletteFrames,
        group: Group,
        crf: int,
        *,
        search: bool,
        sprites: bool,
        lambda_: float,
        coders: Sequence[Coder],
    ):
        self.coding, self.group, self.coders = coding, group, coders
        self._search, self._sprites, self._lambda = search, sprites, lambda_
        self._final_lambda = lambda_of(crf) / PASSED_ON
        self._symbols: list[np.ndarray] = []
        self._plans: list[FramePlan] = []
        self._before: list = []
        self._error = 0.0

    def advance(self, stop: int) -> None:
        """Chooses frames until `stop` of them are chosen."""
        group = self.group
        for number in range(len(self._symbols), min(stop, len(group.pictures))):
            source = group.pictures[number]
            chosen = RdoFrame(
                source,
                group.palette,
                self._lambda,
                group.least(number),
                group.lifetimes[number],
                self.coding,
                self._before,
                search=self._search,
                sprites=self._search and self._sprites,
            )
            self._symbols.append(self.coding.code_frames([chosen], 1, self.coders[number], (1, *source.shape[:2]))[0])
            self._plans.append(chosen.plan)
            self._error += squared_error(source=source, colours=self._symbols[-1][0])

    @property
    def bits(self) -> float:
        return sum(coder.bits for coder in set(self.coders))

    @property
    def cost(self) -> float:
        """Bits of what is chosen so far, and of the errors that it leaves."""
        return self.bits + self._final_lambda * self._error

    def chosen(self) -> Chosen:
        """What is chosen for all frames."""
        self.advance(len(self.group.pictures))
        return Chosen(np.stack(self._symbols), tuple(self._plans), self.bits, self.cost)


def choose(
    coding: PaletteFrames,
    pictures: np.ndarray,
    crf: int,
    *,
    search: bool,
    sprites: bool = True,
    lambda_: float | None = None,
    palette: np.ndarray | None = None,
) -> Chosen:
    """What stands for a group's pictures, as `Choosing` has them; lambda_ by default that of crf,
    palette the colours that are worth their bits.
    """
    lambda_ = lambda_of(crf) if lambda_ is None else lambda_
    palette = palette_of(pictures, lambda_, coding.known_colours) if palette is None else palette
    counters = [BitCounter()] * len(pictures)
    return Choosing(
        coding, Group(pictures, palette), crf, search=search, sprites=sprites, lambda_=lambda_, coders=counters
    ).chosen()


def choose_cheapest(
    begun: Callable[[], tuple[PaletteFrames, Sequence[Coder]]],
    pictures: np.ndarray,
    crf: int,
    *,
    known: np.ndarray,
    search: bool,
) -> tuple[Chosen, Sequence[Coder]]:
    """`choose` in whichever way costs least, errors counted, and the coders that took it; begun: gives what codes a
    group, at its beginning, and the coders of its frames.
    known: colours int32 [K] of the game that the weights know, if any.

    Sprites are looked for in a game that the weights know; in others it is tried with and without, because where the
    background moves they cost more than they save. Where errors are worth little it is tried whether a coarser choice
    pays.
    """
    wanted = lambda_of(crf)

    def begin(sprites: bool, lambda_: float, group: Group) -> Choosing[Coder]:
        coding, coders = begun()
        return Choosing(coding, group, crf, search=search, sprites=sprites, lambda_=lambda_, coders=coders)

    exact = max(wanted, EXACT_LAMBDA)
    group = Group(pictures, palette_of(pictures, exact, known))
    if not search:
        made = begin(False, exact, group)
        return made.chosen(), made.coders
    if len(known):
        sprites, made = True, begin(True, exact, group)
    else:
        sprites, made = cheaper({sprites: begin(sprites, exact, group) for sprites in (True, False)})
    found = [(made.chosen(), made.coders)]
    for coarser in COARSER:
        if coarser >= 0.999 * wanted:  # the last level's is the last of these, but for rounding
            made = begin(sprites, coarser, Group(group.pictures, palette_of(pictures, coarser, known), group.lifetimes))
            found.append((made.chosen(), made.coders))
    return min(found, key=lambda each: each[0].cost)


def cheaper(both: dict[bool, Choosing[Coder]]) -> tuple[bool, Choosing[Coder]]:
    """Whichever costs less, with sprites or without: known as soon as one is well ahead,
    or after most of a group's news has come.
    """
    for stop in DECIDED_AT:
        for choosing in both.values():
            choosing.advance(stop)
        ahead, behind = sorted(both, key=lambda sprites: both[sprites].cost)
        if both[behind].cost > WELL_AHEAD * both[ahead].cost:
            break
    return ahead, both[ahead]


def lambda_of(crf: int) -> float:
    """Bits that a squared level of error is worth at a quality from 0 (best) to 63."""
    return BEST_LAMBDA * (LEAST_LAMBDA / BEST_LAMBDA) ** (crf / (CRF_LEVELS - 1))
