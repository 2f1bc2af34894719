"""Values that travel between the rooms: geometry, batches of frames with their timestamps, and latents."""

import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from lvc.errors import OptionError

MAX_SIDE = 16_384


@dataclass(frozen=True)
class Geometry:
    """Width and height of a frame in pixels, each from 1 to 16,384."""

    width: int
    height: int

    def __post_init__(self):
        for name, side in (("width", self.width), ("height", self.height)):
            if not (isinstance(side, int) and 1 <= side <= MAX_SIDE):
                raise OptionError(f"{name} must be a whole number from 1 to {MAX_SIDE}, not {side!r}")

    @classmethod
    def parse(cls, text: str) -> "Geometry":
        """Reads "200x160" (width x height)."""
        sides = text.lower().split("x")
        if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
            raise OptionError(f"a size is written WIDTHxHEIGHT, as in 200x160, not {text!r}")
        return cls(int(sides[0]), int(sides[1]))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


DEFAULT_GEOMETRY = Geometry(width=200, height=160)


@dataclass(frozen=True)
class FrameBatch:
    """Frames in RGB with exact presentation timestamps.

    data: uint8 [T, H, W, 3].
    pts: T whole numbers, in units of time_base seconds, strictly increasing.
    native: the same frames as a game drew them, uint8 [T, h, w, 3], where a recording shows that by `grid`, a
    `PixelGrid`; else None both. seen: how the recording's chroma planes came from them, a `Blur`, where frames are a
    recording's first ones.
    """

    data: np.ndarray
    pts: tuple[int, ...]
    time_base: Fraction
    native: np.ndarray | None = None
    grid: Any = None
    seen: Any = None

    def __post_init__(self):
        if self.data.dtype != np.uint8 or self.data.ndim != 4 or self.data.shape[3] != 3:
            raise ValueError(f"frames must be uint8 [T, H, W, 3], not {self.data.dtype} {list(self.data.shape)}")
        if len(self.pts) != len(self.data):
            raise ValueError(f"{len(self.data)} frames with {len(self.pts)} timestamps")
        if (self.native is None) != (self.grid is None) or (
            self.native is not None and len(self.native) != len(self.data)
        ):
            raise ValueError("native pixels come with a grid, for all frames or for none")

    @property
    def geometry(self) -> Geometry:
        """Width and height of each frame, in pixels."""
        return Geometry(width=self.data.shape[2], height=self.data.shape[1])

    @property
    def pts_seconds(self) -> tuple[Fraction, ...]:
        """The time of each frame in seconds, exactly."""
        return tuple(pts * self.time_base for pts in self.pts)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return (
            f"FrameBatch({len(self)} frames of {self.geometry}, pts {self.pts[:1]}…{self.pts[-1:]} x "
            f"{self.time_base} s)"
        )


@dataclass(frozen=True)
class Latents:
    """Quantised latents of some frames: symbols int32 [T, *latent_shape], parameters float32 [T, P] of the quantiser.

    plans: what an encoder decided of each frame (sprites, motion), or nothing; they make the same symbols cheaper to
    code.
    """

    symbols: np.ndarray
    parameters: np.ndarray
    plans: tuple = ()

    def __len__(self) -> int:
        return len(self.symbols)


def symbols_digest(symbols: np.ndarray, before: int = 0) -> int:
    """CRC-32 of symbols as little-endian int32, in order, of which those before had that one: tells a wrong model or a
    numeric fault from a right decode.
    """
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4"), before)


def pictures_digest(pictures: np.ndarray, before: int = 0) -> int:
    """CRC-32 of frames uint8 [..., H, W, 3], in order, of which those before had that one."""
    return zlib.crc32(np.ascontiguousarray(pictures, np.uint8), before)
