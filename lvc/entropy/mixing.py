"""What is likely, from many memories at once: context mixing in whole numbers, so that every machine says the same.

A slot remembers how often the answer was yes in one context; a mixer weighs the slots that fit in the logistic domain, and learns
from each answer which are to be trusted (M. Mahoney, "Adaptive weighing of context models for lossless data compression", 2005).
All functions are compiled, for other compiled functions to call.
"""

import math

import numpy as np

from lvc.kernels.compiled import inlined

# A slot, uint32: probability of a yes in the upper 22 bits, and how many answers it has seen in the lower ten.
COUNT_BITS = 10
COUNT_MASK = (1 << COUNT_BITS) - 1
EMPTY = 1 << 31
# Log-odds are whole numbers of 1/256, within ±LIMIT.
LIMIT = 2047
UNIT = 256
WEIGHT_LIMIT = 1 << 24  # in 2**-16
MOST_RATE = 15
_LEAST = 24  # of CERTAIN: no answer is ever thought less likely
_RATE_BITS = 18

# Narrow, so that the three of them stay in the nearest cache.
_ODDS = np.array([max(-LIMIT, min(LIMIT, round(math.log((place + 0.5) / (4095.5 - place)) * UNIT))) for place in range(4096)], np.int16)
_PROBABILITY = np.array([max(_LEAST, min((1 << 16) - _LEAST, round((1 << 16) / (1 + math.exp(-(place - 2048) / UNIT))))) for place in range(4096)], np.uint16)
_SHARE = np.array([int((1 << 16) / (count + 1.6)) for count in range(1 << COUNT_BITS)], np.uint16)  # that a new answer has of a slot


@inlined
def hashed(one, other):
    """A number 0 … 2**31 - 1 from two of them (negative ones count as their lower bits)."""
    mixed = ((one & 0x7FFFFFFF) * 0x2545F491 + (other & 0x7FFFFFFF) * 0x1E3779B1 + 0x7F4A7C15) & 0x7FFFFFFFFFFFFFFF
    mixed ^= mixed >> 29
    mixed = (mixed & 0x7FFFFFFF) * 0x45EBCA6B
    return ((mixed >> 15) ^ mixed) & 0x7FFFFFFF


@inlined
def scattered(number, bits):
    """A number of so many bits from one of 64, uint64, modulo 2**64: the highest of its product."""
    mixed = number * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.int64(mixed >> np.uint64(64 - bits))


@inlined
def probability(odds):
    """Of log-odds within ±LIMIT, in 1/CERTAIN."""
    return np.int64(_PROBABILITY[odds + 2048])


@inlined
def said_by(slots, places, count, odds):
    """Fills `odds` with what each of the slots at `places` [count] says."""
    for number in range(count):
        slot = np.int64(slots[places[number]])
        odds[number] = np.int64(_ODDS[slot >> 20]) if slot & COUNT_MASK else np.int64(0)


@inlined
def mixed(odds, count, weights, row):
    """What they say together under one row of weights: log-odds."""
    total = 0
    for number in range(count):
        total += np.int64(weights[row, number]) * np.int64(odds[number])
    total >>= 16
    return max(-LIMIT, min(LIMIT, total))


@inlined
def learn_weights(odds, count, weights, row, said, bit, rate):
    """Moves a row of weights, which keep within ±WEIGHT_LIMIT, towards those that would have said this bit more surely; said: the row's
    log-odds. rate: up to MOST_RATE."""
    error = np.int32(((bit << 16) - np.int64(_PROBABILITY[said + 2048])) * rate)
    for number in range(count):
        step = np.int32(np.int32(odds[number]) * error + np.int32(1 << (_RATE_BITS - 1))) >> _RATE_BITS  # fits: 2**11 * 2**16 * MOST_RATE
        weights[row, number] = max(-WEIGHT_LIMIT, min(WEIGHT_LIMIT, weights[row, number] + step))


@inlined
def learn_slot(slots, place, bit, most):
    """Moves a slot towards this bit, the less the more it has seen; it counts no further than `most`."""
    slot = np.int64(slots[place])
    chance, count = slot >> COUNT_BITS, slot & COUNT_MASK
    target = (1 << 22) - 1 if bit else 0
    chance = max(0, chance + ((((target - chance) >> 3) * np.int64(_SHARE[count])) >> 13))  # rounded down, a chance of almost none could fall below
    if count < most:
        count += 1
    slots[place] = (chance << COUNT_BITS) | count


@inlined
def slot_probability(slots, place):
    """What one slot says alone, in 1/CERTAIN."""
    return max(_LEAST, min((1 << 16) - _LEAST, np.int64(slots[place]) >> 16))
