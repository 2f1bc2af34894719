"""The codec of families of neural networks: frames to quantised latents, latents to frames,
and what codes their symbols.
"""

import numpy as np
import torch

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import Settings, Traits
from lvc.codecs.neural.quantize import build as build_quantiser
from lvc.codecs.neural.quantize import check_combination
from lvc.codecs.symbols import SymbolCodec
from lvc.entropy import priors
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.priors import MIXING, PREDICTION, check_spec
from lvc.entropy.tables import Tables
from lvc.errors import OptionError
from lvc.frames import Latents

BATCH = 16  # frames that pass through the networks at once: bounds the memory
BATCH_PIXELS = 1 << 20  # the same for large frames, of which one passes in any case
# Of synthesis on a processor, whose cache holds so many at 200x160: 5.4 ms a frame, 6.7 with 16, 6.4 with one
CACHED_BATCH = 4


class NeuralCodec(SymbolCodec):
    """A checkpoint's network at one frame geometry, on one device, with a quantiser and an entropy model that any
    network may have.

    Raises OptionError for what cannot go together.
    """

    def __init__(self, checkpoint: Checkpoint, settings: Settings, traits: Traits):
        super().__init__(checkpoint, settings, traits)
        self._device = torch.device(settings.device)
        self.batch = max(1, min(BATCH, BATCH_PIXELS // (self.geometry.width * self.geometry.height)))
        self.model = checkpoint.model.to(self._device).eval().for_coding()
        self.quantiser = build_quantiser(
            **(settings.quantiser or checkpoint.quantiser), latent_range=self.model.latent_range
        )
        self.quantiser_spec, self.parameter_count = self.quantiser.spec(), self.quantiser.parameter_count
        self.entropy_spec = settings.entropy or default_entropy(checkpoint, self.quantiser_spec)
        self.check()
        self.latent_shape = tuple(self.model.latent_shape(self.geometry))
        self.coding()  # an entropy model that there is not is told now, not when the first group is full

    def check(self) -> None:
        """Raises OptionError where model, quantiser and entropy model cannot go together."""
        entropy = self.entropy_spec["name"]
        if entropy in (MIXING, PREDICTION):
            raise OptionError(
                f"entropy {entropy} comes with a model of its own, and {self.checkpoint.name} is none; choose adaptive"
            )
        check_combination(self.checkpoint, self.quantiser_spec, self.entropy_spec)

    # Frames and latents

    @torch.inference_mode()
    def analyse(self, frames: np.ndarray) -> Latents:
        quantised = self.quantiser.quantise(self.transformed(frames))
        return Latents(quantised.symbols.cpu().numpy(), quantised.parameters.cpu().numpy())

    def transformed(self, frames: np.ndarray) -> torch.Tensor:
        """What the model makes of frames uint8 [T, H, W, 3], not yet quantised."""
        return torch.cat(
            [
                self.model.analyse(self.input(frames[start : start + self.batch]))
                for start in range(0, len(frames), self.batch)
            ]
        )

    def input(self, frames: np.ndarray) -> torch.Tensor:
        """Frames as the model takes them: float32 [T, 3, H, W] in 0..1, laid out channels last."""
        batch = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device)
        return batch.permute(0, 3, 1, 2).float() / 255

    def synthesised(self, values: torch.Tensor) -> torch.Tensor:
        """Frames float [T, 3, H, W] in 0..1 of latents."""
        return self.model.synthesise(values, geometry=self.geometry)

    def render(self, latents: Latents) -> torch.Tensor:
        # Made outside of inference mode, whose tensors could not be written to by those who get them.
        frames = torch.empty(
            (len(latents), self.geometry.height, self.geometry.width, 3), dtype=torch.uint8, device=self._device
        )
        at_once = min(CACHED_BATCH, self.batch) if self._device.type == "cpu" else self.batch
        with torch.inference_mode():
            for start in range(0, len(latents), at_once):
                symbols = torch.from_numpy(latents.symbols[start : start + at_once]).to(self._device)
                parameters = torch.from_numpy(latents.parameters[start : start + at_once]).to(self._device)
                pixels = self.synthesised(self.quantiser.dequantise(symbols, parameters))
                pixels = (pixels * 255).round_().clamp_(0, 255).to(torch.uint8)
                frames[start : start + at_once] = pixels.permute(0, 2, 3, 1)
        return frames

    # Symbols and bits

    def coding(self, frames: int = 1):
        check_spec(self.entropy_spec)
        return priors.build(
            self.entropy_spec, quantiser=self.quantiser, tables=self.checkpoint.tables.get("factorised")
        )

    def writer(self) -> SymbolWriter:
        return SymbolWriter()

    def reader(self, payload: bytes, *, measuring: bool = False) -> SymbolReader:
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


def default_entropy(checkpoint: Checkpoint, quantiser: dict) -> dict:
    """What the weights were trained with, or where another quantiser was chosen the best that suits it."""
    if quantiser["name"] == "none":
        return {"name": "raw"}
    trained = build_quantiser(**checkpoint.quantiser, latent_range=checkpoint.model.latent_range).spec()
    return checkpoint.entropy if quantiser == trained else {"name": "adaptive"}
