"""A perceptual distance: how far two pictures are apart for a small network that was trained to tell what was done to
pictures.

Its features are compared as in Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric"
(CVPR 2018, section 3), without weights of channels. The weights beside this file were trained by
`tools/train_perceptual.py` on photographs that scikit-image ships, to name the distortion of a crop: no classifier of
objects is needed, or downloaded.
"""

from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

WIDTHS = (24, 48, 64)
KINDS = 12  # distortions that it was trained to name
WEIGHTS = Path(__file__).with_name("perceptual.safetensors")


class DistortionNetwork(nn.Module):
    """Names what was done to pictures [T, 3, H, W] in 0..1; `features` are of strides 2, 4 and 8."""

    def __init__(self):
        super().__init__()
        widths = (3, *WIDTHS)
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 5 if number == 0 else 3, stride=2, padding=2 if number == 0 else 1)
            for number, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.last = nn.Linear(WIDTHS[-1], KINDS)

    def features(self, pictures: Tensor) -> list[Tensor]:
        x, found = pictures - 0.5, []
        for layer in self.layers:
            x = F.relu(layer(x))
            found.append(x)
        return found

    def forward(self, pictures: Tensor) -> Tensor:
        return self.last(self.features(pictures)[-1].mean(dim=(2, 3)))


def perceptual_distance(frames: Tensor, target: Tensor) -> Tensor:
    """The mean squared difference, 0 to 2, of features scaled to length 1 at each position, over three layers."""
    network = trained_network(frames.device)
    total = frames.new_zeros(())
    for one, other in zip(network.features(frames), network.features(target)):
        total = total + (unit(one) - unit(other)).square().sum(dim=1).mean()
    return total / len(WIDTHS)


def unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True) + 1e-6).sqrt()


@cache
def trained_network(device: torch.device) -> DistortionNetwork:
    """The network with its weights, which no optimiser moves."""
    network = DistortionNetwork()
    network.load_state_dict({name: tensor.float() for name, tensor in load_file(WEIGHTS).items()})
    return network.to(device).eval().requires_grad_(False)
