"""Whole numbers as decisions: they come back, and small ones are cheap."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.codecs.palette.memory import NUMBER_SLOTS
from lvc.codecs.palette.numbers import (
    ACROSS,
    COUNT,
    DOWN,
    LONGEST,
    NEW_COUNT,
    SLOTS_OF_A_NUMBER,
    code_signed,
    code_unary,
    code_uniform,
)
from lvc.entropy.bits import BitReader, BitWriter
from lvc.entropy.mixing import EMPTY

NUMBER = st.tuples(st.just(code_unary), st.sampled_from([COUNT, NEW_COUNT]), st.integers(0, 40), st.just(40))
NUMBER |= st.tuples(st.just(code_signed), st.sampled_from([ACROSS, DOWN]), st.integers(1 - (2 << LONGEST), (2 << LONGEST) - 1) | st.integers(-3, 3))
NUMBER |= st.integers(1, LONGEST).flatmap(lambda bits: st.tuples(st.just(code_uniform), st.integers(0, (1 << bits) - 1), st.just(bits)))


def coded(coder, numbers, *, known: bool) -> list[int]:
    slots, found = np.full(NUMBER_SLOTS, EMPTY, np.uint32), []
    for code, *parts in numbers:
        coder.room(100)
        if code is code_uniform:
            found.append(code(coder.parts, parts[0] if known else 0, parts[1]))
        else:
            kind, number, *most = parts
            found.append(code(coder.parts, slots, kind, number if known else 0, *most))
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(NUMBER, max_size=30))
def test_any_numbers_come_back(numbers):
    wanted = [number for code, *parts in numbers for number in [parts[0] if code is code_uniform else parts[1]]]
    writer = BitWriter()
    assert coded(writer, numbers, known=True) == wanted
    assert coded(BitReader(writer.finish()), numbers, known=False) == wanted


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_numbers_in_range(payload):
    numbers = [(code_signed, ACROSS, 0), (code_unary, COUNT, 0, 15), (code_uniform, 0, 12), (code_signed, DOWN, 0)] * 4
    for (code, *_), found in zip(numbers, coded(BitReader(payload), numbers, known=False)):
        assert abs(found) < 2 << LONGEST if code is code_signed else 0 <= found < (16 if code is code_unary else 1 << 12)


def test_numbers_keep_to_their_slots():
    for kind, numbers in ((ACROSS, (0, 1, -1, 5, -(2 << LONGEST) + 1, (2 << LONGEST) - 1, *(1 << length for length in range(LONGEST + 1)))), (DOWN, range(-70, 70))):
        slots, writer = np.full(NUMBER_SLOTS, EMPTY, np.uint32), BitWriter()
        for number in numbers:
            writer.room(100)
            code_signed(writer.parts, slots, kind, number)
        (used,) = np.nonzero(slots != EMPTY)
        assert used.min() >= kind * SLOTS_OF_A_NUMBER and used.max() < (kind + 1) * SLOTS_OF_A_NUMBER


def test_a_number_that_comes_again_and_again_costs_little():
    slots, writer = np.full(NUMBER_SLOTS, EMPTY, np.uint32), BitWriter()
    costs = []
    for _ in range(200):
        before = writer.bits
        writer.room(100)
        code_signed(writer.parts, slots, ACROSS, -37)
        costs.append(writer.bits - before)
    assert costs[0] >= 10 and costs[-1] < 0.6
