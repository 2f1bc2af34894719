"""The variational autoencoder: a whole frame, a normal latent, binary cross-entropy and KL (S1; Kingma and Welling, 2014)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lvc.frames import Geometry
from lvc.models.layers import start_at_unit_variance
from lvc.models.model import Model, Reconstruction, check_count, frames_geometry, logit

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
        """As every model's; the latents are drawn from the posterior, and `extra_loss` holds the KL in nats a value of the frame."""
        self.latent_shape(frames_geometry(frames))
        hidden = self.hidden(frames)
        mean, log_variance = self.mean(hidden).float(), self.log_variance(hidden).float().clamp(-20, 10)
        drawn = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / frames[0].numel()
        logits = self.logits(drawn if perturb is None else perturb(drawn)).float()
        return Reconstruction(torch.sigmoid(logits), mean, {"kl": divergence})

    @torch.no_grad()
    def initialise(self, frames: Tensor) -> None:
        """Gives the means the prior's variance and the posterior a narrower one, and starts the output at the mean frame."""
        self.mean_frame.copy_(frames.mean(dim=0))
        start_at_unit_variance(nn.Sequential(*self.encoder, self.mean), (frames - self.mean_frame).flatten(1))
        # A posterior of width 1 drowns what the means say at first.
        self.log_variance.bias.fill_(-4.0)
        self.decoder[-1].bias.copy_(logit(self.mean_frame.flatten()))
