"""One yes or no, under all the contexts that fit or under one slot alone: asked, coded and learned from."""

from collections.abc import Callable

import numpy as np

from lvc.codecs.palette.memory import COLOUR_COUNT, MARK_BITS, PATTERN_COUNT
from lvc.entropy.bits import code_bit
from lvc.entropy.mixing import learn_slot, learn_weights, mixed, probability, said_by, slot_probability
from lvc.kernels.compiled import inlined


def chance_of(count: int) -> Callable:
    """A compiled function that says how likely a yes is, in 1/CERTAIN, under so many contexts and two rows of weights."""

    @inlined
    def chance(slots, weights, contexts, one_row, other_row, odds):
        said_by(slots, contexts, count, odds)
        return probability((mixed(odds, count, weights, one_row) + mixed(odds, count, weights, other_row)) >> 1)

    return chance


def decision_of(patterns: int, colours: int) -> Callable:
    """A compiled function that codes a bit, or decodes it, under so many contexts of patterns and then of colours, and two rows of weights.

    Made for each number of contexts, so that its loops are of a known length. odds: room, int32.
    """
    count = patterns + colours

    @inlined
    def code_decision(coder, memory, contexts, one_row, other_row, odds, bit):
        slots, weights, marks, rate = memory.slots, memory.weights, memory.marks, memory.rate
        said_by(slots, contexts, count, odds)
        one, other = mixed(odds, count, weights, one_row), mixed(odds, count, weights, other_row)
        bit = code_bit(coder, bit, probability((one + other) >> 1))
        learn_weights(odds, count, weights, one_row, one, bit, rate)
        learn_weights(odds, count, weights, other_row, other, bit, rate)
        for number in range(patterns):
            learn_slot(slots, contexts[number], bit, PATTERN_COUNT)
        for number in range(patterns, count):
            learn_slot(slots, contexts[number], bit, COLOUR_COUNT)
        for number in range(count):
            marks[contexts[number] >> MARK_BITS] = 1
        return bit

    return code_decision


@inlined
def code_alone(coder, slots, place, bit, most):
    """Codes a bit, or decodes it, under one slot, which counts no further than `most`."""
    bit = code_bit(coder, bit, slot_probability(slots, place))
    learn_slot(slots, place, bit, most)
    return bit


@inlined
def same(one, other):
    return 1 if one == other else 0


@inlined
def any_of(line):
    """1 where a number of a line is not 0, else 0."""
    for place in range(line.shape[0]):
        if line[place]:
            return np.int64(1)
    return np.int64(0)
