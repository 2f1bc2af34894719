"""The order in which a predicted frame's symbols are coded: integers decoded before give the tables of those that
follow.

One walk serves both directions: the encoder passes the symbols, the decoder passes None, and both get them back.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from lvc.codecs.integer.layers import ACTIVATION_SCALE
from lvc.codecs.integer.scales import SCALE_LEVELS, SCALE_LOWEST, SCALE_STEP, logistic_tables
from lvc.codecs.temporal.flags import code_flags, flag_tables
from lvc.codecs.temporal.model import (
    HISTORY,
    KEY,
    LATENT_LIMIT,
    MEAN_FRACTIONS,
    MODE_PHASES,
    MODE_UNIT,
    MODES,
    PREDICTED,
    IntegerPrior,
    phase_of,
)
from lvc.entropy.tables import Tables

MEAN_SHIFT = (ACTIVATION_SCALE // MEAN_FRACTIONS).bit_length() - 1  # from sixteenths to quarters
SCALE_PER_UNIT = round(1 / SCALE_STEP)
SCALE_OFFSET = round(-SCALE_LOWEST / SCALE_STEP)
SAME, BACK, NEW = range(MODES)
MODE_PLANES = MODE_UNIT * np.eye(MODES, dtype=np.float32)
REACHES = 7, 15, 31, 63, 127  # symbols that a table of residuals has on either side
ENCODED_AT_ONCE = 8  # frames: bounds the memory


class PredictedLatents:
    """Codes the frames of one group in order; keeps what the next one is predicted from.

    prior: frozen and prepared, on any device. copies and residuals: the model's tables. crf: the file's quality level.
    """

    def __init__(self, prior: IntegerPrior, copies: Tables, residuals: Tables, *, crf: int):
        self.prior, self.copies, self.residuals, self.crf = prior.coding, copies, residuals, crf
        self.chain: Chain | None = None

    def code_frames(self, symbols, count: int, coder, shape: tuple[int, int, int]) -> np.ndarray:
        """Codes int32 symbols [T, C, h, w] of the next `count` frames with `coder`, or decodes them where `symbols` is
        None; gives them back. In place of one frame's symbols may stand a `Choice`, that finds them.

        An encoder knows all frames, so the prior's trunk sees many at once; whole numbers come out the same.
        """
        channels, rows, columns = shape
        grid = Grid.of(rows, columns)
        result = np.empty((count, rows * columns, channels), np.int32)
        step = 1 if symbols is None else ENCODED_AT_ONCE
        for start in range(0, count, step):
            batch = range(start, min(start + step, count))
            wanted = [None if symbols is None else in_rows(symbols[place], channels) for place in batch]
            chains = [self.chain]
            for frame in wanted[:-1]:
                chains.append(Chain.after(chains[-1], frame.symbols))
            features = self._features(chains, (len(wanted), rows, columns, channels))
            for place, frame, chain, about in zip(batch, wanted, chains, features):
                result[place] = self._code_frame(frame, chain, about, coder, grid, channels)
            self.chain = Chain.after(chains[-1], result[batch[-1]])
        return result.transpose(0, 2, 1).reshape(count, *shape)

    @torch.inference_mode()
    def _features(self, chains: list["Chain | None"], shape: tuple[int, int, int, int]) -> np.ndarray:
        count, rows, columns, channels = shape
        relation = np.array([KEY if chain is None else PREDICTED for chain in chains])
        blank = (np.zeros((rows * columns, channels), np.int8),) * (HISTORY + 1)
        references = np.stack([np.concatenate(blank if chain is None else chain.narrow, axis=1) for chain in chains])
        return self.prior.features(references.reshape(count, rows, columns, -1), relation, self.crf)

    def _code_frame(
        self, wanted: "Known | None", chain: "Chain | None", features: np.ndarray, coder, grid: "Grid", channels: int
    ) -> np.ndarray:
        """Codes one frame's symbols int32 [positions, C], or decodes them; features: [positions, trunk]."""
        if chain is None:
            reference, result = np.zeros((2, grid.count, channels), np.int32)
            modes = np.full(grid.count, NEW)
        else:
            reference = chain.near
            modes = self._code_modes(wanted, chain, features, coder, grid)
            result = np.where((modes == BACK)[:, None], chain.background, chain.near)
        near = limited(reference).astype(np.float32)
        # What a pass sees of the frame itself: the latents known so far, these less the reference's, and the modes.
        known = limited(result).astype(np.float32)
        state = np.zeros((grid.bordered_count, 2 * channels + MODES), np.float32)
        state[grid.bordered] = np.concatenate((known, known - near, MODE_PLANES[modes]), axis=1)
        new = modes == NEW
        for index, step in enumerate(self.prior.schedule):
            here = grid.phases[step.phases][step.phase]
            here = here[new[here]]
            if not len(here):
                continue
            span = slice(step.start, step.stop)
            predicted = self.prior.predict(index, features[here], grid.around(state, here))
            before = reference[here, span], near[here, span]
            found = self._code(
                None if wanted is None else wanted.pick(here, span, predicted, *before).ravel(),
                predicted,
                *before,
                coder,
            )
            result[here, span] = found
            seen, places = limited(found), grid.bordered[here]
            state[places, span] = seen
            state[places, channels + step.start : channels + step.stop] = seen - near[here, span]
        return result

    def _code_modes(
        self, wanted: "Known | None", chain: "Chain", features: np.ndarray, coder, grid: "Grid"
    ) -> np.ndarray:
        """Codes the mode of every position: SAME, BACK or NEW."""
        modes = None if wanted is None else wanted.modes(chain)
        could = (chain.background != chain.near).any(axis=1)
        result = np.empty(grid.count, np.int64)
        state = np.zeros((grid.bordered_count, MODES), np.float32)
        for phase, places in enumerate(grid.phases[MODE_PHASES]):
            odds = self.prior.predict_modes(phase, features[places], grid.around(state, places))
            flags = code_flags(None if modes is None else modes[places] == SAME, odds[:, 0], self.copies, coder)
            result[places] = np.where(flags, SAME, NEW)
            maybe = ~flags & could[places]
            back = places[maybe]
            flags = code_flags(None if modes is None else modes[back] == BACK, odds[maybe, 1], self.copies, coder)
            result[back[flags]] = BACK
            state[grid.bordered[places]] = MODE_PLANES[result[places]]
        return result

    def _code(
        self, wanted: np.ndarray | None, predicted: np.ndarray, reference: np.ndarray, limited: np.ndarray, coder
    ) -> np.ndarray:
        """Codes one pass: which latents differ from the reference [N, G], then those that do,
        around the predicted mean.
        """
        flat = reference.ravel()
        same = code_flags(None if wanted is None else wanted == flat, predicted[:, 0].ravel(), self.copies, coder)
        changed = np.flatnonzero(~same)
        result = flat.copy()
        if len(changed):
            total = (predicted[:, 1] + limited.astype(np.int32) * ACTIVATION_SCALE).ravel()[changed]
            quarters = (total + (1 << MEAN_SHIFT >> 1)) >> MEAN_SHIFT
            base, fraction = quarters // MEAN_FRACTIONS, quarters % MEAN_FRACTIONS
            spread = (
                predicted[:, 2].ravel()[changed] * SCALE_PER_UNIT + ACTIVATION_SCALE // 2
            ) // ACTIVATION_SCALE + SCALE_OFFSET
            table = np.clip(spread, 0, SCALE_LEVELS - 1) * MEAN_FRACTIONS + fraction
            residual = None if wanted is None else wanted[changed] - base
            result[changed] = coder.code_by_size(residual, self.residuals, table) + base
        return result.reshape(reference.shape)


@dataclass(frozen=True)
class Known:
    """A frame whose symbols int32 [positions, C] are known before they are coded."""

    symbols: np.ndarray

    def modes(self, chain: "Chain") -> np.ndarray:
        same, back = ((self.symbols == reference).all(axis=1) for reference in (chain.near, chain.background))
        return np.where(same, SAME, np.where(back, BACK, NEW))

    def pick(self, here: np.ndarray, span: slice, predicted, reference, limited) -> np.ndarray:
        return self.symbols[here, span]


def in_rows(frame, channels: int):
    """One frame's symbols [C, h, w] with positions first; a choice as it is."""
    return (
        Known(np.ascontiguousarray(frame.reshape(channels, -1).T, np.int32)) if isinstance(frame, np.ndarray) else frame
    )


@dataclass(frozen=True)
class Chain:
    """What a frame is predicted from, int32 [positions, C] each: `References` of one frame, in the order of coding.

    narrow: what the prior sees of recent frames and of `background`, int8.
    """

    near: np.ndarray
    background: np.ndarray
    narrow: tuple[np.ndarray, ...]

    @staticmethod
    def after(chain: "Chain | None", latents: np.ndarray) -> "Chain":
        """What the frame after `latents` is predicted from; chain: what these were predicted from,
        None for a keyframe.
        """
        narrow = limited(latents)
        if chain is None:
            return Chain(latents, latents, (narrow,) * (HISTORY + 1))
        still = (latents == chain.near).all(axis=1, keepdims=True)
        background = np.where(still, latents, chain.background)
        return Chain(latents, background, (narrow, *chain.narrow[: HISTORY - 1], limited(background)))


@dataclass(frozen=True)
class Grid:
    """Positions of a frame, row after row; for each number of phases those of each;
    their places in a frame with a border.
    """

    count: int
    bordered_count: int
    phases: dict[int, tuple[np.ndarray, ...]]
    bordered: np.ndarray
    steps: np.ndarray  # from a bordered place to its neighbours' and its own

    @staticmethod
    @lru_cache(maxsize=16)
    def of(rows: int, columns: int) -> "Grid":
        row, column = np.divmod(np.arange(rows * columns), columns)
        phases = {}
        for count in (1, 2, 4):
            phase = phase_of(rows, columns, count).numpy().ravel()
            phases[count] = tuple(np.flatnonzero(phase == number) for number in range(count))
        steps = (np.arange(-1, 2)[:, None] * (columns + 2) + np.arange(-1, 2)).ravel()
        bordered = (row + 1) * (columns + 2) + column + 1
        return Grid(rows * columns, (rows + 2) * (columns + 2), phases, bordered, steps)

    def around(self, state: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Neighbourhoods [N, 9 * K] of places in a bordered state [bordered_count, K]."""
        return state[self.bordered[places][:, None] + self.steps].reshape(len(places), len(self.steps) * state.shape[1])


def limited(latents: np.ndarray) -> np.ndarray:
    """What the prior sees of latents, int8."""
    return np.minimum(np.maximum(latents, -LATENT_LIMIT), LATENT_LIMIT).astype(np.int8)


def prediction_tables() -> tuple[Tables, Tables]:
    """The tables that every prior's output means: (copy flags, residuals); computed once, stored with the weights."""
    return flag_tables(), logistic_tables(REACHES, fractions=MEAN_FRACTIONS)
