"""One point of a study: an autoencoder with a code of one size, trained, coded to a real file, and measured."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from lvc.codecs.codec import GroupCodec
from lvc.codecs.family import open_codec
from lvc.codecs.learning.inputs import to_input
from lvc.codecs.learning.seeding import new_model, seeded
from lvc.codecs.learning.trainer import RunSettings
from lvc.codecs.networks.model import BOUNDED, ROUNDED
from lvc.codecs.networks.training.loop import train
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.codecs.networks.training.run import noisy
from lvc.codecs.neural import quantize
from lvc.errors import OptionError
from lvc.frames import FrameBatch
from lvc.quality.metrics import mean_squared_error, psnr_of_mean_mse
from lvc.reading.reader import Reader
from lvc.study.pictures import Pictures, PictureSet
from lvc.study.systems import configuration, system_of
from lvc.video.resize import resize
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint
from lvc.writing.writer import Writer

CURVES = ("loss_curve", "validation_curve")  # [step, loss] each
CURVE_PIECES = 40  # means of the loss over as many pieces of the run
MANY_EPOCHS = 1 << 20  # the steps end a run
MEASURED_AT_ONCE = 64
SECOND = Fraction(1)
NAME = "study"  # what the measured files call their weights


@dataclass(frozen=True)
class Settings:
    """What all points of a study have in common.

    lr: the highest of Adam's learning rate, or None for each system's own. noise: deviation of the noise that is to be
    taken away, for pictures in 0..1. quantiser, entropy: specs.
    """

    steps: int = 600
    batch: int = 32
    lr: float | None = None
    seed: int = 0
    noise: float = 0.1
    quantiser: dict = field(default_factory=lambda: {"name": "naive"})
    entropy: dict = field(default_factory=lambda: {"name": "factorised"})

    def __post_init__(self):
        self.training("mlp1", denoising=False)
        if not self.noise > 0:
            raise OptionError(f"noise must be a number above 0, not {self.noise!r}")

    def training(self, system: str, *, denoising: bool) -> TrainingOptions:
        return TrainingOptions(
            epochs=MANY_EPOCHS,
            steps=self.steps,
            batch=self.batch,
            lr=system_of(system).learning_rate if self.lr is None else self.lr,
            seed=self.seed,
            input_noise=self.noise if denoising else 0.0,
            precision="float32",
            validation_frames=256,
            fit_frames=None,  # tables of 256 symbols for each number of a code: few pictures leave most unseen
        )

    @property
    def latents(self) -> str:
        return ROUNDED if self.quantiser["name"] == "round" else BOUNDED


@dataclass(frozen=True)
class Case:
    """Which point: a set of pictures by name, a system, a size of its code,
    and whether it is trained to take noise away.
    """

    source: str
    system: str
    code: int
    denoising: bool = False

    def __str__(self) -> str:
        return f"{self.source}-{self.system}-{self.code}{'-denoising' if self.denoising else ''}"


@dataclass(frozen=True)
class Coded:
    """Pictures that went through a file: bytes of the whole file and of its packets alone, and the mean squared error
    of the decoded pictures, for pixels in 0..255.
    """

    file_bytes: int
    packet_bytes: int
    mse: list[float]


def measure_point(
    case: Case,
    sets: Mapping[str, PictureSet],
    settings: Settings,
    *,
    device: str = "cpu",
    on_step: Callable[[int], None] = lambda _step: None,
) -> dict:
    """Trains and measures a point; gives its figures as JSON holds them.

    on_step is called with the number of steps that are done. PSNR is the dB of the mean squared error over all test
    pictures, decoded from a real file; loss is the mean squared error of pixels in 0..1 before quantising. Raises what
    training and coding raise.
    """
    own = sets[case.source]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lvc-study-") as name:
        folder = Path(name)
        weights = folder / f"{NAME}.safetensors"
        trained = trained_weights(case, own, settings, weights, device=device, on_step=on_step)
        checkpoint = checkpoints.load(weights, device=device)
        coded = through_file(checkpoint, weights, own.test, folder)
        elsewhere = {}
        for other in sets.values():
            if other.name != own.name:
                pictures = Pictures(resize(other.test.data.transpose(0, 2, 3, 1), own.geometry).transpose(0, 3, 1, 2))
                there = through_file(checkpoint, weights, pictures, folder)
                elsewhere[other.name] = {
                    "psnr": psnr_of_mean_mse(there.mse),
                    "packet_bytes": there.packet_bytes / len(pictures),
                    "sha256": other.sha256,
                }
    count, codec = len(own.test), open_codec(checkpoint, geometry=own.geometry, device=device)
    values = own.test.data[0].size if not own.grey else own.test.data[0, 0].size
    return {
        "source": case.source,
        "system": case.system,
        "code": case.code,
        "denoising": case.denoising,
        "sha256": own.sha256,
        "width": own.geometry.width,
        "height": own.geometry.height,
        "grey": own.grey,
        "train_pictures": len(own.train),
        "test_pictures": count,
        "parameters": sum(parameter.numel() for parameter in checkpoint.model.parameters()),
        "raw_bytes": own.raw_bytes,
        "file_bytes": coded.file_bytes / count,
        "packet_bytes": coded.packet_bytes / count,
        "file_ratio": count * own.raw_bytes / coded.file_bytes,
        "packet_ratio": count * own.raw_bytes / coded.packet_bytes if coded.packet_bytes else None,
        "ratio_of_dimensions": values / case.code,
        "test_loss": float(np.mean(losses(checkpoint.model, own.test, device))),
        "psnr": psnr_of_mean_mse(coded.mse),
        **denoised(codec, own.test, settings),
        "elsewhere": elsewhere,
        **trained,
        "seconds": time.monotonic() - started,
    }


def trained_weights(
    case: Case, own: PictureSet, settings: Settings, weights: Path, *, device: str, on_step: Callable[[int], None]
) -> dict:
    """Trains into the file `weights`; gives the curves, and the processor's time of a step and of all."""
    options = settings.training(case.system, denoising=case.denoising)
    name, model_options = configuration(case.system, case.code, own.geometry, latents=settings.latents)
    model = new_model(name, geometry=own.geometry, seed=settings.seed, **model_options)
    quantiser = quantize.build(**settings.quantiser, latent_range=model.latent_range)
    step_losses, step_seconds, validation = [], [], []
    records = train(
        model,
        own.train,
        own.validation,
        weights,
        quantiser=quantiser,
        entropy=settings.entropy,
        options=options,
        settings=RunSettings(files=checkpoints, name=NAME, device=device, workers=0),
    )
    after_step, before = False, time.process_time()
    for record in records:
        # The processor's time, for other programs change that of the clock; without what comes between steps.
        now = time.process_time()
        if record.learning_rate is not None:
            step_losses.append(record.terms["loss"])
            if after_step:
                step_seconds.append(now - before)
            on_step(record.step)
        elif record.validation is not None:
            validation.append([record.step, record.validation.distortion])
        after_step, before = record.learning_rate is not None, time.process_time()
    step = statistics.median(step_seconds) if step_seconds else None
    return {
        "loss_curve": curve(step_losses),
        "validation_curve": validation,
        "step_ms": None if step is None else 1000 * step,
        "training_seconds": None if step is None else step * len(step_losses),
    }


def curve(step_losses: list[float]) -> list[list[float]]:
    """Means [last step, loss] over equal pieces of the run."""
    pieces = np.array_split(np.asarray(step_losses), min(CURVE_PIECES, len(step_losses)))
    ends = np.cumsum([len(piece) for piece in pieces])
    return [[int(end), float(piece.mean())] for end, piece in zip(ends, pieces)]


def through_file(checkpoint: Checkpoint, weights: Path, pictures: Pictures, folder: Path) -> Coded:
    """Writes all pictures into one `.lvc` file and reads them again."""
    path = folder / "coded.lvc"
    with Writer(path, geometry=pictures.geometry, time_base=SECOND, model=checkpoint, overwrite=True) as writer:
        writer.write(FrameBatch(pictures.data.transpose(0, 2, 3, 1), tuple(range(len(pictures))), SECOND))
    with Reader(path, model=weights) as reader:
        packets = sum(len(packet.payload) for group in reader.container.groups() for packet in group.packets)
        decoded = reader.frames(0, len(reader)).data.transpose(0, 3, 1, 2)
    mse = [mean_squared_error(*pair) for pair in zip(pictures.data, decoded)]
    return Coded(path.stat().st_size, packets, mse)


@torch.no_grad()
def losses(model, pictures: Pictures, device: str) -> np.ndarray:
    """Mean squared error of each picture [N] in 0..1 by the networks alone, without quantising."""
    found = []
    for start in range(0, len(pictures), MEASURED_AT_ONCE):
        x = to_input(pictures.data[start : start + MEASURED_AT_ONCE], torch.device(device))
        found.append((model.synthesise(model.analyse(x)) - x).square().mean(dim=(1, 2, 3)).cpu().numpy())
    return np.concatenate(found)


def denoised(codec: GroupCodec, clean: Pictures, settings: Settings) -> dict:
    """dB of noisy test pictures beside the clean ones, before and after they went through the codec."""
    cpu = torch.device("cpu")
    with seeded(settings.seed, 0, cpu):
        source = noisy(to_input(clean.data, cpu), settings.noise).mul_(255).round_().to(torch.uint8).numpy()
    decoded = codec.decoded_pictures(codec.encode_group(source.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
    before = psnr_of_mean_mse([mean_squared_error(*pair) for pair in zip(clean.data, source)])
    after = psnr_of_mean_mse([mean_squared_error(*pair) for pair in zip(clean.data, decoded)])
    gained = None if before is None or after is None else after - before
    return {"noisy_psnr": before, "denoised_psnr": after, "gained_db": gained}
