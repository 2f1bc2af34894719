"""Multi-scale structural similarity, differentiable (Wang, Simoncelli, Bovik, "Multiscale structural similarity",
Asilomar 2003).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lvc.errors import OptionError

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # their table 1
RADIUS, SIGMA = 5, 1.5
SMALLEST_SIDE = 2 * RADIUS + 1
C1, C2 = 0.01**2, 0.03**2
LEAST = 1e-4  # of a mean that may be negative, before it is raised to a fraction


def ms_ssim(frames: Tensor, target: Tensor) -> Tensor:
    """The mean similarity, up to 1, of frames [T, 3, H, W] in 0..1; each channel by itself.

    Five scales where the sides allow, that is from 176 pixels on, otherwise as many as have room for the window, with
    their weights scaled to 1. Raises OptionError for a side below 11 pixels.
    """
    smallest = min(frames.shape[2:])
    if smallest < SMALLEST_SIDE:
        raise OptionError(f"ms-ssim needs sides of {SMALLEST_SIDE} pixels or more, not {smallest}")
    scales = min(len(SCALE_WEIGHTS), (smallest // SMALLEST_SIDE).bit_length())
    weights = [weight / sum(SCALE_WEIGHTS[:scales]) for weight in SCALE_WEIGHTS[:scales]]
    result: Any = 1.0
    for number, weight in enumerate(weights):
        luminance, contrast = similarity(frames, target)
        value = contrast if number + 1 < scales else (luminance * contrast)
        result = result * value.mean(dim=(2, 3)).clamp_min(LEAST) ** weight
        frames, target = F.avg_pool2d(frames, 2), F.avg_pool2d(target, 2)
    return result.mean()


def similarity(frames: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of luminance and of contrast with structure, where the window lies inside the picture."""
    mean_x, mean_y = smoothed(frames), smoothed(target)
    variance_x = smoothed(frames * frames) - mean_x * mean_x
    variance_y = smoothed(target * target) - mean_y * mean_y
    covariance = smoothed(frames * target) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
    return luminance, (2 * covariance + C2) / (variance_x + variance_y + C2)


def smoothed(x: Tensor) -> Tensor:
    place = torch.arange(-RADIUS, RADIUS + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (place / SIGMA) ** 2)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)
    x = F.conv2d(x, kernel, groups=x.shape[1])
    return F.conv2d(x, kernel.transpose(2, 3), groups=x.shape[1])
