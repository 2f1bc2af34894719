"""Layers that several families share, and how they start."""

import torch
from torch import Tensor, nn

from lvc.codecs.networks.model import uniform


class BlockLinear(nn.Module):
    """A linear layer for each of P positions: [P, T, inputs] -> [P, T, outputs], as one batched product."""

    def __init__(self, positions: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = uniform(positions, inputs, outputs, fan_in=inputs)
        self.bias = nn.Parameter(torch.zeros(positions, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


def thinned(x: Tensor, stride: int) -> Tensor:
    """Every `stride`-th row and column of [T, C, H, W], for a 1x1 convolution.

    Given the stride itself, oneDNN writes beyond its memory: torch 2.13, 3 channels laid out last, on the way back.
    """
    return x if stride == 1 else x[:, :, ::stride, ::stride]


@torch.no_grad()
def start_at_unit_variance(layers: nn.Sequential, x: Tensor) -> Tensor:
    """Scales and shifts each linear layer in turn so that its outputs on the data `x` have mean 0 and variance 1.

    The differences between frames of a game are small beside the frames; without this the first codes say nothing, and
    the decoder learns to ignore them (after Mishkin and Matas, "All you need is a good init", ICLR 2016).
    Gives the outputs of the last layer.
    """
    for layer in layers:
        if isinstance(layer, (nn.Linear, BlockLinear)):
            y = layer(x)
            frames = y.ndim - 2  # [T, outputs] or [P, T, outputs]
            mean = y.mean(dim=frames, keepdim=True)
            # One scale for all outputs of a layer, or of a block: a pixel that never changes must not be blown up.
            scale = (y - mean).square().mean(dim=(frames, frames + 1), keepdim=True).sqrt().clamp_min(1e-3)
            layer.bias.copy_(((layer.bias - mean) / scale).view_as(layer.bias))
            layer.weight.div_(scale)
        x = layer(x)
    return x


@torch.no_grad()
def start_convolutions_at_unit_variance(part: nn.Module, x: Tensor) -> Tensor:
    """The same for all convolutions of `part`, in the order in which they run on the data `x` [T, C, H, W]; gives its
    outputs.

    Each channel's mean goes where there is a bias for it; one scale serves all channels of a layer.
    """

    def start(layer: nn.Module, _, y: Tensor) -> Tensor:
        mean = y.mean(dim=(0, 2, 3)) if layer.bias is not None else y.new_zeros(y.shape[1])
        centred = y - mean[:, None, None]
        scale = centred.square().mean().sqrt().clamp_min(1e-6)
        layer.weight.div_(scale)
        if layer.bias is not None:
            layer.bias.sub_(mean).div_(scale)
        return centred.div_(scale)

    hooks = [
        layer.register_forward_hook(start)
        for layer in part.modules()
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    try:
        return part(x)
    finally:
        for hook in hooks:
            hook.remove()
