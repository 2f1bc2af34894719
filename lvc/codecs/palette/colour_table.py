"""The colours of a group, in the order in which they were told: pictures are of their places."""

import numpy as np

from lvc.codecs.palette.colours import rgb
from lvc.codecs.palette.model import NO_COLOUR
from lvc.codecs.palette.numbers import NEW_COUNT, code_unary, code_uniform
from lvc.codecs.palette.past import COLOURS, COLOURS_LIMIT
from lvc.kernels.compiled import bare, compiled

CHANNEL_BITS = 8
COUNT_BITS = 12
LUMA = np.array([299, 587, 114])  # ITU-R BT.601, in thousandths


@bare
def code_colours(coder, slots, past, new):
    """Codes colours int32 [N] that a frame needs, or decodes them, and adds them to those of the group; gives 0, or 1 where they are too many, or there are none at all."""
    counts = past.counts
    before = counts[COLOURS]
    if code_unary(coder, slots, NEW_COUNT, min(new.shape[0], 1), 1):
        count = code_uniform(coder, new.shape[0] - 1, COUNT_BITS) + 1
        if before + count > COLOURS_LIMIT:
            return 1
        for place in range(count):
            past.colours[before + place] = code_uniform(coder, np.int64(new[place]) if place < new.shape[0] else np.int64(0), 3 * CHANNEL_BITS)
        counts[COLOURS] = before + count
    return 0 if counts[COLOURS] else 1


class ColourTable:
    """What an encoder asks of a group's colours int32 [K]: their places."""

    def __init__(self, colours: np.ndarray):
        self.colours = colours
        order = np.argsort(colours, kind="stable")
        self._rising, self._order = colours[order], order.astype(np.int16)

    def places(self, picture: np.ndarray) -> np.ndarray:
        """Places int16 of the colours int32 [H, W], NO_COLOUR where one is not here."""
        return places_of(np.ascontiguousarray(picture), self._rising, self._order)

    def new(self, wanted: np.ndarray) -> np.ndarray:
        """Those of some colours [N] that are not here, each once, the darkest first; ValueError for more than a group can have."""
        new = by_luma(np.setdiff1d(wanted, self.colours))
        if len(self.colours) + len(new) > COLOURS_LIMIT:
            raise ValueError(f"a group of more than {COLOURS_LIMIT} colours")
        return new


@compiled
def places_of(picture, rising, order):
    """Places int16 [H, W] of colours int32 [H, W]; order: of the colours `rising`, NO_COLOUR for others."""
    result = np.empty(picture.shape, np.int16)
    last, place = np.int32(-1), np.int16(NO_COLOUR)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            colour = picture[y, x]
            if colour != last:  # most go on with the colour before
                last = colour
                low = np.searchsorted(rising, colour)
                place = order[low] if low < rising.shape[0] and rising[low] == colour else np.int16(NO_COLOUR)
            result[y, x] = place
    return result


def by_luma(colours: np.ndarray) -> np.ndarray:
    """Colours [N], distinct and in rising order, from dark to light."""
    return colours[np.argsort(rgb(colours) @ LUMA, kind="stable")]
