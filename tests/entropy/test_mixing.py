"""Memories of what was likely, and whom to trust: they learn, stay in range, and give the same numbers for ever."""

import math
import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.entropy import mixing
from lvc.entropy.bits import CERTAIN
from lvc.entropy.mixing import (
    COUNT_BITS,
    COUNT_MASK,
    EMPTY,
    LIMIT,
    WEIGHT_LIMIT,
    learn_slot,
    learn_weights,
    mixed,
    probability,
    said_by,
    scattered,
    slot_probability,
)
from lvc.kernels.compiled import compiled

LEAST = 24  # of CERTAIN: nothing is thought less likely
ONE = 1 << 16  # a weight of one
# Of version 1 of the format; see the last test.
GOLDEN_SCATTERED = [0, 3232, 6924, 16083, 42624, 1052297184]
GOLDEN_SAID = [32768, 17929, 8923, 9415, 12778, 12303]
GOLDEN_SLOTS = [509242398, 2794163230, 1423484958, 1394146334, 1410332702, 1307701278, 1249467422]
GOLDEN_WEIGHTS = [[34139, 19168, 20558], [34145, 17986, 17792]]


@compiled
def mixed_odds(slots, places, count, weights, row, odds):
    said_by(slots, places, count, odds)
    return mixed(odds, count, weights, row)


@compiled
def learn(slots, places, weights, rows, odds, bits, rate, most, said):
    """Asks and teaches all slots [P] of each decision's places [N, P] under its row; fills what was said of each, in 1/CERTAIN."""
    count = places.shape[1]
    for number in range(len(bits)):
        together = mixed_odds(slots, places[number], count, weights, rows[number], odds)
        said[number] = probability(together)
        learn_weights(odds, count, weights, rows[number], together, bits[number], rate)
        for place in range(count):
            learn_slot(slots, places[number, place], bits[number], most)


def taught(bits, places, *, rate: int = 6, most: int = 255, rows=None, slots=None, weights=None):
    """(what was said, slots, weights) of decisions bits [N] under places [N, P]."""
    bits, places = np.asarray(bits, np.int64), np.asarray(places, np.int64)
    rows = np.zeros(len(bits), np.int64) if rows is None else rows
    slots = np.full(places.max() + 1, EMPTY, np.uint32) if slots is None else slots
    weights = np.full((rows.max() + 1, places.shape[1]), ONE // 3, np.int64) if weights is None else weights
    said = np.empty(len(bits), np.int64)
    learn(slots, places, weights, rows, np.empty(places.shape[1], np.int64), bits, rate, most, said)
    return said, slots, weights


def slot_of(bits, *, most: int = 255, slot: int = EMPTY) -> np.ndarray:
    slots = np.array([slot], np.uint32)
    for bit in bits:
        learn_slot(slots, 0, bit, most)
    return slots


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_a_slot_learns_how_often_the_answer_is_yes(share):
    bits = (np.random.default_rng(1).random(3_000) < share).astype(np.int64)
    # About the mean of the last 255 answers, whose own deviation is at most 0.5 / sqrt(255) = 0.03.
    assert slot_probability(slot_of(bits), 0) / CERTAIN == pytest.approx(share, abs=0.09)


def test_a_slot_trusts_its_first_answers_and_then_ever_fewer():
    slots, moved = slot_of([]), []
    assert slot_probability(slots, 0) == CERTAIN // 2
    for _ in range(5):
        before = slot_probability(slots, 0)
        learn_slot(slots, 0, 1, 255)
        moved.append((slot_probability(slots, 0) - before) / (CERTAIN - before))
    assert moved == pytest.approx([1 / (count + 1.6) for count in range(5)], rel=0.01)  # tables are of whole numbers


@pytest.mark.parametrize("most", [1, 30, 255, 1000, COUNT_MASK])
def test_counts_stop_at_the_limit(most):
    slots = slot_of(np.arange(most - 1) % 2, most=most)
    assert slots[0] & COUNT_MASK == most - 1
    for _ in range(3):
        learn_slot(slots, 0, 1, most)
        assert slots[0] & COUNT_MASK == most


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("most", [30, 255, 1000])
def test_answers_that_never_change_keep_a_slot_in_range(bit, most):
    slots, chances = slot_of([]), []
    for _ in range(20_000):
        learn_slot(slots, 0, bit, most)
        chances.append(int(slots[0]) >> COUNT_BITS)
    assert all(one <= other if bit else one >= other for one, other in pairwise(chances)), "it came round at the end of its range"
    assert slot_probability(slots, 0) == (CERTAIN - LEAST if bit else LEAST)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 1), max_size=50), st.sampled_from([1, 30, 255, COUNT_MASK]))
def test_any_slot_gives_a_legal_probability(slot, bits, most):
    slots = slot_of(bits, most=most, slot=slot)
    assert LEAST <= slot_probability(slots, 0) <= CERTAIN - LEAST


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**24), 2**24)), min_size=1, max_size=20), st.lists(st.integers(0, 1), max_size=20))
def test_any_slots_and_weights_give_log_odds_and_probabilities_in_range(memories, bits):
    slots, weights = np.array([slot for slot, _ in memories], np.uint32), np.array([[weight for _, weight in memories]], np.int64)
    places, odds = np.arange(len(slots)), np.empty(len(slots), np.int64)
    for bit in [*bits, 0]:
        together = mixed_odds(slots, places, len(slots), weights, 0, odds)
        assert -LIMIT <= together <= LIMIT and np.abs(odds).max() <= LIMIT
        assert together == mixed(odds, len(slots), weights, 0)
        assert LEAST <= probability(together) <= CERTAIN - LEAST
        learn_weights(odds, len(slots), weights, 0, together, bit, 12)
        assert np.abs(weights).max() <= WEIGHT_LIMIT


def test_probabilities_follow_log_odds():
    found = np.array([probability(odds) for odds in range(-LIMIT, LIMIT + 1)])
    assert (np.diff(found) >= 0).all() and found[LIMIT] == CERTAIN // 2
    exact = CERTAIN / (1 + np.exp(-np.arange(-LIMIT, LIMIT + 1) / 256))
    assert np.abs(found - exact.clip(LEAST, CERTAIN - LEAST)).max() <= 0.5  # rounded to whole numbers


def test_one_slot_with_a_weight_of_one_is_heard_as_it_is():
    for bits in ([1], [0, 0, 0], [1, 0, 1, 1] * 20):
        slots = slot_of(bits)
        together = mixed_odds(slots, np.zeros(1, np.int64), 1, np.full((1, 1), ONE, np.int64), 0, np.empty(1, np.int64))
        # Twelve bits of a chance are looked up, so odds near the ends of the range are the coarsest.
        assert probability(together) / CERTAIN == pytest.approx(slot_probability(slots, 0) / CERTAIN, abs=2 / 4096)


def test_a_slot_that_has_seen_nothing_says_nothing():
    slots = np.array([EMPTY | 0, 4_000_000_000 & ~COUNT_MASK], np.uint32)  # the second is of a high chance, and of no answers
    odds = np.ones(2, np.int64)
    assert mixed_odds(slots, np.arange(2), 2, np.full((1, 2), ONE, np.int64), 0, odds) == 0 and not odds.any()


def test_mixing_learns_to_trust_the_slot_that_knows():
    generator = np.random.default_rng(2)
    bits = generator.integers(0, 2, 4_000)
    knows = np.where(generator.random(4_000) < 0.95, bits, 1 - bits)  # a context that tells the answer 19 times of 20
    places = np.stack((knows, 2 + generator.integers(0, 2, 4_000), np.full(4_000, 4)), axis=1)
    said, _, weights = taught(bits, places)
    assert weights[0, 0] > 0.8 * ONE and max(abs(weights[0, 1:])) < 0.5 * ONE
    cost = -np.log2(np.where(bits, said, CERTAIN - said) / CERTAIN)
    # 0.286 bits is what answers of 19 in 20 cost; a tenth of a bit for what is still learned.
    assert cost[2_000:].mean() < 0.286 + 0.1 < cost[:100].mean() + 0.1


def test_a_slot_that_is_always_wrong_is_believed_the_other_way_round():
    bits = np.random.default_rng(3).integers(0, 2, 2_000)
    slots = np.array([EMPTY // 8 | 200, EMPTY + EMPTY // 8 * 7 | 200], np.uint32)  # sure of a no, and of a yes
    said = np.empty(len(bits), np.int64)
    weights = np.full((1, 1), ONE // 3, np.int64)
    for number, bit in enumerate(bits):
        odds = np.empty(1, np.int64)
        together = mixed_odds(slots, np.array([1 - bit]), 1, weights, 0, odds)
        said[number] = probability(together)
        learn_weights(odds, 1, weights, 0, together, bit, 6)
    assert weights[0, 0] < 0 and (np.where(bits, said, CERTAIN - said)[-100:] > CERTAIN * 0.9).all()


def test_rows_of_weights_learn_apart():
    generator = np.random.default_rng(4)
    bits, rows = generator.integers(0, 2, 3_000), generator.integers(0, 2, 3_000)
    # Each row has another slot that knows.
    places = np.stack((np.where(rows == 0, bits, generator.integers(0, 2, 3_000)), 2 + np.where(rows == 1, bits, generator.integers(0, 2, 3_000))), axis=1)
    _, _, weights = taught(bits, places, rows=rows)
    assert weights[0, 0] > 2 * abs(weights[0, 1]) and weights[1, 1] > 2 * abs(weights[1, 0])


def scatter(number: int, bits: int) -> int:
    return scattered(np.uint64(number), bits)


def test_scattered_numbers_are_in_range_and_differ():
    for bits in (1, 12, 16):
        found = {scatter(number << shift, bits) for number in range(1000) for shift in (0, 13, 40)}
        assert min(found) >= 0 and max(found) < 1 << bits
    assert len({scatter(number, 31) for number in range(4000)}) > 3990  # among 2**31 about none meet by chance


def test_tables_are_the_same_whatever_the_machine_thinks_of_logarithms():
    """They are made with floats, of which a last digit may differ; so none may come near to where rounding turns."""
    odds = [math.log((place + 0.5) / (4095.5 - place)) * 256 for place in range(4096)]
    chances = [CERTAIN / (1 + math.exp(-(place - 2048) / 256)) for place in range(4096)]
    assert min(abs(value - math.floor(value) - 0.5) for value in (*odds, *chances)) > 1e-6  # a last digit is below 1e-11


def test_the_numbers_are_those_that_files_were_coded_with():
    """Golden numbers: where one of them changes, files that there are no longer decode."""
    tables = [zlib.crc32(table.astype("<i8").tobytes()) for table in (mixing._ODDS, mixing._PROBABILITY, mixing._SHARE)]
    assert tables == [0xED470FF7, 0xD9A35A38, 0x75C581D0]
    assert [scatter(*pair) for pair in ((0, 12), (1, 12), (2, 14), (2147483647, 16), (18446744073709551615, 16), (12345678901234567, 31))] == GOLDEN_SCATTERED
    generator = np.random.default_rng(5)
    bits = (generator.random(500) < 0.3).astype(np.int64)
    places = np.stack((bits ^ (generator.random(500) < 0.2), 2 + generator.integers(0, 4, 500), np.full(500, 6)), axis=1)
    said, slots, weights = taught(bits, places, rows=np.arange(500) % 2, most=30)
    assert said[[0, 1, 2, 10, 100, 499]].tolist() == GOLDEN_SAID
    assert slots.tolist() == GOLDEN_SLOTS
    assert weights.tolist() == GOLDEN_WEIGHTS
