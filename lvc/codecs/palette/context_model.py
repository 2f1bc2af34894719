"""What coding has learned so far: adaptive probabilities, mixing weights and matches,
which begin as the shipped ones and learn on in a group's frames.
"""

import numpy as np

from lvc.codecs.palette.layout import CONTEXTS, MATCH_KINDS, MATCHES, MIXER_INPUTS, MIXERS, PAGES, PATTERN_CONTEXTS
from lvc.codecs.palette.model import Palette
from lvc.entropy.mixing import COUNT_MASK, EMPTY
from lvc.kernels.binding import Struct

CONTEXT_MODEL = Struct(
    integers="rate",
    arrays={
        "probabilities": ("uint32", str(CONTEXTS)),
        "weights": ("int32", f"{MIXERS} {MIXER_INPUTS}"),
        "matches": ("int32", str(MATCH_KINDS * MATCHES)),
        "pages": ("uint8", str(PAGES)),
    },
)
HALF = EMPTY >> 16


class ContextModel:
    """A group's model of contexts, which learns while the group is coded.

    probabilities: uint32 [CONTEXTS]; weights: int32 [MIXERS, MIXER_INPUTS], in 2**-16; matches: int32 [MATCH_KINDS *
    MATCHES], a colour's palette index + 1, or 0 for none, and CONFIDENCE for each time that it was right; pages: uint8
    [PAGES], 1 where a page was written, but of the first ALONE_CONTEXTS; rate: of learning weights, up to MOST_RATE.
    """

    def __init__(
        self, probabilities: np.ndarray, weights: np.ndarray, matches: np.ndarray, pages: np.ndarray, *, rate: int
    ):
        self.probabilities, self.weights, self.matches, self.pages = probabilities, weights, matches, pages
        self.state = CONTEXT_MODEL(
            rate=rate, probabilities=probabilities, weights=weights, matches=matches, pages=pages
        )

    @property
    def rate(self) -> int:
        return self.state.rate

    @rate.setter
    def rate(self, rate: int) -> None:
        self.state.rate = rate

    @property
    def nbytes(self) -> int:
        return self.probabilities.nbytes + self.weights.nbytes + self.matches.nbytes + self.pages.nbytes

    def copy(self) -> "ContextModel":
        """One that learns apart."""
        return ContextModel(
            self.probabilities.copy(), self.weights.copy(), self.matches.copy(), self.pages.copy(), rate=self.rate
        )


def initial_model(weights: Palette, rate: int) -> ContextModel:
    """What a group's coding begins with."""
    probabilities = np.full(CONTEXTS, EMPTY, np.uint32)
    matches = np.zeros(MATCH_KINDS * MATCHES, np.int32)
    fill(probabilities[:PATTERN_CONTEXTS], weights.chances, weights.counts)
    if weights.config.colours:
        fill(probabilities[PATTERN_CONTEXTS:], weights.own_chances, weights.own_counts)
        matches[:] = weights.guesses
    return ContextModel(probabilities, weights.weights.copy(), matches, np.zeros(PAGES, np.uint8), rate=rate)


def fill(probabilities: np.ndarray, chances: np.ndarray, counts: np.ndarray) -> None:
    np.add(chances, HALF, out=probabilities, dtype=np.uint32, casting="unsafe")
    probabilities <<= 16
    probabilities |= counts


def keep(learned: ContextModel, weights: Palette, most: int) -> None:
    """Puts what was learned of patterns into the weights, and of their game where they are of one; most:
    bits that a probability counts, so that it goes on learning.
    """
    store(learned.probabilities[:PATTERN_CONTEXTS], weights.chances, weights.counts, most)
    weights.weights[:] = learned.weights
    if weights.config.colours:
        store(learned.probabilities[PATTERN_CONTEXTS:], weights.own_chances, weights.own_counts, most)
        weights.guesses[:] = learned.matches


def store(probabilities: np.ndarray, chances: np.ndarray, counts: np.ndarray, most: int) -> None:
    wide = probabilities.astype(np.int64)
    chances[:] = (wide >> 16) - HALF
    counts[:] = np.minimum(wide & COUNT_MASK, most)


def forget_colours(learned: ContextModel) -> None:
    """What a group's beginning knows nothing of."""
    learned.probabilities[PATTERN_CONTEXTS:] = EMPTY
    learned.matches[:] = 0
