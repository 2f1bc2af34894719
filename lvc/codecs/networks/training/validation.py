"""What a model is worth on frames it was not trained on, and the statistics that go with its weights."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lvc.codecs.learning.clips import Frames, spread
from lvc.codecs.learning.inputs import to_input
from lvc.codecs.learning.progress import Validation
from lvc.codecs.networks.hyperprior_coding import scale_tables, side_symbols
from lvc.codecs.networks.model import Model, contexts
from lvc.codecs.networks.training.loss import distortion_of
from lvc.codecs.neural.quantize import Quantiser
from lvc.entropy.priors import learned, learned_by_channel
from lvc.entropy.tables import Tables
from lvc.quality.metrics import mean_squared_error

BATCH = 16
LARGEST_ALPHABET = 1 << 12  # symbols beyond are not counted: they are rare, and each would cost a row of memory
PERCENTILES = (0.1, 99.9)


def batches(source: Frames, limit: int | None) -> Iterator[np.ndarray]:
    chosen = spread(len(source), limit)
    for start in range(0, len(chosen), BATCH):
        yield source.frames(chosen[start : start + BATCH])


def squared_errors(frames: Tensor, target: np.ndarray) -> list[float]:
    """The mean squared error of each frame [T] in 0..1, rounded to 8 bits, beside uint8 ones."""
    decoded = (frames * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return [mean_squared_error(*pair) for pair in zip(target, decoded)]


@torch.no_grad()
def validate(
    model: Model, quantiser: Quantiser, source: Frames, *, limit: int | None, distortion: str, device: torch.device
) -> Validation:
    """Codes and decodes at most `limit` frames, evenly spread over the source, in float32 as when files are made."""
    model.eval()
    errors, losses, counts = [], [], SymbolCounts(model)
    for frames in batches(source, limit):
        x = to_input(frames, device)
        quantised = quantiser.quantise(model.analyse(x))
        decoded = model.synthesise(quantiser.dequantise(quantised.symbols, quantised.parameters))
        losses.append(distortion_of(decoded, x, kind=distortion).item() * len(frames))
        errors += squared_errors(decoded, frames)
        if quantiser.name != "none":
            counts.add(quantised.symbols)
    bits = counts.bits() / len(errors) if quantiser.name != "none" else None
    return Validation.of(errors, bits=bits, distortion=sum(losses) / len(errors))


class SymbolCounts:
    """Histograms of symbols, one for each of a model's contexts: channels, blocks, or all latents together."""

    def __init__(self, model: Model):
        self.contexts = contexts(model.latent_shape())
        self.low = 0
        self.counts = np.zeros((self.contexts, 1), np.int64)

    def add(self, symbols: Tensor) -> None:
        """Counts symbols int32 [T, *latent_shape]; those beyond the largest alphabet are left out."""
        half = LARGEST_ALPHABET // 2
        rows = symbols.reshape(len(symbols), self.contexts, -1).transpose(0, 1).flatten(1).cpu().numpy()
        inside = (rows >= -half) & (rows < half)
        if not inside.any():
            return
        self.widen(int(rows[inside].min()), int(rows[inside].max()))
        size = self.counts.shape[1]
        places = rows.astype(np.int64) - self.low + np.arange(self.contexts)[:, None] * size
        self.counts += np.bincount(places[inside], minlength=self.counts.size).reshape(self.counts.shape)

    def widen(self, lowest: int, highest: int) -> None:
        before, after = max(self.low - lowest, 0), max(highest - (self.low + self.counts.shape[1] - 1), 0)
        self.counts = np.pad(self.counts, ((0, 0), (before, after)))
        self.low -= before

    def bits(self) -> float:
        """Bits of all that was counted, at its own entropy."""
        seen = self.counts.astype(np.float64)
        totals = seen.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(-np.nansum(np.where(seen > 0, seen * np.log2(seen / totals), 0.0)))


@torch.no_grad()
def fit_tables(
    model: Model, quantiser: Quantiser, source: Frames, *, limit: int | None, device: torch.device
) -> Tables:
    """The factorised prior's tables, from the quantised latents of at most `limit` training frames."""
    learn = learned_by_channel if model.tables_by_channel else learned
    return learn(symbols_of(model, quantiser, source, limit=limit, device=device), quantiser.alphabet)


def fit_hyper_tables(
    model: Model, quantiser: Quantiser, source: Frames, *, limit: int | None, device: torch.device
) -> dict[str, Tables]:
    """The hyperprior's tables: of the side information from at most `limit` training frames, and of all scales."""
    symbols = symbols_of(model, quantiser, source, limit=limit, device=device)
    return {"side": learned_by_channel(side_symbols(model.hyper, symbols), None), "scales": scale_tables()}


@torch.no_grad()
def symbols_of(
    model: Model, quantiser: Quantiser, source: Frames, *, limit: int | None, device: torch.device
) -> np.ndarray:
    """Quantised latents int32 [T, *latent_shape] of at most `limit` frames."""
    model.eval()
    return np.concatenate(
        [
            quantiser.quantise(model.analyse(to_input(frames, device))).symbols.cpu().numpy()
            for frames in batches(source, limit)
        ]
    )


@torch.no_grad()
def latent_statistics(model: Model, source: Frames, *, limit: int | None, device: torch.device) -> dict:
    """Mean and standard deviation of the latents before quantising, and the mean over frames of their 0.1 and 99.9
    percentiles.
    """
    model.eval()
    sums = np.zeros(2)
    ends, values, frames_seen = np.zeros(2), 0, 0
    for frames in batches(source, limit):
        latents = model.analyse(to_input(frames, device)).flatten(1).double().cpu().numpy()
        sums += latents.sum(), np.square(latents).sum()
        ends += np.percentile(latents, PERCENTILES, axis=1).sum(axis=1)
        values += latents.size
        frames_seen += len(latents)
    mean = sums[0] / values
    low, high = ends / frames_seen
    deviation = float(np.sqrt(max(sums[1] / values - mean**2, 0.0)))
    return {"mean": float(mean), "deviation": deviation, "low": float(low), "high": float(high), "frames": frames_seen}
