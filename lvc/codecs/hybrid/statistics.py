"""The tables that a hybrid group starts from: contexts' probabilities and mixers' weights, trained on games."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from lvc.errors import FormatError, ModelError

FRESH, TRAINED = 0, 1  # what a payload says: all alike at first, or the table of its number
SHIPPED = Path(__file__).parent / "statistics.safetensors"
MAX_FILE_BYTES = 1 << 22


@dataclass(frozen=True, eq=False)
class Statistics:
    """probabilities: uint16 [contexts, 2], that a decision is 1 in 1/65536, and how often it was met. weights: int32
    [mixers], with 14 fractional bits.
    """

    probabilities: np.ndarray
    weights: np.ndarray


EMPTY = Statistics(np.empty((0, 2), np.uint16), np.empty(0, np.int32))


def statistics_of(content: bytes) -> Statistics:
    """The tables of a file's content; raises ModelError for what is none."""
    if len(content) > MAX_FILE_BYTES:
        raise ModelError(f"hybrid statistics take {MAX_FILE_BYTES:,} bytes at most, not {len(content):,}")
    try:
        arrays = load_arrays(content)
        chances, counts, weights = arrays["probabilities"], arrays["counts"], arrays["weights"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"no hybrid statistics: {error!r:.200}") from error
    if not (
        chances.dtype == np.uint16
        and counts.dtype == np.uint8
        and weights.dtype == np.int32
        and chances.shape == counts.shape
        and chances.ndim == weights.ndim == 1
        and np.all(chances > 0)
        and np.all(np.abs(weights.astype(np.int64)) <= 65535)
    ):
        raise ModelError("hybrid statistics have uint16 probabilities, uint8 counts and int32 weights")
    return Statistics(np.stack([chances, counts.astype(np.uint16)], axis=1), weights)


@lru_cache(maxsize=1)
def shipped() -> Statistics:
    """The tables that come with the package; raises ModelError where they are missing or damaged."""
    try:
        return statistics_of(SHIPPED.read_bytes())
    except OSError as error:
        raise ModelError(f"the hybrid codec's statistics cannot be read: {error}") from error


def statistics_named(number: int) -> Statistics:
    """The tables that a payload's byte asks for; raises FormatError for an unknown one."""
    if number == FRESH:
        return EMPTY
    if number == TRAINED:
        return shipped()
    raise FormatError(f"a hybrid group's statistics are {FRESH} or {TRAINED}, not {number}: a newer lvc may know them")
