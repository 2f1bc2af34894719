import math

import numpy as np
import pytest
import torch

from lvc.codecs.networks.training.loss import DISTORTIONS, ChannelDensity, distortion_of, parts_of, training_loss
from lvc.errors import OptionError


@pytest.mark.parametrize("kind", DISTORTIONS)
def test_a_perfect_frame_has_no_distortion_and_a_wrong_one_has(kind):
    target = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    assert distortion_of(target, target, kind=kind).item() == pytest.approx(0, abs=1e-5)
    assert distortion_of((target + 0.3).clamp(0, 1), target, kind=kind).item() > 0.01


def test_distortions_by_hand():
    target, frames = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
    assert distortion_of(frames, target, kind="mse").item() == pytest.approx(0.25)
    assert distortion_of(frames, target, kind="mae").item() == pytest.approx(0.5)
    assert distortion_of(frames, target, kind="bce").item() == pytest.approx(math.log(2))
    with pytest.raises(OptionError, match="choose from mse, mae, bce"):
        distortion_of(frames, target, kind="ssim")


def test_parts_are_weighed_and_named():
    target, frames = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
    assert parts_of("mae,mse=0.5") == {"mae": 1.0, "mse": 0.5}
    terms = training_loss(frames, target, distortion="mae,mse=0.5")
    assert terms["mae"].item() == pytest.approx(0.5) and terms["mse"].item() == pytest.approx(0.125)
    assert terms["loss"].item() == pytest.approx(0.625)


@pytest.mark.parametrize("kind", ["", "mae,", "mae=0", "mae=-1", "mae=inf", "mae=much", "mae,mae=2", "mae;mse"])
def test_bad_distortions_are_refused(kind):
    with pytest.raises(OptionError):
        parts_of(kind)


def test_terms_add_up():
    target, frames = torch.zeros(2, 3, 2, 2), torch.full((2, 3, 2, 2), 0.5)
    terms = training_loss(
        frames,
        target,
        distortion="mse",
        bits=torch.tensor([6.0, 10.0]),
        rate_weight=0.1,
        extra={"kl": torch.tensor(0.5)},
    )
    assert terms["bits_per_pixel"].item() == pytest.approx(2.0)
    assert terms["loss"].item() == pytest.approx(0.25 + 0.5 + 0.1 * 2.0)


def test_a_density_starts_as_wide_as_the_symbols():
    """Normal ones: within a tenth of what they cost at least, log2 of 4.13 deviations,
    where a new density pays for the distance.
    """
    symbols = torch.randn(40, 2, 300, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [[30.0], [4.0]]
    ) + torch.tensor([[50.0], [0.0]])
    density = ChannelDensity(2)
    before = density.bits(symbols).mean()
    density.initialise(symbols)
    at_least = 300 * math.log2(4.13**2 * 30 * 4)
    assert at_least < density.bits(symbols).mean() < 1.1 * at_least < before
    density.initialise(torch.zeros(3, 2, 4))
    assert torch.isfinite(density.bits(torch.zeros(3, 2, 4))).all()


def test_density_is_a_distribution_over_whole_numbers():
    density = ChannelDensity(2)
    symbols = torch.arange(-60, 61).float()
    bits = torch.stack([density.bits(symbol.expand(1, 2, 1)) for symbol in symbols]) / 2  # both channels start alike
    assert torch.exp2(-bits).sum().item() == pytest.approx(1.0, abs=1e-3)


def test_density_comes_near_the_entropy_of_each_channel():
    random = np.random.default_rng(0)
    drawn = np.stack([random.choice([0, 1], p=[0.9, 0.1], size=(64, 8)), random.integers(5, 9, (64, 8))], axis=1)
    symbols = torch.from_numpy(drawn).float()
    density = ChannelDensity(2)
    optimiser = torch.optim.Adam(density.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        density.bits(symbols).mean().backward()
        optimiser.step()
    entropy = 0.0
    for channel in range(2):
        shares = np.bincount(drawn[:, channel].ravel()) / 512
        entropy += 8 * -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()
    assert density.bits(symbols).mean().item() == pytest.approx(entropy, rel=0.12)


def test_far_symbols_cost_much_but_not_infinitely():
    bits = ChannelDensity(1).bits(torch.tensor([[[1e6]]], requires_grad=True))
    assert bits.item() == pytest.approx(20.0)
