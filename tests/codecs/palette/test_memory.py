"""What a model keeps of a memory, and what a group's beginning knows."""

import numpy as np
import pytest

from lvc.codecs.family import build
from lvc.codecs.palette.memory import PATTERN_SLOTS, SLOTS, forget_colours, keep, memory_of
from lvc.codecs.palette.model import WEIGHT_LIMIT
from lvc.entropy.mixing import COUNT_MASK, EMPTY
from lvc.errors import ModelError
from lvc.frames import Geometry


@pytest.fixture
def model():
    return build("temporal-palette", geometry=Geometry(48, 40))


@pytest.fixture
def taught(model):
    """A memory of random patterns and colours."""
    generator, memory = np.random.default_rng(1), memory_of(model, 5)
    memory.slots[:] = generator.integers(0, 1 << 22, SLOTS) << 10 | generator.integers(0, 256, SLOTS)
    memory.weights[:] = generator.integers(-(1 << 18), 1 << 18, memory.weights.shape)
    memory.guesses[:] = 3
    return memory


def test_a_fresh_model_knows_nothing(model):
    memory = memory_of(model, 5)
    assert (memory.slots == EMPTY).all() and not memory.guesses.any()
    assert memory.rate == 5


@pytest.mark.parametrize("most", [30, 255])
def test_a_model_keeps_what_a_memory_knows_of_patterns(model, taught, most):
    keep(taught, model, most)
    again = memory_of(model, 5)
    one, other = taught.slots[:PATTERN_SLOTS].astype(np.int64), again.slots[:PATTERN_SLOTS].astype(np.int64)
    assert np.array_equal(one >> 16, other >> 16)  # a model has 16 bits of a chance
    assert np.array_equal(np.minimum(one & COUNT_MASK, most), other & COUNT_MASK)
    assert np.array_equal(taught.weights, again.weights)
    assert (again.slots[PATTERN_SLOTS:] == EMPTY).all(), "colours are a group's own"


def test_memories_of_one_model_learn_apart(model):
    one, other = memory_of(model, 5), memory_of(model, 5)
    copied = other.copy()
    one.slots[0], one.weights[0, 0], one.guesses[0] = 1, 2, 3
    other.slots[1] = 7
    for memory in (other, copied):
        assert memory.slots[0] == EMPTY and memory.weights[0, 0] == model.weights[0, 0] != 2 and memory.guesses[0] == 0
    assert copied.slots[1] == EMPTY and copied.rate == 5
    assert not model.chances.any()


def test_what_is_forgotten_is_colours_alone(taught):
    patterns = taught.slots[:PATTERN_SLOTS].copy()
    forget_colours(taught)
    assert np.array_equal(taught.slots[:PATTERN_SLOTS], patterns)
    assert (taught.slots[PATTERN_SLOTS:] == EMPTY).all() and not taught.guesses.any()


@pytest.mark.parametrize("weight", [WEIGHT_LIMIT + 1, -WEIGHT_LIMIT - 1, 2**31 - 1, -(2**31)])
def test_weights_whose_sums_could_overflow_are_refused(model, weight):
    model.weights[3, 3] = WEIGHT_LIMIT if weight > 0 else -WEIGHT_LIMIT
    assert model.for_coding() is model
    model.weights[3, 3] = weight
    with pytest.raises(ModelError, match="mixing weights beyond"):
        model.for_coding()
