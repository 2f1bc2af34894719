"""Which colours stand for a frame's pixels: those whose error and bits together cost least.

Only an encoder chooses, so floats are welcome here: the colours that come out are what the file holds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lvc.entropy.coder import Unwritten
from lvc.flags import ODDS_LIMIT
from lvc.models.integer_layers import ACTIVATION_SCALE
from lvc.models.temporal import CRF_LEVELS
from lvc.palette.colours import nearest, palette_of, rgb, squared_errors
from lvc.palette.facts import CANDIDATES, Candidates, in_blocks
from lvc.palette.move_search import found_moves
from lvc.palette.moves import Move
from lvc.palette.walk import Odds, PaletteFrames

# At crf 0 and 63: bits that a squared level of error is worth.
BEST_WORTH, LEAST_WORTH = 0.015, 0.0001
# How much more than once an error counts, because what is kept now is kept by the frames that follow: a keyframe's, and others'.
LASTING_KEY, LASTING = 40.0, 1.0
LASTING_BLOCK = 1.5
ESCAPE_SAVED = 1.5  # bits that ranks save of a colour's place
BLOCK_BITS = 18.0  # what a block is thought to cost before it is coded


class Choice:
    """Chooses one frame's colours pass by pass, as the networks say what each would cost.

    picture: uint8 [H, W, 3]. palette: colours int32 [K] of the group. worth: bits that a squared level of error is worth.
    key: whether it is a keyframe.
    """

    def __init__(self, picture: np.ndarray, palette: np.ndarray, worth: float, *, key: bool, moves: Sequence[Move] = ()):
        self.picture, self.palette, self.moves = picture.astype(np.int16), palette, moves
        self.worth, self.lasting = worth, LASTING_KEY if key else LASTING
        self.best, self.least = nearest(picture, palette)

    def blocks(self, expected: np.ndarray) -> np.ndarray:
        """Which blocks [rows, columns] are worth coding."""
        error = squared_errors(self.picture, rgb(expected))
        gain = in_blocks(error - self.least).sum(axis=(1, 3))
        return gain * (self.worth * LASTING_BLOCK) > BLOCK_BITS

    def colours(self, unknown: np.ndarray) -> np.ndarray:
        return self.palette

    def pick(self, rows: np.ndarray, columns: np.ndarray, candidates: Candidates, odds: Odds) -> np.ndarray:
        """Colours int32 [N] of these pixels."""
        worth, pixels = self.worth * self.lasting, self.picture[rows, columns]
        chosen, refused = self.best[rows, columns], np.zeros(len(rows))
        cost = np.full(len(rows), np.inf)
        for rank in range(CANDIDATES):
            there = candidates.counts > rank
            if not there.any():
                break
            said = np.clip(odds.everywhere(rank) / ACTIVATION_SCALE, -ODDS_LIMIT, ODDS_LIMIT)
            colours = candidates.colours[:, rank]
            error = squared_errors(pixels, rgb(np.maximum(colours, 0)))
            this = np.where(there, worth * error + refused + np.log2(1 + np.exp(-said)), np.inf)
            better = this < cost
            chosen, cost = np.where(better, colours, chosen), np.where(better, this, cost)
            refused = refused + np.where(there, np.log2(1 + np.exp(said)), 0)
        escaped = worth * self.least[rows, columns] + refused + np.log2(len(self.palette)) - ESCAPE_SAVED
        return np.where(escaped < cost, self.best[rows, columns], chosen).astype(np.int32)


class Chosen(NamedTuple):
    """Colours int32 [T, 1, H, W] of a group, and what has moved in each frame."""

    symbols: np.ndarray
    moves: tuple[Sequence[Move], ...]


def choose(coding: PaletteFrames, pictures: np.ndarray, crf: int, *, search: bool) -> Chosen:
    """What stands for a group's pictures uint8 [T, H, W, 3], whose sides are multiples of SIDE; `coding` is at the group's beginning.

    search: whether to look for what has moved.
    """
    worth = error_worth(crf)
    palette = palette_of(pictures, worth)
    coder, symbols, moves = Unwritten(), [], []
    for number, picture in enumerate(pictures):
        past = coding.past
        moves.append(found_moves(picture, [rgb(before).astype(np.uint8) for before in past.pictures], worth) if search and past else ())
        choice = Choice(picture, palette, worth, key=past is None, moves=moves[-1])
        symbols.append(coding.code_frames([choice], 1, coder, (1, *picture.shape[:2]))[0])
    return Chosen(np.stack(symbols), tuple(moves))


def error_worth(crf: int) -> float:
    """Bits that a squared level of error is worth at a quality from 0 (best) to 63."""
    return BEST_WORTH * (LEAST_WORTH / BEST_WORTH) ** (crf / (CRF_LEVELS - 1))
