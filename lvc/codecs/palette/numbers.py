"""Whole numbers in yes or no, each under a slot of its own, for what a frame tells before its blocks."""

from lvc.codecs.palette.decisions import code_alone
from lvc.codecs.palette.memory import NUMBERS, PATTERN_COUNT
from lvc.entropy.bits import code_bit
from lvc.kernels.compiled import bare

SLOTS_OF_A_NUMBER = 128
COUNT, AGAIN, BACK, ACROSS, DOWN, NEW_COUNT, BACKDROP = range(7)  # what numbers there are
LONGEST = 24  # bits
UNARY_MOST = 30


@bare
def code_yes(coder, slots, place, bit):
    """A bit under one slot."""
    return code_alone(coder, slots, place, bit, PATTERN_COUNT)


@bare
def code_unary(coder, slots, kind, number, most):
    """A number 0 … most, small ones the likeliest."""
    here = NUMBERS + kind * SLOTS_OF_A_NUMBER
    found = 0
    while found < most:
        if not code_yes(coder, slots, here + min(found, UNARY_MOST), 1 if number > found else 0):
            break
        found += 1
    return found


@bare
def code_signed(coder, slots, kind, number):
    """A number within ±2**LONGEST: whether it is 0, its sign, how long it is, and its bits, of which the first few have slots."""
    here = NUMBERS + kind * SLOTS_OF_A_NUMBER
    if not code_yes(coder, slots, here, 1 if number != 0 else 0):
        return 0
    negative = code_yes(coder, slots, here + 1, 1 if number < 0 else 0)
    size = abs(number)
    length = 0
    while length < LONGEST:
        if not code_yes(coder, slots, here + 2 + length, 1 if size >> (length + 1) else 0):
            break
        length += 1
    found = 1
    for place in range(length - 1, -1, -1):
        bit = (size >> place) & 1
        # The two bits after the first have slots by what came before; later ones share one for their place.
        slot = here + 32 + (length * 4 + found if found < 4 and length < 16 else 64 + place)
        bit = code_yes(coder, slots, slot, bit)
        found = found * 2 + bit
    return -found if negative else found


@bare
def code_uniform(coder, number, bits):
    """A number of so many bits, all equally likely."""
    found = 0
    for place in range(bits - 1, -1, -1):
        found = found * 2 + code_bit(coder, (number >> place) & 1, 1 << 15)
    return found
