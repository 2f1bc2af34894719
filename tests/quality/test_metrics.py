import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lvc.quality import metrics


def frame(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def disturbed(source: np.ndarray, strength: int, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-strength, strength + 1, source.shape)
    return np.clip(source + noise, 0, 255).astype(np.uint8)


def flat_art() -> np.ndarray:
    """Flat areas with hard edges, where variances are differences of nearly equal numbers."""
    art = np.zeros((160, 200, 3), np.uint8)
    art[40:80, 50:120] = [255, 254, 1]
    art[100:, :, 0] = 200
    return art


@pytest.mark.parametrize(
    "source",
    [frame(0, 160, 200), frame(2, 11, 11), frame(3, 37, 12), flat_art()],
    ids=["noise", "smallest", "odd", "flat"],
)
@pytest.mark.parametrize("strength", [1, 20, 255])
def test_ssim_and_psnr_equal_scikit_image(source, strength):
    decoded = disturbed(source, strength)
    expected = structural_similarity(
        source, decoded, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
    )
    assert metrics.ssim(source, decoded) == pytest.approx(expected, abs=1e-6)
    assert metrics.psnr(source, decoded) == pytest.approx(peak_signal_noise_ratio(source, decoded), abs=1e-9)


def test_an_identical_frame_has_no_psnr_and_ssim_of_one():
    source = frame(0, 20, 20)
    assert metrics.psnr(source, source.copy()) is None
    assert metrics.ssim(source, source.copy()) == pytest.approx(1.0, abs=1e-12)


def test_the_greatest_error_does_not_overflow():
    black, white = np.zeros((300, 400, 3), np.uint8), np.full((300, 400, 3), 255, np.uint8)
    assert metrics.mean_squared_error(black, white) == 255**2
    assert metrics.psnr(white, black) == 0.0


def test_frames_below_the_window_have_no_ssim():
    assert metrics.ssim(frame(0, 10, 40), frame(1, 10, 40)) is None


@pytest.mark.parametrize("metric", [metrics.ssim, metrics.psnr])
def test_shapes_and_types_that_differ_are_refused(metric):
    with pytest.raises(ValueError, match="of one shape"):
        metric(frame(0, 20, 20), frame(0, 20, 21))
    with pytest.raises(ValueError, match="uint8"):
        metric(frame(0, 20, 20), frame(0, 20, 20).astype(np.float32))


def test_the_two_averages_of_psnr_differ_and_leave_identical_frames_out_of_the_dB():
    mses = [0.0, 1.0, 100.0]
    assert metrics.mean_of_psnr(mses) == pytest.approx((48.1308 + 28.1308) / 2, abs=1e-3)
    assert metrics.psnr_of_mean_mse(mses) == pytest.approx(10 * math.log10(255**2 / (101 / 3)))
    assert metrics.mean_of_psnr([0.0, 0.0]) is None and metrics.psnr_of_mean_mse([0.0]) is None
    assert metrics.psnr_of_mean_mse([]) is None


def test_summary_leaves_unknown_values_out():
    summary = metrics.Summary.of([None, 1.0, 3.0, 8.0])
    assert (summary.average, summary.median, summary.min, summary.max) == (4.0, 3.0, 1.0, 8.0)
    assert summary.stdev == pytest.approx(np.std([1, 3, 8]))
    assert metrics.Summary.of([None]) is None
