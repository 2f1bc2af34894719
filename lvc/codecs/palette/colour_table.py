"""The colours of a group in the order in which they were told, which pictures hold the indices of."""

import numpy as np

from lvc.codecs.palette.colours import rgb
from lvc.codecs.palette.references import MOST_COLOURS
from lvc.kernels.binding import Kernel, Struct

LUMA = np.array([299, 587, 114])  # ITU-R BT.601, in thousandths
find_indices = Kernel(
    "lvc_palette_indices",
    Struct(
        sizes="height width colours",
        arrays={
            "picture": ("int32", "height width"),
            "rising": ("int32", "colours"),
            "order": ("int16", "colours"),
            "indices": ("int16", "height width"),
        },
    ),
)


class ColourTable:
    """What an encoder asks of a group's colours int32 [K]: their palette indices."""

    def __init__(self, colours: np.ndarray):
        self.colours = colours
        order = np.argsort(colours, kind="stable")
        self._rising, self._order = colours[order], order.astype(np.int16)

    def indices(self, picture: np.ndarray) -> np.ndarray:
        """Palette indices int16 of the colours int32 [H, W], NO_COLOUR where one is not here."""
        result = np.empty(picture.shape, np.int16)
        find_indices(picture=np.ascontiguousarray(picture), rising=self._rising, order=self._order, indices=result)
        return result

    def new(self, wanted: np.ndarray) -> np.ndarray:
        """The colours of int32 [N] that are not in the table yet, each once, the darkest first;
        ValueError for more than a group can have.
        """
        new = by_luma(np.setdiff1d(wanted, self.colours))
        if len(self.colours) + len(new) > MOST_COLOURS:
            raise ValueError(f"a group of more than {MOST_COLOURS} colours")
        return new


def by_luma(colours: np.ndarray) -> np.ndarray:
    """Colours [N], distinct and in rising order, from dark to light."""
    return colours[np.argsort(rgb(colours) @ LUMA, kind="stable")]
