"""Timestamps of a constant rate, beside what exact fractions give."""

import math
from fractions import Fraction

import numpy as np
import pytest

from lvc.errors import OptionError
from lvc.rates import rate_of
from lvc.writing.clock import Clock


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (30, Fraction(30)),
        (30.0, Fraction(30)),
        (29.97, Fraction(2997, 100)),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        (0.1, Fraction(1, 10)),
        (np.int64(15), Fraction(15)),
        (np.float32(12.5), Fraction(25, 2)),
    ],
)
def test_rates_are_exact(fps, rate):
    found = rate_of(fps)
    assert found == rate and type(found.numerator) is int


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (30000 / 1001, Fraction(30000, 1001)),
        (24000 / 1001, Fraction(24000, 1001)),
        (60000 / 1001, Fraction(60000, 1001)),
        (59.940059940059, Fraction(60000, 1001)),
        (29.97003, Fraction(30000, 1001)),
        (33.3333, Fraction(100, 3)),
        (33.333333333333336, Fraction(100, 3)),
        (1 / 0.0333, Fraction(10000, 333)),
        (1 / 0.016, Fraction(125, 2)),
        (1 / (1 / 60), Fraction(60)),
        (1 / (1 / 59.94), Fraction(2997, 50)),
        (1 / 0.02 / 3, Fraction(50, 3)),
        (np.float32(30000 / 1001), Fraction(30000, 1001)),
        (float(np.float32(1) / np.float32(1 / 60)), Fraction(60)),
        (float(np.float32(33.333332)), Fraction(100, 3)),
        (60.0988, Fraction(150_247, 2500)),  # a console's, as it is written
    ],
)
def test_floats_become_the_fraction_that_is_meant(fps, rate):
    assert rate_of(fps) == rate


@pytest.mark.parametrize("fps", [0, -1, math.nan, math.inf, 1e300, 1e-300, "30", None, True, 1j])
def test_what_is_no_rate_is_refused(fps):
    with pytest.raises(OptionError, match="fps"):
        rate_of(fps)


def test_ticks_of_the_rate_itself_count_frames():
    clock = Clock(Fraction(30000, 1001), Fraction(1001, 30000), start=7, every=10)
    assert [clock.pts(number) for number in (0, 1, 10, 10**9)] == [7, 8, 17, 10**9 + 7] and clock.kept_ticks == 10


def test_other_ticks_are_rounded_frame_by_frame():
    clock = Clock(Fraction(3), Fraction(1, 1000))
    assert [clock.pts(number) for number in range(5)] == [0, 333, 667, 1000, 1333]
    assert clock.pts(3 * 10**9) == 10**12, "errors do not add up"


def test_ticks_that_are_too_long_are_refused():
    Clock(Fraction(100), Fraction(1, 10), every=10)
    with pytest.raises(OptionError, match="apart"):
        Clock(Fraction(100), Fraction(1, 10), every=9)
