"""The variational autoencoder: a whole frame, a normal latent, binary cross-entropy and KL (S1;
Kingma and Welling, 2014).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lvc.codecs.networks.layers import start_at_unit_variance
from lvc.codecs.networks.model import Model, Reconstruction, check_count, frames_geometry, logit
from lvc.frames import Geometry

LATENT_LIMIT = 6.0  # the latents' prior is a standard normal, so a mean beyond is one of 10**9


@dataclass(frozen=True)
class VariationalConfig:
    """code: latents of a frame. hidden: width of the layer on either side; 512 gives S1's size of weights."""

    width: int
    height: int
    code: int = 2048
    hidden: int = 512

    def __post_init__(self):
        check_count("code", self.code)
        check_count("hidden", self.hidden)


class Variational(Model):
    """Latents [code] of each frame: the mean of its posterior, within +-6."""

    latent_range = (-LATENT_LIMIT, LATENT_LIMIT)
    distortion = "bce"

    def __init__(self, name: str, config: VariationalConfig):
        super().__init__(name, config)
        values = 3 * config.width * config.height
        # Taken off first: Adam moves each weight alike, and 96,000 of them times a constant picture would be a leap.
        self.register_buffer("mean_frame", torch.zeros(3, config.height, config.width))
        self.encoder = nn.Sequential(nn.Linear(values, config.hidden), nn.ReLU())
        self.mean = nn.Linear(config.hidden, config.code)
        self.log_variance = nn.Linear(config.hidden, config.code)
        self.decoder = nn.Sequential(nn.Linear(config.code, config.hidden), nn.ReLU(), nn.Linear(config.hidden, values))

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, ...]:
        self.check_own_geometry(geometry)
        return (self.config.code,)

    def encode(self, frames: Tensor) -> Tensor:
        return self.mean(self.hidden(frames)).clamp(*self.latent_range)

    def hidden(self, frames: Tensor) -> Tensor:
        return self.encoder((frames - self.mean_frame).flatten(1))

    def decode(self, latents: Tensor, geometry: Geometry) -> Tensor:
        return torch.sigmoid(self.logits(latents))

    def logits(self, latents: Tensor) -> Tensor:
        return self.decoder(latents).view(-1, 3, self.config.height, self.config.width)

    def forward(self, frames: Tensor, perturb=None) -> Reconstruction:
        """As every model's; the latents are drawn from the posterior, and `extra_loss` holds the KL in nats a value of
        the frame.
        """
        self.latent_shape(frames_geometry(frames))
        hidden = self.hidden(frames)
        mean, log_variance = self.mean(hidden).float(), self.log_variance(hidden).float().clamp(-20, 10)
        drawn = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / frames[0].numel()
        logits = self.logits(drawn if perturb is None else perturb(drawn)).float()
        return Reconstruction(torch.sigmoid(logits), mean, {"kl": divergence})

    @torch.no_grad()
    def initialise(self, frames: Tensor) -> None:
        """Starts as a principal component analysis of the frames: a latent for each of their directions from the mean
        frame.

        From anywhere else, the divergence of 2,048 latents that say nothing yet outweighs all that frames differ by,
        and wins.
        """
        self.mean_frame.copy_(frames.mean(dim=0))
        changes = (frames - self.mean_frame).flatten(1)
        start_at_unit_variance(nn.Sequential(*self.encoder, self.mean), changes)
        # Of the frames' products, since there are fewer frames than values.
        strengths, places = torch.linalg.eigh(changes @ changes.T)
        count = min(self.config.code, self.config.hidden // 2, int((strengths > 1e-4 * strengths[-1]).sum()))
        # The latents of each frame, of variance 1
        strengths, places = strengths[-count:], places[:, -count:] * math.sqrt(len(frames))
        pairs = torch.eye(count).repeat_interleave(2, dim=0)
        pairs[1::2] *= -1  # a value and its opposite, of which a ReLU leaves one
        rest = 0.1  # of what other latents and units start with
        self.encoder[0].weight[: 2 * count] = pairs @ (places / strengths).T @ changes
        self.encoder[0].bias[: 2 * count] = 0
        self.mean.weight.mul_(rest)
        self.mean.weight[:count] = 0
        self.mean.weight[:count, : 2 * count] = pairs.T
        self.mean.bias.zero_()
        self.log_variance.weight.mul_(rest)
        self.log_variance.bias.zero_()
        self.log_variance.bias[:count] = -4.0  # a posterior of width 1 drowns what the means say at first
        before, after = self.decoder[0], self.decoder[-1]
        before.weight.mul_(rest)
        before.weight[: 2 * count] = 0
        before.weight[: 2 * count, :count] = pairs
        before.bias[: 2 * count] = 0
        logits = logit(frames.flatten(1))
        after.bias.copy_(logits.mean(dim=0))
        after.weight.mul_(rest)
        after.weight[:, : 2 * count] = (logits - after.bias).T @ places @ pairs.T / len(frames)
