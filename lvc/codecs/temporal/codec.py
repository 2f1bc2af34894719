"""The codec of the temporal family: beside what any network has, a quality level, scenery,
and an entropy model that predicts.
"""

from dataclasses import replace

import numpy as np
import torch

from lvc.codecs.codec import CodedGroup
from lvc.codecs.neural.codec import NeuralCodec
from lvc.codecs.temporal.model import held_clips, steadied
from lvc.codecs.temporal.prediction import PredictedLatents
from lvc.codecs.temporal.rate_distortion import choose
from lvc.entropy.coder import SymbolWriter
from lvc.entropy.priors import PREDICTION
from lvc.errors import ModelError, OptionError
from lvc.frames import Latents, symbols_digest

SYMBOL_LIMIT = 2**23  # whole numbers below are exact wherever the prior may hold them


class TemporalCodec(NeuralCodec):
    """With entropy prediction latents of one group keep near to those before; with others each frame stands alone."""

    def check(self) -> None:
        predicts = self.entropy_spec["name"] == PREDICTION
        self.traits = replace(self.traits, predicts=predicts)
        if not predicts or not self.model.config.exact:
            super().check()
        elif self.quantiser.name != "round":
            raise OptionError(
                f"entropy {PREDICTION} codes rounded latents; quantiser {self.quantiser.name} gives others"
            )

    @property
    def _weighs_bits(self) -> bool:
        """Whether symbols are weighed against their bits one by one; else they are held near those before."""
        return self.traits.predicts and self.settings.effort > 0

    def analyse(self, frames: np.ndarray) -> Latents:
        if self._weighs_bits:
            return self.encode_group(frames).latents
        if not self.traits.predicts:
            return super().analyse(frames)
        with torch.inference_mode():
            symbols = held_clips(self.transformed(frames)[None])[0][0].clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT)
        return Latents(symbols.cpu().numpy().astype(np.int32), np.zeros((len(symbols), 0), np.float32))

    def encode_group(self, frames: np.ndarray) -> CodedGroup:
        if not self._weighs_bits:
            return super().encode_group(frames)
        parameters = np.zeros((len(frames), 0), np.float32)
        packets, runs = self.packets_of(parameters, self._chooser(frames))
        symbols = np.concatenate(runs)
        return CodedGroup(packets, symbols_digest(symbols), Latents(symbols, parameters))

    @torch.inference_mode()
    def _chooser(self, frames: np.ndarray):
        """What chooses symbols of some of one group's frames, in order, and codes them as it does,
        so that the prior is asked once.
        """
        values = self.transformed(frames).clamp(1 - SYMBOL_LIMIT, SYMBOL_LIMIT - 1).cpu().numpy()
        coding, weights = self.coding(), self.model.symbol_weights(self.crf).cpu().numpy()

        def chosen(run: slice, writer: SymbolWriter) -> np.ndarray:
            with torch.inference_mode():
                return choose(coding, values[run], weights, writer)

        return chosen

    def transformed(self, frames: np.ndarray) -> torch.Tensor:
        runs = [slice(start, start + self.batch) for start in range(0, len(frames), self.batch)]
        scenery = (
            steadied(torch.cat([self.model.scenery(self.input(frames[run])) for run in runs]))
            if self.model.config.placed
            else None
        )
        parts = []
        for run in runs:
            batch = self.input(frames[run])
            parts.append(self.model.analyse(batch, self._levels(len(batch)), None if scenery is None else scenery[run]))
        return torch.cat(parts)

    def synthesised(self, values: torch.Tensor) -> torch.Tensor:
        return self.model.synthesise(values, self._levels(len(values)), geometry=self.geometry)

    def _levels(self, count: int) -> torch.Tensor:
        return torch.full((count,), float(self.crf), device=self._device)

    def coding(self, frames: int = 1):
        if not self.traits.predicts:
            return super().coding(frames)
        tables = self.checkpoint.tables
        if not {"copies", "residuals"} <= tables.keys():
            raise ModelError(
                f"entropy {PREDICTION} needs tables of copies and residuals, and the weights {self.checkpoint.name} "
                "hold none"
            )
        return PredictedLatents(self.model.prior, tables["copies"], tables["residuals"], crf=self.crf)

    def code_run(self, coding, symbols: np.ndarray | None, count: int, coder, plans: tuple = ()) -> np.ndarray:
        if not self.traits.predicts:
            return super().code_run(coding, symbols, count, coder, plans)
        return coding.code_frames(symbols, count, coder, self.latent_shape)
