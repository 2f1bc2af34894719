"""What coding has learned so far: the slots and weights that the shipped ones begin with, and that a group's frames go on teaching.

Slots come in regions, one for each kind of context. Those of patterns (which places around are alike) know every game and ship with
the weights; those of colours are empty at a group's beginning.
"""

from typing import NamedTuple

import numpy as np

from lvc.codecs.palette.model import GUESSES as MODEL_GUESSES
from lvc.codecs.palette.model import MIXER_INPUTS, MIXER_ROWS, OWN_SLOTS, Palette
from lvc.codecs.palette.model import PATTERN_SLOTS as MODEL_SLOTS
from lvc.codecs.palette.model import WEIGHT_LIMIT as MODEL_LIMIT
from lvc.entropy.mixing import COUNT_MASK, EMPTY, WEIGHT_LIMIT

NUMBER_SLOTS = 1 << 12
RUN_SLOTS = 1 << 10
BLOCK_BITS = 12
BLOCK_SLOTS = 1 << BLOCK_BITS  # of each context of a block
PIXEL_SLOTS = 1 << 16  # of each context of a pixel: of patterns
COLOUR_BITS = 16
COLOUR_SLOTS = 1 << COLOUR_BITS  # of colours
ACTOR_SLOTS = 1 << 14  # of each context of an actor
PLACE_BITS = 14
PLACE_SLOTS = 1 << PLACE_BITS  # of each context of a place in the palette
# How many contexts there are of patterns, and of colours and positions, in each kind of decision.
MOVED_PATTERNS, MOVED_COLOURS = 4, 4
CODED_PATTERNS, CODED_COLOURS = 5, 3
PIXEL_PATTERNS, PIXEL_COLOURS = 9, 10
PLACE_PATTERNS, PLACE_COLOURS = 2, 5
ACTOR_PATTERNS, ACTOR_COLOURS = 3, 3
MOST_CONTEXTS = 20
# Where the regions begin: those of patterns first.
NUMBERS = 0
RUNS = NUMBERS + NUMBER_SLOTS
QUIET = RUNS + RUN_SLOTS - 8  # of blocks around which nothing goes on
# Among the numbers, whose first slots alone are used for numbers:
MOVED_LINES = NUMBERS + 1024  # whether anything moved in a row of blocks around which nothing goes on
CODED_LINES = MOVED_LINES + 8  # whether any block of a row is coded around which nothing goes on
SURE = NUMBERS + 2048  # whether the colour follows that has followed before, again and again
SURE_SLOTS = 32
MOVED = RUNS + RUN_SLOTS
CODED = MOVED + MOVED_PATTERNS * BLOCK_SLOTS
PIXELS = CODED + CODED_PATTERNS * BLOCK_SLOTS
PLACES = PIXELS + PIXEL_PATTERNS * PIXEL_SLOTS
ACTORS = PLACES + PLACE_PATTERNS * PLACE_SLOTS
PATTERN_SLOTS = ACTORS + ACTOR_PATTERNS * ACTOR_SLOTS
MOVED_OWN = PATTERN_SLOTS
CODED_OWN = MOVED_OWN + MOVED_COLOURS * BLOCK_SLOTS
PIXELS_OWN = CODED_OWN + CODED_COLOURS * BLOCK_SLOTS
PLACES_OWN = PIXELS_OWN + PIXEL_COLOURS * COLOUR_SLOTS
ACTORS_OWN = PLACES_OWN + PLACE_COLOURS * PLACE_SLOTS
SLOTS = ACTORS_OWN + ACTOR_COLOURS * ACTOR_SLOTS
ALONE_SLOTS = MOVED  # the first ones, each of which is asked alone
# Rows of weights: two of each kind of decision are asked, and each kind is chosen by what is known.
MOVED_ROWS = 0, 16
CODED_ROWS = 32, 48
PIXEL_ROWS = 80, 88
PLACE_ROWS = 216, 232
ACTOR_ROWS = 248, 264
ROWS = 272
# A slot's memory: how many answers it counts, and so how slowly it moves at last.
PATTERN_COUNT, COLOUR_COUNT = 255, 30
ALONE_COUNT = 1000  # of one that is asked without others, where nearly all answers are alike
GUESS_KINDS, GUESS_BITS = 3, 16
GUESSES = 1 << GUESS_BITS  # colours that followed on the same surroundings before, of each kind
# What a group writes is marked by blocks of so many slots or guesses, so that little has to be undone.
MARK_BITS = 7
GUESS_MARKS = SLOTS >> MARK_BITS  # where those of guesses begin
MARKS = GUESS_MARKS + (GUESS_KINDS * GUESSES >> MARK_BITS)


class Memory(NamedTuple):
    """slots uint32 [SLOTS]; weights int32 [ROWS, MOST_CONTEXTS]; guesses int32 [GUESS_KINDS * GUESSES]: a colour's place + 1, or 0 for none, and
    TRUST_STEP for each time that it was right; marks uint8 [MARKS]: 1 of blocks of slots, but the first ALONE_SLOTS, and of guesses that were
    written; rate: of learning weights, up to MOST_RATE.
    """

    slots: np.ndarray
    weights: np.ndarray
    guesses: np.ndarray
    marks: np.ndarray
    rate: int

    @property
    def nbytes(self) -> int:
        return self.slots.nbytes + self.weights.nbytes + self.guesses.nbytes + self.marks.nbytes

    def copy(self) -> "Memory":
        """One that learns apart."""
        return Memory(self.slots.copy(), self.weights.copy(), self.guesses.copy(), self.marks.copy(), self.rate)


assert MARKS << MARK_BITS == SLOTS + GUESS_KINDS * GUESSES, "blocks are whole"
assert (PATTERN_SLOTS, ROWS, MOST_CONTEXTS, WEIGHT_LIMIT) == (MODEL_SLOTS, MIXER_ROWS, MIXER_INPUTS, MODEL_LIMIT)
assert (SLOTS - PATTERN_SLOTS, GUESS_KINDS * GUESSES) == (OWN_SLOTS, MODEL_GUESSES)
HALF = EMPTY >> 16


def memory_of(model: Palette, rate: int) -> Memory:
    """What a group's coding begins with."""
    slots = np.full(SLOTS, EMPTY, np.uint32)
    guesses = np.zeros(GUESS_KINDS * GUESSES, np.int32)
    fill(slots[:PATTERN_SLOTS], model.chances, model.counts)
    if model.config.colours:
        fill(slots[PATTERN_SLOTS:], model.own_chances, model.own_counts)
        guesses[:] = model.guesses
    return Memory(slots, model.weights.copy(), guesses, np.zeros(MARKS, np.uint8), rate)


def fill(slots: np.ndarray, chances: np.ndarray, counts: np.ndarray) -> None:
    np.add(chances, HALF, out=slots, dtype=np.uint32, casting="unsafe")
    slots <<= 16
    slots |= counts


def keep(memory: Memory, model: Palette, most: int) -> None:
    """Puts what a memory has learned of patterns into the model, and of its game where it is of one; most: answers that a slot counts, so that it goes on learning."""
    store(memory.slots[:PATTERN_SLOTS], model.chances, model.counts, most)
    model.weights[:] = memory.weights
    if model.config.colours:
        store(memory.slots[PATTERN_SLOTS:], model.own_chances, model.own_counts, most)
        model.guesses[:] = memory.guesses


def store(slots: np.ndarray, chances: np.ndarray, counts: np.ndarray, most: int) -> None:
    wide = slots.astype(np.int64)
    chances[:] = (wide >> 16) - HALF
    counts[:] = np.minimum(wide & COUNT_MASK, most)


def forget_colours(memory: Memory) -> None:
    """What a group's beginning knows nothing of."""
    memory.slots[PATTERN_SLOTS:] = EMPTY
    memory.guesses[:] = 0
