"""One yes or no, under all the contexts that fit or under one slot alone: asked, coded and learned from."""

from lvc.compiled import compiled
from lvc.entropy.bits import code_bit
from lvc.entropy.mixing import learn_slot, learn_weights, mixed_again, mixed_odds, probability, slot_probability
from lvc.palette.memory import COLOUR_COUNT, PATTERN_COUNT


@compiled
def chance(memory, contexts, count, rows, odds):
    """How likely a yes is, in 1/CERTAIN."""
    first = mixed_odds(memory.slots, contexts, count, memory.weights, rows[0], odds)
    return probability((first + mixed_again(odds, count, memory.weights, rows[1])) >> 1)


@compiled
def code_decision(coder, memory, contexts, patterns, colours, rows, odds, bit):
    """Codes a bit, or decodes it, under contexts of patterns and of colours, and two rows of weights; odds: room."""
    count = patterns + colours
    first = mixed_odds(memory.slots, contexts, count, memory.weights, rows[0], odds)
    second = mixed_again(odds, count, memory.weights, rows[1])
    bit = code_bit(coder, bit, probability((first + second) >> 1))
    learn_weights(odds, count, memory.weights, rows[0], first, bit, memory.rate)
    learn_weights(odds, count, memory.weights, rows[1], second, bit, memory.rate)
    for number in range(count):
        learn_slot(memory.slots, contexts[number], bit, PATTERN_COUNT if number < patterns else COLOUR_COUNT)
    return bit


@compiled
def code_alone(coder, slots, place, bit, most):
    """Codes a bit, or decodes it, under one slot, which counts no further than `most`."""
    bit = code_bit(coder, bit, slot_probability(slots, place))
    learn_slot(slots, place, bit, most)
    return bit


@compiled
def same(one, other):
    return 1 if one == other else 0
