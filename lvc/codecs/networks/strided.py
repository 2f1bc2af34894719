"""What the convolutional models of any geometry share: frames padded to whole strides, latents in maps."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lvc.codecs.networks.model import Model
from lvc.frames import Geometry


class Strided(Model):
    """Latents [latent_channels, h, w] of each frame: h and w are its sides over `stride`, rounded up.

    Subclasses define `stride` and `latent_channels`.
    """

    any_geometry = True
    stride: int
    latent_channels: int

    def latent_shape(self, geometry: Geometry | None = None) -> tuple[int, ...]:
        geometry = geometry or self.geometry
        return (self.latent_channels, -(-geometry.height // self.stride), -(-geometry.width // self.stride))

    def own_geometry(self, latents: Tensor) -> Geometry:
        if latents.ndim != 4 or tuple(latents.shape[1:]) == self.latent_shape():
            return self.geometry
        return Geometry(latents.shape[3] * self.stride, latents.shape[2] * self.stride)

    def padded(self, frames: Tensor) -> Tensor:
        """Frames with their right and lower edges repeated to whole strides, laid out as convolutions like it."""
        right, bottom = -frames.shape[3] % self.stride, -frames.shape[2] % self.stride
        # channels_last: conv4 is 1.4 times as fast on a CPU, and its synthesis twice.
        return F.pad(frames, (0, right, 0, bottom), mode="replicate").contiguous(memory_format=torch.channels_last)
