"""The family of standard codecs: AV1, HEVC, and two lossless ones, each in lvc's groups; there are no weights."""

from typing import ClassVar

from lvc.codecs.checkpoint import Checkpoint, Metadata
from lvc.codecs.codec import PICTURES, Family, GroupCodec, Settings, Traits
from lvc.container.header import NO_WEIGHTS
from lvc.frames import DEFAULT_GEOMETRY

DESCRIPTIONS = {
    "av1": "AV1 at 4:4:4 by libaom, which an ffmpeg program has: for pictures of any kind",
    "hevc": "HEVC at 4:4:4 by x265, for where there is no libaom",
    "lossless": "frames as they were, by FFV1 or H.264, whichever is smaller",
}
NO_LATENTS = "a standard video codec made it, whose streams have no latents to hand out"
NO_LIBAOM = (
    "no ffmpeg with libaom is found, so x265 stands in for it, with files up to half as large again: "
    "install ffmpeg, or pip install imageio-ffmpeg"
)
# A keyframe costs rich pictures 5 to 20 times another frame, and these streams decode at many hundred frames a second.
USUAL_KEYINT = 256
LOSSY = Traits(
    variable_rate=True,
    predicts=True,
    any_size=True,
    side_by_side=True,
    digest_of=PICTURES,
    no_latents=NO_LATENTS,
    renders_latents=False,
    efforts=range(3),
    usual_effort=1,
    usual_keyint=USUAL_KEYINT,
    fitted=True,
    finds_scenes=True,
)
LOSSLESS = Traits(
    predicts=True,
    any_size=True,
    side_by_side=True,
    lossless=True,
    digest_of=PICTURES,
    no_latents=NO_LATENTS,
    renders_latents=False,
)


class StandardFamily(Family):
    traits: ClassVar = LOSSY

    def traits_of(self, checkpoint: Checkpoint) -> Traits:
        return LOSSLESS if checkpoint.metadata.model == "lossless" else LOSSY

    def open(self, checkpoint: Checkpoint, settings: Settings) -> GroupCodec:
        from lvc.codecs.standard.codec import StandardCodec

        return StandardCodec(checkpoint, settings, self.traits_of(checkpoint))

    def serves(self, model: str, effort: int | None) -> bool:
        from lvc.codecs.standard import ffmpeg

        # libaom's fastest is a quarter as fast as x265, and 16 % smaller.
        by_libaom = effort != 0 and ffmpeg.found() is not None
        return by_libaom == (model == "av1")

    def note(self, model: str) -> str:
        from lvc.codecs.standard import ffmpeg

        return NO_LIBAOM if model == "hevc" and ffmpeg.found() is None else ""

    def levels(self, checkpoint: Checkpoint) -> range:
        from lvc.codecs.standard.encoding import encoder_of

        return encoder_of(checkpoint.metadata.model).levels

    def at_level(self, checkpoint: Checkpoint, level: int) -> dict:
        return {"quantiser": {"name": "constant", "level": level}}

    def without_weights(self, model: str) -> Checkpoint:
        specs = {"quantiser": {"name": "constant"}, "entropy": {"name": model}}
        return Checkpoint(
            Metadata(
                name=model, model=model, config={}, geometry=DEFAULT_GEOMETRY, description=DESCRIPTIONS[model], **specs
            ),
            None,
            {},
            NO_WEIGHTS,
        )


FAMILY = StandardFamily()
