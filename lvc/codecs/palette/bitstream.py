"""The frames of a group, coded and decoded: lvc/kernels/palette_bitstream.c says the order of syntax elements, once for
both directions.

The decoder goes through all frames in one call; the encoder stops where it has to decide something, and what it decides
goes into the plan.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from lvc.codecs.palette.colour_table import ColourTable
from lvc.codecs.palette.colours import painted
from lvc.codecs.palette.context_model import CONTEXT_MODEL, ContextModel, initial_model
from lvc.codecs.palette.context_pool import ContextPool
from lvc.codecs.palette.model import NO_COLOUR, SIDE, Palette
from lvc.codecs.palette.motion import MotionField
from lvc.codecs.palette.references import EDGE, MOST_COLOURS, NO_GAME, REFERENCES, Game, ReferenceState, inside
from lvc.codecs.palette.sprites import MOST_SPRITES, SPRITE_LAYER, Bitmaps, SpriteUpdate
from lvc.entropy.bits import CODER, BitCoder
from lvc.errors import FormatError
from lvc.kernels.binding import Kernel, Struct

CODING_RATE = 5  # of learning weights, while a file is coded
ROOM_BYTES = 1 << 26  # of frames that are still to come
ESCAPE_SHARE = 0.7  # of the bits of an index among equally likely ones, what one is thought to cost

PLAN = Struct(
    sizes="picture_height picture_width source_height source_width rows columns new_sprites vectors new_colours "
    "colours",
    integers="built_in",
    reals="escape_bits",
    arrays={
        "seen": ("int64", f"{MOST_SPRITES} 4"),
        "entered": ("int64", "new_sprites 3"),
        "field": ("int64", "vectors 3"),
        "vector_map": ("uint8", "rows columns"),
        "coded": ("uint8", "rows columns"),
        "added": ("int32", "new_colours"),
        "picture": ("int16", "picture_height picture_width"),
        "source": ("uint8", "source_height source_width 3"),
        "channels": ("int32", "colours 3"),
        "lambda_": ("float64", "rows columns"),
    },
)
CALL = Struct(
    integers="asks frames resume coded row room",
    structs={"coder": CODER, "model": CONTEXT_MODEL, "references": REFERENCES, "sprites": SPRITE_LAYER, "plan": PLAN},
)
code = Kernel("lvc_palette_code", CALL)
find_colours = Kernel(
    "lvc_palette_find_colours",
    Struct(
        sizes="pictures_held height width count inner_height inner_width most_colours",
        arrays={
            "pictures": ("int16", "pictures_held height width"),
            "numbers": ("int64", "count"),
            "palette": ("int32", "most_colours"),
            "colours": ("int32", "count inner_height inner_width"),
        },
    ),
)
CODED_ALL, ASKS_BUILT_IN, ASKS_SPRITES, ASKS_MOTION, ASKS_FLAGS, ASKS_COLOURS, ASKS_PIXELS, NEEDS_ROOM = range(8)
BAD_VECTOR, WITHOUT_COLOURS = -1, -3
FAULTS = {
    BAD_VECTOR: "a motion vector from outside of the frames before",
    -2: f"a group of more than {MOST_COLOURS} colours",
    WITHOUT_COLOURS: "there are no colours",
    -4: "a sprite that cannot be",
}


class RdoTarget(NamedTuple):
    """What an encoder chooses pixels by: source uint8 [H, W, 3]; lambda_:
    float64 [rows, columns], bits that a squared level of error is worth in each block.
    """

    source: np.ndarray
    lambda_: np.ndarray


class FramePlan(NamedTuple):
    """What an encoder found a frame to be: the built-in picture that a group begins from, counted from 1, its sprites,
    and what else has moved.
    """

    built_in: int = 0
    sprites: SpriteUpdate | None = None
    motion: MotionField | None = None


class FrameDecisions(Protocol):
    """What a writer is to code of a frame; asked in this order, each time when all before it is coded."""

    def built_in(self, pictures: np.ndarray, colours: np.ndarray) -> int:
        """Which of the built-in pictures int16 [S, H, W], of indices of colours int32 [K], the group begins from,
        counted from 1; 0 for none.
        """

    def sprites(self) -> SpriteUpdate | None:
        """Which sprites are seen in front of the background."""

    def motion(self) -> MotionField | None:
        """What else has moved, where the sprites in front of their background are predicted."""

    def coded_blocks(self, prediction: np.ndarray, colours: np.ndarray) -> np.ndarray:
        """Coded-block flags uint8 [rows, columns], where indices int16 [H, W] of colours int32 [K] are predicted."""

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        """Colours int32 [N] that these blocks need, at least those that the table lacks."""

    def pixels(self, table: ColourTable) -> "np.ndarray | RdoTarget":
        """The palette indices int16 [H, W], or what they are chosen by."""


@dataclass(frozen=True)
class KnownFrame:
    """A frame whose colours int32 [H, W] are known before they are coded, and what was found of it."""

    whole: np.ndarray
    plan: FramePlan = field(default_factory=FramePlan)

    def built_in(self, pictures: np.ndarray, colours: np.ndarray) -> int:
        return self.plan.built_in

    def sprites(self) -> SpriteUpdate | None:
        return self.plan.sprites

    def motion(self) -> MotionField | None:
        return self.plan.motion

    def coded_blocks(self, prediction: np.ndarray, colours: np.ndarray) -> np.ndarray:
        rows, columns = (side // SIDE for side in self.whole.shape)
        return (self.whole != colours[prediction]).reshape(rows, SIDE, columns, SIDE).any(axis=(1, 3)).astype(np.uint8)

    def colours(self, coded: np.ndarray, table: ColourTable) -> np.ndarray:
        missing = table.indices(self.whole) == NO_COLOUR
        return np.unique(self.whole[(np.repeat(np.repeat(coded, SIDE, axis=0), SIDE, axis=1) > 0) & missing])

    def pixels(self, table: ColourTable) -> np.ndarray:
        return table.indices(self.whole)  # outside of the coded blocks some may have none, and are not asked for


class PaletteFrames:
    """Codes the frames of one group in order; keeps them, because the next ones are predicted from them.

    model: of contexts, of this group alone; learns on. Or pool: of which it takes one until it is done. most: frames
    that there will be, about.
    """

    def __init__(
        self, weights: Palette, model: ContextModel | None = None, *, pool: ContextPool | None = None, most: int = 1
    ):
        self._pool = pool
        if model is None:
            model = initial_model(weights, CODING_RATE) if pool is None else pool.take()
        self.model: ContextModel | None = model
        self.references: ReferenceState | None = None
        self._game, self._most = game_of(weights), most

    def __len__(self) -> int:
        return 0 if self.references is None else self.references.frames - self.references.state.built_in_used

    @property
    def nbytes(self) -> int:
        """Memory held, about."""
        return (0 if self.model is None else self.model.nbytes) + (
            0 if self.references is None else (len(self) + 4) * self.references.prediction.nbytes
        )

    @property
    def known_colours(self) -> np.ndarray:
        """Colours of the game that the weights know, int32 [K]."""
        return self._game.colours

    @property
    def colours(self) -> np.ndarray:
        """The group's colours so far, int32 [K], 0xRRGGBB each."""
        return self._game.colours if self.references is None else self.references.colours

    def code_frames(
        self, symbols, count: int, coder: BitCoder, shape: tuple[int, ...], plans: Sequence[FramePlan] = ()
    ) -> np.ndarray:
        """Codes colours int32 [T, 1, H, W] of the next `count` frames with `coder`, or decodes them where `symbols` is
        None; gives them back. In place of one frame's colours may stand `FrameDecisions`, that find them. plans: of
        each frame, or none at all.

        Raises FormatError for what cannot be.
        """
        first = len(self)
        if symbols is None:
            self.read(count, coder, shape)
        else:
            self._make_room(count, shape)
            for place in range(count):
                decisions = symbols[place]
                if isinstance(decisions, np.ndarray):
                    decisions = KnownFrame(decisions[0], plans[place] if plans else FramePlan())
                self._write(decisions, coder)
        return self.frames(slice(first, first + count))

    def read(self, count: int, coder: BitCoder, shape: tuple[int, ...]) -> None:
        """Decodes the next `count` frames in one call; raises FormatError for what cannot be."""
        self._make_room(count, shape)
        if fault := code(self._call(coder, PLAN(), frames=count)):
            raise FormatError(f"the coded symbols are damaged: {FAULTS[fault]}")

    def frames(self, numbers) -> np.ndarray:
        """Colours int32 [N, 1, H, W] of frames of the group: a slice, or whole numbers from 0 to len - 1."""
        numbers = range(len(self))[numbers] if isinstance(numbers, slice) else numbers
        references = self.references
        result = np.empty((len(numbers), *inside(references.prediction).shape), np.int32)
        numbers = np.asarray(numbers, np.int64) + references.state.built_in_used
        refused = find_colours(
            pictures=references.pictures, numbers=numbers, palette=references.palette, colours=result
        )
        assert not refused, "there are no such frames"
        return result[:, None]

    def painted(self, back: int) -> np.ndarray:
        """uint8 [H, W, 3] of the frame so many before the last, or the first;
        for -1 of the sprites in front of their background.
        """
        references = self.references
        colours = np.empty((1, *inside(references.prediction).shape), np.int32)
        number = -1 if back < 0 else max(0, references.frames - 1 - back)
        find_colours(
            pictures=references.pictures, numbers=np.array([number]), palette=references.palette, colours=colours
        )
        return painted(colours, *colours.shape[1:])[0]

    def finish(self) -> None:
        """Lets go of all but the frames: no others come."""
        model, self.model = self.model, None
        if self._pool is not None and model is not None:
            self._pool.give(model)

    def __del__(self):
        """Gives its model back where nobody goes on: a damaged group, or one of which no further frame was asked
        for.
        """
        if getattr(self, "model", None) is not None:  # without one where it was never made
            self.finish()

    def _make_room(self, count: int, shape: tuple[int, ...]) -> None:
        if self.references is None:
            _, height, width = shape
            self.references = ReferenceState(height, width, self._game)
        self.references.make_room(
            1 + max(count, min(self._most - len(self), ROOM_BYTES // self.references.prediction.nbytes))
        )

    def _call(self, coder: BitCoder, plan, **values):
        references = self.references
        return CALL(
            coder=coder.state,
            model=self.model.state,
            references=references.state,
            sprites=references.sprites.state,
            plan=plan,
            **values,
        )

    def _write(self, decisions: FrameDecisions, coder: BitCoder) -> None:
        plan = PLAN()
        call = self._call(coder, plan, asks=1, frames=1)
        while (asked := code(call)) > CODED_ALL:
            if asked == NEEDS_ROOM:
                coder.make_room(call.room)
            else:
                PLAN.replace(plan, **self._decided(asked, decisions))
        if asked == WITHOUT_COLOURS:
            raise ValueError("a group without colours")
        if asked:
            raise FormatError(FAULTS[asked])

    def _decided(self, asked: int, decisions: FrameDecisions) -> dict:
        """What the plan needs next."""
        references = self.references
        rows, columns = (side - 2 * EDGE for side in references.coded.shape)
        if asked == ASKS_BUILT_IN:
            return {"built_in": decisions.built_in(inside(references.built_in), self.colours)}
        if asked == ASKS_SPRITES:
            update = decisions.sprites() or SpriteUpdate.nothing()
            assert len(update.entered) <= MOST_SPRITES, "more are not read"
            return {"seen": update.seen, "entered": update.entered}
        if asked == ASKS_MOTION:
            field = decisions.motion() or MotionField((), np.zeros((rows, columns), np.uint8))
            assert field.indices.shape == (rows, columns) and field.indices.max(initial=0) < 2 + len(field.vectors), (
                "compiled code checks no bounds"
            )
            return {"field": np.array(field.vectors, np.int64).reshape(-1, 3), "vector_map": field.indices}
        if asked == ASKS_FLAGS:
            return {"coded": decisions.coded_blocks(inside(references.prediction), self.colours)}
        table = ColourTable(self.colours)
        if asked == ASKS_COLOURS:
            return {"added": table.new(decisions.colours(references.coded[EDGE:-EDGE, EDGE:-EDGE], table))}
        pixels = decisions.pixels(table)
        if isinstance(pixels, np.ndarray):
            return {"picture": pixels}
        escape_bits = ESCAPE_SHARE * math.log2(len(table.colours))
        return {
            "source": pixels.source,
            "lambda_": pixels.lambda_,
            "channels": channels_of(table.colours).astype(np.int32),
            "escape_bits": escape_bits,
        }


def channels_of(colours: np.ndarray) -> np.ndarray:
    """uint8 [K, 3] of colours int32 [K]."""
    return np.stack((colours >> 16, colours >> 8, colours), axis=-1).astype(np.uint8)


def game_of(weights: Palette) -> Game:
    if not weights.config.colours:
        return NO_GAME
    return Game(weights.colours, Bitmaps(weights.sprites, weights.sizes.astype(np.int64)), weights.scenes)
