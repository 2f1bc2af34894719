"""PSNR and SSIM of decoded frames against their source, and honest averages of them."""

import math
from dataclasses import dataclass

import numpy as np

PEAK = 255.0
SSIM_VARIANT = (
    "scikit-image structural_similarity: gaussian_weights=True, sigma=1.5, use_sample_covariance=False, "
    "data_range=255, mean over the three channels of RGB"
)

# Wang et al. 2004, section III.B; the radius is scikit-image's truncate=3.5 at sigma 1.5.
_SIGMA = 1.5
_RADIUS = int(3.5 * _SIGMA + 0.5)
SSIM_SMALLEST_SIDE = 2 * _RADIUS + 1
_C1 = (0.01 * PEAK) ** 2
_C2 = (0.03 * PEAK) ** 2
_KERNEL = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
_KERNEL /= _KERNEL.sum()


def mean_squared_error(source: np.ndarray, decoded: np.ndarray) -> float:
    """The mean squared difference over all samples of two uint8 frames of one shape, 0 to 65,025; exact.

    Raises ValueError for other types or for shapes that differ.
    """
    _check_pair(source, decoded)
    difference = source.astype(np.int16) - decoded
    # Squares of int16 fit int32; the sum needs 64 bits from about 33,000 samples on.
    return int(np.square(difference, dtype=np.int32).sum(dtype=np.int64)) / source.size


def psnr_of_mse(mse: float) -> float | None:
    """Peak signal-to-noise ratio in dB for a peak of 255; None where `mse` is 0, since no number is right there."""
    return None if mse == 0 else 10 * math.log10(PEAK**2 / mse)


def psnr(source: np.ndarray, decoded: np.ndarray) -> float | None:
    """PSNR in dB over all samples of two uint8 frames [H, W, 3]; None where they are identical."""
    return psnr_of_mse(mean_squared_error(source, decoded))


def ssim(source: np.ndarray, decoded: np.ndarray) -> float | None:
    """Structural similarity of two uint8 frames [H, W, 3], -1 to 1; None for a side below 11 pixels (the window).

    Equal to scikit-image's (see SSIM_VARIANT) to 1e-6, and several times faster: the borders that it crops are never
    weighed, and the two variances are filtered as one sum, since only their sum is used.
    Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE TIP 2004, eq. 13.
    """
    _check_pair(source, decoded)
    if source.ndim != 3:
        raise ValueError(f"a frame is [H, W, 3], not {list(source.shape)}")
    if min(source.shape[:2]) < SSIM_SMALLEST_SIDE:
        return None
    total = 0.0
    for x_bytes, y_bytes in zip(source.transpose(2, 0, 1), decoded.transpose(2, 0, 1)):
        # float64: the variances are small differences of large numbers.
        x = x_bytes.astype(np.float64)
        y = y_bytes.astype(np.float64)
        mean_x, mean_y = _smoothed(x), _smoothed(y)
        mean_xy = mean_x * mean_y
        mean_squares = mean_x * mean_x + mean_y * mean_y
        variances = _smoothed(x * x + y * y) - mean_squares
        covariance = _smoothed(x * y) - mean_xy
        similarity = (2 * mean_xy + _C1) * (2 * covariance + _C2)
        similarity /= (mean_squares + _C1) * (variances + _C2)
        total += float(similarity.mean())
    return total / source.shape[2]


def _smoothed(plane: np.ndarray) -> np.ndarray:
    """The Gaussian mean around each sample whose whole window lies inside the plane."""
    import cv2  # not above: PSNR alone needs no OpenCV

    filtered = cv2.sepFilter2D(plane, cv2.CV_64F, _KERNEL, _KERNEL)
    return filtered[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _check_pair(source: np.ndarray, decoded: np.ndarray) -> None:
    if source.dtype != np.uint8 or decoded.dtype != np.uint8 or source.shape != decoded.shape:
        raise ValueError(
            f"two uint8 frames of one shape were expected, not {source.dtype} {list(source.shape)} "
            f"and {decoded.dtype} {list(decoded.shape)}"
        )


@dataclass(frozen=True)
class Summary:
    """Average, median, population standard deviation, least and greatest of some values."""

    average: float
    median: float
    stdev: float
    min: float
    max: float

    @classmethod
    def of(cls, values) -> "Summary | None":
        """None where there is no value; None among the values is left out."""
        known = np.array([value for value in values if value is not None], dtype=np.float64)
        if not len(known):
            return None
        return cls(
            average=float(known.mean()),
            median=float(np.median(known)),
            stdev=float(known.std()),
            min=float(known.min()),
            max=float(known.max()),
        )


def psnr_of_mean_mse(mses) -> float | None:
    """The dB of the mean of the squared errors: bad frames weigh more than in the mean of the per-frame dB.

    None where there is no frame, or all are identical to their source.
    """
    mses = list(mses)
    return psnr_of_mse(sum(mses) / len(mses)) if mses else None


def mean_of_psnr(mses) -> float | None:
    """The mean of the per-frame dB, wherever this project says PSNR of several frames: `lvc report`, `--min-psnr`,
    training, the Writer's sample.

    mses: of each frame, levels of 255 squared. Identical frames have no dB and are left out, so whoever shows the mean
    says how many they are; None where nothing is left.
    """
    known = [value for value in map(psnr_of_mse, mses) if value is not None]
    return sum(known) / len(known) if known else None
