"""A family in a page, to show what one needs: frames less a learned mean colour, in coarser steps at each crf, packed
by zlib.

It has weights of one array, latents, any crf, and a training; registered by a test, it goes wherever others go.
"""

import zlib
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np

from lvc.codecs import in_numpy
from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import CodedGroup, Family, GroupCodec, GroupDecoder, ModelKind, Traits
from lvc.codecs.learning.progress import Progress, Validation
from lvc.codecs.learning.trainer import Recipe, Trainer
from lvc.container.layout import Packet
from lvc.errors import FormatError
from lvc.frames import Geometry, Latents, symbols_digest
from lvc.quality.metrics import mean_squared_error


@dataclass(frozen=True)
class ToyConfig:
    width: int = 200
    height: int = 160


class Toy:
    """mean: uint8 [3], the colour that frames are expected to have."""

    def __init__(self, name, config, arrays=None):
        self.name, self.config, self.geometry = name, config, Geometry(config.width, config.height)
        self.mean = (arrays or self.blanks(config))["mean"]

    @staticmethod
    def blanks(_config):
        return {"mean": np.broadcast_to(np.uint8(128), 3)}

    def arrays(self):
        return {"mean": self.mean}


class ToyCodec(GroupCodec):
    def __init__(self, checkpoint, settings, traits):
        super().__init__(checkpoint, settings, traits)
        self.quantiser_spec, self.entropy_spec = {"name": "step"}, {"name": "zlib"}
        self.step, self.mean = 1 + settings.crf // 8, checkpoint.model.mean.astype(np.int32)
        self.latent_shape = (self.geometry.height, self.geometry.width, 3)
        self.group_frame_bytes = 4 * int(np.prod(self.latent_shape))

    def encode_group(self, frames):
        symbols = np.rint((frames.astype(np.int32) - self.mean) / self.step).astype(np.int32)
        packets = tuple(
            Packet(frame_count=1, payload=zlib.compress(frame.astype("<i2").tobytes())) for frame in symbols
        )
        return CodedGroup(packets, symbols_digest(symbols), Latents(symbols, np.zeros((len(frames), 0), np.float32)))

    def render(self, latents):
        return np.clip(latents.symbols * self.step + self.mean, 0, 255).astype(np.uint8)

    def open_group(self, packets):
        return ToyDecoder(self, packets)


class ToyDecoder(GroupDecoder):
    def __init__(self, codec, packets):
        self.frame_count, self._codec, self._coming = codec.frames_of(packets), codec, list(packets)
        if self.frame_count != len(packets):
            raise FormatError("packets of one frame each were expected")
        self._symbols = np.empty((0, *codec.latent_shape), np.int32)

    @property
    def decoded(self):
        return len(self._symbols)

    @property
    def digest(self):
        return symbols_digest(self._symbols)

    @property
    def nbytes(self):
        return self._symbols.nbytes + sum(len(packet.payload) for packet in self._coming)

    def advance(self, stop):
        while self.decoded < stop:
            size = 2 * int(np.prod(self._codec.latent_shape))
            unpacker = zlib.decompressobj()
            try:
                data = unpacker.decompress(self._coming.pop(0).payload, size + 1)
            except zlib.error as error:
                raise FormatError(f"a frame is no zlib stream: {error}") from error
            if len(data) != size or not unpacker.eof:
                raise FormatError(f"a frame of {size} bytes was expected")
            frame = np.frombuffer(data, "<i2").astype(np.int32).reshape(1, *self._codec.latent_shape)
            self._symbols = np.concatenate([self._symbols, frame])

    def latents(self, places):
        symbols = self._symbols[places]
        return Latents(symbols, np.zeros((len(symbols), 0), np.float32))

    def pictures(self, places):
        return self._codec.render(self.latents(places))


@dataclass(frozen=True)
class ToyOptions:
    steps: int = 2
    seed: int = 0


class ToyTrainer(Trainer):
    recipes: ClassVar = {
        "toy": Recipe("toy", quantiser={"name": "step"}, entropy={"name": "zlib"}, training=ToyOptions())
    }

    def train(self, model, training, validation, output, *, recipe, settings):
        frames = training.frames(range(len(training)))
        for step in range(recipe.training.steps):
            model.mean = frames.mean(axis=(0, 2, 3)).round().astype(np.uint8)
            yield Progress(
                1,
                step + 1,
                recipe.training.steps,
                (step + 1) / recipe.training.steps,
                0.0,
                1.0,
                {"loss": float(frames.std())},
                learning_rate=1.0,
            )
        flat = np.broadcast_to(model.mean[:, None, None], frames.shape[1:])
        figures = Validation.of(
            [mean_squared_error(frame, flat) for frame in validation.frames(range(len(validation)))], bits=None
        )
        facts = {"dataset": settings.dataset or {}, "options": asdict(recipe.training)}
        facts["position"] = {"figures": asdict(figures)}
        metadata = settings.metadata(model, quantiser=recipe.quantiser, entropy=recipe.entropy)
        settings.files.save(output, Checkpoint(replace(metadata, training=facts), model), overwrite=settings.overwrite)
        yield Progress(1, step + 1, recipe.training.steps, 1.0, 0.0, 1.0, {}, validation=figures, best=True)
        yield Progress(1, step + 1, recipe.training.steps, 1.0, 0.0, 1.0, {}, ended="all steps done")


class ToyFamily(Family):
    traits = Traits(variable_rate=True, any_size=True, side_by_side=True)
    models: ClassVar = {"toy": ModelKind("tests.codecs.toy_family", "Toy", "ToyConfig")}
    trained = True

    def open(self, checkpoint, settings):
        return ToyCodec(checkpoint, settings, self.traits)

    def tensors(self):
        return in_numpy

    def trainer(self):
        return ToyTrainer()


FAMILY = ToyFamily()
