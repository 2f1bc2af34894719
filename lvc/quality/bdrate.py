"""Bjøntegaard deltas: how much rate, or how many dB, one codec saves against another over the qualities both reach."""

import numpy as np
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

from lvc.errors import OptionError

INTERPOLATIONS = {"pchip": PchipInterpolator, "akima": Akima1DInterpolator}
_FEWEST_POINTS = {"pchip": 2, "akima": 3}


def bd_rate(anchor_rates, anchor_qualities, rates, qualities, *, interpolation: str = "pchip") -> float:
    """The mean difference of rate at equal quality, in per cent of the anchor's rate; negative is a saving.

    Rates in any one unit above 0; qualities (PSNR in dB, say) rise with the rate, at least 2 points a curve for
    "pchip" and 3 for "akima". Raises OptionError for a curve that is no such curve, and where no quality is reached
    by both. Source: Bjøntegaard, VCEG-M33, with the piecewise cubics of VCEG-AL22 / JVET-B0060 in place of a
    polynomial.
    """
    anchor = _curve(anchor_rates, anchor_qualities, "anchor", interpolation)
    other = _curve(rates, qualities, "other", interpolation)
    (anchor_log_rates, anchor_quality), (log_rates, quality) = anchor, other
    low, high = _overlap(anchor_quality, quality, "quality")
    difference = _mean(quality, log_rates, low, high, interpolation)
    difference -= _mean(anchor_quality, anchor_log_rates, low, high, interpolation)
    return float((10**difference - 1) * 100)


def bd_psnr(anchor_rates, anchor_qualities, rates, qualities, *, interpolation: str = "pchip") -> float:
    """The mean difference of quality at equal rate, in the unit of the qualities (dB); positive is a gain.

    Takes and raises what `bd_rate` does; here the curves must share a range of rates.
    """
    anchor_log_rates, anchor_quality = _curve(anchor_rates, anchor_qualities, "anchor", interpolation)
    log_rates, quality = _curve(rates, qualities, "other", interpolation)
    low, high = _overlap(anchor_log_rates, log_rates, "rate")
    return float(
        _mean(log_rates, quality, low, high, interpolation)
        - _mean(anchor_log_rates, anchor_quality, low, high, interpolation)
    )


def _curve(rates, qualities, name: str, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    if interpolation not in INTERPOLATIONS:
        raise OptionError(f"interpolation is one of {', '.join(INTERPOLATIONS)}, not {interpolation!r}")
    rates = np.asarray(rates, dtype=np.float64)
    qualities = np.asarray(qualities, dtype=np.float64)
    fewest = _FEWEST_POINTS[interpolation]
    if rates.ndim != 1 or rates.shape != qualities.shape or len(rates) < fewest:
        raise OptionError(
            f"the {name} curve has {rates.size} rates and {qualities.size} qualities; "
            f"{interpolation} needs as many of each, and at least {fewest}"
        )
    if not (np.isfinite(rates).all() and np.isfinite(qualities).all() and (rates > 0).all()):
        raise OptionError(f"the {name} curve needs finite qualities and finite rates above 0")
    order = np.argsort(rates)
    rates, qualities = rates[order], qualities[order]
    if (np.diff(rates) <= 0).any() or (np.diff(qualities) <= 0).any():
        raise OptionError(f"the {name} curve does not rise: more rate must bring more quality at each point")
    return np.log10(rates), qualities


def _overlap(anchor: np.ndarray, other: np.ndarray, what: str) -> tuple[float, float]:
    low, high = max(anchor[0], other[0]), min(anchor[-1], other[-1])
    if low >= high:
        raise OptionError(f"the two curves share no range of {what}, so that nothing can be compared")
    return low, high


def _mean(x: np.ndarray, y: np.ndarray, low: float, high: float, interpolation: str) -> float:
    return float(INTERPOLATIONS[interpolation](x, y).integrate(low, high)) / (high - low)
