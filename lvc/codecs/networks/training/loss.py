"""What training makes small: distortion, and the rate of a learned prior or the divergence of a variational model."""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lvc.codecs.networks.training.perceptual import perceptual_distance
from lvc.codecs.networks.training.similarity import ms_ssim
from lvc.errors import OptionError

MIXTURE = 3  # logistics to a channel: enough for a peak at zero and a tail on either side
LEAST_MASS = 2.0**-20
LEAST_DEVIATION = 0.3  # about that of the noise which stands for rounding


def cross_entropy(frames: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy less the least that the target allows."""
    least = F.binary_cross_entropy(target, target).detach()
    return F.binary_cross_entropy(frames.clamp(1e-6, 1 - 1e-6), target) - least


# name: measure of frames and target [T, 3, H, W] in 0..1, 0 where they are the same
MEASURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "bce": cross_entropy,
    "ms-ssim": lambda frames, target: 1 - ms_ssim(frames, target),
    "perceptual": perceptual_distance,
}
DISTORTIONS = tuple(MEASURES)


def parts_of(kind: str) -> dict[str, float]:
    """The weights of a distortion's parts: "mae" or "mae,ms-ssim=0.5,perceptual=0.1"; raises OptionError."""
    parts = {}
    for text in kind.split(","):
        name, equals, weight = text.partition("=")
        if name not in MEASURES:
            raise OptionError(f"there is no distortion {name!r}; choose from {', '.join(DISTORTIONS)}")
        try:
            value = float(weight) if equals else 1.0
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf or name in parts:
            raise OptionError(
                f"a distortion is written NAME or NAME=WEIGHT, each name once, as in mae,ms-ssim=0.5, not {kind!r}"
            )
        parts[name] = value
    return parts


def distortion_terms(frames: Tensor, target: Tensor, *, kind: str) -> dict[str, Tensor]:
    """Each part of the distortion, by name and weighted; see `parts_of`."""
    return {name: weight * MEASURES[name](frames, target) for name, weight in parts_of(kind).items()}


def distortion_of(frames: Tensor, target: Tensor, *, kind: str) -> Tensor:
    """The sum of the weighted parts, over frames [T, 3, H, W] in 0..1; 0 where they are the target's."""
    return sum(distortion_terms(frames, target, kind=kind).values())


def training_loss(
    frames: Tensor,
    target: Tensor,
    *,
    distortion: str,
    bits: Tensor | None = None,
    rate_weight: float = 0.0,
    extra: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """The terms and their sum "loss" for reconstructed and source frames [T, 3, H, W] in 0..1.

    bits: of each frame [T], which count as rate_weight * bits a pixel. extra: the model's own terms, on the scale of a
    mean.
    """
    frames, target = frames.float(), target.float()
    terms = {**distortion_terms(frames, target, kind=distortion), **(extra or {})}
    total = sum(terms.values())
    if bits is not None:
        pixels = target.shape[2] * target.shape[3]
        terms["bits_per_pixel"] = bits.mean() / pixels
        total = total + rate_weight * terms["bits_per_pixel"]
    return {"loss": total, **terms}


class ChannelDensity(nn.Module):
    """A density for each channel of the symbols [T, C, ...]: a mixture of three logistics.

    Stands in training for the frequency tables of the factorised prior, which are counted when training has ended
    (the role of Balle et al., ICLR 2018, appendix 6.1).
    """

    def __init__(self, channels: int):
        super().__init__()
        self.mean = nn.Parameter(torch.linspace(-1.0, 1.0, MIXTURE).repeat(channels, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, MIXTURE))
        self.log_weight = nn.Parameter(torch.zeros(channels, MIXTURE))

    @torch.no_grad()
    def initialise(self, symbols: Tensor) -> None:
        """Starts as wide as the symbols [T, C, ...] are: its scales are logarithms,
        and steps that suit a model's weights are slow for them.
        """
        rows = symbols.float().transpose(0, 1).flatten(1)
        deviation = rows.std(dim=1, correction=0, keepdim=True).clamp_min(LEAST_DEVIATION)
        self.mean.copy_(
            rows.mean(dim=1, keepdim=True) + deviation * torch.linspace(-1.0, 1.0, MIXTURE, device=rows.device)
        )
        # Of a logistic that wide
        self.log_scale.copy_(torch.log(deviation * math.sqrt(3) / math.pi).expand_as(self.log_scale))

    def bits(self, symbols: Tensor) -> Tensor:
        """Bits of each frame [T] for symbols [T, C, ...] in units of the quantiser's step, with noise or whole."""
        count, channels = symbols.shape[:2]
        x = symbols.float().reshape(count, channels, -1)
        total = torch.zeros_like(x)
        weight = torch.softmax(self.log_weight, dim=1)
        inverse = torch.exp(-self.log_scale.clamp(-5, 8))
        for part in range(MIXTURE):
            # By symmetry both ends are taken in the lower tail, where sigmoids do not round to 1.
            distance = (x - self.mean[:, part, None]).abs()
            factor = inverse[:, part, None]
            mass = torch.sigmoid((0.5 - distance) * factor) - torch.sigmoid((-0.5 - distance) * factor)
            total = total + weight[:, part, None] * mass
        return -torch.log(total.clamp_min(LEAST_MASS)).sum(dim=(1, 2)) / math.log(2)
