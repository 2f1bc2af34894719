"""Frames at a constant rate as exact timestamps."""

from fractions import Fraction
from math import floor

from lvc.errors import OptionError


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
