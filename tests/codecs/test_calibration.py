"""The level of a wanted quality: from few trials, near, and in order."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvc.codecs.calibration import RUN_FRAMES, RUNS, Point, corrected, level_at, runs_of
from lvc.codecs.codec import psnr_of_frames

GRID = (1, 4, 8, 16, 24, 32, 40, 48, 56, 63)


def curve(steep: float, bend: float):
    """Trials of an encoder whose quality falls with the level, faster at the ends, and the levels that were tried."""
    tried = []

    def trial(level: int) -> Point:
        tried.append(level)
        return Point(level, 50 - steep * level - bend * np.log2(1 + level), 3000 * 0.93**level)

    return trial, tried


@given(st.floats(0.1, 0.4), st.floats(0, 2), st.floats(10, 60), st.integers(-3, 12))
def test_the_level_is_within_half_a_step_of_a_straight_line_and_takes_few_trials(steep, bend, wanted, guess):
    trial, tried = curve(steep, bend)
    found = level_at(wanted, trial, GRID, guess=guess)
    assert len(tried) == len(set(tried)) <= len(GRID)
    exact = {level: trial(level).psnr for level in range(GRID[0], GRID[-1] + 1)}
    best = min(exact, key=lambda level: abs(exact[level] - wanted))
    # The curve bends by less than two levels between neighbours of the grid.
    assert abs(found.level - best) <= 2


@given(st.floats(0.1, 0.4), st.floats(0, 2), st.lists(st.floats(10, 60), min_size=2, max_size=8), st.integers(0, 8))
def test_a_higher_wish_never_gets_a_higher_level(steep, bend, wishes, guess):
    trial, _ = curve(steep, bend)
    found = [level_at(wish, trial, GRID, guess=guess).level for wish in sorted(wishes)]
    assert found == sorted(found, reverse=True)


def test_runs_are_spread_over_all_frames():
    frames = np.arange(200, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    runs = runs_of([frames[:90], frames[90:]])
    assert [len(run) for run in runs] == [RUN_FRAMES] * RUNS
    assert runs[0][0, 0, 0, 0] == 0 and runs[-1][-1, 0, 0, 0] == 199
    (whole,) = runs_of([frames[:5]])
    assert np.array_equal(whole, frames[:5])


def test_an_identical_frame_counts_as_the_best_known():
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    other = frames.copy()
    other[1] = 255
    assert psnr_of_frames(frames, frames).tolist() == [60, 60]
    assert psnr_of_frames(frames, other).tolist() == [60, 0]


@given(st.floats(0.15, 0.4), st.floats(-2, 2), st.floats(0.8, 1.2), st.floats(30, 46))
def test_longer_runs_correct_what_short_ones_said(steep, beside, misjudged, wanted):
    """Longer runs lie `beside` the short ones at every level, whose slope is `misjudged`."""
    tried = []

    def longer(level: int) -> Point:
        tried.append(level)
        return Point(level, 50 + beside - steep * level, 3000 * 0.93**level)

    levels = range(100)
    near = Point(round((50 - wanted) / steep), wanted, 800.0, steep * misjudged)
    found = corrected(wanted, near, longer, levels)
    exact = min(max((50 + beside - wanted) / steep, levels[0]), levels[-1])
    # Half a level, and a quarter of the at most 6 levels from the last trial (1 / 0.8 - 1)
    assert abs(found.level - exact) <= 0.5 + 0.25 * 6
    assert 1 <= len(tried) <= 2 and all(level % 4 == 0 or level in (levels[0], levels[-1]) for level in tried)
    assert found.psnr == pytest.approx(50 + beside - steep * found.level, abs=0.6)


def test_wishes_near_each_other_are_led_by_the_same_trials():
    def longer(level: int) -> Point:
        return Point(level, 49.0 - 0.3 * level + 0.4 * np.sin(level), 900.0)

    found = []
    for wanted in np.arange(46, 30, -20 / 63):
        near = Point(round((48 - wanted) / 0.3), wanted, 800.0, 0.3)
        found.append(corrected(wanted, near, longer, range(64)).level)
    # Each trial is up to 0.4 dB, a level and a half, beside the line; steps between trials show twice that.
    assert all(later >= before - 3 for before, later in pairwise(found))
    assert found[-1] - found[0] > 40
