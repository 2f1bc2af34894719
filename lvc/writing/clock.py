"""Frames a second as exact timestamps."""

from fractions import Fraction
from math import floor
from numbers import Rational, Real

from lvc.errors import OptionError

MAX_RATIONAL = (1 << 31) - 1  # what a header's time base may hold


def rate_of(fps: Real) -> Fraction:
    """Frames a second as an exact fraction: 30, 29.97 (2997/100) or Fraction(30000, 1001); raises OptionError."""
    try:
        if isinstance(fps, bool) or not isinstance(fps, Real):
            raise ValueError
        # A float as it is written: 0.1 is 1/10.
        exact = isinstance(fps, Rational)
        rate = Fraction(int(fps.numerator), int(fps.denominator)) if exact else Fraction(str(fps))
    except ValueError:  # of NaN and infinities, too
        raise OptionError(f"fps must be a number, not {fps!r:.60}") from None
    if not (0 < rate.numerator <= MAX_RATIONAL and rate.denominator <= MAX_RATIONAL):
        raise OptionError(
            f"fps must be a positive fraction of numbers below 2**31, as Fraction(30000, 1001), not {fps!r:.60}"
        )
    return rate


class Clock:
    """Timestamps of frames that come at a constant rate, each rounded on its own, so that errors do not add up.

    rate: frames a second. time_base: seconds of one tick. start: timestamp of frame 0. every: of how many frames one is
    kept.
    Raises OptionError where ticks are too long to tell the kept frames apart.
    """

    def __init__(self, rate: Fraction, time_base: Fraction, *, start: int = 0, every: int = 1):
        self.step, self.start = 1 / (rate * time_base), start
        if self.step * every < 1:
            raise OptionError(f"ticks of {time_base} s cannot tell {rate / every} frames a second apart")
        self.kept_ticks = floor(self.step * every + Fraction(1, 2))

    def pts(self, number: int) -> int:
        """Timestamp in ticks of the frame of that number."""
        return self.start + floor(number * self.step + Fraction(1, 2))
