"""Quality levels of codecs of variable rate, and what errors are worth at each."""

CRF_LEVELS = 64  # from 0, the best
DEFAULT_CRF = 32
BEST_WEIGHT, LEAST_WEIGHT = (
    1500.0,
    8.0,
)  # bits a frame that one unit of mean squared error (of 255 levels) is worth, at crf 0 and 63
BEST_PSNR, LEAST_PSNR = 48.0, 28.0  # dB that crf 0 and 63 mean, for families whose encoder can tell


def psnr_of_crf(crf: float) -> float:
    """The mean PSNR of frames in dB that a level means: 48 at 0 to 28 at 63, in even steps."""
    return BEST_PSNR + (LEAST_PSNR - BEST_PSNR) * crf / (CRF_LEVELS - 1)


def crf_of_psnr(psnr: float) -> int:
    """The level whose PSNR is nearest."""
    return min(max(round((BEST_PSNR - psnr) / (BEST_PSNR - LEAST_PSNR) * (CRF_LEVELS - 1)), 0), CRF_LEVELS - 1)


def distortion_weight(crf):
    """Bits a frame that one unit of mean squared error (of 255 levels) is worth at a level, a number or a tensor."""
    return BEST_WEIGHT * (LEAST_WEIGHT / BEST_WEIGHT) ** (crf / (CRF_LEVELS - 1))
