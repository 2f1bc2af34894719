"""The temporal family: latents of frames, predicted by an integer network from those of the frames before."""

from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import Family, GroupCodec, ModelKind, Settings, Traits

if TYPE_CHECKING:
    from lvc.codecs.learning.trainer import Trainer


class TemporalFamily(Family):
    traits = Traits(variable_rate=True, predicts=True, needs_torch=True, efforts=range(2), usual_effort=1)
    trained = True
    models: ClassVar = {"temporal": ModelKind("lvc.codecs.temporal.model", "Temporal", "TemporalConfig")}

    def open(self, checkpoint: Checkpoint, settings: Settings) -> GroupCodec:
        from lvc.codecs.temporal.codec import TemporalCodec

        return TemporalCodec(checkpoint, settings, self.traits)

    def tensors(self) -> ModuleType:
        from lvc.codecs import in_torch

        return in_torch

    def trainer(self) -> "Trainer":
        from lvc.codecs.temporal.recipes import TRAINER

        return TRAINER


FAMILY = TemporalFamily()
