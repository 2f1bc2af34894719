"""Plain chains of convolutions, transposed convolutions and activations: the edge codec, and what ONNX files bring
(S2).

At 200x160, padded to 208x160, edge3 and edge5 have 192 x 10 x 13 = 24,960 latents a frame.
"""

import math
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvc.codecs.networks.chain_layers import MAX_SIDE, Filter, Layer, Pointwise, layer_of, mirrored, stack, through
from lvc.codecs.networks.layers import start_convolutions_at_unit_variance
from lvc.codecs.networks.linear_start import STEP, few, fit, for_sigmoid, paired, scaled, transform
from lvc.codecs.networks.model import BOUNDED, ROUNDED, Model, activation, check_count, check_kind, logit
from lvc.errors import OptionError
from lvc.frames import Geometry

MAX_LAYERS = 128
MAX_STRIDE = 1024  # of a whole encoder


def edge(middle: int) -> tuple[str, ...]:
    """The edge encoder, its third and second convolution with kernels of `middle`."""
    act = "leaky_relu 0.01"
    return (
        "conv 128 k5 s2",
        act,
        f"conv 128 k{middle} s2",
        act,
        f"conv 128 k{middle}",
        act,
        "conv 192 k5 s2",
        act,
        "conv 192 k5 s2",
    )


@dataclass(frozen=True)
class ChainConfig:
    """analysis, synthesis: the layers, a line of text each; an empty synthesis is the analysis mirrored.
    latents: "bounded" by a sigmoid, or "rounded", which leaves them free. Width and height are the training data's;
    others work too.
    """

    width: int
    height: int
    analysis: tuple[str, ...]
    synthesis: tuple[str, ...] = ()
    latents: str = BOUNDED

    def __post_init__(self):
        check_kind(self.latents)
        for name in ("analysis", "synthesis"):
            lines = getattr(self, name)
            if not isinstance(lines, tuple) or len(lines) > MAX_LAYERS:
                raise OptionError(f"{name} must be a list of at most {MAX_LAYERS} layers")
            # One way to write each, so that what was stored compares as equal.
            object.__setattr__(self, name, tuple(str(layer_of(line)) for line in lines))
        encoder, decoder = self.layers()
        for name, layers in (("analysis", encoder), ("synthesis", decoder)):
            if not any(isinstance(layer, Filter) for layer in layers):
                raise OptionError(f"{name} has no convolution")
        if (made := [layer for layer in decoder if isinstance(layer, Filter)][-1].outputs) != 3:
            raise OptionError(f"synthesis gives {made} channels; frames have 3")

    def layers(self) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
        """The layers of analysis and of synthesis."""
        encoder = tuple(layer_of(line) for line in self.analysis)
        return encoder, tuple(layer_of(line) for line in self.synthesis) or mirrored(encoder)


Edge3Config, Edge5Config = (partial(ChainConfig, analysis=edge(middle)) for middle in (3, 5))


class Chain(Model):
    """Latents [C, h, w] of each frame, which is first continued by its last row and column to a multiple of the
    encoder's stride.
    """

    any_geometry = True

    def __init__(self, name: str, config: ChainConfig):
        super().__init__(name, config)
        self.rounded_latents = config.latents == ROUNDED
        self.latent_range = None if self.rounded_latents else (0.0, 1.0)
        self.encoder, self.decoder = config.layers()
        filters = [layer for layer in self.encoder if isinstance(layer, Filter)]
        self.stride = tuple(math.prod(1 if layer.up else layer.stride[axis] for layer in filters) for axis in (0, 1))
        check_count("an encoder's stride", max(self.stride), most=MAX_STRIDE)
        # The names that CompressAI gave these two.
        self.g_a = stack(3, self.encoder)
        self.g_s = stack(filters[-1].outputs, self.decoder)
        self.code = activation(config.latents)
        self.latent_channels = filters[-1].outputs
        self.latent_shape()
        for part in self.modules():
            if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(part.weight, std=spread(part))
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
        self.to(memory_format=torch.channels_last)

    def padded(self, geometry: Geometry) -> tuple[int, int]:
        """Rows and columns of a frame as the encoder sees it."""
        down, across = self.stride
        return -(-geometry.height // down) * down, -(-geometry.width // across) * across

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, ...]:
        geometry = geometry or self.geometry
        size = rows, columns = self.padded(geometry)
        # More within than there is of the frame is no compression, and could be more than there is memory.
        most = rows + MAX_SIDE, columns + MAX_SIDE
        latents = through(self.encoder, size, most)
        made = through(self.decoder, latents, most) if latents else None
        if made != size:
            what = f"frames of {made[1]}x{made[0]}" if made else "nothing, or larger layers"
            raise OptionError(
                f"model {self.name}: its layers make {what} of {columns}x{rows}; frames of the same size were expected"
            )
        return (self.latent_channels, *latents)

    def own_geometry(self, latents: Tensor) -> Geometry:
        if latents.ndim != 4 or tuple(latents.shape[1:]) == self.latent_shape():
            return self.geometry
        return Geometry(latents.shape[3] * self.stride[1], latents.shape[2] * self.stride[0])

    def continued(self, frames: Tensor) -> Tensor:
        """Frames as the encoder sees them, laid out as convolutions like it."""
        rows, columns = self.padded(Geometry(frames.shape[3], frames.shape[2]))
        if (rows, columns) != tuple(frames.shape[2:]):
            frames = F.pad(frames, (0, columns - frames.shape[3], 0, rows - frames.shape[2]), mode="replicate")
        return frames.contiguous(memory_format=torch.channels_last)

    def encode(self, frames: Tensor) -> Tensor:
        return self.code(self.g_a(self.continued(frames)))

    def decode(self, latents: Tensor, geometry: Geometry) -> Tensor:
        return self.g_s(latents.contiguous(memory_format=torch.channels_last))[
            :, :, : geometry.height, : geometry.width
        ]

    @torch.no_grad()
    def initialise(self, frames: Tensor) -> None:
        """Starts as a linear transform of the frames where the layers can be one, see `linear_start`. Others start with
        all filters at unit variance, so that codes differ enough to say something, and the output near the mean colour,
        where the last layer's
        outputs are the frame or its logits."""
        squashed = isinstance(self.g_s[-1], nn.Sigmoid)
        if self.can_be_linear():
            self._start_as_transform(self.continued(few(frames)), squashed)
            return
        start_convolutions_at_unit_variance(self.g_a, self.continued(frames[:16]))
        start_convolutions_at_unit_variance(self.g_s, self.encode(frames[:16]))
        last = self.g_s[-2 if squashed else -1]  # a synthesis has a filter, so a sigmoid is not all of it
        if isinstance(last, (nn.Conv2d, nn.ConvTranspose2d)) and last.bias is not None:
            colour = frames.mean(dim=(0, 2, 3))
            last.weight.mul_(0.02)  # noise at first, so well below what frames differ by
            last.bias.copy_(logit(colour) if squashed else colour)

    def can_be_linear(self) -> bool:
        """Whether filters of square strides, with (leaky) ReLUs between them at most, are followed by their mirror."""
        last = self.decoder[-1]
        mirror = self.decoder[:-1] if isinstance(last, Pointwise) and last.kind == "sigmoid" else self.decoder
        return (
            all(map(can_pack, self.encoder))
            and isinstance(self.encoder[-1], Filter)
            and mirror == mirrored(self.encoder)
        )

    def _start_as_transform(self, x: Tensor, squashed: bool) -> None:
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        filters = [layer for layer in self.encoder if isinstance(layer, Filter)]
        # A direction takes two channels, itself and its opposite, of which a ReLU leaves one.
        widths = [max(1, layer.outputs // 2) for layer in filters[:-1]]
        *between, codes = transform(
            x - mean, list(zip((layer.stride[0] for layer in filters), [*widths, filters[-1].outputs]))
        )
        between = [paired(scaled(signal, 1.0), layer.outputs) for signal, layer in zip(between, filters)]
        codes = codes / STEP if self.rounded_latents else for_sigmoid(codes)
        made = self.code(start_filters(self.g_a, x, [*between, codes]))
        start_filters(self.g_s, made, [*reversed(between), logit(x) if squashed else x])


def start_filters(layers: nn.Sequential, x: Tensor, targets: list[Tensor]) -> Tensor:
    """Fits the filters of `layers` in turn to the targets, from what x is there; gives the outputs."""
    left = iter(targets)
    for layer in layers:
        x = fit(layer, x, next(left)) if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) else layer(x)
    return x


def can_pack(layer: Layer) -> bool:
    """Whether it is a convolution whose taps take all that its stride steps over, or a ReLU."""
    if isinstance(layer, Pointwise):
        return layer.kind in ("relu", "leaky_relu")
    square = layer.kernel[0] == layer.kernel[1] and layer.stride[0] == layer.stride[1]
    taps = layer.padding[0] + layer.stride[0] <= layer.kernel[0]
    return (
        not layer.up
        and square
        and taps
        and layer.dilation == (1, 1)
        and layer.groups == 1
        and layer.bias
        and layer == layer.same()
    )


def spread(part: nn.Conv2d | nn.ConvTranspose2d) -> float:
    """The weights' standard deviation that keeps the variance through an activation that halves it (He et al.,
    ICCV 2015).
    """
    taps = math.prod(part.kernel_size)
    if isinstance(part, nn.ConvTranspose2d):
        # Each output sums one tap in so many.
        taps /= math.prod(part.stride)
    return math.sqrt(2 / (part.in_channels // part.groups * taps))
