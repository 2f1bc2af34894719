"""The colours of a group, in the order in which they were told: pictures are of their places."""

import numpy as np

from lvc.compiled import compiled
from lvc.errors import FormatError
from lvc.palette.colours import rgb
from lvc.palette.memory import NO_COLOUR
from lvc.palette.numbers import NEW_COUNT, code_unary, code_uniform

CHANNEL_BITS = 8
COUNT_BITS = 12
COLOURS_LIMIT = 1 << COUNT_BITS  # in a group
LUMA = np.array([299, 587, 114])  # ITU-R BT.601, in thousandths


class ColourTable:
    """colours: int32 [K], 0xRRGGBB each."""

    def __init__(self):
        self.colours = np.empty(0, np.int32)
        self._rising, self._order = self.colours, np.empty(0, np.int16)  # the colours in rising order, and their places

    def code_new(self, wanted: np.ndarray | None, coder, slots: np.ndarray) -> None:
        """Codes colours [N] that a frame needs, those known already left out, the darkest first; raises FormatError for too many."""
        new = None if wanted is None else by_luma(np.setdiff1d(wanted, self.colours))
        coder.room(8 * COUNT_BITS + 1)
        count = 0 if new is None else len(new)
        if count > COLOURS_LIMIT - len(self.colours):
            raise ValueError(f"a group of more than {COLOURS_LIMIT} colours")
        if not code_unary(coder.parts, slots, NEW_COUNT, min(count, 1), 1):
            return
        count = code_uniform(coder.parts, count - 1, COUNT_BITS) + 1
        if len(self.colours) + count > COLOURS_LIMIT:
            raise FormatError(f"the coded symbols are damaged: a group of more than {COLOURS_LIMIT} colours")
        coder.room(3 * CHANNEL_BITS * count)
        found = np.array([code_uniform(coder.parts, 0 if new is None else int(new[place]), 3 * CHANNEL_BITS) for place in range(count)], np.int32)
        self.colours = np.append(self.colours, found)
        order = np.argsort(self.colours, kind="stable")
        self._rising, self._order = self.colours[order], order.astype(np.int16)

    def places(self, picture: np.ndarray) -> np.ndarray:
        """Places int16 of the colours int32 [H, W], NO_COLOUR where one is not here."""
        return places_of(np.ascontiguousarray(picture), self._rising, self._order)


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
