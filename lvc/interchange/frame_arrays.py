"""Frames in arrays of any layout: which arrays hold pictures, and their pictures as uint8 [T, H, W, 3]."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lvc.errors import InputError
from lvc.frames import MAX_SIDE

BLOCK_BYTES = 1 << 25  # of an array at a time: memory does not grow with the array
CHANNELS = (1, 3, 4)
SMALLEST_SIDE = 8  # a smaller "picture" is a table of numbers


@dataclass(frozen=True)
class Layout:
    """How pictures lie in an array: count of them, their size, and whether channels are first, last or left out (grey).

    One picture alone has no axis of its own for the count.
    """

    count: int
    height: int
    width: int
    channels: int
    order: str  # "HWC", "CHW" or "HW"
    single: bool = False


def layout_of(shape: tuple[int, ...], dtype: np.dtype) -> Layout | None:
    """The layout of an array that can hold pictures, None for any other: [T, H, W, C], [T, C, H, W], [T, H, W], or [H,
    W, C] alone.

    C is 1, 3 or 4. Where both ends could be channels, the last is taken. Floats need an axis of channels.
    """
    if dtype.kind not in "uf" or (dtype.kind == "u" and dtype.itemsize != 1):
        return None
    if len(shape) == 4:
        if shape[3] in CHANNELS:
            return checked(Layout(shape[0], shape[1], shape[2], shape[3], "HWC"))
        if shape[1] in CHANNELS:
            return checked(Layout(shape[0], shape[2], shape[3], shape[1], "CHW"))
    if len(shape) == 3 and shape[2] in (3, 4):
        return checked(Layout(1, shape[0], shape[1], shape[2], "HWC", single=True))
    if len(shape) == 3 and dtype.kind == "u":
        return checked(Layout(shape[0], shape[1], shape[2], 1, "HW"))
    return None


def checked(layout: Layout) -> Layout | None:
    fits = all(SMALLEST_SIDE <= side <= MAX_SIDE for side in (layout.height, layout.width))
    return layout if fits and layout.count else None


class Pictures:
    """Makes uint8 [T, H, W, 3] of arrays of one layout; `lost` says what they lose by that, once something has.

    Floats are taken as 0..1 or as 0..255, by the first that come; raises InputError for values outside, NaN too.
    """

    def __init__(self, name: str):
        self.name = name
        self.lost: set[str] = set()
        self._scale: int | None = None

    def of(self, array: np.ndarray, layout: Layout) -> np.ndarray:
        array = np.asarray(array)
        if layout.single:
            array = array[None]
        if array.dtype.kind == "f":
            array = self._bytes_of(array)
        if layout.order == "CHW":
            array = array.transpose(0, 2, 3, 1)
        elif layout.order == "HW":
            array = array[..., None]
        if array.shape[3] == 4:
            if array[..., 3].min(initial=255) < 255:
                raise InputError(
                    f"{self.name}: has see-through parts, which lvc does not keep; give it a background first"
                )
            self.lost.add("the fourth channel, which was 255 throughout")
            array = array[..., :3]
        elif array.shape[3] == 1:
            array = np.repeat(array, 3, axis=3)
        return np.ascontiguousarray(array)

    def _bytes_of(self, array: np.ndarray) -> np.ndarray:
        low, high = float(array.min(initial=0)), float(array.max(initial=0))
        if self._scale is None and not math.isnan(high):
            self._scale = 255 if high <= 1 else 1
        if not (low >= 0 and high * (self._scale or 1) <= 255):
            raise InputError(
                f"{self.name}: has values from {low:g} to {high:g}; pictures of floats are in 0..1 or in 0..255, NaN "
                "is not"
            )
        scaled = array * self._scale
        rounded = np.rint(scaled)
        # Of k / 255 in float32 or float16 what is left of the division is no loss.
        if np.abs(scaled - rounded).max(initial=0) > 1e-3 * (100 if array.dtype.itemsize < 4 else 1):
            self.lost.add("fractions of a level: floats were rounded to 8 bits")
        return rounded.astype(np.uint8)


def blocks(count: int, frame_bytes: int) -> Iterator[slice]:
    """Slices that go through `count` frames, a bounded number of bytes at a time."""
    step = max(1, BLOCK_BYTES // max(1, frame_bytes))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def natural(name: str) -> list:
    """A key that sorts frame_2 before frame_10."""
    return [
        (1, int(part), part) if part.isascii() and part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", name)
    ]


def series_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of single pictures by what they have in common, in the order of their numbers:
    frame_0_x, frame_1_x, … are "frame_#_x".
    """
    series: dict[str, list[str]] = {}
    for name in sorted(names, key=natural):
        series.setdefault(re.sub(r"\d+(?=\D*$)", "#", name), []).append(name)
    return series
