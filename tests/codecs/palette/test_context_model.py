"""What weights keep of a context model, and what a group's beginning knows."""

import numpy as np
import pytest

from lvc.codecs.family import build
from lvc.codecs.palette.context_model import forget_colours, initial_model, keep
from lvc.codecs.palette.layout import CONTEXTS, PATTERN_CONTEXTS
from lvc.codecs.palette.model import WEIGHT_LIMIT
from lvc.entropy.mixing import COUNT_MASK, EMPTY
from lvc.errors import ModelError
from lvc.frames import Geometry


@pytest.fixture
def model():
    return build("temporal-palette", geometry=Geometry(48, 40))


@pytest.fixture
def taught(model):
    """A context model of random patterns and colours."""
    generator, learned = np.random.default_rng(1), initial_model(model, 5)
    learned.probabilities[:] = generator.integers(0, 1 << 22, CONTEXTS) << 10 | generator.integers(0, 256, CONTEXTS)
    learned.weights[:] = generator.integers(-(1 << 18), 1 << 18, learned.weights.shape)
    learned.matches[:] = 3
    return learned


def test_a_fresh_model_knows_nothing(model):
    fresh = initial_model(model, 5)
    assert (fresh.probabilities == EMPTY).all() and not fresh.matches.any()
    assert fresh.rate == 5


@pytest.mark.parametrize("most", [30, 255])
def test_weights_keep_what_was_learned_of_patterns(model, taught, most):
    keep(taught, model, most)
    again = initial_model(model, 5)
    one, other = (
        taught.probabilities[:PATTERN_CONTEXTS].astype(np.int64),
        again.probabilities[:PATTERN_CONTEXTS].astype(np.int64),
    )
    assert np.array_equal(one >> 16, other >> 16)  # weights have 16 bits of a probability
    assert np.array_equal(np.minimum(one & COUNT_MASK, most), other & COUNT_MASK)
    assert np.array_equal(taught.weights, again.weights)
    assert (again.probabilities[PATTERN_CONTEXTS:] == EMPTY).all(), "colours are a group's own"


def test_context_models_of_the_same_weights_learn_apart(model):
    one, other = initial_model(model, 5), initial_model(model, 5)
    copied = other.copy()
    one.probabilities[0], one.weights[0, 0], one.matches[0] = 1, 2, 3
    other.probabilities[1] = 7
    for learned in (other, copied):
        assert (
            learned.probabilities[0] == EMPTY
            and learned.weights[0, 0] == model.weights[0, 0] != 2
            and learned.matches[0] == 0
        )
    assert copied.probabilities[1] == EMPTY and copied.rate == 5
    assert not model.chances.any()


def test_what_is_forgotten_is_colours_alone(taught):
    patterns = taught.probabilities[:PATTERN_CONTEXTS].copy()
    forget_colours(taught)
    assert np.array_equal(taught.probabilities[:PATTERN_CONTEXTS], patterns)
    assert (taught.probabilities[PATTERN_CONTEXTS:] == EMPTY).all() and not taught.matches.any()


@pytest.mark.parametrize("weight", [WEIGHT_LIMIT + 1, -WEIGHT_LIMIT - 1, 2**31 - 1, -(2**31)])
def test_weights_whose_sums_could_overflow_are_refused(model, weight):
    model.weights[3, 3] = WEIGHT_LIMIT if weight > 0 else -WEIGHT_LIMIT
    assert model.for_coding() is model
    model.weights[3, 3] = weight
    with pytest.raises(ModelError, match="mixing weights beyond"):
        model.for_coding()
