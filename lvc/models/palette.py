"""The palette family: pictures of few colours, coded colour by colour, for games that no network has seen.

A frame's latents are its pixels' colours themselves, few of them after the encoder has chosen. What is likely to stand where is said
by two small integer networks that see only which pixels are alike, never which colours: so they know every game's colours.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.models.coding import Rows
from lvc.models.integer_layers import ACTIVATION_LIMIT, ExactConv, IntegerConv, clipped

SIDE = 4  # pixels of a block that is kept or coded
PIXEL_FACTS, BLOCK_FACTS = 135, 65  # what is known of a candidate colour, and of a block: see lvc/palette/facts.py


@dataclass(frozen=True)
class PaletteConfig:
    """width, height: what it was trained on; others are taken too. pixel_widths, block_widths: of the hidden layers of the
    network for pixels and of that for blocks. exact: the networks in integers, as shipped.
    """

    width: int = 200
    height: int = 160
    pixel_widths: tuple[int, int] = (96, 32)
    block_widths: tuple[int, int] = (32, 16)
    exact: bool = False

    def __post_init__(self):
        for name in ("pixel_widths", "block_widths"):
            widths = tuple(getattr(self, name))
            object.__setattr__(self, name, widths)  # JSON gives lists
            if len(widths) != 2 or not all(isinstance(width, int) and 1 <= width <= 1024 for width in widths):
                raise OptionError(f"{name} must be two whole numbers from 1 to 1024, not {widths!r}")


class FlagNetwork(nn.Module):
    """Log-odds of a yes, ACTIVATION_SCALE to the unit, from facts that are 0 or 1."""

    def __init__(self, facts: int, widths: tuple[int, int], *, exact: bool):
        super().__init__()
        conv = ExactConv if exact else IntegerConv
        first, second = widths
        self.first = conv(facts, first, 1, input_scale=1, input_limit=1)
        self.second = conv(first, second, 1)
        self.last = conv(second, 1, 1, gain=0.5)
        self.rows: tuple[Rows, Rows, Rows] | None = None

    def forward(self, facts: Tensor) -> Tensor:
        """Log-odds [N] of facts float [N, F]."""
        x = clipped(self.first(facts[:, :, None, None]))
        return self.last(clipped(self.second(x)))[:, 0, 0, 0]

    def exact(self) -> "FlagNetwork":
        first, second = self.first.weight.shape[0], self.second.weight.shape[0]
        network = FlagNetwork(self.first.weight.shape[1], (first, second), exact=True)
        with torch.no_grad():
            for name in ("first", "second", "last"):
                network.set_submodule(name, getattr(self, name).exact())
        return network

    def prepare(self) -> None:
        """Readies an exact network for `odds`; raises ModelError where a layer could leave the exact range."""
        for layer in (self.first, self.second, self.last):
            layer.prepare()
        self.rows = Rows(self.first), Rows(self.second), Rows(self.last)

    def odds(self, facts: np.ndarray) -> np.ndarray:
        """What `forward` says, for coding: int32 [N] of facts float32 [N, F]."""
        first, second, last = self.rows
        x = np.clip(first(facts), 0, ACTIVATION_LIMIT)
        x = np.clip(second(x), 0, ACTIVATION_LIMIT)
        return last(x)[:, 0].astype(np.int32)


class Palette(nn.Module):
    """Colours as they are, with the networks that predict them."""

    any_geometry = True
    rounded_latents = True
    latent_range = None

    def __init__(self, name: str, config: PaletteConfig):
        super().__init__()
        self.name, self.config = name, config
        self.geometry = Geometry(config.width, config.height)
        self.pixels = FlagNetwork(PIXEL_FACTS, config.pixel_widths, exact=config.exact)
        self.blocks = FlagNetwork(BLOCK_FACTS, config.block_widths, exact=config.exact)

    def exact(self) -> "Palette":
        """This model as it ships: its networks in integers."""
        model = Palette(self.name, replace(self.config, exact=True))
        model.pixels, model.blocks = self.pixels.exact(), self.blocks.exact()
        return model

    def for_coding(self) -> "Palette":
        """Ready to code; raises ModelError where a layer could leave the range in which it is exact."""
        self.pixels.prepare()
        self.blocks.prepare()
        return self

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, int, int]:
        geometry = geometry or self.geometry
        return 1, SIDE * -(-geometry.height // SIDE), SIDE * -(-geometry.width // SIDE)

    def synthesise(self, symbols: Tensor, crf: Tensor, *, geometry: Geometry | None = None) -> Tensor:
        """Frames float32 [T, 3, H, W] in 0..1 of colours [T, 1, h, w], 0xRRGGBB each; `crf` plays no part."""
        geometry = geometry or self.geometry
        colours = symbols.long()[:, :, : geometry.height, : geometry.width]
        return torch.cat([(colours >> shift) & 255 for shift in (16, 8, 0)], dim=1).float() / 255
