"""How convolutional models start: as the best linear transform of their data that their strides and widths allow.

Each layer that halves the picture packs 2x2 positions into one and keeps their strongest directions, as many as it has
channels for, so that the network as a whole starts as a Karhunen-Loeve transform in steps and its synthesis as the way
back; training then adds what no linear transform can do. Layers are fitted one after the other to what the transform
says there, by least squares from what really comes in, so activations and normalisations between them are allowed for.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PIXELS = 64 * 200 * 160  # of the frames that a start looks at, so that all a network makes of them has room
# The step that latents are rounded in, of an orthonormal transform of values in 0..1: right for a rate's weight of 3e-3
# if steps are small, since there the squared error gains as much by a smaller one as the weighed bits lose.
STEP = 0.3
POSITIONS = 16_384  # that a layer is fitted to
RIDGE = 1e-4  # of the inputs' mean power: where they say nothing, weights stay small
REST = 0.05  # of what weights start with that the transform does not need
ENOUGH = 4  # positions to each unknown of an output, below which a kernel is fitted in its middle alone


def few(frames: Tensor) -> Tensor:
    """Frames [T, 3, H, W] of these, evenly spread, that a start can look at in any size: one at least."""
    return frames[spread(len(frames), max(1, PIXELS // frames[0, 0].numel()), frames.device)]


def spread(count: int, limit: int, device: torch.device) -> Tensor:
    return torch.linspace(0, count - 1, min(count, limit), device=device).round().long()


@torch.no_grad()
def transform(frames: Tensor, steps: list[tuple[int, int]]) -> list[Tensor]:
    """The signals of a transform in steps, each of (stride, channels) at most: for frames [T, 3, H, W] of whole
    strides,
    with their mean colour taken off, [T, channels, h, w] after each step, the strongest direction first."""
    signals, x = [], frames
    for stride, channels in steps:
        if stride > 1:
            packed = F.pixel_unshuffle(x, stride)
            x = torch.einsum("dk,tdhw->tkhw", strongest(packed, channels), packed)
        else:
            x = x[:, :channels]
        signals.append(x)
    return signals


def strongest(signal: Tensor, count: int) -> Tensor:
    """The directions [C, count], or as many as there are, in which a signal [T, C, h, w] has most power,
    the strongest first.
    """
    rows = signal.transpose(0, 1).flatten(1).double()
    return torch.linalg.eigh(rows @ rows.T)[1].flip(1)[:, :count].to(signal)


def scaled(signal: Tensor, deviation: float) -> Tensor:
    """The signal [T, C, h, w] with that deviation, of all its channels together."""
    return signal * (deviation / signal.square().mean().sqrt().clamp_min(1e-6))


def paired(signal: Tensor, channels: int) -> Tensor:
    """The signal [T, C, h, w] and its opposite, of which a ReLU leaves one; no more channels than there are."""
    return torch.cat((signal, -signal), dim=1)[:, :channels]


def for_sigmoid(signal: Tensor) -> Tensor:
    """The signal [T, C, h, w] with its strongest channel at a deviation of 1, and the others' brought near it: one of
    0.25 to 0.5.

    As they are, the weak ones would be lost in a few bits; all alike, they would take as many as the strong ones.
    Measured on
    edge3: 36.6 dB at 15 kB by histogram as it starts, 8 bits a code; all at 1, 31.4 dB at 21 kB.
    """
    deviation = signal.square().mean(dim=(0, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
    return signal / (deviation * deviation.max()).sqrt()


@torch.no_grad()
def fit(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, target: Tensor) -> Tensor:
    """Makes the first outputs of a layer the target [T, K, h, w] as nearly as it can from x; gives all its outputs.

    A convolution with a stride, or a transposed one, is fitted at the taps of the positions that it packs or unpacks.
    Other outputs and taps keep a small part of what they had.
    """
    stride, start = layer.stride[0], layer.padding[0]
    outputs, inputs = target.shape[1], x.shape[1]
    layer.weight.mul_(REST)
    layer.bias.zero_()
    if isinstance(layer, nn.ConvTranspose2d):
        taps = slice(start, start + stride)
        weight, bias = solve(x, F.pixel_unshuffle(target, stride))
        weight = weight.T.reshape(inputs, outputs, stride, stride)
        layer.weight[:, :outputs] = 0
        layer.weight[:, :outputs, taps, taps] = weight
        layer.bias[:outputs] = bias.view(outputs, -1).mean(dim=1)
    else:
        side = layer.kernel_size[0]
        some = spread(len(x), max(1, ENOUGH * POSITIONS // target[0, 0].numel()), x.device)
        whole = stride == 1 and target[some, 0].numel() >= ENOUGH * inputs * side * side
        taps = slice(0, side) if whole else slice(start, start + stride)
        seen = (
            F.unfold(x[some], side, padding=start).view(len(some), -1, *x.shape[2:])
            if whole
            else F.pixel_unshuffle(x[some], stride)
        )
        weight, bias = solve(seen, target[some])
        width = taps.stop - taps.start
        layer.weight[:outputs] = 0
        layer.weight[:outputs, :, taps, taps] = weight.reshape(outputs, inputs, width, width)
        layer.bias[:outputs] = bias
    return layer(x)


def solve(x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [K, C] and biases [K] that make target [T, K, h, w] of x [T, C, h, w],
    by least squares over positions.
    """
    x, target = (part.permute(0, 2, 3, 1).flatten(0, 2) for part in (x, target))
    chosen = spread(len(x), POSITIONS, x.device)
    x, target = x[chosen].double(), target[chosen].double()
    mean, aim = x.mean(dim=0), target.mean(dim=0)
    x, target = x - mean, target - aim
    products = x.T @ x
    products.diagonal().add_(RIDGE * products.diagonal().mean() + 1e-12)
    weight = torch.linalg.solve(products, x.T @ target).T
    return weight.float(), (aim - weight @ mean).float()
