import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lvc.entropy.tables import TOTAL, Tables, escape_excess, escape_symbol, from_counts, from_probabilities, quantised
from lvc.errors import ModelError


@given(arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 300)), elements=st.integers(0, 2**29)))
@settings(max_examples=100, deadline=None)
def test_quantised_frequencies_are_positive_and_sum_exactly(counts):
    counts[:, 0] += 1
    frequencies = quantised(counts)
    assert frequencies.min() >= 1
    assert (frequencies.sum(axis=-1, dtype=np.int64) == TOTAL).all()


def test_quantised_follows_proportions():
    frequencies = quantised(np.array([[1, 3, 4]]))[0]
    assert np.abs(frequencies - TOTAL * np.array([1, 3, 4]) / 8).max() < 4


def test_what_masses_lack_is_the_escape():
    tables = from_probabilities([np.array([0.5, 0.25])], [-3], escape=True)
    assert np.abs(tables.frequencies / TOTAL - [0.5, 0.25, 0.25]).max() < 1e-6
    assert tables.lows.tolist() == [-3] and tables.covers.tolist() == [2]


def test_without_escape_masses_are_scaled():
    tables = from_probabilities([np.array([1.0, 3.0])], [0], escape=False)
    assert np.abs(tables.frequencies / TOTAL - [0.25, 0.75]).max() < 1e-6


def test_peaked_table_costs_almost_nothing():
    tables = from_probabilities([np.array([1 - 2.0**-20, 2.0**-20])], [0], escape=False)
    assert tables.bits(np.zeros(1000, int), np.zeros(1000, int)) < 0.002


def test_counts_give_their_own_entropy():
    counts = np.array([[900, 100, 0, 0], [1, 9, 90, 3]])
    tables = from_counts(counts, 5, escape=True)
    symbols, indices = np.repeat([5, 6], [900, 100]), np.zeros(1000, int)
    entropy = -(900 * np.log2(0.9) + 100 * np.log2(0.1))
    assert tables.bits(symbols, indices) == pytest.approx(entropy, rel=0.01)
    assert tables.sizes.tolist() == [4, 4]


def test_arrays_round_trip_exactly():
    tables = from_probabilities([np.array([0.1, 0.2]), np.array([0.3, 0.3, 0.3])], [-7, 4], escape=True)
    again = Tables.from_arrays(tables.to_arrays())
    for name in ("frequencies", "sizes", "lows", "escapes"):
        assert np.array_equal(getattr(tables, name), getattr(again, name))


def test_places_round_trip_and_are_checked():
    tables = from_probabilities([np.array([0.1, 0.2]), np.array([0.3])], [0, 0], escape=True)
    placed = Tables.from_arrays({**tables.to_arrays(), "places": np.array([0, 1, 1])})
    assert Tables.from_arrays(placed.to_arrays()).places.tolist() == [0, 1, 1]
    for places in ([0, 2], [-1], []):
        with pytest.raises(ModelError):
            Tables.from_arrays({**tables.to_arrays(), "places": np.array(places, np.int32)})


def good_arrays():
    return {
        "frequencies": np.array([TOTAL - 1, 1, TOTAL], np.int32),
        "sizes": np.array([2, 1], np.int32),
        "lows": np.array([0, 3], np.int32),
        "escapes": np.array([1, 0], np.int32),
    }


BROKEN = {
    "zero frequency": ("frequencies", np.array([TOTAL, 0, TOTAL])),
    "wrong sum": ("frequencies", np.array([TOTAL - 1, 2, TOTAL])),
    "negative": ("frequencies", np.array([TOTAL + 1, -1, TOTAL])),
    "floats": ("frequencies", np.array([TOTAL - 1.0, 1, TOTAL])),
    "too few": ("frequencies", np.array([TOTAL])),
    "two dimensions": ("frequencies", np.array([[TOTAL - 1, 1, TOTAL]])),
    "beyond 32 bits": ("frequencies", np.array([TOTAL - 1, 1, 2**40])),
    "no tables": ("sizes", np.zeros(0, np.int32)),
    "empty table": ("sizes", np.array([3, 0])),
    "sizes that overflow": ("sizes", np.array([2**31 - 1, 2**31 - 1])),
    "lows of another length": ("lows", np.array([0])),
    "symbols beyond 32 bits": ("lows", np.array([0, 2**31])),
    "only an escape": ("escapes", np.array([1, 1])),
}


def test_good_arrays_are_taken():
    assert len(Tables.from_arrays(good_arrays())) == 2


@pytest.mark.parametrize("case", BROKEN)
def test_broken_arrays_are_refused(case):
    name, value = BROKEN[case]
    with pytest.raises(ModelError):
        Tables.from_arrays({**good_arrays(), name: value})


def test_a_missing_array_is_named():
    arrays_given = good_arrays()
    del arrays_given["lows"]
    with pytest.raises(ModelError, match="lows"):
        Tables.from_arrays(arrays_given)


@pytest.mark.parametrize("mass", [[np.nan, 1.0], [-0.1, 1.0], [0.0, 0.0], [np.inf, 1.0]])
def test_bad_probabilities_are_refused(mass):
    with pytest.raises(ModelError):
        from_probabilities([np.array(mass)], [0], escape=False)


@given(st.integers(-(2**32), 2**32), st.integers(1, 1000))
@settings(deadline=None)
def test_escape_excess_inverts(local, covers):
    if 0 <= local < covers:
        local = covers
    excess = escape_excess(np.array([local]), np.array([covers]))
    assert excess[0] >= 0
    assert escape_symbol(excess, np.array([covers]))[0] == local
