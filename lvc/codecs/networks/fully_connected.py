"""The fully connected family: 4x4 blocks, and for each position in the frame an autoencoder of its own (S1).

All positions run as one batched product over [positions, frames, values].
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from lvc.codecs.networks.blocks import cut, join
from lvc.codecs.networks.layers import BlockLinear, start_at_unit_variance
from lvc.codecs.networks.model import BOUNDED, ROUNDED, Model, activation, check_count, check_kind
from lvc.errors import OptionError
from lvc.frames import Geometry


@dataclass(frozen=True)
class FullyConnectedConfig:
    """code: latents of each block. hidden: widths of the layers before the code, mirrored after it.
    rows, columns: of the grid of blocks. latents: "bounded" by a sigmoid, or "rounded"."""

    width: int
    height: int
    code: int = 1000
    hidden: tuple[int, ...] = ()
    rows: int = 4
    columns: int = 4
    latents: str = BOUNDED

    def __post_init__(self):
        check_count("code", self.code)
        check_count("rows", self.rows, most=64)
        check_count("columns", self.columns, most=64)
        check_kind(self.latents)
        if not isinstance(self.hidden, tuple) or len(self.hidden) > 8:
            raise OptionError(f"hidden must be up to 8 widths, not {self.hidden!r}")
        for width in self.hidden:
            check_count("a hidden width", width)
        if self.height % self.rows or self.width % self.columns:
            raise OptionError(
                f"fully connected models cut a frame into {self.columns}x{self.rows} equal blocks, and "
                f"{self.width}x{self.height} does not divide so; choose another size, or a conv model"
            )


class FullyConnected(Model):
    """Latents [rows*columns, code] of each frame."""

    def __init__(self, name: str, config: FullyConnectedConfig):
        super().__init__(name, config)
        self.rounded_latents = config.latents == ROUNDED
        self.latent_range = None if self.rounded_latents else (0.0, 1.0)
        positions = config.rows * config.columns
        values = 3 * config.width * config.height // positions
        widths = (values, *config.hidden, config.code)
        # Taken off first: Adam moves each weight alike, and 6,000 of them times a constant picture would be a leap.
        self.register_buffer("mean_frame", torch.zeros(3, config.height, config.width))
        self.encoder = stack(positions, widths)
        self.code = activation(config.latents)
        self.decoder = stack(positions, widths[::-1])

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, ...]:
        self.check_own_geometry(geometry)
        return (self.config.rows * self.config.columns, self.config.code)

    def encode(self, frames: Tensor) -> Tensor:
        blocks = cut(frames - self.mean_frame, self.config.rows, self.config.columns)
        return self.code(self.encoder(blocks)).transpose(0, 1)

    def decode(self, latents: Tensor, geometry: Geometry) -> Tensor:
        blocks = self.decoder(latents.transpose(0, 1))
        return join(blocks, self.config.rows, self.config.columns, geometry.height, geometry.width)

    @torch.no_grad()
    def initialise(self, frames: Tensor) -> None:
        """Spreads the codes over their range, and starts the output near the mean frame."""
        self.mean_frame.copy_(frames.mean(dim=0))
        codes = self.code(
            start_at_unit_variance(self.encoder, cut(frames - self.mean_frame, self.config.rows, self.config.columns))
        )
        last = self.decoder[-1]
        last.weight.mul_(0.1)
        mean = cut(self.mean_frame[None], self.config.rows, self.config.columns)  # [P, 1, values]
        last.bias.add_(mean - self.decoder(codes).mean(dim=1, keepdim=True))


def stack(positions: int, widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [BlockLinear(positions, inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
