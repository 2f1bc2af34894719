"""A network that learns to tell decoded frames from source frames, for an adversarial loss.

It judges overlapping patches of 34x34 pixels (Isola et al., "Image-to-image translation with conditional adversarial
networks", CVPR 2017, section 3.2.2) with the hinge loss (Lim and Ye, "Geometric GAN", 2017).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 32


class Adversary(nn.Module):
    """Scores patches of frames [T, 3, H, W] in 0..1: above 0 for a source's."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, WIDTH, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(WIDTH, 2 * WIDTH, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * WIDTH, 4 * WIDTH, 4, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(4 * WIDTH, 1, 4, padding=1),
        )

    def forward(self, frames: Tensor) -> Tensor:
        # Smaller frames than a patch are judged with a border.
        smallest = 12
        rows, columns = (max(0, smallest - side) for side in frames.shape[2:])
        return self.body(F.pad(frames - 0.5, (0, columns, 0, rows)))

    def fooled(self, frames: Tensor) -> Tensor:
        """What decoded frames lose by not passing for a source's: falls the more they do, and may be negative."""
        return -self(frames).mean()

    def loss(self, frames: Tensor, target: Tensor) -> Tensor:
        """Its own loss, from 0: both kinds of frames should be scored beyond 1 on their side."""
        return F.relu(1 - self(target)).mean() + F.relu(1 + self(frames.detach())).mean()


def step(
    loss_of: Callable[[Tensor, Tensor], Tensor], optimiser: torch.optim.Optimizer, frames: Tensor, target: Tensor
) -> float:
    """One step of an adversary by its loss of decoded and source frames; gives that loss before the step."""
    loss = loss_of(frames, target)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return loss.item()
