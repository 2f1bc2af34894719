"""A hyperprior: side information says how widely each latent is spread (Balle et al., "Variational image compression
with a scale hyperprior", ICLR 2018).

The side information is made in floats, by the encoder alone, and travels. What it means, the level of each latent's
scale, is computed in whole numbers, so that decoding cannot drift.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvc.codecs.integer.layers import ACTIVATION_SCALE, ExactConv, IntegerConv, clipped
from lvc.codecs.integer.scales import SCALE_LEVELS, SCALE_LOWEST, SCALE_STEP, logistic_mass
from lvc.codecs.networks.linear_start import fit, paired, solve, strongest
from lvc.errors import ModelError

STRIDE = 4  # latents to a position of the side information, each way
SIDE_LIMIT = 127
# A layer of at most 2,048 inputs sums to less than 2**37 (8-bit weights, inputs to 255, a bias of 32 bits); with these
# shifts it stays within the whole numbers that float64 holds.
SHIFTS = (-16, 31)
# How it starts. What a step of the side information stands for, in `strengths` along a direction: a twelfth of an
# octave where 128 latents grow alike; and what it is in the next layer's units, which end at 16.
SIDE_STEP, SIDE_UNIT = 0.6, 0.25
LOGISTIC_MEAN = 2 * math.log(2)  # of a logistic's magnitude, for a scale of 1
SCALES_PER_UNIT = round(1 / SCALE_STEP)
LOWEST_LEVEL = round(-SCALE_LOWEST / SCALE_STEP)


class HyperPrior(nn.Module):
    """Side information [channels, h / 4, w / 4], rounded up, of latents [code, h, w]; and levels of scales from it.

    After `settle` the whole numbers that coding uses are those of the layers as they are trained.
    """

    def __init__(self, code: int, channels: int):
        super().__init__()
        self.code, self.channels = code, channels
        self.analysis = nn.Sequential(
            nn.Conv2d(code, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 5, stride=2, padding=2),
        )
        shapes = (channels, 2 * channels), (2 * channels, 2 * channels), (2 * channels, code)
        kinds: tuple[dict[str, Any], ...] = (
            {"input_scale": 1, "input_limit": SIDE_LIMIT, "gain": 0.5},
            {},
            {"gain": 0.5},
        )
        self.synthesis = nn.ModuleList(IntegerConv(*shape, 3, **kind) for shape, kind in zip(shapes, kinds))
        self.exact = nn.ModuleList(ExactConv(*shape, 3, **kind) for shape, kind in zip(shapes, kinds))

    def side_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The shape of a frame's side information, for latents of that shape."""
        return self.channels, -(-shape[1] // STRIDE), -(-shape[2] // STRIDE)

    def side(self, latents: Tensor) -> Tensor:
        """Side information float32 [T, channels, h / 4, w / 4] of latents [T, code, h, w], not rounded."""
        right, bottom = -latents.shape[3] % STRIDE, -latents.shape[2] % STRIDE
        return self.analysis(self.strengths(F.pad(latents.float(), (0, right, 0, bottom))))

    @staticmethod
    def strengths(latents: Tensor) -> Tensor:
        """Magnitudes alone: a scale has no sign. Large ones say no more than their order."""
        return torch.log1p(latents.abs()) * 4

    def rate(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """For training: bits of each frame [T] beside those of its side information, and the latter with noise.

        latents: in symbols, with noise or whole.
        """
        side = self.side(latents).clamp(-SIDE_LIMIT, SIDE_LIMIT)
        rounded = side + (side.round() - side).detach()
        scale = self.scales(rounded, self.synthesis)[:, :, : latents.shape[2], : latents.shape[3]] / ACTIVATION_SCALE
        highest = SCALE_LOWEST + (SCALE_LEVELS - 1) * SCALE_STEP
        # Beyond the bounds a gradient would be lost; it may lead back.
        bounded = scale + (scale.clamp(SCALE_LOWEST, highest) - scale).detach()
        bits = -torch.log2(logistic_mass(latents.float(), torch.zeros_like(bounded), bounded)).sum(dim=(1, 2, 3))
        return bits, side + torch.rand_like(side) - 0.5

    @staticmethod
    def scales(side: Tensor, layers) -> Tensor:
        """log2 of scales in whole numbers, ACTIVATION_SCALE to the unit, by layers of either kind."""
        first, second, last = layers
        x = doubled(clipped(first(side)))
        x = doubled(clipped(second(x)))
        return last(x)

    @torch.no_grad()
    def initialise(self, latents: Tensor) -> None:
        """Starts with side information that says how strong the latents [T, code, h, w] are around a position, in the
        directions in which that differs most, and with the scales that follow from it by least squares.

        From random weights it takes thousands of steps to say anything, while latents are coded at one scale
        everywhere.
        """
        latents = latents.float()
        right, bottom = -latents.shape[3] % STRIDE, -latents.shape[2] % STRIDE
        padded = F.pad(latents, (0, right, 0, bottom), mode="replicate") if right or bottom else latents
        strengths = self.strengths(padded)
        count = max(1, self.channels // 2)  # a direction takes two channels between, of which a ReLU leaves one
        signal = strengths - strengths.mean(dim=(0, 2, 3), keepdim=True)
        signal = torch.einsum("ck,tchw->tkhw", strongest(F.avg_pool2d(signal, STRIDE), count), signal) / SIDE_STEP
        halved = F.avg_pool2d(signal, 2)
        quartered = F.avg_pool2d(halved, 2)
        first, second, third = (self.analysis[place] for place in (0, 2, 4))
        made = F.relu(fit(first, strengths, paired(signal, self.channels)))
        made = F.relu(fit(second, made, paired(halved, self.channels)))
        side = fit(third, made, quartered).round().clamp(-SIDE_LIMIT, SIDE_LIMIT)
        count = quartered.shape[1]
        widths = F.avg_pool2d(padded.abs(), STRIDE) / LOGISTIC_MEAN
        weight, bias = solve(side[:, :count], torch.log2(widths.clamp_min(2.0**SCALE_LOWEST)))
        first, second, third = self.synthesis
        for layer in self.synthesis:
            layer.weight.mul_(0.1)
            layer.bias.zero_()
        for place, sign in enumerate((1.0, -1.0)):
            for number in range(count):
                channel = place * count + number
                first.weight[channel], second.weight[channel] = 0, 0
                first.weight[channel, number, 1, 1] = sign * SIDE_UNIT  # the middle of 3x3
                second.weight[channel, channel, 1, 1] = 1
            third.weight[:, place * count : (place + 1) * count] = 0
            third.weight[:, place * count : (place + 1) * count, 1, 1] = sign * weight / SIDE_UNIT
        third.bias.copy_(bias)
        # A mean of logarithms is below what codes best where widths differ.
        noisy = latents + torch.rand_like(latents) - 0.5
        scale = self.scales(side, self.synthesis)[:, :, : latents.shape[2], : latents.shape[3]] / ACTIVATION_SCALE
        shifts = torch.arange(-1, 3, SCALE_STEP, device=latents.device)
        bits = [
            -torch.log2(logistic_mass(noisy, torch.zeros_like(noisy), (scale + shift).clamp_min(SCALE_LOWEST))).sum(
                dim=(0, 2, 3)
            )
            for shift in shifts
        ]
        third.bias.add_(shifts[torch.stack(bits).argmin(dim=0)])

    @torch.no_grad()
    def settle(self) -> None:
        for layer, exact in zip(self.synthesis, self.exact):
            exact.load_state_dict(layer.exact().state_dict())

    def prepare(self) -> None:
        """Checks the whole numbers that coding uses; raises ModelError."""
        for layer in self.exact:
            least, most = int(layer.shift.min()), int(layer.shift.max())
            if least < SHIFTS[0] or most > SHIFTS[1]:
                raise ModelError(
                    f"the hyperprior shifts by {least} to {most} bits; {SHIFTS[0]} to {SHIFTS[1]} were expected"
                )

    @torch.no_grad()
    def levels(self, side: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """The level of each latent's scale, int64 [*shape] from 0 to 35, for side information [channels, h / 4, w / 4]
        of one frame.

        On the CPU and in float64, where sums of such whole numbers are exact in any order.
        """
        side = side.cpu().double().clamp(-SIDE_LIMIT, SIDE_LIMIT)[None]
        scale = self.scales(side, [lambda x, layer=layer: exactly(layer, x) for layer in self.exact])[
            0, :, : shape[1], : shape[2]
        ]
        level = torch.floor((scale * SCALES_PER_UNIT + ACTIVATION_SCALE // 2) / ACTIVATION_SCALE) + LOWEST_LEVEL
        return level.clamp(0, SCALE_LEVELS - 1).long()


def exactly(layer: ExactConv, x: Tensor) -> Tensor:
    weight, bias, shift = (part.cpu().double() for part in (layer.weight, layer.bias, layer.shift))
    return torch.floor(
        F.conv2d(x, weight, bias, padding=layer.weight.shape[2] // 2) * torch.exp2(-shift)[:, None, None] + 0.5
    )


def doubled(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
