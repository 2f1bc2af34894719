"""What a group's frames are predicted from, in arrays that the kernels fill frame by frame: see
lvc/kernels/palette_state.h.

Pictures stand within a border of one block that holds no colour, so that what is around a pixel needs no question.
"""

from typing import NamedTuple

import numpy as np

from lvc.codecs.palette.model import NO_COLOUR, SIDE
from lvc.codecs.palette.motion import FIELD_VECTORS, RECENT_VECTORS, MotionVector
from lvc.codecs.palette.sprites import NO_BITMAPS, Bitmaps, SpriteLayer
from lvc.kernels.binding import Struct

BORDER = SIDE  # pixels
EDGE = 2  # blocks around maps of blocks
MOST_COLOURS = 1 << 12  # in a group

REFERENCES = Struct(
    sizes="pictures_held height width rows columns inner_columns built_in_count",
    integers="frames built_in_used vectors last_vectors recent_vectors colours",
    arrays={
        "pictures": ("int16", "pictures_held height width"),
        "prediction": ("int16", "height width"),
        "unknown": ("uint8", "height width"),
        "coded": ("uint8", "rows columns"),
        "coded_before": ("uint8", "rows columns"),
        "coded_earlier": ("uint8", "rows columns"),
        "vector_map": ("uint8", "rows columns"),
        "last_vector_map": ("uint8", "rows columns"),
        "activity": ("uint8", "rows columns"),
        "field": ("int64", f"{FIELD_VECTORS} 3"),
        "last_field": ("int64", f"{FIELD_VECTORS} 3"),
        "recent": ("int64", f"{RECENT_VECTORS} 3"),
        "palette": ("int32", str(MOST_COLOURS)),
        "built_in": ("int16", "built_in_count height width"),
        "shown": ("uint64", f"{FIELD_VECTORS} {SIDE} inner_columns"),
        "differs": ("uint64", "inner_columns"),
        "row_activity": ("uint8", "inner_columns"),
    },
)


class Game(NamedTuple):
    """What weights know of one game: colours int32 [K], bitmaps of sprites, and reference pictures int16 [S, H, W],
    of indices of these colours.
    """

    colours: np.ndarray
    bitmaps: Bitmaps
    built_in: np.ndarray


NO_GAME = Game(np.empty(0, np.int32), NO_BITMAPS, np.empty((0, 0, 0), np.int16))


class ReferenceState:
    """Pictures that a group's next frame is predicted from; at first there are none. Sides in pixels, multiples of
    SIDE.

    pictures: palette indices int16 [1 + N, H, W] within their border: what the sprite layer shows, then the frames.
    prediction: int16 [H, W], of the frame that is coded. coded, vector_map: uint8 [rows, columns] within EDGE, its
    coded-block flags, and which motion vector each block takes. field,
    recent: int64 [N, 3], motion vectors of this frame and of late. palette: int32 [MOST_COLOURS]. sprites: what stands
    in front of the background.
    state: the struct of all of them. Built-in pictures int16 [S, H, W] of another size are as if they were not there.
    """

    def __init__(self, height: int, width: int, game: Game = NO_GAME):
        size = height + 2 * BORDER, width + 2 * BORDER
        blocks = height // SIDE + 2 * EDGE, width // SIDE + 2 * EDGE
        self.palette = np.zeros(MOST_COLOURS, np.int32)
        self.palette[: len(game.colours)] = game.colours
        suited = game.built_in if game.built_in.shape[1:] == (height, width) else game.built_in[:0]
        self.built_in = np.full((len(suited), *size), NO_COLOUR, np.int16)
        self.built_in[:, BORDER : BORDER + height, BORDER : BORDER + width] = suited if len(suited) else NO_COLOUR
        self.pictures, self.prediction = np.full((1, *size), NO_COLOUR, np.int16), np.full(size, NO_COLOUR, np.int16)
        self.coded, self.vector_map = np.zeros(blocks, np.uint8), np.zeros(blocks, np.uint8)
        self.field, self.recent = np.zeros((FIELD_VECTORS, 3), np.int64), np.zeros((RECENT_VECTORS, 3), np.int64)
        self.state = REFERENCES(
            pictures=self.pictures,
            prediction=self.prediction,
            unknown=np.zeros(size, np.uint8),
            coded=self.coded,
            coded_before=np.zeros(blocks, np.uint8),
            coded_earlier=np.zeros(blocks, np.uint8),
            vector_map=self.vector_map,
            last_vector_map=np.zeros(blocks, np.uint8),
            activity=np.zeros(blocks, np.uint8),
            field=self.field,
            last_field=np.zeros((FIELD_VECTORS, 3), np.int64),
            recent=self.recent,
            palette=self.palette,
            colours=len(game.colours),
            built_in=self.built_in,
            shown=np.zeros((FIELD_VECTORS, SIDE, width // SIDE), np.uint64),
            differs=np.zeros(width // SIDE, np.uint64),
            row_activity=np.zeros(width // SIDE, np.uint8),
        )
        self.sprites = SpriteLayer(*size, game.bitmaps)

    @property
    def frames(self) -> int:
        """How many frames there are, with the built-in picture that the group begins from."""
        return self.state.frames

    @property
    def colours(self) -> np.ndarray:
        """The group's colours so far, int32 [K], 0xRRGGBB each."""
        return self.palette[: self.state.colours]

    @property
    def recent_vectors(self) -> tuple[MotionVector, ...]:
        """The latest motion vectors of the frames before, the last one first."""
        return tuple(MotionVector(*map(int, vector)) for vector in self.recent[: self.state.recent_vectors])

    @property
    def background(self) -> np.ndarray:
        """Palette indices int16 [H, W] of what stands behind the sprites."""
        return inside(self.sprites.background)

    def make_room(self, frames: int) -> None:
        """Makes room for so many frames more; what is not used of it is not yet memory."""
        there = 1 + self.frames
        if there + frames > len(self.pictures):
            pictures = np.empty((max(there + frames, 2 * len(self.pictures)), *self.pictures.shape[1:]), np.int16)
            pictures[:there] = self.pictures[:there]
            self.pictures = pictures
            REFERENCES.replace(self.state, pictures=pictures)


def frame_bytes(height: int, width: int) -> int:
    """Memory that a frame takes."""
    return 2 * (height + 2 * BORDER) * (width + 2 * BORDER)


def inside(picture: np.ndarray) -> np.ndarray:
    """[..., H, W] without its border."""
    return picture[..., BORDER:-BORDER, BORDER:-BORDER]
