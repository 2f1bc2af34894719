"""The entropy models by name: how a frame's symbols are coded, with state that starts afresh in each group of frames.

All offer `code_frame(symbols_or_none, coder, shape)`: with a SymbolWriter it codes the symbols, with a SymbolReader it
ignores them and finds them; both ways it gives int32 [*shape].
"""

import numpy as np

from lvc.entropy.adaptive import Adaptive, check_forget
from lvc.entropy.tables import Tables, from_counts
from lvc.errors import FormatError, ModelError, OptionError

HYPERPRIOR = "hyperprior"  # the entropy model that a model with side information brings along
# Those that the temporal families bring along, and that are built elsewhere
PREDICTION, MIXING = "prediction", "mixing"
NAMES = ("raw", "adaptive", "factorised", HYPERPRIOR)
RAW_BITS = (1, 2, 4, 8, 16, 32)


class Raw:
    """Every symbol at the same number of bits: those of the alphabet, or where it is open what each frame needs."""

    def __init__(self, alphabet: tuple[int, int] | None):
        self.alphabet = alphabet

    def code_frame(self, symbols: np.ndarray | None, coder, shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape))
        wanted = None if symbols is None else np.asarray(symbols, np.int64).ravel()
        if self.alphabet is not None:
            low, high = self.alphabet
            bits = (high - low).bit_length()
        else:
            # The frame's own bits come first: 2**3 choices.
            choice = None if wanted is None else np.array([self._choice(wanted)])
            choice = int(coder.code_bits(choice, 3, 1)[0])
            if choice >= len(RAW_BITS):
                raise FormatError(
                    f"the coded symbols are damaged: a raw width of {choice}, at most {len(RAW_BITS) - 1} expected"
                )
            bits = RAW_BITS[choice]
            low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        found = coder.code_bits(None if wanted is None else wanted - low, bits, count) + low
        if count and found.max() > high:
            raise FormatError(f"the coded symbols are damaged: {found.max()}, at most {high} expected")
        return found.astype(np.int32).reshape(shape)

    def _choice(self, symbols: np.ndarray) -> int:
        least, most = (int(symbols.min()), int(symbols.max())) if len(symbols) else (0, 0)
        return next(
            place for place, bits in enumerate(RAW_BITS) if -(1 << (bits - 1)) <= least and most < 1 << (bits - 1)
        )


class Factorised:
    """Tables learned in training, one for each channel or each latent (Balle et al., ICLR 2018, section 6.1)."""

    def __init__(self, tables: Tables):
        self.tables = tables
        self._indices: dict[tuple[int, ...], np.ndarray] = {}

    def code_frame(self, symbols: np.ndarray | None, coder, shape: tuple[int, ...]) -> np.ndarray:
        """Raises OptionError where the tables are for latents of another shape."""
        wanted = None if symbols is None else np.asarray(symbols).ravel()
        return coder.code(wanted, self.tables, self.indices(shape)).reshape(shape)

    def indices(self, shape: tuple[int, ...]) -> np.ndarray:
        """Which table stands for each latent of a frame [prod(shape)]."""
        if shape not in self._indices:
            self._indices[shape] = places_for(self.tables, shape)
        return self._indices[shape]


def places_for(tables: Tables, shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape))
    if tables.places is not None:
        if len(tables.places) != count:
            raise OptionError(
                f"the learned prior is for {len(tables.places)} latents a frame, not {list(shape)}; choose entropy "
                "adaptive"
            )
        return tables.places
    channels = shape[0] if len(shape) > 1 else 1
    if len(tables) != channels:
        raise OptionError(
            f"the learned prior has {len(tables)} tables, and latents {list(shape)} have {channels} channels"
        )
    return np.repeat(np.arange(channels, dtype=np.int32), count // channels)


def build(spec: dict, *, quantiser, tables: Tables | None = None):
    """The entropy model that a spec {"name": …} means, for symbols of `quantiser.alphabet`.

    tables: those of the checkpoint, for "factorised". Raises OptionError for an unknown name or option, ModelError
    where the weights hold no tables.
    """
    name = check_spec(spec)
    options = {key: value for key, value in spec.items() if key != "name"}
    if name == "raw":
        return Raw(quantiser.alphabet)
    if name == "adaptive":
        return Adaptive(quantiser.alphabet, **options)
    if name == HYPERPRIOR:
        raise OptionError("entropy hyperprior needs a model that has one; choose adaptive")
    if tables is None:
        raise ModelError("entropy factorised needs a learned prior, and these weights hold none; choose adaptive")
    return Factorised(tables)


def check_spec(spec: dict) -> str:
    """The name in a spec {"name": …}, or with "adaptive" {"name": …, "forget": 1 to 8}; raises OptionError."""
    name = spec.get("name")
    if name not in NAMES:
        raise OptionError(f"there is no entropy model {name!r}; choose from {', '.join(NAMES)}")
    options = {"forget"} if name == "adaptive" else set()
    foreign = sorted(set(spec) - options - {"name"})
    if foreign:
        raise OptionError(f"entropy {name} has no option {', '.join(foreign)}; it has {', '.join(options) or 'none'}")
    if "forget" in spec:
        check_forget(spec["forget"])
    return name


def learned_by_channel(symbols: np.ndarray, alphabet: tuple[int, int] | None) -> Tables:
    """Tables for a factorised prior from symbols [T, C, …] of training frames:
    one for each channel, for frames of any size.
    """
    channels = np.asarray(symbols).shape[1]
    histograms, low = histograms_of(np.moveaxis(np.asarray(symbols), 1, -1).reshape(-1, channels), alphabet)
    return from_counts(histograms if alphabet is None else histograms[:, :-1], low, escape=alphabet is None)


def histograms_of(flat: np.ndarray, alphabet: tuple[int, int] | None) -> tuple[np.ndarray, int]:
    """How often each symbol occurs in each column of `flat` [T, N], and the first symbol;
    the last entry counts what is beyond.
    """
    if not flat.size:
        raise OptionError("a learned prior needs symbols of at least one frame")
    low, high = alphabet or (int(np.percentile(flat, 0.01)), int(np.percentile(flat, 99.99)))
    low, high = (low, high) if alphabet else (max(low, -2048), min(high, 2048))
    size, columns = high - low + 1, flat.shape[1]
    local = flat.astype(np.int64) - low
    covered = (local >= 0) & (local < size)
    entries = (np.arange(columns) * (size + 1) + np.where(covered, local, size)).ravel()
    return np.bincount(entries, minlength=columns * (size + 1)).reshape(columns, size + 1), low


def learned(symbols: np.ndarray, alphabet: tuple[int, int] | None, *, tables: int = 64, rounds: int = 12) -> Tables:
    """Tables for a factorised prior from symbols [T, *shape] of training frames, a few hundred or more.

    Latents with alike histograms share a table: hard clustering by code length, alternating between each latent's
    cheapest table and each table's new histogram. Its `places` say which latent has which.
    """
    flat = np.asarray(symbols).reshape(len(symbols), -1)
    histograms, low = histograms_of(flat, alphabet)
    histograms = histograms.astype(np.float32)
    latents, size = histograms.shape[0], histograms.shape[1] - 1
    # Start by mean and spread: latents in the order of their mean, in pieces ordered by spread.
    clusters = min(tables, latents)
    mean, spread = flat.mean(axis=0), flat.std(axis=0)
    across = max(1, int(clusters**0.5))
    group = np.argsort(np.argsort(spread, kind="stable"), kind="stable") * across // latents
    order = np.lexsort((mean, group))
    places = np.empty(latents, np.int64)
    places[order] = np.arange(latents) * clusters // latents
    for _ in range(rounds):
        sums = np.zeros((clusters, size + 1), np.float32)
        np.add.at(sums, places, histograms)
        smoothed = sums + 0.5 * (histograms.sum(axis=0) + 1) / (histograms.sum() + size + 1)
        bits = -np.log2(smoothed / smoothed.sum(axis=1, keepdims=True))
        chosen = np.argmin(histograms @ bits.T, axis=1)
        if np.array_equal(chosen, places):
            break
        places = chosen
    used, places = np.unique(places, return_inverse=True)
    sums = np.zeros((len(used), size + 1))
    np.add.at(sums, places, histograms)
    # Beyond a closed alphabet there is nothing, so there is no escape.
    made = from_counts(sums if alphabet is None else sums[:, :size], low, escape=alphabet is None)
    return Tables(made.frequencies, made.sizes, made.lows, made.escapes, places=places)
