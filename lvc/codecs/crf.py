"""Quality levels of codecs of variable rate, and what errors are worth at each."""

CRF_LEVELS = 64  # from 0, the best
DEFAULT_CRF = 32
BEST_WEIGHT, LEAST_WEIGHT = 1500.0, 8.0  # bits a frame that one unit of mean squared error (of 255 levels) is worth, at crf 0 and 63


def error_worth(crf):
    """Bits a frame that one unit of mean squared error (of 255 levels) is worth at a level, a number or a tensor."""
    return BEST_WEIGHT * (LEAST_WEIGHT / BEST_WEIGHT) ** (crf / (CRF_LEVELS - 1))
