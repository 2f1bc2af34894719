"""A game's own pixels in a recording: what JSON may say of them, and what each shown pixel is made of."""

import json
import time
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.errors import OptionError
from lvc.frames import MAX_SIDE, Geometry
from lvc.native.pixel_grid import (
    KERNEL_ABS_LIMIT,
    KERNEL_UNIT,
    MAX_KERNEL,
    PLAIN,
    WEIGHT_UNIT,
    Blur,
    PixelGrid,
    axis_of,
)

# Numbers of any sign that add up to KERNEL_UNIT, within what is allowed.
SOFT = (-20, 60, 176, 60, -20)
LOPSIDED = (0, 0, 0, 0, 0, 100, 156)
GRID = PixelGrid(Geometry(160, 210), Geometry(960, 720), chroma=Blur(2, 2, SOFT, (0, 128, 128)))


@st.composite
def kernels(draw):
    sides = draw(st.integers(0, 4))
    others = draw(st.lists(st.integers(-30, 60), min_size=2 * sides, max_size=2 * sides))
    kernel = (*others[:sides], KERNEL_UNIT - sum(others), *others[sides:])
    return kernel if sum(map(abs, kernel)) <= KERNEL_ABS_LIMIT else PLAIN


BLURS = st.builds(Blur, st.integers(1, 4), st.integers(1, 4), kernels(), kernels())
SIDES = st.integers(1, MAX_SIDE)


@st.composite
def grids(draw):
    (width, wide), (height, high) = (sorted((draw(SIDES), draw(SIDES))) for _ in range(2))
    return PixelGrid(Geometry(width, height), Geometry(wide, high), draw(BLURS), draw(BLURS))


# JSON


@given(grids())
def test_a_grid_comes_back_from_json(grid):
    assert PixelGrid.from_json(json.loads(json.dumps(grid.as_json()))) == grid


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([KERNEL_UNIT, 160, 210, -1, 0])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["native", "source", "luma", "chroma", "stride", "across", "down", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def changed(value, place: int, by):
    """JSON with its part number `place`, in order, replaced."""
    parts = [0]

    def walked(one):
        parts[0] += 1
        if parts[0] - 1 == place:
            return by
        if isinstance(one, dict):
            return {key: walked(each) for key, each in one.items()}
        return [walked(each) for each in one] if isinstance(one, list) else one

    return walked(value)


@settings(max_examples=300)
@given(ANYTHING | st.builds(changed, grids().map(PixelGrid.as_json), st.integers(0, 25), ANYTHING))
def test_any_json_gives_a_grid_that_says_the_same_or_a_typed_error(value):
    try:
        grid = PixelGrid.from_json(value)
    except OptionError:
        return
    assert grid.as_json() == value


@pytest.mark.parametrize(
    "part, value",
    [
        ("native", [160, 210, 1]),
        ("native", [160]),
        ("native", [True, 210]),
        ("native", [160.0, 210]),
        ("native", [0, 210]),
        ("native", [961, 210]),
        ("native", [160, 721]),
        ("source", [960, MAX_SIDE + 1]),
        ("luma", {"stride": [1, 1], "across": [256]}),
        ("luma", {"stride": [1, 1], "across": [256], "down": [256], "more": 1}),
        ("luma", {"stride": [0, 1], "across": [256], "down": [256]}),
        ("luma", {"stride": [1, 5], "across": [256], "down": [256]}),
        ("luma", {"stride": [1], "across": [256], "down": [256]}),
        ("luma", {"stride": "11", "across": [256], "down": [256]}),
        ("luma", {"stride": [1, 1], "across": [], "down": [256]}),
        ("luma", {"stride": [1, 1], "across": [128, 128], "down": [256]}),
        ("luma", {"stride": [1, 1], "across": [255], "down": [256]}),
        ("luma", {"stride": [1, 1], "across": [256.0], "down": [256]}),
        ("luma", {"stride": [1, 1], "across": [-129, 256 + 129, 0], "down": [256]}),
        ("luma", {"stride": [1, 1], "across": [2**80, 256 - 2**80, 0], "down": [256]}),
        ("luma", {"stride": [1, 1], "across": [0] * 34 + [256], "down": [256]}),
    ],
)
def test_what_no_grid_can_be_is_refused(part, value):
    whole = GRID.as_json()
    assert PixelGrid.from_json(whole) == GRID
    with pytest.raises(OptionError):
        PixelGrid.from_json({**whole, part: value})
    with pytest.raises(OptionError):
        PixelGrid.from_json({key: each for key, each in whole.items() if key != part})


def test_errors_are_short_whatever_was_given():
    with pytest.raises(OptionError) as error:
        PixelGrid.from_json({**GRID.as_json(), "luma": ["x" * 10_000] * 1000})
    assert len(str(error.value)) < 300


# Axes


@st.composite
def axes(draw, most=60):
    native, source = sorted((draw(st.integers(1, most)), draw(st.integers(1, most))))
    return native, source, draw(st.integers(1, most)), draw(st.integers(1, 4)), draw(kernels())


def slow_matrix(native: int, source: int, shown: int, stride: int, kernel: tuple[int, ...]) -> list[list[Fraction]]:
    """By the definition, in fractions: the mean over each shown pixel's extent of samples,
    each a weighted sum of the recording's.
    """
    samples = -(-source // stride)
    rows = []
    for number in range(shown):
        low, high = Fraction(number * samples, shown), Fraction((number + 1) * samples, shown)
        row = [Fraction(0)] * native
        for sample in range(samples):
            covered = max(Fraction(0), min(high, Fraction(sample + 1)) - max(low, Fraction(sample))) / (high - low)
            for place, weight in enumerate(kernel):
                full = min(max(sample * stride + place - len(kernel) // 2, 0), source - 1)
                row[full * native // source] += covered * Fraction(weight, KERNEL_UNIT)
        rows.append(row)
    return rows


@settings(max_examples=150, deadline=None)
@given(axes())
def test_an_axis_is_what_a_slow_reference_says(facts):
    native, _, shown, _, _ = facts
    axis = axis_of(*facts)
    assert axis.first.shape == (shown,) and axis.weights.dtype == np.int32 and axis.weights.flags.c_contiguous
    assert (axis.weights.sum(axis=1) == WEIGHT_UNIT).all()
    width = axis.weights.shape[1]
    assert 1 <= width <= native and axis.first.min() >= 0 and axis.first.max() + width <= native, (
        "compiled code checks no bounds"
    )
    wanted = np.array(slow_matrix(*facts), float)
    apart = np.abs(axis.matrix(native) - wanted) * WEIGHT_UNIT
    # Each weight is rounded to half a unit; what that leaves over, half a unit of each at most, goes to a single one.
    assert np.sort(apart, axis=1)[:, :-1].max(initial=0) <= 0.5 + 1e-6 and apart.max() <= 0.5 * (native + 1) + 1e-6


@settings(max_examples=100, deadline=None)
@given(axes())
def test_the_sums_of_an_axis_fit_into_32_bits(facts):
    """A plane's levels are at most 255 * 16 in size, chroma's differences too,
    and half a unit of rounding comes with each tap.
    """
    axis = axis_of(*facts)
    most = np.abs(axis.weights.astype(np.int64)).sum(axis=1).max() * 255 * 16 + 128
    assert most < 2**31


def test_an_axis_without_change_is_each_pixel_itself():
    for native, source in ((7, 7), (7, 21), (160, 960)):
        axis = axis_of(native, source, native)
        assert axis.first.tolist() == list(range(native)) and (axis.weights == WEIGHT_UNIT).all()


@pytest.mark.parametrize(
    "facts",
    [
        (MAX_SIDE, MAX_SIDE, MAX_SIDE, 1, PLAIN),
        (MAX_SIDE, MAX_SIDE, MAX_SIDE, 4, (0,) * (MAX_KERNEL // 2) + (256,) + (0,) * (MAX_KERNEL // 2)),
        (MAX_SIDE, MAX_SIDE, 1, 1, SOFT),
        (1, MAX_SIDE, MAX_SIDE, 1, SOFT),
    ],
    ids=["as it is", "few samples", "one pixel shown", "one native pixel"],
)
def test_the_largest_sides_are_bounded(facts):
    """A hostile header may ask for any: MAX_PIXELS keeps the product of two sides small,
    each of them can be this large.
    """
    axis_of.cache_clear()
    tracemalloc.start()
    begun = time.process_time()
    axis = axis_of(*facts)
    seconds, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    axis_of.cache_clear()
    assert (axis.weights.sum(axis=1) == WEIGHT_UNIT).all()
    # 0.04 s and some MB when written; dense matrices took 8 GB.
    assert seconds < 20 and peak < 256 << 20, f"{seconds:.1f} s, {peak >> 20} MB"
