"""The codec of single-frame networks: beside what any network has, an entropy model that a hyperprior brings along."""

from lvc.codecs.networks.hyperprior_coding import HyperLatents
from lvc.codecs.neural.codec import NeuralCodec
from lvc.entropy.priors import HYPERPRIOR, check_spec
from lvc.errors import ModelError


class NetworkCodec(NeuralCodec):
    def coding(self, frames: int = 1):
        tables, hyper = self.checkpoint.tables, self.model.hyper
        if check_spec(self.entropy_spec) != HYPERPRIOR or hyper is None:
            return super().coding(frames)
        if not {"side", "scales"} <= tables.keys():
            raise ModelError(
                f"entropy {HYPERPRIOR} needs tables of side information and scales, and the weights "
                f"{self.checkpoint.name} hold none"
            )
        return HyperLatents(hyper, tables["side"], tables["scales"])
