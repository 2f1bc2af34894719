"""The order in which a frame is coded with a hyperprior: its side information,
then its latents under the tables that it names.
"""

import numpy as np
import torch

from lvc.codecs.integer.scales import logistic_tables
from lvc.codecs.networks.hyperprior import SIDE_LIMIT, HyperPrior
from lvc.entropy.priors import Factorised
from lvc.entropy.tables import Tables

REACHES = 7, 31, 127  # symbols that a table has on either side


class HyperLatents:
    """Codes frames each alone. prior: prepared, on any device. side: tables by channel of the side information. scales:
    a table a level.
    """

    def __init__(self, prior: HyperPrior, side: Tables, scales: Tables):
        self.prior, self.side, self.scales = prior, Factorised(side), scales

    def code_frame(self, symbols: np.ndarray | None, coder, shape: tuple[int, int, int]) -> np.ndarray:
        """Codes int32 symbols [*shape], or decodes them where `symbols` is None; gives them back."""
        side = None if symbols is None else side_symbols(self.prior, symbols[None])[0]
        side = self.side.code_frame(side, coder, self.prior.side_shape(shape))
        levels = self.prior.levels(torch.from_numpy(side), shape).numpy().ravel()
        wanted = None if symbols is None else np.asarray(symbols).ravel()
        return coder.code_by_size(wanted, self.scales, levels).reshape(shape)


@torch.inference_mode()
def side_symbols(prior: HyperPrior, symbols: np.ndarray) -> np.ndarray:
    """Side information int32 [T, channels, h / 4, w / 4] of symbols [T, code, h, w]."""
    device = next(prior.parameters()).device
    side = prior.side(torch.from_numpy(np.ascontiguousarray(symbols)).to(device))
    return side.round().clamp(-SIDE_LIMIT, SIDE_LIMIT).to(torch.int32).cpu().numpy()


def scale_tables() -> Tables:
    """A table for each level: a logistic around 0, of scale 2**-3 at level 0 and four levels to each doubling."""
    return logistic_tables(REACHES)
