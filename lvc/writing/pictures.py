"""Frames from memory, however they lie there, as pictures of one layout."""

import numpy as np

from lvc.errors import OptionError

DIMENSION_ORDERS = ("HWC", "CHW")


def pictures_of(frames, *, dimension_order: str | None = None) -> np.ndarray:
    """One frame or a batch, numpy or torch on any device, as uint8 [T, H, W, 3]: a view of the same memory where it can
    be.

    frames: uint8 [H, W, 3], [3, H, W], or a batch of either, RGB. dimension_order: "HWC" or "CHW"; by default the one
    that has three channels. Raises OptionError for another type or shape, and where both orders would do.
    """
    if hasattr(frames, "detach"):  # torch's
        frames = frames.detach().cpu()
    array = np.asarray(frames)
    if array.dtype != np.uint8:
        raise OptionError(f"frames must be uint8, 0 to 255, not {array.dtype}")
    if array.ndim not in (3, 4) or not array.size:
        raise OptionError(f"frames must be [H, W, 3], [3, H, W] or a batch of these, not {list(array.shape)}")
    array = array if array.ndim == 4 else array[None]
    orders = [order for order, channels in zip(DIMENSION_ORDERS, (array.shape[3], array.shape[1])) if channels == 3]
    if dimension_order is not None:
        orders = [order for order in orders if order == dimension_order]
    if not orders:
        raise OptionError(
            f"frames must have three channels{'' if dimension_order is None else f' in the order {dimension_order}'}, "
            f"not the shape {list(array.shape)}"
        )
    if len(orders) > 1:
        raise OptionError(f"frames of the shape {list(array.shape)} may be HWC or CHW: say which with dimension_order")
    return array if orders == ["HWC"] else array.transpose(0, 2, 3, 1)


def checked_order(dimension_order: str | None) -> str | None:
    """Raises OptionError for an order that there is not."""
    if dimension_order not in (None, *DIMENSION_ORDERS):
        raise OptionError(f"dimension_order is one of {', '.join(DIMENSION_ORDERS)}, not {dimension_order!r}")
    return dimension_order
