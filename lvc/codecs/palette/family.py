"""The palette family: pictures of few colours, for games that no network has seen."""

from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import Family, GroupCodec, ModelKind, Settings, Traits

if TYPE_CHECKING:
    from lvc.codecs.learning.trainer import Trainer


class PaletteFamily(Family):
    traits = Traits(
        variable_rate=True,
        predicts=True,
        takes_native=True,
        any_size=True,
        side_by_side=True,
        efforts=range(2),
        usual_effort=1,
    )
    trained = True
    models: ClassVar = {"temporal-palette": ModelKind("lvc.codecs.palette.model", "Palette", "PaletteConfig")}

    def open(self, checkpoint: Checkpoint, settings: Settings) -> GroupCodec:
        from lvc.codecs.palette.codec import PaletteCodec

        return PaletteCodec(checkpoint, settings, self.traits)

    def tensors(self) -> ModuleType:
        from lvc.codecs import in_numpy

        return in_numpy

    def trainer(self) -> "Trainer":
        from lvc.codecs.palette.recipes import TRAINER

        return TRAINER


FAMILY = PaletteFamily()
