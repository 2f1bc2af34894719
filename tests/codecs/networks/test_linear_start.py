import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lvc.codecs.networks.linear_start import fit, for_sigmoid, scaled, transform

torch.set_num_threads(1)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_transform_with_room_for_all_keeps_all():
    """Orthonormal steps: power is kept in each, and goes to the first channels."""
    frames = F.interpolate(noise(6, 3, 4, 6), (16, 24), mode="bilinear")
    first, second = transform(frames, [(2, 12), (2, 48)])
    assert first.shape == (6, 12, 8, 12) and second.shape == (6, 48, 4, 6)
    for signal in (first, second):
        assert torch.allclose(signal.square().sum(), frames.square().sum(), rtol=1e-4)
        power = signal.square().mean(dim=(0, 2, 3))
        assert (power[:-1] >= power[1:] - 1e-6).all()


def test_a_transform_keeps_the_strongest_directions():
    """No other directions of 2x2 pixels hold more: all of colour at each pixel's mean, where that is all there is."""
    flat = noise(5, 3, 4, 4).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    [signal] = transform(flat, [(2, 3)])
    assert torch.allclose(signal.square().sum(), flat.square().sum(), rtol=1e-4)


def test_a_step_without_a_stride_keeps_the_first_channels():
    signals = transform(noise(2, 3, 4, 4), [(2, 8), (1, 4)])
    assert torch.equal(signals[1], signals[0][:, :4])


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 9, 3, padding=1),
        nn.Conv2d(4, 9, 5, stride=2, padding=2),
        nn.Conv2d(4, 9, 3, stride=2, padding=1),
        nn.Conv2d(4, 9, 4, stride=2, padding=1),
        nn.ConvTranspose2d(4, 9, 5, stride=2, padding=2, output_padding=1),
        nn.ConvTranspose2d(4, 9, 3, padding=1),
    ],
)
def test_a_fitted_layer_makes_what_it_can_make(layer):
    """A target that such a layer has made comes back, its bias too; a channel beside it keeps a small part of its
    weights.
    """
    x = noise(8, 4, 12, 16)
    teacher = type(layer)(
        4,
        6,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        **({"output_padding": layer.output_padding} if isinstance(layer, nn.ConvTranspose2d) else {}),
    )
    start, stride = layer.padding[0], layer.stride[0]
    with torch.no_grad():
        # The taps that the fit uses: for a stride, and a transposed layer, those of the positions it packs.
        if stride > 1 or isinstance(layer, nn.ConvTranspose2d):
            kept = torch.zeros_like(teacher.weight)
            kept[..., start : start + stride, start : start + stride] = 1
            teacher.weight.mul_(kept)
        target = teacher(x)
        before = layer.weight.clone()
        made = fit(layer, x, target)
    assert (made[:, :6] - target).abs().max() < 0.01 * target.std()
    beside = (slice(None), slice(6, None)) if isinstance(layer, nn.ConvTranspose2d) else (slice(6, None),)
    assert torch.allclose(layer.weight[beside], 0.05 * before[beside])


def test_inputs_that_say_nothing_get_no_weight():
    x = torch.cat((noise(4, 2, 8, 8), torch.zeros(4, 2, 8, 8)), dim=1)
    layer = nn.Conv2d(4, 2, 1)
    fit(layer, x, x[:, :2])
    assert torch.allclose(layer.weight[:, :2, 0, 0], torch.eye(2), atol=1e-3) and layer.weight[:, 2:].abs().max() < 1e-6


def test_scaling():
    signal = noise(3, 2, 4, 4) * torch.tensor([1.0, 5.0]).view(2, 1, 1)
    assert scaled(signal, 0.5).square().mean().sqrt() == pytest.approx(0.5, rel=1e-4)
    strongest, weaker = for_sigmoid(signal).square().mean(dim=(0, 2, 3)).sqrt().sort(descending=True).values.tolist()
    assert strongest == pytest.approx(1, rel=1e-4)
    # Std takes a mean off
    assert weaker == pytest.approx((signal[:, 0].std() / signal[:, 1].std()).item() ** 0.5, rel=0.05)
    assert not for_sigmoid(torch.zeros(1, 2, 2, 2)).any()
    assert not scaled(torch.zeros(1, 2, 2, 2), 1.0).any()
