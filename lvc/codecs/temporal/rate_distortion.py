"""Which symbols stand for a frame's latents: those whose error and bits together cost least.

Only an encoder chooses, so floats are welcome here: the symbols that come out are what the file holds.
"""

import numpy as np

from lvc.codecs.integer.layers import ACTIVATION_SCALE
from lvc.codecs.integer.scales import SCALE_LEVELS, SCALE_LOWEST, SCALE_STEP
from lvc.codecs.temporal.flags import ODDS_LIMIT
from lvc.codecs.temporal.model import HOLD
from lvc.codecs.temporal.prediction import BACK, NEW, SAME, Chain, Known, PredictedLatents, in_rows

# How much more than once an error counts: what is kept now is kept by the frames that follow. Measured: 4 takes 11 %
# off the bytes at the same quality, 1 nothing, 8 as much as 4.
LASTING = 4.0
# What a new position is thought to cost before it is coded, in bits: its own, and those of each latent that changes.
BITS_NEW, BITS_CHANGED = 6.0, 4.0


class Choice:
    """Chooses one frame's symbols pass by pass, as the prior says what each would cost.

    latents: float [positions, C], in symbols. weights: bits that a squared symbol of error is worth, [C].
    """

    def __init__(self, latents: np.ndarray, weights: np.ndarray):
        self.latents, self.weights = latents, LASTING * weights
        self.rounded = np.rint(latents)

    def modes(self, chain: Chain) -> np.ndarray:
        """SAME, BACK or NEW for every position."""
        held = np.where(np.abs(self.latents - chain.near) < HOLD, chain.near, self.rounded)
        changed = (held != chain.near).sum(axis=1)
        new = self._error(held) + BITS_NEW + BITS_CHANGED * changed
        back = self._error(chain.background) + BITS_NEW / 2
        modes = np.where(back < new, BACK, NEW)
        modes[(chain.background == chain.near).all(axis=1)] = NEW
        self._modes = np.where(
            self._error(chain.near) <= np.minimum(new, np.where(modes == BACK, back, np.inf)), SAME, modes
        )
        return self._modes

    def keeps_to(self, chain: Chain | None, symbols: Known) -> bool:
        """Whether the symbols that were chosen have the modes that were chosen before them."""
        return chain is None or np.array_equal(symbols.modes(chain), self._modes)

    def _error(self, symbols: np.ndarray) -> np.ndarray:
        return (np.square(self.latents - symbols) * self.weights).sum(axis=1)

    def pick(
        self, here: np.ndarray, span: slice, predicted: np.ndarray, reference: np.ndarray, limited: np.ndarray
    ) -> np.ndarray:
        """Symbols int32 [N, G] of positions `here` and channels `span`; predicted: see `CodingPrior.predict`."""
        latents, weights = self.latents[here, span], self.weights[span]
        odds, mean, scale = predicted.transpose(1, 0, 2) / ACTIVATION_SCALE
        odds = np.clip(odds, -ODDS_LIMIT, ODDS_LIMIT)
        mean = mean + limited
        scale = np.exp2(np.clip(scale, SCALE_LOWEST, SCALE_LOWEST + (SCALE_LEVELS - 1) * SCALE_STEP))
        best = reference.astype(np.float64)
        least = np.square(latents - best) * weights + np.log2(1 + np.exp(-odds))
        differs = np.log2(1 + np.exp(odds))
        rounded = self.rounded[here, span]
        for candidate in (rounded, rounded + np.where(mean > rounded, 1, -1)):
            cost = np.square(latents - candidate) * weights + differs + logistic_bits(candidate - mean, scale)
            better = (cost < least) & (candidate != reference)
            best, least = np.where(better, candidate, best), np.where(better, cost, least)
        return best.astype(np.int32)


def logistic_bits(distance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Bits of the unit interval around a symbol that lies this far from the mean of a logistic."""
    # Beyond, exp overflows, and the bits are more than any choice costs
    distance = np.minimum(np.abs(distance), 600 * scale)
    mass = 1 / (1 + np.exp((distance - 0.5) / scale)) - 1 / (1 + np.exp((distance + 0.5) / scale))
    return -np.log2(np.maximum(mass, 2.0**-40))


class Tape:
    """A coder that keeps what it is given for another one."""

    def __init__(self):
        self._calls = []

    def code_by_size(self, *call) -> np.ndarray:
        self._calls.append(call)
        return call[0]

    def play(self, coder) -> None:
        for call in self._calls:
            coder.code_by_size(*call)


def choose(coding: PredictedLatents, latents: np.ndarray, weights: np.ndarray, coder) -> np.ndarray:
    """Symbols int32 [T, C, h, w] of a group's next latents, float of the same shape, with each frame coded when it is
    chosen.

    coding: where these latents begin. weights: see `Choice`. coder: takes the symbols.
    """
    channels, chosen = latents.shape[1], []
    for frame in latents:
        chain, tape = coding.chain, Tape()
        choice = Choice(np.ascontiguousarray(frame.reshape(channels, -1).T), weights)
        symbols = coding.code_frames([choice], 1, tape, frame.shape)
        if choice.keeps_to(chain, in_rows(symbols[0], channels)):
            tape.play(coder)
        else:  # seldom: known from the start, these symbols have cheaper modes
            coding.chain = chain
            coding.code_frames(symbols, 1, coder, frame.shape)
        chosen.append(symbols[0])
    return np.stack(chosen)
