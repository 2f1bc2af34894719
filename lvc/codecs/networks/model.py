"""What every single-frame model offers: frames to latents, and latents to frames."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lvc.errors import OptionError
from lvc.frames import Geometry

BOUNDED, ROUNDED = "bounded", "rounded"


@dataclass(frozen=True)
class Reconstruction:
    """What training sees of a batch.

    frames: float32 [T, 3, H, W], not clamped. latents: [T, …], before `perturb`.
    extra_loss: terms to add to a distortion that is a mean over all values of the frames.
    """

    frames: Tensor
    latents: Tensor
    extra_loss: dict[str, Tensor] = field(default_factory=dict)


class Model(nn.Module):
    """A model of single frames. Subclasses define `name`, `config`, `encode`, `decode` and `latent_shape`.

    latent_range: bounds of the latents where they have some. rounded_latents: whether they are made for rounding.
    distortion: the loss of the frames, "mse" or "bce". any_geometry: whether frames of other sizes are taken.
    tables_by_channel: whether a learned prior has a table a channel, and so takes any size, or one chosen for each
    latent.
    hyper: its hyperprior, or None.
    """

    latent_range: tuple[float, float] | None = (0.0, 1.0)
    rounded_latents = False
    distortion = "mse"
    any_geometry = False
    tables_by_channel = False

    def __init__(self, name: str, config):
        super().__init__()
        self.name, self.config = name, config
        self.hyper: nn.Module | None = None
        self.geometry = Geometry(config.width, config.height)

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, ...]:
        """The shape of one frame's latents; raises OptionError for a geometry that the model cannot take."""
        raise NotImplementedError

    def encode(self, frames: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(self, latents: Tensor, geometry: Geometry) -> Tensor:
        """Frames, not clamped."""
        raise NotImplementedError

    def analyse(self, frames: Tensor) -> Tensor:
        """Latents float32 [T, *latent_shape] of frames [T, 3, H, W] in 0..1."""
        self.latent_shape(frames_geometry(frames))
        return self.encode(frames).float()

    def synthesise(self, latents: Tensor, *, geometry: Geometry | None = None) -> Tensor:
        """Frames float32 [T, 3, H, W] in 0..1 of latents [T, *latent_shape]; `geometry` is the model's own unless
        given.

        A model of any geometry takes latents of any size; without `geometry` their frames come with the padding.
        """
        geometry = geometry or self.own_geometry(latents)
        expected = self.latent_shape(geometry)
        if tuple(latents.shape[1:]) != expected:
            raise OptionError(
                f"model {self.name}: {geometry} needs latents of {list(expected)}, not {list(latents.shape[1:])}"
            )
        return self.decode(latents, geometry).float().clamp(0, 1)

    def forward(self, frames: Tensor, perturb=None) -> Reconstruction:
        """Both ways, for training; `perturb` is the quantiser's noise on the latents."""
        geometry = frames_geometry(frames)
        self.latent_shape(geometry)
        latents = self.encode(frames)
        return Reconstruction(self.decode(latents if perturb is None else perturb(latents), geometry).float(), latents)

    def initialise(self, frames: Tensor) -> None:
        """Lets training start from the data: here nothing. frames: [T, 3, H, W] in 0..1,
        some hundred of the training set.
        """

    def settle(self) -> None:
        """Brings what coding uses in line with what was trained, before weights are written: here nothing."""

    def for_coding(self) -> "Model":
        """The model as it codes fastest; its latents and frames may differ in the last bits of a float."""
        return self

    def own_geometry(self, latents: Tensor) -> Geometry:
        return self.geometry

    def check_own_geometry(self, geometry: Geometry | None) -> None:
        if geometry is not None and geometry != self.geometry:
            raise OptionError(
                f"model {self.name} is made for frames of {self.geometry} and has weights for each pixel; {geometry} "
                "needs another"
            )


def frames_geometry(frames: Tensor) -> Geometry:
    if frames.ndim != 4 or frames.shape[1] != 3:
        raise OptionError(f"a model takes frames [T, 3, H, W], not {list(frames.shape)}")
    return Geometry(frames.shape[3], frames.shape[2])


def contexts(latent_shape: tuple[int, ...]) -> int:
    """How many kinds of latents a model has: the channels, or the blocks; one for a plain vector."""
    return latent_shape[0] if len(latent_shape) > 1 else 1


def parameter_bytes(model: nn.Module) -> int:
    """Bytes of the weights, buffers included, on any device."""
    return sum(part.numel() * part.element_size() for part in model.state_dict().values())


def activation(latents: str) -> nn.Module:
    """What makes latents of that kind: "bounded" to 0..1, or free for "rounded"."""
    return nn.Sigmoid() if latents == BOUNDED else nn.Identity()


def check_kind(latents: str) -> None:
    if latents not in (BOUNDED, ROUNDED):
        raise OptionError(
            f"latents must be {BOUNDED} (0..1, for naive, scale, kmeans) or {ROUNDED} (for round), not {latents!r}"
        )


def check_count(name: str, value, *, least: int = 1, most: int = 1 << 16) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise OptionError(f"{name} must be a whole number from {least} to {most}, not {value!r}")


def logit(x: Tensor, margin: float = 0.01) -> Tensor:
    return torch.logit(x.clamp(margin, 1 - margin))


def uniform(*shape: int, fan_in: int) -> nn.Parameter:
    """Weights of variance 1/fan_in."""
    bound = math.sqrt(3 / fan_in)
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))
