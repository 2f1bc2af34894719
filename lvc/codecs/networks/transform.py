"""What a codec needs of networks: frames to quantised latents, latents to frames, and the entropy models of their symbols."""

from collections.abc import Callable

import numpy as np
import torch

from lvc.codecs.networks.hyperprior_coding import HyperLatents
from lvc.codecs.networks.quantize import build as build_quantiser
from lvc.codecs.networks.quantize import check_combination
from lvc.codecs.temporal.model import Temporal, held_clips, steadied
from lvc.codecs.temporal.prediction import PredictedLatents
from lvc.codecs.temporal.rate_distortion import choose
from lvc.entropy import priors
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.priors import HYPERPRIOR, MIXING, PREDICTION, check_spec
from lvc.entropy.tables import Tables
from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry, Latents

BATCH = 16  # frames that pass through the networks at once: bounds the memory
BATCH_PIXELS = 1 << 20  # the same for large frames, of which one passes in any case
CACHED_BATCH = 4  # of synthesis on a processor, whose cache holds so many at 200x160: 5.4 ms a frame, 6.7 with 16, 6.4 with one
SYMBOL_LIMIT = 2**23  # whole numbers below are exact wherever the prior may hold them


class NetworkTransform:
    """A checkpoint's network at one frame geometry, on one device, with a quantiser and an entropy model.

    quantiser, entropy: specs, by default those that the weights were trained with. crf, effort: for models of many rates.
    Raises OptionError for what cannot go together.
    """

    def __init__(self, checkpoint, geometry: Geometry, *, quantiser: dict | None, entropy: dict | None, crf: int | None, effort: int, device: str):
        self.checkpoint, self.geometry, self.crf, self.effort = checkpoint, geometry, crf, effort
        self.device = torch.device(device)
        self.batch = max(1, min(BATCH, BATCH_PIXELS // (geometry.width * geometry.height)))
        self.model = checkpoint.model.to(self.device).eval().for_coding()
        self.quantiser = build_quantiser(**(quantiser or checkpoint.quantiser), latent_range=self.model.latent_range)
        self.entropy = entropy or default_entropy(checkpoint, self.quantiser.spec())
        self.predicts = self.entropy["name"] == PREDICTION
        self._check()
        self.analysed, self.latent_shape = geometry, tuple(self.model.latent_shape(geometry))
        self.group_frame_bytes = 0  # beside the symbols
        self.coding()  # an entropy model that there is not is told now, not when the first group is full

    def _check(self) -> None:
        entropy = self.entropy["name"]
        if entropy == MIXING or (self.predicts and not (isinstance(self.model, Temporal) and self.model.config.exact)):
            raise OptionError(f"entropy {entropy} comes with a model of its own, and {self.checkpoint.name} is none; choose adaptive")
        if not self.predicts:
            check_combination(self.checkpoint, self.quantiser.spec(), self.entropy)
        elif self.quantiser.name != "round":
            raise OptionError(f"entropy {entropy} codes rounded latents; quantiser {self.quantiser.name} gives others")

    # Frames and latents

    @property
    def weighs_bits(self) -> bool:
        """Whether symbols are weighed against their bits one by one; else they are held near those before."""
        return self.predicts and self.effort > 0

    @torch.inference_mode()
    def analyse(self, frames: np.ndarray) -> Latents:
        """Quantised latents of frames uint8 [T, 3, H, W], with prediction those of one group: a latent keeps near to the one before."""
        latents = self._transformed(frames)
        if self.predicts:
            symbols = held_clips(latents[None])[0][0].clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT)
            return Latents(symbols.cpu().numpy().astype(np.int32), np.zeros((len(symbols), 0), np.float32))
        quantised = self.quantiser.quantise(latents)
        return Latents(quantised.symbols.cpu().numpy(), quantised.parameters.cpu().numpy())

    @torch.inference_mode()
    def chooser(self, frames: np.ndarray) -> Callable[[slice, SymbolWriter], np.ndarray]:
        """What chooses symbols of some of one group's frames, in order, and codes them as it does, so that the prior is asked once."""
        values = self._transformed(frames).clamp(1 - SYMBOL_LIMIT, SYMBOL_LIMIT - 1).cpu().numpy()
        coding, weights = self.coding(), self.model.symbol_weights(self.crf).cpu().numpy()

        def chosen(run: slice, writer: SymbolWriter) -> np.ndarray:
            with torch.inference_mode():
                return choose(coding, values[run], weights, writer)

        return chosen

    def _transformed(self, frames: np.ndarray) -> torch.Tensor:
        """What the model makes of frames, not yet quantised."""
        scenery = self._scenery(frames)
        parts = []
        for start in range(0, len(frames), self.batch):
            batch = self._input(frames[start : start + self.batch])
            more = {} if scenery is None else {"scenery": scenery[start : start + self.batch]}
            parts.append(self.model.analyse(batch, **self._rate(len(batch)), **more))
        return torch.cat(parts)

    def _input(self, frames: np.ndarray) -> torch.Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        return (batch.float() / 255).contiguous(memory_format=torch.channels_last)

    def _scenery(self, frames: np.ndarray) -> torch.Tensor | None:
        if not (isinstance(self.model, Temporal) and self.model.config.placed):
            return None
        parts = [self.model.scenery(self._input(frames[start : start + self.batch])) for start in range(0, len(frames), self.batch)]
        return steadied(torch.cat(parts))

    def pictures(self, latents: Latents) -> torch.Tensor:
        """Frames uint8 [T, H, W, 3], on the device."""
        # Made outside of inference mode, whose tensors could not be written to by those who get them.
        frames = torch.empty((len(latents), self.geometry.height, self.geometry.width, 3), dtype=torch.uint8, device=self.device)
        at_once = min(CACHED_BATCH, self.batch) if self.device.type == "cpu" else self.batch
        with torch.inference_mode():
            for start in range(0, len(latents), at_once):
                symbols = torch.from_numpy(latents.symbols[start : start + at_once]).to(self.device)
                parameters = torch.from_numpy(latents.parameters[start : start + at_once]).to(self.device)
                values = self.quantiser.dequantise(symbols, parameters)
                pixels = self.model.synthesise(values, geometry=self.geometry, **self._rate(len(values)))
                pixels = (pixels * 255).round_().clamp_(0, 255).to(torch.uint8)
                frames[start : start + at_once] = pixels.permute(0, 2, 3, 1)
        return frames

    def _rate(self, count: int) -> dict:
        return {"crf": torch.full((count,), float(self.crf), device=self.device)} if self.model.many_rates else {}

    # Symbols and bits

    def coding(self, frames: int = 1):
        """What codes the symbols of a group of about so many frames."""
        tables = self.checkpoint.tables
        if self.predicts:
            if not {"copies", "residuals"} <= tables.keys():
                raise ModelError(f"entropy {PREDICTION} needs tables of copies and residuals, and the weights {self.checkpoint.name} hold none")
            return PredictedLatents(self.model.prior, tables["copies"], tables["residuals"], crf=self.crf)
        if check_spec(self.entropy) == HYPERPRIOR and (hyper := getattr(self.model, "hyper", None)) is not None:
            if not {"side", "scales"} <= tables.keys():
                raise ModelError(f"entropy {HYPERPRIOR} needs tables of side information and scales, and the weights {self.checkpoint.name} hold none")
            return HyperLatents(hyper, tables["side"], tables["scales"])
        return priors.build(self.entropy, quantiser=self.quantiser, tables=tables.get("factorised"))

    def writer(self) -> SymbolWriter:
        return SymbolWriter()

    def reader(self, payload: bytes, *, measuring: bool = False) -> SymbolReader:
        """Finds the symbols of a packet; measuring: adds up what they cost as `bits`."""
        return MeasuringReader(payload) if measuring else SymbolReader(payload)


class MeasuringReader(SymbolReader):
    """A SymbolReader that also adds up what the symbols cost: `bits` so far."""

    def __init__(self, payload: bytes):
        super().__init__(payload)
        self.bits = 0.0

    def code(self, symbols: None, tables: Tables, indices: np.ndarray) -> np.ndarray:
        found = super().code(symbols, tables, indices)
        self.bits += tables.bits(found, indices)
        return found

    def code_by_size(self, symbols: None, tables: Tables, indices: np.ndarray) -> np.ndarray:
        found = super().code_by_size(symbols, tables, indices)
        self.bits += tables.bits(found, indices)
        return found

    def code_bits(self, symbols: None, width: int, count: int) -> np.ndarray:
        self.bits += width * count
        return super().code_bits(symbols, width, count)


def default_entropy(checkpoint, quantiser: dict) -> dict:
    """What the weights were trained with, or where another quantiser was chosen the best that suits it."""
    if quantiser["name"] == "none":
        return {"name": "raw"}
    trained = build_quantiser(**checkpoint.quantiser, latent_range=checkpoint.model.latent_range).spec()
    return checkpoint.entropy if quantiser == trained else {"name": "adaptive"}
