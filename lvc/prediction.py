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
    LATENT_LIMIT,
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
REACHES = 7, 15, 31, 63, 127  # symbols that a table of residuals has on either side
ENCODED_AT_ONCE = 8  # frames: bounds the memory


class PredictedLatents:
    """Codes the frames of one group in order; keeps the two latents before as the reference.

    prior: frozen and prepared, on any device. copies and residuals: the model's tables. crf: the file's quality level.
    """

    def __init__(self, prior: IntegerPrior, copies: Tables, residuals: Tables, *, crf: int):
        self.prior, self.copies, self.residuals, self.crf = prior.coding, copies, residuals, crf
        self.spans = [prior.span(index) for index in range(prior.passes)]
        self.before: list[np.ndarray] = []  # the last two frames' symbols [h, w, C], the later one last
        self.frames_coded = 0

    def code_frames(self, symbols: np.ndarray | None, count: int, coder, shape: tuple[int, int, int]) -> np.ndarray:
        """Codes int32 symbols [T, C, h, w] of the next `count` frames with `coder`, or decodes them where `symbols` is None;
        gives them back.

        An encoder knows all frames, so the prior sees many at once; whole numbers come out the same.
        """
        result = np.empty((count, *shape), np.int32)
        step = 1 if symbols is None else ENCODED_AT_ONCE
        for start in range(0, count, step):
            stop = min(start + step, count)
            wanted = None if symbols is None else np.ascontiguousarray(symbols[start:stop].transpose(0, 2, 3, 1), np.int32)
            result[start:stop] = self._code_batch(wanted, stop - start, coder, shape).transpose(0, 3, 1, 2)
        return result

    @torch.inference_mode()
    def _code_batch(self, wanted: np.ndarray | None, count: int, coder, shape: tuple[int, int, int]) -> np.ndarray:
        """Codes int32 [T, h, w, C], or decodes one frame; gives them back."""
        channels, rows, columns = shape
        if not self.before:
            self.before = [np.zeros((rows, columns, channels), np.int32)] * 2
        relation = np.array([(KEY, AFTER_KEY, PREDICTED)[min(self.frames_coded + place, 2)] for place in range(count)])
        chain = self.before if wanted is None else self.before + list(wanted[: count - 1])
        near = np.stack(chain[1 : count + 1])
        far = np.stack([chain[place + (relation[place] == AFTER_KEY)] for place in range(count)])
        limited = limit(near)
        start = self.prior.start(limited, limit(far), relation, self.crf)
        places = self.prior.places(rows, columns)
        # From here on positions are in the order of coding, the even ones first, so that a pass is a slice.
        reference, limited = in_order(near, places), in_order(limited, places)
        result = np.empty_like(reference) if wanted is None else in_order(wanted, places)
        # What is known, less the reference, with a border: all that a pass sees of the frame itself.
        difference = torch.zeros(count, (rows + 2) * (columns + 2), channels, device=self.prior.device)
        said = []
        for index, (first, last) in enumerate(self.spans):
            here = np.s_[:, first:last, places.spans[index % 2]]
            copy, mean, scale = self.prior.say(index, start, difference, places)
            level = copy * COPY_PER_UNIT
            level += ACTIVATION_SCALE // 2 + COPY_LEVELS // 2 * ACTIVATION_SCALE
            level //= ACTIVATION_SCALE
            np.minimum(np.maximum(level, 0, out=level), COPY_LEVELS - 1, out=level)
            said.append((level, mean, scale, reference[here], limited[here]))
            if wanted is None:
                found = self._code(None, *(part.ravel() for part in said[index]), coder)
                result[here] = found.reshape(result[here].shape)
            if index + 1 < len(self.spans):
                now = limit(result[here]).astype(np.float32) - limited[here]
                difference[:, places.bordered[index % 2], first:last] = torch.from_numpy(now.transpose(0, 2, 1)).to(self.prior.device)
        if wanted is not None:
            for place in range(count):
                for index, (first, last) in enumerate(self.spans):
                    here = result[place, first:last, places.spans[index % 2]].ravel()
                    self._code(here, *(part[place].ravel() for part in said[index]), coder)
        result = wanted if wanted is not None else result[:, :, places.inverse].transpose(0, 2, 1)
        result = result.reshape(near.shape)
        self.before = (self.before + list(result))[-2:]
        self.frames_coded += count
        return result

    def _code(self, wanted, level, mean, scale, reference, limited, coder) -> np.ndarray:
        """Codes one pass: which latents differ from the reference, then those that do, around the predicted mean."""
        flags = None if wanted is None else (wanted != reference).astype(np.int32)
        flags = coder.code_by_size(flags, self.copies, level)
        changed = np.flatnonzero(flags)
        result = reference.copy()
        if len(changed):
            total = mean[changed] + limited[changed].astype(np.int32) * ACTIVATION_SCALE
            quarters = (total + (1 << MEAN_SHIFT >> 1)) >> MEAN_SHIFT
            base, fraction = quarters // MEAN_FRACTIONS, quarters % MEAN_FRACTIONS
            spread = (scale[changed] * SCALE_PER_UNIT + ACTIVATION_SCALE // 2) // ACTIVATION_SCALE + SCALE_OFFSET
            table = np.clip(spread, 0, SCALE_LEVELS - 1) * MEAN_FRACTIONS + fraction
            residual = None if wanted is None else wanted[changed] - base
            result[changed] = coder.code_by_size(residual, self.residuals, table) + base
        return result


def limit(latents: np.ndarray) -> np.ndarray:
    """What the prior sees of latents, int8."""
    return np.minimum(np.maximum(latents, -LATENT_LIMIT), LATENT_LIMIT).astype(np.int8)


def in_order(latents: np.ndarray, places) -> np.ndarray:
    """Latents [T, h, w, C] as [T, C, h * w], positions in the order of coding."""
    count, channels = len(latents), latents.shape[3]
    return np.ascontiguousarray(latents.reshape(count, -1, channels).take(places.order, axis=1).transpose(0, 2, 1))


def prediction_tables() -> tuple[Tables, Tables]:
    """The tables that every prior's output means: (copy flags, residuals); computed once, stored with the weights."""
    odds = (np.arange(COPY_LEVELS) - COPY_LEVELS // 2) * COPY_STEP
    differs = 1 / (1 + np.exp(odds))
    copies = from_probabilities([(1 - p, p) for p in differs], [0] * COPY_LEVELS, escape=False)
    masses, lows = [], []
    for level in range(SCALE_LEVELS):
        scale = 2.0 ** (SCALE_LOWEST + level * SCALE_STEP)
        # Few sizes, because tables of one size are coded together; what is beyond 12 scales costs next to nothing.
        reach = next(reach for reach in REACHES if reach >= 12 * scale + 2 or reach == REACHES[-1])
        for fraction in range(MEAN_FRACTIONS):
            values = np.arange(-reach, reach + 1)
            distance = np.abs(values - fraction / MEAN_FRACTIONS)
            masses.append(1 / (1 + np.exp((distance - 0.5) / scale)) - 1 / (1 + np.exp((distance + 0.5) / scale)))
            lows.append(-reach)
    return copies, from_probabilities(masses, lows, escape=True)
