"""The palette family: pictures of few colours, coded colour by colour, for games that no network has seen.

A frame's latents are its pixels' colours themselves, few of them after the encoder has chosen. What is likely to stand
where is predicted by adaptive probabilities of what followed on the same surroundings. Those of patterns, which see
only which pixels are alike, are learned from many games and are this model; those of colours begin empty in each group
of frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry

SIDE = 4  # pixels of a block that is kept or coded
# See lvc/codecs/palette/layout.py
PATTERN_CONTEXTS, OWN_CONTEXTS, MATCH_ENTRIES, MIXER_ROWS, MIXER_INPUTS = 713_728, 815_104, 196_608, 272, 20
SPRITE_SIDE = 16  # pixels, at most
MOST_COLOURS, MOST_SPRITES, MOST_SCENES = 256, 256, 16  # that weights know
NO_COLOUR = -1
# In a match: how often it was right, above the palette index from 1 on, or 0
CONFIDENCE, MOST_CONFIDENCE = 1 << 16, 255
FIRST_CHANCE = 0  # a half, of chances from -2**15
FIRST_WEIGHT = round(0.22 * (1 << 16))  # of each context, before anything is learned
WEIGHT_LIMIT = 1 << 24


@dataclass(frozen=True)
class PaletteConfig:
    """width, height: what it was trained on; others are taken too. colours, sprites, scenes:
    how many, with built-in reference pictures, it knows of one game; 0 for many games.
    """

    exact: ClassVar[bool] = True  # whole numbers alone

    width: int = 200
    height: int = 160
    colours: int = 0
    sprites: int = 0
    scenes: int = 0

    def __post_init__(self):
        for name, most in (("colours", MOST_COLOURS), ("sprites", MOST_SPRITES), ("scenes", MOST_SCENES)):
            if not (type(getattr(self, name)) is int and 0 <= getattr(self, name) <= most):
                raise OptionError(f"{name} must be a whole number from 0 to {most}, not {getattr(self, name)!r}")
        if not self.colours and (self.sprites or self.scenes):
            raise OptionError("sprites and scenes are of colours, of which there are none")


class Palette:
    """Colours as they are, with what was learned of patterns: numpy arrays, for which no torch is loaded.

    chances int16 and counts uint8 [PATTERN_CONTEXTS]: how likely a 1 is in each context, less a half, in 2**-16, and
    how many bits it has seen. weights int32 [MIXER_ROWS, MIXER_INPUTS]: how far each kind of context is to be trusted,
    in 2**-16. Of one game: colours int32 [C], 0xRRGGBB; sprites int16 [S, SPRITE_SIDE, SPRITE_SIDE], bitmaps of their
    indices, and sizes int16 [S, 2]; scenes int16 [N, H, W], built-in reference pictures of their indices; own_chances
    and own_counts [OWN_CONTEXTS], as above of what no other game shares; guesses int32 [MATCH_ENTRIES], of the match
    model. The names are those of a weights file.
    """

    any_geometry = True
    rounded_latents = True
    latent_range = None
    chances: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    colours: np.ndarray
    sprites: np.ndarray
    sizes: np.ndarray
    scenes: np.ndarray
    own_chances: np.ndarray
    own_counts: np.ndarray
    guesses: np.ndarray

    def __init__(self, name: str, config: PaletteConfig, arrays: Mapping[str, np.ndarray] | None = None):
        self.name, self.config = name, config
        self.geometry = Geometry(config.width, config.height)
        for part, blank in blanks(config).items():
            setattr(self, part, blank.copy() if arrays is None else arrays[part])

    @staticmethod
    def blanks(config: PaletteConfig) -> dict[str, np.ndarray]:
        return blanks(config)

    def arrays(self) -> dict[str, np.ndarray]:
        """All parts by name, not copied."""
        return {part: getattr(self, part) for part in blanks(self.config)}

    def for_coding(self) -> "Palette":
        """Ready to code; raises ModelError for weights that could leave the range in which sums are exact."""
        if not -WEIGHT_LIMIT <= int(self.weights.min()) <= int(self.weights.max()) <= WEIGHT_LIMIT:
            raise ModelError(f"the weights {self.name} hold mixing weights beyond ±{WEIGHT_LIMIT}")
        if self.config.colours:
            self._check_game()
        return self

    def _check_game(self) -> None:
        """Kernels use these as indices."""
        indices = self.sprites[self.sprites != NO_COLOUR], self.scenes
        if any(each.size and not 0 <= int(each.min()) <= int(each.max()) < self.config.colours for each in indices):
            raise ModelError(f"the weights {self.name} hold indices of colours that there are not")
        if self.config.sprites and not 0 <= int(self.sizes.min()) <= int(self.sizes.max()) <= SPRITE_SIDE:
            raise ModelError(f"the weights {self.name} hold sprites of more than {SPRITE_SIDE} pixels a side")
        try:
            check_matches(self.guesses, self.config.colours)
        except ValueError as error:
            raise ModelError(f"the weights {self.name} hold {error}") from error
        if not 0 <= int(self.colours.min()) <= int(self.colours.max()) < 1 << 24:
            raise ModelError(f"the weights {self.name} hold colours beyond 24 bits")

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, int, int]:
        return 1, *whole_blocks(geometry or self.geometry)


def whole_blocks(geometry: Geometry) -> tuple[int, int]:
    """Rows and columns of pixels, up to multiples of SIDE."""
    return SIDE * -(-geometry.height // SIDE), SIDE * -(-geometry.width // SIDE)


def check_matches(matches: np.ndarray, colours: int) -> None:
    """Raises ValueError for matches int32 [N] that are none of so many colours."""
    indices = matches & (CONFIDENCE - 1)
    if (
        int(matches.min()) < 0
        or int(indices.max()) > colours
        or int(matches.max()) >= (MOST_CONFIDENCE + 1) * CONFIDENCE
        or ((indices == 0) & (matches > 0)).any()
    ):
        raise ValueError("matches of colours that there are not")


def blanks(config: PaletteConfig) -> dict[str, np.ndarray]:
    """What each part of a model is before anything is learned: read-only views, which take no memory,
    of the shapes and types that any weights have.
    """
    parts: dict[str, tuple[np.generic, tuple[int, ...]]] = {
        "chances": (np.int16(FIRST_CHANCE), (PATTERN_CONTEXTS,)),
        "counts": (np.uint8(0), (PATTERN_CONTEXTS,)),
        "weights": (np.int32(FIRST_WEIGHT), (MIXER_ROWS, MIXER_INPUTS)),
    }
    if config.colours:
        parts |= {
            "colours": (np.int32(0), (config.colours,)),
            "sprites": (np.int16(NO_COLOUR), (config.sprites, SPRITE_SIDE, SPRITE_SIDE)),
            "sizes": (np.int16(0), (config.sprites, 2)),
            "scenes": (np.int16(0), (config.scenes, *whole_blocks(Geometry(config.width, config.height)))),
            "own_chances": (np.int16(FIRST_CHANCE), (OWN_CONTEXTS,)),
            "own_counts": (np.uint8(0), (OWN_CONTEXTS,)),
            "guesses": (np.int32(0), (MATCH_ENTRIES,)),
        }
    return {part: np.broadcast_to(value, shape) for part, (value, shape) in parts.items()}
