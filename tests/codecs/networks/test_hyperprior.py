import zlib

import numpy as np
import pytest
import torch

from lvc.codecs.integer.layers import ACTIVATION_SCALE
from lvc.codecs.integer.scales import logistic_mass
from lvc.codecs.networks.hyperprior import HyperPrior
from lvc.codecs.networks.hyperprior_coding import scale_tables, side_symbols
from lvc.entropy.tables import Tables
from lvc.errors import ModelError

torch.set_num_threads(1)


@pytest.fixture
def prior():
    torch.manual_seed(2)
    prior = HyperPrior(6, 4)
    prior.settle()
    return prior


def drawn(shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(-140, 141, shape))


@pytest.mark.parametrize("rows, columns", [(1, 1), (4, 8), (7, 9)])
def test_shapes_for_any_size(prior, rows, columns):
    shape = (6, rows, columns)
    side = side_symbols(prior, np.ones((2, *shape), np.int32))
    assert side.shape[1:] == prior.side_shape(shape)
    levels = prior.levels(torch.from_numpy(side[0]), shape)
    assert levels.shape == shape and 0 <= levels.min() and levels.max() <= 35


def test_coding_computes_the_whole_numbers_that_were_trained(prior):
    side = drawn((3, 4, 5, 6)).clamp(-127, 127).float()
    trained = prior.scales(side, prior.synthesis)
    assert torch.equal(trained, trained.round())
    for number in range(3):
        levels = prior.levels(side[number], (6, 20, 24))
        expected = ((trained[number].long() * 4 + ACTIVATION_SCALE // 2) // ACTIVATION_SCALE + 12).clamp(0, 35)
        assert torch.equal(levels, expected)
    assert len(levels.unique()) > 3


def test_each_channel_starts_at_the_scale_that_its_latents_have(prior):
    """Channels of six widths: with the scale that each starts with, their bits are within a tenth of those of the best
    logistic.
    """
    widths = torch.tensor([0.0, 0.3, 1.0, 4.0, 20.0, 100.0]).view(6, 1, 1)
    rng = torch.Generator().manual_seed(4)
    latents = torch.randn(8, 6, 8, 8, generator=rng) * widths
    before = prior.rate(latents)[0].sum()
    prior.initialise(latents)
    bits, _ = prior.rate(latents)
    at_least = torch.log2(1 + widths.flatten() * 4.13).sum() * 8 * 8 * 8  # of normal ones that wide, once they are wide
    assert bits.sum() < before * 0.8 and bits.sum() < 1.1 * at_least


def test_side_information_starts_as_what_latents_do_around_a_position():
    """Half of each frame is forty times as strong: scales that know where cost less than the best ones that do not."""
    torch.manual_seed(2)
    prior = HyperPrior(6, 4)
    strong = (torch.arange(16) >= 8) * 8.0 + 0.2
    latents = torch.randn(12, 6, 8, 16, generator=torch.Generator().manual_seed(4)) * strong
    prior.initialise(latents)
    bits, _ = prior.rate(latents)
    scales = torch.arange(-3, 6, 0.25)
    one_scale = min(
        -torch.log2(logistic_mass(latents, torch.zeros_like(latents), scale)).sum().item() for scale in scales
    )
    assert bits.sum() < 0.9 * one_scale
    side = prior.side(latents).round()
    assert side.abs().max() > 2, "it is no rounded nothing"


def test_levels_are_the_same_for_ever():
    """Weights in whole numbers, as in a file: what they say may never change."""
    prior = HyperPrior(3, 2)
    count = 0
    for layer in prior.exact:
        for tensor in (layer.weight, layer.bias):
            values = torch.arange(count, count + tensor.numel()) * 37 % 61 - 30
            tensor.copy_(values.view(tensor.shape))
            count += tensor.numel()
        layer.shift.fill_(6)
    levels = prior.levels(drawn((2, 2, 3)), (3, 8, 11)).numpy()
    assert zlib.crc32(levels.astype("<i4").tobytes()) == GOLDEN, levels[0, 0]


GOLDEN = 3689358370  # of a program that follows FORMAT.md without torch


def test_estimated_rate_is_that_of_the_tables(prior):
    """Half a percent lies between a scale and its level, which is an eighth of an octave off at most."""
    shape = (6, 16, 20)
    rng = np.random.default_rng(1)
    symbols = np.rint(rng.laplace(0, np.exp(rng.normal(0.2, 0.4, (6, 1, 1))), shape)).astype(np.int32)
    with torch.no_grad():
        estimate, _ = prior.rate(torch.from_numpy(symbols)[None])
    levels = prior.levels(torch.from_numpy(side_symbols(prior, symbols[None])[0]), shape).numpy().ravel()
    assert scale_tables().bits(symbols.ravel(), levels) == pytest.approx(estimate.item(), rel=0.02)


def test_the_rate_teaches_both_halves(prior):
    """Latents whose spread differs from place to place: side information must come to pay for itself."""
    torch.manual_seed(0)
    spread = torch.rand(8, 1, 2, 2).repeat_interleave(4, 2).repeat_interleave(4, 3) * 4 - 1
    latents = torch.randn(8, 6, 8, 8) * torch.exp2(spread)
    optimiser = torch.optim.Adam(prior.parameters(), lr=5e-3)
    rates = []
    for _ in range(120):
        bits, side = prior.rate(latents + torch.rand_like(latents) - 0.5)
        # A plain price of the side information, in the place of its learned density.
        loss = bits.mean() + torch.log2(1 + side.abs()).sum(dim=(1, 2, 3)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.append(loss.item())
    assert np.mean(rates[-10:]) < 0.9 * np.mean(rates[:3])


def test_tables_survive_a_checkpoint_and_cover_all_levels():
    tables = scale_tables()
    again = Tables.from_arrays(tables.to_arrays())
    assert len(again) == 36 and np.array_equal(again.frequencies, tables.frequencies)


def test_numbers_that_could_leave_the_exact_range_are_refused(prior):
    prior.exact[1].shift[0] = -40
    with pytest.raises(ModelError, match="shifts"):
        prior.prepare()
