"""The palette family: pictures of few colours, coded colour by colour, for games that no network has seen.

A frame's latents are its pixels' colours themselves, few of them after the encoder has chosen. What is likely to stand where is said
by memories of what followed on the same surroundings. Those of patterns, which see only which pixels are alike, are learned from
many games and are this model; those of colours begin empty in each group of frames.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry

SIDE = 4  # pixels of a block that is kept or coded
PATTERN_SLOTS, OWN_SLOTS, GUESSES, MIXER_ROWS, MIXER_INPUTS = 713_728, 815_104, 196_608, 272, 20  # see lvc/palette/memory.py
SPRITE_SIDE = 16  # pixels, at most
MOST_COLOURS, MOST_SPRITES, MOST_SCENES = 256, 256, 16  # that weights know
NO_COLOUR = -1
TRUST_STEP, MOST_TRUST = 1 << 16, 255  # in a guess: how often it was right, above the colour's place from 1 on, or 0
FIRST_CHANCE = 0  # a half, of chances from -2**15
FIRST_WEIGHT = round(0.22 * (1 << 16))  # of each slot, before anything is learned
WEIGHT_LIMIT = 1 << 24


@dataclass(frozen=True)
class PaletteConfig:
    """width, height: what it was trained on; others are taken too. colours, sprites, scenes: how many it knows of one game; 0 for many games."""

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


class Palette(nn.Module):
    """Colours as they are, with what was learned of patterns.

    chances int16 and counts uint8 [PATTERN_SLOTS]: how likely a yes is in each context, less a half, in 2**-16, and of how many answers.
    weights int32 [MIXER_ROWS, MIXER_INPUTS]: how far each kind of context is to be trusted, in 2**-16.
    Of one game: colours int32 [C], 0xRRGGBB; sprites int16 [S, SPRITE_SIDE, SPRITE_SIDE] of their places and sizes int16 [S, 2];
    scenes int16 [N, H, W] of their places; own_chances and own_counts [OWN_SLOTS], as above of what no other game shares; guesses int32 [GUESSES].
    """

    any_geometry = True
    rounded_latents = True
    latent_range = None

    def __init__(self, name: str, config: PaletteConfig):
        super().__init__()
        self.name, self.config = name, config
        self.geometry = Geometry(config.width, config.height)
        self.register_buffer("chances", torch.full((PATTERN_SLOTS,), FIRST_CHANCE, dtype=torch.int16))
        self.register_buffer("counts", torch.zeros(PATTERN_SLOTS, dtype=torch.uint8))
        self.register_buffer("weights", torch.full((MIXER_ROWS, MIXER_INPUTS), FIRST_WEIGHT, dtype=torch.int32))
        if config.colours:
            height, width = self.latent_shape()[1:]
            self.register_buffer("colours", torch.zeros(config.colours, dtype=torch.int32))
            self.register_buffer("sprites", torch.full((config.sprites, SPRITE_SIDE, SPRITE_SIDE), NO_COLOUR, dtype=torch.int16))
            self.register_buffer("sizes", torch.zeros(config.sprites, 2, dtype=torch.int16))
            self.register_buffer("scenes", torch.zeros(config.scenes, height, width, dtype=torch.int16))
            self.register_buffer("own_chances", torch.full((OWN_SLOTS,), FIRST_CHANCE, dtype=torch.int16))
            self.register_buffer("own_counts", torch.zeros(OWN_SLOTS, dtype=torch.uint8))
            self.register_buffer("guesses", torch.zeros(GUESSES, dtype=torch.int32))

    def for_coding(self) -> "Palette":
        """Ready to code; raises ModelError for weights that could leave the range in which sums are exact."""
        if int(self.weights.abs().max()) > WEIGHT_LIMIT or int(self.weights.min()) == -(2**31):
            raise ModelError(f"the weights {self.name} hold mixing weights beyond ±{WEIGHT_LIMIT}")
        if self.config.colours:
            self._check_game()
        return self

    def _check_game(self) -> None:
        """Compiled code checks no bounds."""
        places = self.sprites[self.sprites != NO_COLOUR], self.scenes
        if any(len(each) and not 0 <= int(each.min()) <= int(each.max()) < self.config.colours for each in places):
            raise ModelError(f"the weights {self.name} hold places of colours that there are not")
        if self.config.sprites and not 0 <= int(self.sizes.min()) <= int(self.sizes.max()) <= SPRITE_SIDE:
            raise ModelError(f"the weights {self.name} hold sprites of more than {SPRITE_SIDE} pixels a side")
        places = self.guesses & (TRUST_STEP - 1)
        if int(self.guesses.min()) < 0 or int(places.max()) > self.config.colours or int(self.guesses.max()) >= (MOST_TRUST + 1) * TRUST_STEP or bool(((places == 0) & (self.guesses > 0)).any()):
            raise ModelError(f"the weights {self.name} hold guesses of colours that there are not")
        if not 0 <= int(self.colours.min()) <= int(self.colours.max()) < 1 << 24:
            raise ModelError(f"the weights {self.name} hold colours beyond 24 bits")

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, int, int]:
        geometry = geometry or self.geometry
        return 1, SIDE * -(-geometry.height // SIDE), SIDE * -(-geometry.width // SIDE)

    def synthesise(self, symbols: Tensor, crf: Tensor, *, geometry: Geometry | None = None) -> Tensor:
        """Frames float32 [T, 3, H, W] in 0..1 of colours [T, 1, h, w], 0xRRGGBB each; `crf` plays no part."""
        geometry = geometry or self.geometry
        colours = symbols.long()[:, :, : geometry.height, : geometry.width]
        return torch.cat([(colours >> shift) & 255 for shift in (16, 8, 0)], dim=1).float() / 255
