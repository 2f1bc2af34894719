"""The order in which a predicted frame's symbols are coded: integers decoded before give the tables of those that follow.

One walk serves both directions: the encoder passes the symbols, the decoder passes None, and both get them back.
"""

import numpy as np
import torch

from lvc.entropy.tables import Tables, from_probabilities
from lvc.models.temporal import (
    ACTIVATION_SCALE,
    AFTER_KEY,
    COPY_LEVELS,
    COPY_STEP,
    KEY,
    MEAN_FRACTIONS,
    PREDICTED,
    SCALE_LEVELS,
    SCALE_LOWEST,
    SCALE_STEP,
    IntegerPrior,
)

MEAN_SHIFT = (ACTIVATION_SCALE // MEAN_FRACTIONS).bit_length() - 1  # from sixteenths to quarters
COPY_PER_UNIT = round(1 / COPY_STEP)
SCALE_PER_UNIT = round(1 / SCALE_STEP)
SCALE_OFFSET = round(-SCALE_LOWEST / SCALE_STEP)


class PredictedLatents:
    """Codes the frames of one group in order; keeps the two latents before as the reference.

    prior: frozen, on any device. copies and residuals: the model's tables. crf: the file's quality level.
    """

    def __init__(self, prior: IntegerPrior, copies: Tables, residuals: Tables, *, crf: int):
        self.prior, self.copies, self.residuals = prior, copies, residuals
        self.device = next(prior.buffers()).device
        self.crf = torch.tensor([crf], device=self.device)
        self.near = self.far = None
        self.frames_coded = 0

    @torch.inference_mode()
    def code_frame(self, symbols: np.ndarray | None, coder, shape: tuple[int, int, int]) -> np.ndarray:
        """Codes int32 symbols [C, h, w] with `coder`, or decodes them where `symbols` is None; gives them back."""
        rows, columns = shape[1:]
        if self.near is None:
            self.near = self.far = torch.zeros(1, *shape, device=self.device).to(memory_format=torch.channels_last)
        relation = (KEY, AFTER_KEY, PREDICTED)[min(self.frames_coded, 2)]
        features = self.prior.trunk(self.near, self.far, torch.tensor([relation], device=self.device), self.crf)
        reference = self.near[0].to(torch.int32).cpu().numpy().reshape(shape[0], -1)
        known = self.near.clone()
        result = np.empty((shape[0], rows * columns), np.int32)
        wanted = None if symbols is None else np.ascontiguousarray(symbols, np.int32).reshape(shape[0], -1)
        even = (np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0).ravel()
        places = np.flatnonzero(even), np.flatnonzero(~even)
        for index in range(self.prior.passes):
            start, stop = self.prior.span(index)
            at = places[index % 2]
            said = self.prior.head(index, features, known, self.near)
            copy, mean, scale = (integers_at(part, at) for part in (said.copy, said.mean, said.scale))
            here = None if wanted is None else wanted[start:stop, at].ravel()
            coded = self._code(here, reference[start:stop, at].ravel(), copy, mean, scale, coder)
            result[start:stop, at] = coded.reshape(stop - start, -1)
            seen = result[start:stop] if index % 2 else np.where(even, result[start:stop], reference[start:stop])
            known[0, start:stop] = torch.from_numpy(seen.astype(np.float32)).view(-1, rows, columns).to(self.device)
        self.far = known if relation == KEY else self.near
        self.near = known
        self.frames_coded += 1
        return result.reshape(shape)

    def _code(self, wanted, reference, copy, mean, scale, coder) -> np.ndarray:
        """Codes one pass: which latents differ from the reference, then those that do, around the predicted mean."""
        level = np.clip(((copy * COPY_PER_UNIT + ACTIVATION_SCALE // 2) // ACTIVATION_SCALE) + COPY_LEVELS // 2, 0, COPY_LEVELS - 1)
        flags = None if wanted is None else (wanted != reference).astype(np.int32)
        flags = coder.code(flags, self.copies, level.astype(np.int32))
        changed = np.flatnonzero(flags)
        result = reference.copy()
        if len(changed):
            quarters = (mean[changed] + (1 << MEAN_SHIFT >> 1)) >> MEAN_SHIFT
            base, fraction = quarters // MEAN_FRACTIONS, quarters % MEAN_FRACTIONS
            spread = (scale[changed] * SCALE_PER_UNIT + ACTIVATION_SCALE // 2) // ACTIVATION_SCALE + SCALE_OFFSET
            table = np.clip(spread, 0, SCALE_LEVELS - 1) * MEAN_FRACTIONS + fraction
            residual = None if wanted is None else wanted[changed] - base
            result[changed] = coder.code(residual, self.residuals, table.astype(np.int32)) + base
        return result


def integers_at(values: torch.Tensor, places: np.ndarray) -> np.ndarray:
    """The whole numbers of [1, G, h, w] at flat positions, as int32 [G * len(places)]."""
    return values[0].flatten(1).cpu().numpy()[:, places].astype(np.int32).ravel()


def prediction_tables() -> tuple[Tables, Tables]:
    """The tables that every prior's output means: (copy flags, residuals); computed once, stored with the weights."""
    odds = (np.arange(COPY_LEVELS) - COPY_LEVELS // 2) * COPY_STEP
    differs = 1 / (1 + np.exp(odds))
    copies = from_probabilities([(1 - p, p) for p in differs], [0] * COPY_LEVELS, escape=False)
    masses, lows = [], []
    for level in range(SCALE_LEVELS):
        scale = 2.0 ** (SCALE_LOWEST + level * SCALE_STEP)
        reach = int(min(120, np.ceil(12 * scale) + 2))
        for fraction in range(MEAN_FRACTIONS):
            values = np.arange(-reach, reach + 1)
            distance = np.abs(values - fraction / MEAN_FRACTIONS)
            masses.append(1 / (1 + np.exp((distance - 0.5) / scale)) - 1 / (1 + np.exp((distance + 0.5) / scale)))
            lows.append(-reach)
    return copies, from_probabilities(masses, lows, escape=True)
