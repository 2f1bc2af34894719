"""The family of networks: autoencoders of single frames."""

from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import Family, GroupCodec, ModelKind, Settings, Traits

if TYPE_CHECKING:
    from lvc.codecs.learning.trainer import Trainer


def kind(module: str, model: str, config: str, **defaults) -> ModelKind:
    return ModelKind(f"lvc.codecs.networks.{module}", model, config, defaults)


class NetworkFamily(Family):
    traits = Traits(needs_torch=True)
    trained = True
    models: ClassVar = {
        "fc-vanilla": kind("fully_connected", "FullyConnected", "FullyConnectedConfig", code=1000, hidden=()),
        "fc-multilayer": kind(
            "fully_connected", "FullyConnected", "FullyConnectedConfig", code=1000, hidden=(3000, 2000)
        ),
        "conv4": kind("convolutional", "Convolutional", "ConvolutionalConfig", stages=4),
        "conv5": kind("convolutional", "Convolutional", "ConvolutionalConfig", stages=5),
        "vae": kind("variational", "Variational", "VariationalConfig"),
        "resnet18": kind("resnet", "ResNet", "ResNetConfig"),
        "gdn-attention": kind("attention", "GdnAttention", "AttentionConfig"),
        # The 3x3 kernels of the first are 5x5 in the second: 1,841,280 and 2,365,568 parameters of the encoder.
        "edge3": kind("chain", "Chain", "Edge3Config"),
        "edge5": kind("chain", "Chain", "Edge5Config"),
        "chain": kind("chain", "Chain", "Edge3Config"),
    }

    def open(self, checkpoint: Checkpoint, settings: Settings) -> GroupCodec:
        from lvc.codecs.networks.codec import NetworkCodec

        return NetworkCodec(checkpoint, settings, self.traits)

    def tensors(self) -> ModuleType:
        from lvc.codecs import in_torch

        return in_torch

    def trainer(self) -> "Trainer":
        from lvc.codecs.networks.training.recipes import TRAINER

        return TRAINER


FAMILY = NetworkFamily()
