"""What is likely, from many memories at once: context mixing in whole numbers, so that every machine says the same.

A slot remembers how often the answer was yes in one context; a mixer weighs the slots that fit in the logistic domain, and learns
from each answer which are to be trusted (M. Mahoney, "Adaptive weighing of context models for lossless data compression", 2005).
All functions are compiled, for other compiled functions to call.
"""

import math

import numpy as np

from lvc.compiled import compiled

# A slot, uint32: probability of a yes in the upper 22 bits, and how many answers it has seen in the lower ten.
COUNT_BITS = 10
COUNT_MASK = (1 << COUNT_BITS) - 1
EMPTY = 1 << 31
# Log-odds are whole numbers of 1/256, within ±LIMIT.
LIMIT = 2047
UNIT = 256
_LEAST = 24  # of CERTAIN: no answer is ever thought less likely
_RATE_BITS = 18

_ODDS = np.array([max(-LIMIT, min(LIMIT, round(math.log((place + 0.5) / (4095.5 - place)) * UNIT))) for place in range(4096)], np.int64)
_PROBABILITY = np.array([max(_LEAST, min((1 << 16) - _LEAST, round((1 << 16) / (1 + math.exp(-(place - 2048) / UNIT))))) for place in range(4096)], np.int64)
_SHARE = np.array([int((1 << 16) / (count + 1.6)) for count in range(1 << COUNT_BITS)], np.int64)  # that a new answer has of a slot


@compiled
def hashed(one, other):
    """A number 0 … 2**31 - 1 from two of them (negative ones count as their lower bits)."""
    mixed = ((one & 0x7FFFFFFF) * 0x2545F491 + (other & 0x7FFFFFFF) * 0x1E3779B1 + 0x7F4A7C15) & 0x7FFFFFFFFFFFFFFF
    mixed ^= mixed >> 29
    mixed = (mixed & 0x7FFFFFFF) * 0x45EBCA6B
    return ((mixed >> 15) ^ mixed) & 0x7FFFFFFF


@compiled
def followed(number, colour):
    """A number 0 … 2**31 - 1 of what came before and what follows."""
    mixed = (number * 0x2545F491 + colour + 1) & 0x7FFFFFFF
    return mixed ^ (mixed >> 13)


@compiled
def probability(odds):
    """Of log-odds within ±LIMIT, in 1/CERTAIN."""
    return _PROBABILITY[odds + 2048]


@compiled
def mixed_odds(slots, places, count, weights, row, odds):
    """What the slots at `places` [count] say together under one row of weights: log-odds; `odds` is filled with what each says."""
    total = 0
    for number in range(count):
        slot = np.int64(slots[places[number]])
        said = _ODDS[slot >> 20] if slot & COUNT_MASK else 0
        odds[number] = said
        total += weights[row, number] * said
    total >>= 16
    return max(-LIMIT, min(LIMIT, total))


@compiled
def mixed_again(odds, count, weights, row):
    """The same of what the slots have said already, under another row."""
    total = 0
    for number in range(count):
        total += weights[row, number] * odds[number]
    total >>= 16
    return max(-LIMIT, min(LIMIT, total))


@compiled
def learn_weights(odds, count, weights, row, said, bit, rate):
    """Moves a row of weights towards those that would have said this bit more surely; said: the row's log-odds."""
    error = ((bit << 16) - _PROBABILITY[said + 2048]) * rate
    for number in range(count):
        weights[row, number] += (odds[number] * error + (1 << (_RATE_BITS - 1))) >> _RATE_BITS


@compiled
def learn_slot(slots, place, bit, most):
    """Moves a slot towards this bit, the less the more it has seen; it counts no further than `most`."""
    slot = np.int64(slots[place])
    chance, count = slot >> COUNT_BITS, slot & COUNT_MASK
    target = (1 << 22) - 1 if bit else 0
    chance = max(0, chance + ((((target - chance) >> 3) * _SHARE[count]) >> 13))  # rounded down, a chance of almost none could fall below
    if count < most:
        count += 1
    slots[place] = (chance << COUNT_BITS) | count


@compiled
def slot_probability(slots, place):
    """What one slot says alone, in 1/CERTAIN."""
    return max(_LEAST, min((1 << 16) - _LEAST, np.int64(slots[place]) >> 16))
