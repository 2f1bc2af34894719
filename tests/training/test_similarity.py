import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from lvc.codecs.networks.training.similarity import ms_ssim
from lvc.errors import OptionError


def pictures(height, width):
    random = np.random.default_rng(0)
    coarse = np.kron(random.random((3, -(-height // 8), -(-width // 8))), np.ones((8, 8)))[:, :height, :width]
    return coarse, (coarse + 0.1 * random.standard_normal(coarse.shape)).clip(0, 1)


def as_batch(picture):
    return torch.from_numpy(picture)[None].double()


def test_one_scale_is_scikit_images_ssim():
    source, noisy = pictures(16, 20)  # too small for a second scale
    expected = structural_similarity(
        source, noisy, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ms_ssim(as_batch(source), as_batch(noisy)).item() == pytest.approx(expected, abs=1e-9)


def test_scales_see_more_than_noise():
    source, noisy = pictures(176, 200)
    both = as_batch(source), as_batch(noisy)
    one = structural_similarity(
        source, noisy, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert one + 0.05 < ms_ssim(*both).item() < 1, "noise is averaged away at coarse scales"
    assert ms_ssim(both[0], both[0]).item() == pytest.approx(1)


def test_gradient_points_to_the_source():
    source, noisy = (as_batch(picture) for picture in pictures(48, 48))
    frames = noisy.clone().requires_grad_()
    before = ms_ssim(frames, source)
    before.backward()
    assert ms_ssim(frames.detach() + 0.01 * frames.grad / frames.grad.abs().max(), source) > before


def test_pictures_below_the_window_are_refused():
    with pytest.raises(OptionError, match="11 pixels"):
        ms_ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))
