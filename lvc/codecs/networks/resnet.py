"""ResNet18 as analysis and a mirrored synthesis (S4; He et al., "Deep residual learning for image recognition", CVPR
2016).

The encoder's tensors are named as in the usual classifiers, without the classifying layer, so that their weights can be
taken over. At 512x512 a frame has 128 x 16 x 16 = 32,768 latents, at 200x160 (padded to 224x160) 128 x 5 x 7 = 4,480.
"""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lvc.codecs.networks.layers import thinned
from lvc.codecs.networks.model import BOUNDED, ROUNDED, activation, check_count, check_kind, logit
from lvc.codecs.networks.strided import Strided
from lvc.frames import Geometry

STRIDE = 32
# The colours that ImageNet's classifiers expect: mean and deviation of its pictures.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ResNetConfig:
    """channels: of the first stage, doubled at each further one. code: latents at each position.
    latents: "bounded" by a sigmoid, or "rounded". Width and height are the training data's; any others work too."""

    width: int
    height: int
    channels: int = 64
    code: int = 128
    latents: str = BOUNDED

    def __post_init__(self):
        check_count("channels", self.channels, most=512)
        check_count("code", self.code, most=4096)
        check_kind(self.latents)


class Block(nn.Module):
    """Two convolutions with a skip. stride: 2 halves the picture. up: doubles it first."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, up: bool = False):
        super().__init__()
        self.up, self.stride = up, stride
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(thinned(x, self.stride))
        if self.up:
            # The skip's product of points is the same before doubling, at a quarter of the work.
            x, skip = doubled(x), doubled(skip)
        return F.relu(skip + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Encoder(nn.Module):
    """[T, 3, H, W] in 0..1 to [T, 8 * channels, H / 32, W / 32]."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(Block(channels, channels), Block(channels, channels))
        self.layer2 = nn.Sequential(Block(channels, 2 * channels, stride=2), Block(2 * channels, 2 * channels))
        self.layer3 = nn.Sequential(Block(2 * channels, 4 * channels, stride=2), Block(4 * channels, 4 * channels))
        self.layer4 = nn.Sequential(Block(4 * channels, 8 * channels, stride=2), Block(8 * channels, 8 * channels))

    def forward(self, frames: Tensor) -> Tensor:
        mean, deviation = (frames.new_tensor(colour)[:, None, None] for colour in (MEAN, DEVIATION))
        x = F.relu(self.bn1(self.conv1((frames - mean) / deviation)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class ResNet(Strided):
    """Latents [code, h, w] of each frame: h and w are its sides over 32, rounded up."""

    stride = STRIDE

    def __init__(self, name: str, config: ResNetConfig):
        super().__init__(name, config)
        self.rounded_latents = config.latents == ROUNDED
        self.latent_range = None if self.rounded_latents else (0.0, 1.0)
        c = config.channels
        self.encoder = Encoder(c)
        self.bottleneck = nn.Sequential(nn.Conv2d(8 * c, config.code, 1), activation(config.latents))
        self.decoder = nn.Sequential(
            nn.Conv2d(config.code, 8 * c, 1),
            Block(8 * c, 8 * c),
            Block(8 * c, 4 * c, up=True),
            Block(4 * c, 4 * c),
            Block(4 * c, 2 * c, up=True),
            Block(2 * c, 2 * c),
            Block(2 * c, c, up=True),
            Block(c, c),
            Block(c, c, up=True),
        )
        # Sub-pixels: a doubled picture's convolution would give the four pixels of a position the same few weights.
        self.to_frame = nn.Sequential(nn.Conv2d(c, 4 * 3, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid())
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        # So that latents start in the middle of 0..1, where the sigmoid has a slope.
        nn.init.normal_(self.bottleneck[0].weight, std=(8 * c) ** -0.5)
        nn.init.zeros_(self.bottleneck[0].bias)
        nn.init.normal_(self.to_frame[0].weight, std=0.1 * (9 * c) ** -0.5)
        self.to(memory_format=torch.channels_last)

    @property
    def latent_channels(self) -> int:
        return self.config.code

    def encode(self, frames: Tensor) -> Tensor:
        return self.bottleneck(self.encoder(self.padded(frames)))

    def decode(self, latents: Tensor, geometry: Geometry) -> Tensor:
        frames = self.to_frame(self.decoder(latents.contiguous(memory_format=torch.channels_last)))
        return frames[:, :, : geometry.height, : geometry.width]

    @torch.no_grad()
    def initialise(self, frames: Tensor) -> None:
        """Starts the output at the mean colour."""
        self.to_frame[0].bias.copy_(logit(frames.mean(dim=(0, 2, 3))).repeat_interleave(4))

    def for_coding(self) -> "ResNet":
        """Each normalisation folded into the convolution before it."""
        model = copy.deepcopy(self).eval()
        for part in list(model.modules()):
            pairs = ("0", "1"), ("conv1", "bn1"), ("conv2", "bn2")
            for first, second in pairs:
                convolution, norm = getattr(part, first, None), getattr(part, second, None)
                if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    setattr(part, first, fuse_conv_bn_eval(convolution, norm))
                    setattr(part, second, nn.Identity())
        return model.to(memory_format=torch.channels_last)


def doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
