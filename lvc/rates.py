"""Frames a second as exact fractions, from whatever a person or a program gives."""

import math
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from numbers import Rational, Real

import numpy as np

from lvc.errors import OptionError

MAX_RATIONAL = (1 << 31) - 1  # what a header's time base may hold


MEANT_DIGITS, CUT_DIGITS = (
    3,
    8,
)  # decimals up to which a number is meant as it is written, and up to which one was cut off by a person
CUT_DENOMINATOR, MEANT_DENOMINATOR = 12, 10_000  # thirds and the like; of what was worked out
# How far a rate that was worked out may be off, of its size: 1e-7 are 0.4 ms an hour.
WORKED_OUT = (0.0, 1e-9, 1e-7)


def rate_of(fps: float | Fraction | np.floating) -> Fraction:
    """Frames a second as an exact fraction: 30, 29.97 (2997/100), Fraction(30000, 1001), and of floats the one that is
    meant.

    A float of more than three decimals was cut off, or worked out: 33.3333 is 100/3, 29.97003 is 30000/1001, and 1 /
    0.0333 is 10000/333. Raises OptionError.
    """
    try:
        if isinstance(fps, bool) or not isinstance(fps, Real):
            raise ValueError
        rate = Fraction(int(fps.numerator), int(fps.denominator)) if isinstance(fps, Rational) else meant(fps)
    except ValueError:  # of NaN and infinities, too
        raise OptionError(f"fps must be a number, not {fps!r:.60}") from None
    if not (0 < rate.numerator <= MAX_RATIONAL and rate.denominator <= MAX_RATIONAL):
        raise OptionError(
            f"fps must be a positive fraction of numbers below 2**31, as Fraction(30000, 1001), not {fps!r:.60}"
        )
    return rate


def meant(fps: float | np.floating) -> Fraction:
    """The fraction that a float stands for; ValueError of what is no number."""
    text = str(fps)
    written = Fraction(text)  # 0.1 is 1/10
    digits = -int(Decimal(text).as_tuple().exponent)
    if digits <= MEANT_DIGITS or written <= 0:
        return written
    spacing = Fraction(float(np.spacing(fps)) if isinstance(fps, np.floating) else math.ulp(fps))
    near = max(Fraction(1, 2 * 10**digits), 4 * spacing)
    for share in WORKED_OUT if digits > CUT_DIGITS else WORKED_OUT[:1]:
        reach = max(near, written * Fraction(share))
        television = Fraction(round(written * 1001 / 1000) * 1000, 1001)
        if abs(television - written) <= reach:
            return television
        found = simplest(written - reach, written + reach)
        if found.denominator <= (MEANT_DENOMINATOR if digits > CUT_DIGITS else CUT_DENOMINATOR):
            return found
    return written


def simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of the smallest denominator from low to high, both above 0."""
    whole = ceil(low)
    if whole <= high:
        return Fraction(whole)
    # Neither is whole, and both have the same floor.
    whole = floor(low)
    return whole + 1 / simplest(1 / (high - whole), 1 / (low - whole))
