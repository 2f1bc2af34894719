"""Logistic distributions of whole numbers whose scale a network says as a level,
and the frequency tables that the levels mean.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lvc.entropy.tables import Tables, from_probabilities

SCALE_LEVELS, SCALE_STEP, SCALE_LOWEST = 36, 1 / 4, -3.0  # log2 of the logistic's scale


def logistic_mass(latents: Tensor, mean: Tensor, log2_scale: Tensor) -> Tensor:
    """Probability of the unit interval around each latent under a logistic, at least 2**-20."""
    distance = (latents - mean).abs()
    inverse = torch.exp2(-log2_scale)
    mass = torch.sigmoid((0.5 - distance) * inverse) - torch.sigmoid((-0.5 - distance) * inverse)
    return mass.clamp_min(2.0**-20)


def logistic_tables(reaches: Sequence[int], *, fractions: int = 1) -> Tables:
    """A table for each level, and within it for each fraction of a symbol that the mean may lie above 0.

    reaches: how many symbols a table may have on either side, ascending: few sizes, because tables of one size are
    coded together; what is beyond 12 scales costs next to nothing. Computed once, stored with the weights.
    """
    masses, lows = [], []
    for level in range(SCALE_LEVELS):
        scale = 2.0 ** (SCALE_LOWEST + level * SCALE_STEP)
        reach = next(reach for reach in reaches if reach >= 12 * scale + 2 or reach == reaches[-1])
        for fraction in range(fractions):
            distance = np.abs(np.arange(-reach, reach + 1) - fraction / fractions)
            masses.append(1 / (1 + np.exp((distance - 0.5) / scale)) - 1 / (1 + np.exp((distance + 0.5) / scale)))
            lows.append(-reach)
    return from_probabilities(masses, lows, escape=True)
