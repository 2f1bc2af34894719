"""Times in seconds as callers have them: whole numbers, floats of any precision, fractions, numpy, tensors.

A time that is a float counts as the timestamp whose nearest float of its own precision it is: 0.7 in float32 is a
little less than the 7/10 of a frame's timestamp, and means that frame, not the one before it.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

import numpy as np

from lvc.errors import OptionError


@dataclass(frozen=True)
class GivenTime:
    """A time of the caller's: `value` in its own precision, and in ticks of a file's time base the span that it may
    mean.

    shown_at: the last tick that is not later than it; from_ticks: the first tick that is not earlier.
    """

    value: float | Fraction | np.floating
    shown_at: int
    from_ticks: int

    @classmethod
    def of(cls, given, time_base: Fraction) -> "GivenTime":
        """Raises IndexError for a time that is not finite, which lies outside of every file,
        TypeError for what is no number.
        """
        value = plain_number(given)
        if not math.isfinite(value):
            raise IndexError(f"{value} s is outside of the file")
        kind = type(value) if isinstance(value, np.floating) else None if isinstance(value, Rational) else float

        def rounded(ticks: int):
            seconds = ticks * time_base
            return seconds if kind is None else kind(float(seconds))

        exact = (Fraction(value) if isinstance(value, Rational) else Fraction(float(value))) / time_base
        floor, ceil = math.floor(exact), math.ceil(exact)
        if kind is not None and abs(floor) < 1 << 63:  # later than any timestamp, it need not be exact
            # The neighbouring floats are a spacing away; ticks up to half of it away are this float.
            reach = math.ceil(Fraction(float(abs(np.spacing(np.asarray(value, kind))))) / time_base / 2) + 1
            floor = _last(floor, floor + reach, lambda ticks: rounded(ticks) <= value)
            ceil = -_last(-ceil, -ceil + reach, lambda ticks: rounded(-ticks) >= value)
        return cls(value, floor, ceil)

    def as_own(self, seconds: float) -> float | np.floating:
        """Another time in this one's precision, to compare the two."""
        return type(self.value)(seconds) if isinstance(self.value, np.floating) else seconds


def _last(start: int, stop: int, holds) -> int:
    """The greatest number from start to stop for which a condition holds, that holds at start and, once it fails,
    for no greater one.
    """
    while start < stop:
        middle = (start + stop + 1) // 2
        if holds(middle):
            start = middle
        else:
            stop = middle - 1
    return start


def plain_number(given) -> float | Fraction | np.floating:
    """A number of any kind, one in a tensor or array included, as Python's or numpy's; TypeError for anything else."""
    if hasattr(given, "dim"):  # a tensor, without importing torch
        given = given.detach().cpu()
        given = given.item() if given.dim() or str(given.dtype) == "torch.bfloat16" else given.numpy()
    number: Any = given[()] if isinstance(given, np.ndarray) and given.ndim == 0 else given
    if isinstance(number, np.longdouble):
        return float(number)
    is_number = isinstance(number, Real)
    if not is_number:
        raise TypeError(f"a time in seconds was expected, not {type(number).__name__}")
    return number


def given_times(given, time_base: Fraction) -> list[GivenTime]:
    """Each time of a list, array or tensor of one axis, or of one alone; OptionError for what is none of these."""
    if (hasattr(given, "dim") and given.dim()) or (isinstance(given, np.ndarray) and given.ndim):
        given = list(given)
    elif not hasattr(given, "__iter__") or getattr(given, "ndim", 1) == 0:
        given = [given]
    try:
        return [GivenTime.of(one, time_base) for one in given]
    except (TypeError, ValueError, RuntimeError) as error:  # what `item` of a row of a matrix raises
        raise OptionError(f"times in seconds were expected, not {given!r:.80}") from error
