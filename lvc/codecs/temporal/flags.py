"""Coding of yes or no under log-odds that a prior says in whole numbers."""

import numpy as np

from lvc.codecs.integer.layers import ACTIVATION_SCALE
from lvc.codecs.temporal.model import COPY_LEVELS, COPY_STEP
from lvc.entropy.tables import Tables, from_probabilities

PER_UNIT = round(1 / COPY_STEP)
ODDS_LIMIT = COPY_LEVELS / 2 * COPY_STEP  # beyond, odds are no surer


def flag_tables() -> Tables:
    """A table of (yes, no) for each level of log-odds; computed once, stored with the weights."""
    odds = (np.arange(COPY_LEVELS) - COPY_LEVELS // 2) * COPY_STEP
    return from_probabilities([np.array((1 - p, p)) for p in 1 / (1 + np.exp(odds))], [0] * COPY_LEVELS, escape=False)


def code_flags(flags: np.ndarray | None, odds: np.ndarray, tables: Tables, coder) -> np.ndarray:
    """Codes flags bool [N], or decodes them where there are none, under whole log-odds [N] that each is set,
    ACTIVATION_SCALE to the unit.
    """
    level = (odds * PER_UNIT + (ACTIVATION_SCALE // 2 + COPY_LEVELS // 2 * ACTIVATION_SCALE)) // ACTIVATION_SCALE
    level = np.minimum(np.maximum(level, 0), COPY_LEVELS - 1)
    return coder.code_by_size(None if flags is None else 1 - flags.astype(np.int32), tables, level) == 0
