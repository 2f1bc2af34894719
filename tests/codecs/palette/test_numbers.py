"""Whole numbers bit by bit: they come back, small ones are cheap, and any bytes are numbers in range."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.codecs.family import build
from lvc.codecs.palette.context_model import ContextModel, initial_model
from lvc.codecs.palette.layout import NUMBER_CONTEXTS
from lvc.entropy.bits import BitReader, BitWriter
from lvc.entropy.mixing import EMPTY
from lvc.frames import Geometry
from tests.builders.kernels import code_numbers

UNARY, SIGNED, UNIFORM = range(3)
# Of lvc/kernels/palette_numbers.h.
COUNT, ACROSS, DOWN, NEW_COUNT = 0, 3, 4, 5
CONTEXTS_OF_A_NUMBER, LONGEST = 128, 24

NUMBER = st.tuples(st.just(UNARY), st.sampled_from([COUNT, NEW_COUNT]), st.integers(0, 40), st.just(40))
NUMBER |= st.tuples(
    st.just(SIGNED),
    st.sampled_from([ACROSS, DOWN]),
    st.integers(1 - (2 << LONGEST), (2 << LONGEST) - 1) | st.integers(-3, 3),
    st.just(0),
)
NUMBER |= st.integers(1, LONGEST).flatmap(
    lambda bits: st.tuples(st.just(UNIFORM), st.just(0), st.integers(0, (1 << bits) - 1), st.just(bits))
)


def fresh() -> ContextModel:
    return initial_model(build("temporal-palette", geometry=Geometry(4, 4)), 5)


def code(coder, model: ContextModel, coding: int, kind: int, number: int, most: int = 0) -> int:
    coder.make_room(100)
    numbers = np.array([number])
    assert code_numbers(coder=coder.state, model=model.state, coding=coding, kind=kind, most=most, numbers=numbers) == 0
    return int(numbers[0])


def coded(coder, numbers, *, known: bool) -> list[int]:
    model = fresh()
    return [code(coder, model, coding, kind, number if known else 0, most) for coding, kind, number, most in numbers]


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBER, max_size=30))
def test_any_numbers_come_back(numbers):
    wanted, writer = [number for _, _, number, _ in numbers], BitWriter()
    assert coded(writer, numbers, known=True) == wanted
    assert coded(BitReader(writer.finish()), numbers, known=False) == wanted


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_numbers_in_range(payload):
    numbers = [(SIGNED, ACROSS, 0, 0), (UNARY, COUNT, 0, 15), (UNIFORM, 0, 0, 12), (SIGNED, DOWN, 0, 0)] * 4
    for (coding, *_), found in zip(numbers, coded(BitReader(payload), numbers, known=False)):
        assert abs(found) < 2 << LONGEST if coding == SIGNED else 0 <= found < (16 if coding == UNARY else 1 << 12)


def test_numbers_keep_to_their_contexts():
    for kind, numbers in (
        (
            ACROSS,
            (0, 1, -1, 5, -(2 << LONGEST) + 1, (2 << LONGEST) - 1, *(1 << length for length in range(LONGEST + 1))),
        ),
        (DOWN, range(-70, 70)),
    ):
        model, writer = fresh(), BitWriter()
        for number in numbers:
            code(writer, model, SIGNED, kind, number)
        (used,) = np.nonzero(model.probabilities != EMPTY)
        assert (
            used.min() >= kind * CONTEXTS_OF_A_NUMBER
            and used.max() < (kind + 1) * CONTEXTS_OF_A_NUMBER < NUMBER_CONTEXTS
        )


def test_a_number_that_comes_again_and_again_costs_little():
    model, writer, costs = fresh(), BitWriter(), []
    for _ in range(200):
        before = writer.bits
        code(writer, model, SIGNED, ACROSS, -37)
        costs.append(writer.bits - before)
    assert costs[0] >= 10 and costs[-1] < 0.6
