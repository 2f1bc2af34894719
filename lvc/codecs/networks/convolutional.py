"""The convolutional family: a whole frame through stages that halve it, and mirrored ones that double it (S1).

At 200x160, padded to 208x160, conv4 has 128 x 10 x 13 = 16,640 latents a frame; conv5, padded to 224x160, has
256 x 5 x 7 = 8,960. These are S1's counts, and with 16 channels doubled at each stage so are the weights.
"""

import copy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lvc.codecs.networks.model import BOUNDED, ROUNDED, activation, check_count, check_kind, logit
from lvc.codecs.networks.strided import Strided
from lvc.frames import Geometry


@dataclass(frozen=True)
class ConvolutionalConfig:
    """stages: each halves the frame. channels: of the first stage, doubled at each further one.
    latents: "bounded" by a sigmoid, or "rounded". Width and height are the training data's; any others work too."""

    width: int
    height: int
    stages: int = 4
    channels: int = 16
    latents: str = BOUNDED

    def __post_init__(self):
        check_count("stages", self.stages, most=8)
        check_count("channels", self.channels, most=1024)
        check_kind(self.latents)


class Convolutional(Strided):
    """Latents [C, h, w] of each frame: h and w are its sides over 2**stages, rounded up."""

    def __init__(self, name: str, config: ConvolutionalConfig):
        super().__init__(name, config)
        self.rounded_latents = config.latents == ROUNDED
        self.latent_range = None if self.rounded_latents else (0.0, 1.0)
        widths = [3, *(config.channels << stage for stage in range(config.stages))]
        self.down = nn.Sequential(*(down(inputs, outputs) for inputs, outputs in pairwise(widths)))
        self.down[-1][-1] = activation(config.latents)
        widths.reverse()
        self.up = nn.Sequential(*(up(inputs, outputs) for inputs, outputs in pairwise(widths)))
        # The frame itself: no normalisation, and a sigmoid so that it stays in 0..1.
        self.up[-1] = nn.Sequential(*self.up[-1][:4], nn.Sigmoid())
        for part in self.modules():
            if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(
                    part.weight, mode="fan_in" if isinstance(part, nn.Conv2d) else "fan_out", nonlinearity="relu"
                )
                nn.init.zeros_(part.bias)
        self.to(memory_format=torch.channels_last)

    @property
    def stride(self) -> int:
        return 1 << self.config.stages

    @property
    def latent_channels(self) -> int:
        return self.config.channels << (self.config.stages - 1)

    def encode(self, frames: Tensor) -> Tensor:
        return self.down(self.padded(frames))

    def decode(self, latents: Tensor, geometry: Geometry) -> Tensor:
        frames = self.up(latents.contiguous(memory_format=torch.channels_last))
        return frames[:, :, : geometry.height, : geometry.width]

    @torch.no_grad()
    def initialise(self, frames: Tensor) -> None:
        """Starts the output at the mean colour."""
        last = self.up[-1][-2]
        last.weight.mul_(0.1)
        last.bias.copy_(logit(frames.mean(dim=(0, 2, 3))))

    def for_coding(self) -> "Convolutional":
        """Each normalisation folded into the convolution before it, which takes a quarter of the time away."""
        model = copy.deepcopy(self).eval()
        folded = []
        for stage in (*model.down, *model.up):
            parts = list(stage)
            for place in reversed(range(1, len(parts))):
                if isinstance(parts[place], nn.BatchNorm2d):
                    before = parts[place - 1]
                    parts[place - 1] = fuse_conv_bn_eval(
                        before, parts.pop(place), transpose=isinstance(before, nn.ConvTranspose2d)
                    )
            folded.append(nn.Sequential(*parts))
        model.down, model.up = (
            nn.Sequential(*folded[: self.config.stages]),
            nn.Sequential(*folded[self.config.stages :]),
        )
        return model.to(memory_format=torch.channels_last)


def down(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, inputs, 3, padding=1),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
