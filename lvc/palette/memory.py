"""What coding has learned so far: the slots and weights that the shipped ones begin with, and that a group's frames go on teaching.

Slots come in regions, one for each kind of context. Those of patterns (which places around are alike) know every game and ship with
the weights; those of colours are empty at a group's beginning.
"""

from typing import NamedTuple

import numpy as np
import torch

from lvc.entropy.mixing import COUNT_MASK, EMPTY
from lvc.models.palette import MIXER_INPUTS, MIXER_ROWS, Palette
from lvc.models.palette import PATTERN_SLOTS as MODEL_SLOTS

NUMBER_SLOTS = 1 << 12
RUN_SLOTS = 1 << 10
BLOCK_SLOTS = 1 << 12  # of each context of a block
PIXEL_SLOTS = 1 << 16  # of each context of a pixel
PLACE_SLOTS = 1 << 14  # of each context of a place in the palette
ACTOR_SLOTS = 1 << 14  # of each context of an actor
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
MOVED = RUNS + RUN_SLOTS
CODED = MOVED + MOVED_PATTERNS * BLOCK_SLOTS
PIXELS = CODED + CODED_PATTERNS * BLOCK_SLOTS
PLACES = PIXELS + PIXEL_PATTERNS * PIXEL_SLOTS
ACTORS = PLACES + PLACE_PATTERNS * PLACE_SLOTS
PATTERN_SLOTS = ACTORS + ACTOR_PATTERNS * ACTOR_SLOTS
MOVED_OWN = PATTERN_SLOTS
CODED_OWN = MOVED_OWN + MOVED_COLOURS * BLOCK_SLOTS
PIXELS_OWN = CODED_OWN + CODED_COLOURS * BLOCK_SLOTS
PLACES_OWN = PIXELS_OWN + PIXEL_COLOURS * PIXEL_SLOTS
ACTORS_OWN = PLACES_OWN + PLACE_COLOURS * PLACE_SLOTS
SLOTS = ACTORS_OWN + ACTOR_COLOURS * ACTOR_SLOTS
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
GUESS_KINDS, GUESSES = 3, 1 << 16  # colours that followed on the same surroundings before
NO_COLOUR = -1


class Memory(NamedTuple):
    """slots uint32 [SLOTS]; weights int64 [ROWS, MOST_CONTEXTS]; guesses int16 and trust uint8 [GUESS_KINDS * GUESSES]; rate: of learning weights."""

    slots: np.ndarray
    weights: np.ndarray
    guesses: np.ndarray
    trust: np.ndarray
    rate: int


assert (PATTERN_SLOTS, ROWS, MOST_CONTEXTS) == (MODEL_SLOTS, MIXER_ROWS, MIXER_INPUTS)
HALF = EMPTY >> 16


def memory_of(model: Palette, rate: int) -> Memory:
    """What a group's coding begins with."""
    slots = np.full(SLOTS, EMPTY, np.uint32)
    patterns = slots[:PATTERN_SLOTS]
    np.add(model.chances.cpu().numpy(), HALF, out=patterns, dtype=np.uint32, casting="unsafe")
    patterns <<= 16
    patterns |= model.counts.cpu().numpy()
    guesses = np.full(GUESS_KINDS * GUESSES, NO_COLOUR, np.int16)
    return Memory(slots, model.weights.cpu().numpy().astype(np.int64), guesses, np.zeros(len(guesses), np.uint8), rate)


def keep(memory: Memory, model: Palette, most: int) -> None:
    """Puts what a memory has learned of patterns into the model; most: answers that a slot counts, so that it goes on learning."""
    slots = memory.slots[:PATTERN_SLOTS].astype(np.int64)
    model.chances.copy_(torch.from_numpy(((slots >> 16) - HALF).astype(np.int16)))
    model.counts.copy_(torch.from_numpy(np.minimum(slots & COUNT_MASK, most).astype(np.uint8)))
    model.weights.copy_(torch.from_numpy(memory.weights.astype(np.int32)))


def forget_colours(memory: Memory) -> None:
    """What a group's beginning knows nothing of."""
    memory.slots[PATTERN_SLOTS:] = EMPTY
    memory.guesses[:] = NO_COLOUR
    memory.trust[:] = 0
