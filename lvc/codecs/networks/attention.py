"""The GDN and attention family: residual blocks with divisive normalisation, and masks that weigh what matters (S3).

Six residual blocks, two attention modules and two convolutions each way, at a stride of 16; the synthesis is mirrored,
with inverse normalisation and sub-pixel upsampling. After Balle et al., "Density modeling of images using a generalized
normalization transformation" (ICLR 2016), and Cheng et al., "Learned image compression with discretized Gaussian
mixture likelihoods and attention modules" (CVPR 2020, sections 3.3 and 4.1), whose attention this simplifies as they
do.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvc.codecs.networks.hyperprior import HyperPrior
from lvc.codecs.networks.layers import thinned
from lvc.codecs.networks.linear_start import STEP, few, fit, scaled, transform
from lvc.codecs.networks.model import check_count
from lvc.codecs.networks.strided import Strided
from lvc.frames import Geometry

LEAST_NORM = 1e-6
LARGEST_GAIN = 4.0
# How training starts: the deviation of signals within, small so that normalisations pass them nearly as they are, and
# what branches that are not needed start with.
STARTING_DEVIATION, QUIET = 0.5, 0.1


@dataclass(frozen=True)
class AttentionConfig:
    """channels: width of the networks. deep: the same from a stride of 8 on, where a position has more to say; 0 for no
    difference.
    code: latents at each position. hyper: channels of side information, for entropy hyperprior; 0 for none.
    Width and height are the training data's; any others work too."""

    width: int
    height: int
    channels: int = 64
    code: int = 96
    hyper: int = 0
    deep: int = 0

    def __post_init__(self):
        check_count("channels", self.channels, most=1024)
        check_count("deep", self.deep, least=0, most=1024)
        check_count("code", self.code, most=1024)
        check_count("hyper", self.hyper, least=0, most=1024)


class Normalisation(nn.Module):
    """Generalised divisive normalisation: x / sqrt(beta + gamma * x^2), over the channels of each position; or its
    inverse.

    Neither multiplies by more than 4: the inverse squares large values, and eight in a row take them beyond float32.
    """

    def __init__(self, channels: int, *, inverse: bool = False):
        super().__init__()
        self.inverse = inverse
        # Both enter by their absolute values, so that no step can make the root's argument negative.
        self.beta = nn.Parameter(torch.ones(channels))
        # So small at first that a network which starts as a linear transform still is one.
        self.gamma = nn.Parameter(0.001 * (torch.eye(channels) + 0.01))

    def forward(self, x: Tensor) -> Tensor:
        norm = torch.sqrt(F.conv2d(x * x, self.gamma.abs()[:, :, None, None], self.beta.abs() + LEAST_NORM))
        return x * norm.clamp_max(LARGEST_GAIN) if self.inverse else x / norm.clamp_min(1 / LARGEST_GAIN)


class Residual(nn.Module):
    """Two convolutions, each with a normalisation, and a skip. stride: 2 halves the picture. up:
    doubles it by sub-pixels.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, up: bool = False, inverse: bool = False):
        super().__init__()
        self.stride = stride
        first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.body = nn.Sequential(
            subpixel(inputs, outputs, 3) if up else first,
            Normalisation(outputs, inverse=inverse),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            Normalisation(outputs, inverse=inverse),
        )
        self.skip = nn.Identity()
        if up:
            self.skip = subpixel(inputs, outputs, 1)
        elif stride != 1 or inputs != outputs:
            self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(thinned(x, self.stride)) + self.body(x)

    def start(self, x: Tensor, target: Tensor | None) -> None:
        """Makes the outputs for x the target: by the body where its skip sees every second pixel alone,
        else by the skip.
        """
        first, norm, second, _ = self.body
        if self.stride == 1:
            second.weight.mul_(QUIET)
            second.bias.zero_()
            if target is not None:
                fit(self.skip[0], x, F.pixel_unshuffle(target, 2))
        else:
            fit(second, norm(fit(first, x, target)), target)
            self.skip.weight.mul_(QUIET)
            self.skip.bias.zero_()


class Attention(nn.Module):
    """Adds features weighed by a mask of 0..1, both from convolutions of the same input."""

    def __init__(self, channels: int):
        super().__init__()
        self.features, self.mask = bottleneck(channels), bottleneck(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.features(x) * torch.sigmoid(self.mask(x))


class GdnAttention(Strided):
    """Latents [code, h, w] of each frame, made for rounding: h and w are its sides over 16, rounded up."""

    stride = 16
    latent_range = None
    rounded_latents = True
    tables_by_channel = True

    def __init__(self, name: str, config: AttentionConfig):
        super().__init__(name, config)
        n, deep, code = config.channels, config.deep or config.channels, config.code
        self.analysis = nn.Sequential(
            Residual(3, n, stride=2),
            Residual(n, n),
            Residual(n, n, stride=2),
            Attention(n),
            Residual(n, n),
            Residual(n, deep, stride=2),
            Residual(deep, deep),
            nn.Conv2d(deep, deep, 3, stride=2, padding=1),
            Attention(deep),
            nn.Conv2d(deep, code, 3, padding=1),
        )
        self.synthesis = nn.Sequential(
            nn.Conv2d(code, deep, 3, padding=1),
            Attention(deep),
            subpixel(deep, deep, 3),
            Residual(deep, deep, inverse=True),
            Residual(deep, n, up=True, inverse=True),
            Residual(n, n, inverse=True),
            Attention(n),
            Residual(n, n, up=True, inverse=True),
            Residual(n, n, inverse=True),
            Residual(n, n, inverse=True),
            subpixel(n, 3, 3),
        )
        self.to(memory_format=torch.channels_last)
        self.hyper = HyperPrior(code, config.hyper) if config.hyper else None

    @property
    def latent_channels(self) -> int:
        return self.config.code

    def encode(self, frames: Tensor) -> Tensor:
        return self.analysis(self.padded(frames) - 0.5)

    def decode(self, latents: Tensor, geometry: Geometry) -> Tensor:
        frames = self.synthesis(latents.contiguous(memory_format=torch.channels_last))
        return frames[:, :, : geometry.height, : geometry.width] + 0.5

    def settle(self) -> None:
        if self.hyper is not None:
            self.hyper.settle()

    def for_coding(self) -> "GdnAttention":
        if self.hyper is not None:
            self.hyper.prepare()
        return self

    @torch.no_grad()
    def initialise(self, frames: Tensor) -> None:
        """Starts as a linear transform of the frames, see `linear_start`."""
        x = self.padded(few(frames)) - 0.5
        mean = x.mean(dim=(0, 2, 3), keepdim=True)
        n, deep = self.config.channels, self.config.deep or self.config.channels
        first, second, third, last = transform(x - mean, [(2, n), (2, n), (2, deep), (2, min(deep, self.config.code))])
        latents = last / STEP
        first, second, third, last = (scaled(signal, STARTING_DEVIATION) for signal in (first, second, third, last))
        made = x
        for part, target in zip(self.analysis, (first, None, second, None, None, third, None, last, None, latents)):
            made = start_part(part, made, target)
        if self.hyper is not None:
            self.hyper.initialise(made)
        # The noise that stands for rounding: directions that it drowns are not blown up on the way back.
        made = made + torch.rand_like(made) - 0.5
        for part, target in zip(self.synthesis, (last, None, third, None, second, None, None, first, None, None, x)):
            made = start_part(part, made, target)


def start_part(part: nn.Module, x: Tensor, target: Tensor | None) -> Tensor:
    """Makes a part's outputs the target where there is one, else nearly its inputs; gives the outputs."""
    if isinstance(part, nn.Conv2d):
        return fit(part, x, target)
    if isinstance(part, nn.Sequential):
        convolution, shuffle = part
        return shuffle(fit(convolution, x, F.pixel_unshuffle(target, 2)))
    if isinstance(part, Attention):
        part.features[-1].weight.mul_(QUIET)
    else:
        part.start(x, target)
    return part(x)


def subpixel(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution whose channels become 2x2 pixels each (Shi et al., CVPR 2016)."""
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, kernel, padding=kernel // 2), nn.PixelShuffle(2))


def bottleneck(channels: int) -> nn.Sequential:
    half = max(1, channels // 2)
    return nn.Sequential(
        nn.Conv2d(channels, half, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(half, half, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(half, channels, 1),
    )
