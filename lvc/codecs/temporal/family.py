"""The temporal family: latents of frames, predicted by an integer network from those of the frames before."""

from types import ModuleType
from typing import ClassVar

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import Family, GroupCodec, ModelKind, Settings, Traits


class TemporalFamily(Family):
    traits = Traits(variable_rate=True, predicts=True, needs_torch=True, efforts=range(2), usual_effort=1)
    models: ClassVar = {"temporal": ModelKind("lvc.codecs.temporal.model", "Temporal", "TemporalConfig")}

    def open(self, checkpoint: Checkpoint, settings: Settings) -> GroupCodec:
        from lvc.codecs.temporal.codec import TemporalCodec

        return TemporalCodec(checkpoint, settings, self.traits)

    def tensors(self) -> ModuleType:
        from lvc.codecs import in_torch

        return in_torch


FAMILY = TemporalFamily()
