"""The pixels that a game drew itself, which a recording shows enlarged: how many there are, and how they look in a
frame.

An emulator draws 160x210 pixels, its window shows each as several, the recorder halves the chroma, and sampling
averages areas. Each of these is a weighted sum along rows and columns; together they are the `Axis` from the game's own
pixels to a frame's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lvc.errors import OptionError
from lvc.frames import Geometry

KERNEL_UNIT = 256  # what a kernel's whole numbers add up to
KERNEL_ABS_LIMIT = 2 * KERNEL_UNIT  # of what their sizes add up to: keeps a frame's sums within 32 bits
MAX_KERNEL = 33
ROWS_AT_ONCE = 128  # bounds the memory for what a hostile header asks for; of more rows most weights would be 0
PLAIN = (KERNEL_UNIT,)
WEIGHT_BITS = 12
WEIGHT_UNIT = 1 << WEIGHT_BITS


def _whole(value, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


@dataclass(frozen=True)
class Blur:
    """How planes of a recording came from its full size: every `stride`-th sample, weighed along columns and rows by
    odd numbers of
    whole numbers that add up to 256, the middle one for the sample's own place."""

    stride_x: int = 1
    stride_y: int = 1
    across: tuple[int, ...] = PLAIN
    down: tuple[int, ...] = PLAIN

    def __post_init__(self):
        for stride in (self.stride_x, self.stride_y):
            if not _whole(stride, 1, 4):
                raise OptionError(f"a stride of 1 to 4 samples was expected, not {stride!r:.60}")
        for kernel in (self.across, self.down):
            if not (
                isinstance(kernel, tuple)
                and len(kernel) % 2
                and len(kernel) <= MAX_KERNEL
                and all(_whole(weight, -KERNEL_ABS_LIMIT, KERNEL_ABS_LIMIT) for weight in kernel)
            ):
                raise OptionError(
                    f"a kernel of an odd number of whole numbers, {MAX_KERNEL} at most, was expected, not "
                    f"{kernel!r:.60}"
                )
            if sum(kernel) != KERNEL_UNIT or sum(map(abs, kernel)) > KERNEL_ABS_LIMIT:
                raise OptionError(
                    f"a kernel's numbers add up to {KERNEL_UNIT}, their sizes to {KERNEL_ABS_LIMIT} at most, not as "
                    f"{kernel!r:.60}"
                )


@dataclass(frozen=True)
class PixelGrid:
    """native: how many pixels the game drew. source: size of the recording that shows them, no smaller. luma, chroma:
    its planes.

    The recording's sample at x shows the native pixel x * native // source. Raises OptionError for what cannot be.
    """

    native: Geometry
    source: Geometry
    luma: Blur = Blur()
    chroma: Blur = Blur()

    def __post_init__(self):
        if self.native.width > self.source.width or self.native.height > self.source.height:
            raise OptionError(f"a game of {self.native} pixels cannot be shown in {self.source}")

    def __str__(self) -> str:
        return str(self.native)

    def as_json(self) -> dict:
        """As a header holds it."""
        return {
            "native": [self.native.width, self.native.height],
            "source": [self.source.width, self.source.height],
            "luma": _blur_json(self.luma),
            "chroma": _blur_json(self.chroma),
        }

    @classmethod
    def from_json(cls, value) -> "PixelGrid":
        """The grid that `as_json` describes; raises OptionError for anything else."""
        if not (isinstance(value, dict) and value.keys() == {"native", "source", "luma", "chroma"}):
            raise OptionError(f"a pixel grid has native, source, luma and chroma, not {value!r:.80}")
        return cls(_geometry(value["native"]), _geometry(value["source"]), _blur(value["luma"]), _blur(value["chroma"]))


@dataclass(frozen=True)
class Axis:
    """What each of N shown pixels is made of: native pixels from `first` int64 [N] on, by `weights` int32 [N,
    K] that add up to 4096 in each row.
    """

    first: np.ndarray
    weights: np.ndarray

    def matrix(self, native: int) -> np.ndarray:
        """The same as float64 [N, native]."""
        result = np.zeros((len(self.first), native))
        rows, taps = np.indices(self.weights.shape)
        np.add.at(result, (rows, np.minimum(self.first[:, None] + taps, native - 1)), self.weights / WEIGHT_UNIT)
        return result


@lru_cache(maxsize=32)
def axis_of(native: int, source: int, shown: int, stride: int = 1, kernel: tuple[int, ...] = PLAIN) -> Axis:
    """One side: `native` pixels shown as `source`, seen every `stride`-th by a kernel, averaged to `shown`."""
    unit = -(-source // stride) * KERNEL_UNIT
    parts = []
    for first, total in _parts(native, source, shown, stride, kernel):
        whole = (2 * total * WEIGHT_UNIT + unit) // (2 * unit)
        # What rounding leaves over goes where it matters least.
        whole[np.arange(len(whole)), np.abs(whole).argmax(axis=1)] += WEIGHT_UNIT - whole.sum(axis=1)
        used = whole != 0
        start, stop = used.argmax(axis=1), whole.shape[1] - used[:, ::-1].argmax(axis=1)
        taps = start[:, None] + np.arange((stop - start).max())
        parts.append(
            (
                first + start,
                np.where(
                    taps < stop[:, None], np.take_along_axis(whole, np.minimum(taps, whole.shape[1] - 1), axis=1), 0
                ),
            )
        )
    width = max(weights.shape[1] for _, weights in parts)
    starts = np.concatenate([start for start, _ in parts])
    first = np.minimum(starts, native - width)
    weights = np.concatenate([np.pad(weights, ((0, 0), (0, width - weights.shape[1]))) for _, weights in parts])
    # Those that end with the last native pixel begin sooner, with nothing.
    taps = np.arange(width) - (starts - first)[:, None]
    return Axis(
        first,
        np.ascontiguousarray(
            np.where(taps >= 0, np.take_along_axis(weights, np.maximum(taps, 0), axis=1), 0), np.int32
        ),
    )


def exact_weights(native: int, source: int, shown: int, stride: int = 1, kernel: tuple[int, ...] = PLAIN) -> np.ndarray:
    """Whole numbers int64 [shown, native]; each row adds up to KERNEL_UNIT times the number of samples."""
    result, row = np.zeros((shown, native), np.int64), 0
    for first, total in _parts(native, source, shown, stride, kernel):
        result[row : row + len(total), first : first + total.shape[1]] = total
        row += len(total)
    return result


def _parts(
    native: int, source: int, shown: int, stride: int, kernel: tuple[int, ...]
) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of `exact_weights`, some at a time, with the native pixel from which on they are not 0:
    all of them at once may take gigabytes.
    """
    samples, reach = -(-source // stride), len(kernel) // 2
    for start in range(0, shown, ROWS_AT_ONCE):
        rows = np.arange(start, min(start + ROWS_AT_ONCE, shown))
        # In units of 1/shown of a sample: how much of a shown pixel lies before each sample, and after the last one.
        low, high = rows * samples, (rows + 1) * samples
        places = np.arange(low[0] // shown, -(-high[-1] // shown))
        before = np.clip(np.append(places, places[-1] + 1)[:, None] * shown, low, high)
        seen = [
            np.clip(places * stride + offset, 0, source - 1) * native // source for offset in range(-reach, reach + 1)
        ]
        first = seen[0][0]
        total = np.zeros((seen[-1][-1] + 1 - first, len(rows)), np.int64)
        for shows, weight in zip(seen, kernel):
            if weight:  # samples that show the same native pixel lie side by side
                starts = np.flatnonzero(np.diff(shows, prepend=-1))
                total[shows[starts] - first] += weight * np.diff(before[np.append(starts, len(places))], axis=0)
        yield int(first), total.T


def _geometry(value) -> Geometry:
    if not (isinstance(value, list) and len(value) == 2 and all(type(side) is int for side in value)):
        raise OptionError(f"a width and a height were expected, not {value!r:.60}")
    return Geometry(*value)


def _blur_json(blur: Blur) -> dict:
    return {"stride": [blur.stride_x, blur.stride_y], "across": list(blur.across), "down": list(blur.down)}


def _blur(value) -> Blur:
    if not (
        isinstance(value, dict)
        and value.keys() == {"stride", "across", "down"}
        and all(isinstance(part, list) for part in value.values())
        and len(value["stride"]) == 2
    ):
        raise OptionError(f"planes have a stride of two numbers and two kernels, not {value!r:.80}")
    stride_x, stride_y = value["stride"]
    return Blur(stride_x, stride_y, tuple(value["across"]), tuple(value["down"]))
