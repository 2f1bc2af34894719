"""Adaptive probabilities and mixers: they learn, stay in range, and give the same numbers for ever,
which are those of plain Python.
"""

import math
import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.entropy.bits import CERTAIN
from lvc.entropy.mixing import (
    COUNT_BITS,
    COUNT_MASK,
    EMPTY,
    LIMIT,
    MOST_RATE,
    WEIGHT_LIMIT,
    adapt,
    mix_bits,
    mixing_tables,
    scatter_all,
)

LEAST = 24  # of CERTAIN: nothing is thought less likely
ONE = 1 << 16  # a weight of one
# Of version 1 of the format; see the last test.
GOLDEN_SCATTERED = [0, 3232, 6924, 16083, 42624, 1052297184]
GOLDEN_PREDICTIONS = [32768, 17929, 8923, 9415, 12778, 12303]
GOLDEN_PROBABILITIES = [509242398, 2794163230, 1423484958, 1394146334, 1410332702, 1307701278, 1249467422]
GOLDEN_WEIGHTS = [[34139, 19168, 20558], [34145, 17986, 17792]]


def tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """stretch int16 [4096], squash uint16 [4096], share uint16 [1024] as C has them."""
    stretch, squash, share = np.empty(4096, np.int16), np.empty(4096, np.uint16), np.empty(1 << COUNT_BITS, np.uint16)
    assert mixing_tables(stretch=stretch, squash=squash, share=share) == 0
    return stretch, squash, share


def mixed(bits, indices, probabilities, weights, *, rate: int = 6, most: int = 255, selectors=None):
    """(outputs, predictions) of bits [N] under indices [N, P]; teaches probabilities and weights."""
    bits, indices = np.asarray(bits, np.int64), np.asarray(indices, np.int64)
    selectors = np.zeros(len(bits), np.int64) if selectors is None else np.asarray(selectors, np.int64)
    outputs, predictions = np.empty(len(bits), np.int64), np.empty(len(bits), np.int64)
    refused = mix_bits(
        bits=bits,
        indices=indices,
        selectors=selectors,
        probabilities=probabilities,
        weights=weights,
        logits=np.empty(indices.shape[1], np.int32),
        outputs=outputs,
        predictions=predictions,
        rate=rate,
        most=most,
    )
    assert not refused
    return outputs, predictions


def taught(bits, indices, *, rate: int = 6, most: int = 255, selectors=None):
    """(predictions, probabilities, weights) of bits [N] under indices [N, P], from nothing."""
    indices = np.asarray(indices, np.int64)
    probabilities = np.full(indices.max() + 1, EMPTY, np.uint32)
    weights = np.full((1 if selectors is None else max(selectors) + 1, indices.shape[1]), ONE // 3, np.int32)
    _, predictions = mixed(bits, indices, probabilities, weights, rate=rate, most=most, selectors=selectors)
    return predictions, probabilities, weights


def adapted(bits, *, most: int = 255, probability: int = EMPTY) -> tuple[np.ndarray, list[int]]:
    """One probability, uint32 [1], after these bits, and what it predicted before each and after all."""
    probability, predictions = np.array([probability], np.uint32), np.empty(len(bits), np.int64)
    adapt(bits=np.asarray(bits, np.int64), probability=probability, predictions=predictions, most=most)
    return probability, [*predictions.tolist(), alone(probability)]


def alone(probability) -> int:
    predictions = np.empty(1, np.int64)
    adapt(bits=np.zeros(1, np.int64), probability=np.array(probability, np.uint32), predictions=predictions, most=255)
    return int(predictions[0])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_a_probability_learns_how_often_a_bit_is_one(share):
    bits = (np.random.default_rng(1).random(3_000) < share).astype(np.int64)
    # About the mean of the last 255 bits, whose own deviation is at most 0.5 / sqrt(255) = 0.03.
    assert alone(adapted(bits)[0]) / CERTAIN == pytest.approx(share, abs=0.09)


def test_a_probability_trusts_its_first_bits_and_then_ever_fewer():
    _, predictions = adapted([1] * 5)
    assert predictions[0] == CERTAIN // 2
    moved = [(after - before) / (CERTAIN - before) for before, after in pairwise(predictions)]
    assert moved == pytest.approx([1 / (count + 1.6) for count in range(5)], rel=0.01)  # tables are of whole numbers


@pytest.mark.parametrize("most", [1, 30, 255, 1000, COUNT_MASK])
def test_counts_stop_at_the_limit(most):
    probability, _ = adapted(np.arange(most - 1) % 2, most=most)
    assert probability[0] & COUNT_MASK == most - 1
    for _ in range(3):
        probability, _ = adapted([1], most=most, probability=probability[0])
        assert probability[0] & COUNT_MASK == most


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("most", [30, 255, 1000])
def test_bits_that_never_change_keep_a_probability_in_range(bit, most):
    probability, values = EMPTY, []
    for _ in range(2_000):
        probability = adapted([bit] * 10, most=most, probability=probability)[0][0]
        values.append(int(probability) >> COUNT_BITS)
    assert all(one <= other if bit else one >= other for one, other in pairwise(values)), (
        "it came round at the end of its range"
    )
    assert alone([probability]) == (CERTAIN - LEAST if bit else LEAST)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 1), max_size=50), st.sampled_from([1, 30, 255, COUNT_MASK]))
def test_any_probability_predicts_in_range(probability, bits, most):
    assert all(
        LEAST <= prediction <= CERTAIN - LEAST for prediction in adapted(bits, most=most, probability=probability)[1]
    )


def test_squashed_logits_follow_the_logistic_function():
    found = tables()[1][2048 - LIMIT :].astype(np.int64)
    assert (np.diff(found) >= 0).all() and found[LIMIT] == CERTAIN // 2
    exact = CERTAIN / (1 + np.exp(-np.arange(-LIMIT, LIMIT + 1) / 256))
    assert np.abs(found - exact.clip(LEAST, CERTAIN - LEAST)).max() <= 0.5  # rounded to whole numbers


def test_one_probability_with_a_weight_of_one_is_heard_as_it_is():
    for bits in ([1], [0, 0, 0], [1, 0, 1, 1] * 20):
        probability, _ = adapted(bits)
        wanted = alone(probability)
        _, predictions = mixed([0], [[0]], probability, np.full((1, 1), ONE, np.int32))
        # Twelve bits of a probability are looked up, so logits near the ends of the range are the coarsest.
        assert predictions[0] / CERTAIN == pytest.approx(wanted / CERTAIN, abs=2 / 4096)


def test_a_probability_that_has_seen_nothing_says_nothing():
    probabilities = np.array([EMPTY, 4_000_000_000 & ~COUNT_MASK], np.uint32)  # the second is high, and of no bits
    outputs, _ = mixed([0], [[0, 1]], probabilities, np.full((1, 2), ONE, np.int32))
    assert outputs[0] == 0


def test_mixing_learns_to_trust_the_context_that_knows():
    generator = np.random.default_rng(2)
    bits = generator.integers(0, 2, 4_000)
    knows = np.where(generator.random(4_000) < 0.95, bits, 1 - bits)  # a context that tells the bit 19 times of 20
    indices = np.stack((knows, 2 + generator.integers(0, 2, 4_000), np.full(4_000, 4)), axis=1)
    predictions, _, weights = taught(bits, indices)
    assert weights[0, 0] > 0.8 * ONE and max(abs(weights[0, 1:])) < 0.5 * ONE
    cost = -np.log2(np.where(bits, predictions, CERTAIN - predictions) / CERTAIN)
    # 0.286 bits is what bits told 19 times of 20 cost; a tenth of a bit for what is still learned.
    assert cost[2_000:].mean() < 0.286 + 0.1 < cost[:100].mean() + 0.1


def test_a_context_that_is_always_wrong_is_believed_the_other_way_round():
    bits = np.random.default_rng(3).integers(0, 2, 2_000)
    probabilities = np.array([EMPTY // 8 | 200, EMPTY + EMPTY // 8 * 7 | 200], np.uint32)  # sure of a 0, and of a 1
    weights, found = np.full((1, 1), ONE // 3, np.int32), []
    for bit in bits:
        found.append(mixed([bit], [[1 - bit]], probabilities.copy(), weights)[1][0])
    assert weights[0, 0] < 0 and (np.where(bits, found, CERTAIN - np.array(found))[-100:] > CERTAIN * 0.9).all()


def test_rows_of_weights_learn_apart():
    generator = np.random.default_rng(4)
    bits, selectors = generator.integers(0, 2, 3_000), generator.integers(0, 2, 3_000)
    # Each row has another context that knows.
    indices = np.stack(
        (
            np.where(selectors == 0, bits, generator.integers(0, 2, 3_000)),
            2 + np.where(selectors == 1, bits, generator.integers(0, 2, 3_000)),
        ),
        axis=1,
    )
    _, _, weights = taught(bits, indices, selectors=selectors)
    assert weights[0, 0] > 2 * abs(weights[0, 1]) and weights[1, 1] > 2 * abs(weights[1, 0])


def scatter(number: int, bits: int) -> int:
    scattered = np.empty(1, np.int64)
    assert scatter_all(numbers=np.array([number], np.uint64), bits=bits, scattered=scattered) == 0
    return int(scattered[0])


def test_scattered_numbers_are_in_range_and_differ():
    for bits in (1, 12, 16):
        found = {scatter(number << shift, bits) for number in range(1000) for shift in (0, 13, 40)}
        assert min(found) >= 0 and max(found) < 1 << bits
    assert len({scatter(number, 31) for number in range(4000)}) > 3990  # among 2**31 about none meet by chance


@pytest.mark.parametrize(
    "change", [{"indices": [[0, 3]]}, {"indices": [[-1, 0]]}, {"selectors": [1]}, {"selectors": [-1]}], ids=str
)
def test_indices_from_outside_are_refused(change):
    with pytest.raises(AssertionError):
        mixed(
            [1],
            change.get("indices", [[0, 1]]),
            np.full(3, EMPTY, np.uint32),
            np.zeros((1, 2), np.int32),
            selectors=change.get("selectors"),
        )


# Plain Python


def plain_tables() -> tuple[list[int], list[int], list[int]]:
    stretch = [
        max(-LIMIT, min(LIMIT, round(256 * math.log((place + 0.5) / (4095.5 - place))))) for place in range(4096)
    ]
    squash = [
        max(LEAST, min(CERTAIN - LEAST, round(CERTAIN / (1 + math.exp(-(place - 2048) / 256)))))
        for place in range(4096)
    ]
    return stretch, squash, [int(CERTAIN / (count + 1.6)) for count in range(1 << COUNT_BITS)]


STRETCH, SQUASH, SHARE = plain_tables()


def plain_update(probability: int, bit: int, most: int) -> int:
    value, count = probability >> COUNT_BITS, probability & COUNT_MASK
    value = max(0, value + (((((1 << 22) - 1 if bit else 0) - value >> 3) * SHARE[count]) >> 13))
    return value << COUNT_BITS | count + (count < most)


def plain_mixer(logits: list[int], weights: list[int]) -> int:
    return max(-LIMIT, min(LIMIT, sum(map(math.prod, zip(logits, weights))) >> 16))


def plain_weights(logits: list[int], weights: list[int], output: int, bit: int, rate: int) -> list[int]:
    error = ((bit << 16) - SQUASH[output + 2048]) * rate
    return [
        max(-WEIGHT_LIMIT, min(WEIGHT_LIMIT, weight + (logit * error + (1 << 17) >> 18)))
        for logit, weight in zip(logits, weights)
    ]


def test_the_tables_are_those_of_the_formulas():
    assert [table.tolist() for table in tables()] == [STRETCH, SQUASH, SHARE]


def test_the_formulas_come_to_the_same_whatever_a_machine_thinks_of_logarithms():
    """None of them may come near to where rounding turns."""
    values = [256 * math.log((place + 0.5) / (4095.5 - place)) for place in range(4096)]
    values += [CERTAIN / (1 + math.exp(-(place - 2048) / 256)) for place in range(4096)]
    assert min(abs(value - math.floor(value) - 0.5) for value in values) > 1e-6  # a last digit is below 1e-11


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-WEIGHT_LIMIT, WEIGHT_LIMIT)), min_size=1, max_size=20),
    st.lists(st.integers(0, 1), min_size=1, max_size=20),
    st.integers(1, MOST_RATE),
    st.sampled_from([1, 30, 255, COUNT_MASK]),
)
def test_mixing_is_the_plain_one(contexts, bits, rate, most):
    values, weights = [value for value, _ in contexts], [weight for _, weight in contexts]
    probabilities, rows = np.array(values, np.uint32), np.array([weights], np.int32)
    indices = np.repeat(np.arange(len(contexts))[None], len(bits), axis=0)
    outputs, predictions = mixed(bits, indices, probabilities, rows, rate=rate, most=most)
    for bit, output, prediction in zip(bits, outputs.tolist(), predictions.tolist()):
        logits = [STRETCH[value >> 20] if value & COUNT_MASK else 0 for value in values]
        assert output == plain_mixer(logits, weights) and -LIMIT <= output <= LIMIT
        assert prediction == SQUASH[output + 2048]
        weights = plain_weights(logits, weights, output, bit, rate)
        values = [plain_update(value, bit, most) for value in values]
    assert probabilities.tolist() == values and rows[0].tolist() == weights


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(1, 63))
def test_scattering_is_the_plain_one(number, bits):
    mixed = number * 0x9E3779B97F4A7C15 % 2**64
    mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 % 2**64
    assert scatter(number, bits) == mixed >> (64 - bits)


def test_the_numbers_are_those_that_files_were_coded_with():
    """Golden numbers: where one of them changes, files that there are no longer decode."""
    assert [zlib.crc32(table.astype("<i8").tobytes()) for table in tables()] == [0xED470FF7, 0xD9A35A38, 0x75C581D0]
    assert [
        scatter(*pair)
        for pair in ((0, 12), (1, 12), (2, 14), (2147483647, 16), (18446744073709551615, 16), (12345678901234567, 31))
    ] == GOLDEN_SCATTERED
    generator = np.random.default_rng(5)
    bits = (generator.random(500) < 0.3).astype(np.int64)
    indices = np.stack(
        (bits ^ (generator.random(500) < 0.2), 2 + generator.integers(0, 4, 500), np.full(500, 6)), axis=1
    )
    predictions, probabilities, weights = taught(bits, indices, selectors=np.arange(500) % 2, most=30)
    assert predictions[[0, 1, 2, 10, 100, 499]].tolist() == GOLDEN_PREDICTIONS
    assert probabilities.tolist() == GOLDEN_PROBABILITIES
    assert weights.tolist() == GOLDEN_WEIGHTS
