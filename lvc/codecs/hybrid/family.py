"""The hybrid block codec's family, for pictures of any kind: motion, intra prediction, transforms, context mixing."""

from typing import ClassVar

from lvc.codecs.checkpoint import Checkpoint, Metadata
from lvc.codecs.codec import PICTURES, Family, GroupCodec, Settings, Traits
from lvc.codecs.hybrid.tools import NAMES
from lvc.container.header import NO_WEIGHTS
from lvc.frames import DEFAULT_GEOMETRY

MODEL = "hybrid"
USUAL_KEYINT = 256  # a keyframe costs rich pictures 5 to 20 times another frame


class HybridFamily(Family):
    traits: ClassVar = Traits(
        variable_rate=True,
        predicts=True,
        any_size=True,
        side_by_side=True,
        digest_of=PICTURES,
        no_latents="the hybrid codec keeps pictures between frames, and hands out none of its coefficients yet",
        renders_latents=False,
        efforts=range(3),
        usual_effort=1,
        usual_keyint=USUAL_KEYINT,
        fitted=True,
        finds_scenes=True,
        tools=NAMES,
    )

    def open(self, checkpoint: Checkpoint, settings: Settings) -> GroupCodec:
        from lvc.codecs.hybrid.codec import HybridCodec

        return HybridCodec(checkpoint, settings, self.traits)

    def levels(self, checkpoint: Checkpoint) -> range:
        from lvc.codecs.hybrid.codec import LEVELS

        return LEVELS

    def at_level(self, checkpoint: Checkpoint, level: int) -> dict:
        return {"quantiser": {"name": "step", "level": level}}

    def serves(self, model: str, effort: int | None) -> bool:
        """Not before its format is settled and guarded by a golden file: nobody gets it without naming it."""
        return False

    def without_weights(self, model: str) -> Checkpoint:
        specs = {"quantiser": {"name": "step"}, "entropy": {"name": MODEL}}
        description = "lvc's own block codec in whole numbers: for pictures of any kind"
        return Checkpoint(
            Metadata(name=model, model=model, config={}, geometry=DEFAULT_GEOMETRY, description=description, **specs),
            None,
            {},
            NO_WEIGHTS,
        )


FAMILY = HybridFamily()
