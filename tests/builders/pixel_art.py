"""Recordings of a made-up game: sprites of few colours over tiles, enlarged as an emulator's window does."""

from dataclasses import dataclass

import numpy as np

from lvc.frames import Geometry

NATIVE = Geometry(160, 210)


@dataclass(frozen=True)
class Game:
    """native: pictures uint8 [T, h, w, 3]. shown: the same as [T, H, W, 3]."""

    native: np.ndarray
    shown: np.ndarray


def enlarged(pictures: np.ndarray, size: Geometry) -> np.ndarray:
    """By the nearest neighbour: the pixel at x shows the native pixel x * native // size."""
    height, width = pictures.shape[1:3]
    return pictures[
        :, np.arange(size.height)[:, None] * height // size.height, np.arange(size.width) * width // size.width
    ]


def game(
    count: int, size: Geometry, *, native: Geometry = NATIVE, seed: int = 1, black: int = 0, colours: int = 12
) -> Game:
    """Frames of `native` pixels shown as `size`; black: of how many at first nothing is seen."""
    generator = np.random.default_rng(seed)
    palette = generator.integers(30, 226, (colours, 3)).astype(np.uint8)
    # Walls whose sides stand anywhere, and dots.
    ground = np.zeros((native.height, native.width), int)
    for _ in range(40):
        top, left = generator.integers(native.height), generator.integers(native.width)
        ground[top : top + generator.integers(3, 40), left : left + generator.integers(3, 40)] = generator.integers(
            colours
        )
    ground[generator.integers(native.height, size=60), generator.integers(native.width, size=60)] = colours - 1
    sprites = [generator.choice([-1, *generator.integers(colours, size=3)], (10, 8)) for _ in range(6)]
    places, steps = (
        generator.integers(0, (native.height - 10, native.width - 8), (6, 2)),
        generator.integers(-2, 3, (6, 2)),
    )
    pictures = []
    for number in range(count):
        picture = ground.copy()
        for sprite, place, step in zip(sprites, places, steps):
            top, left = (place + number * step) % (native.height - 10, native.width - 8)
            picture[top : top + 10, left : left + 8] = np.where(
                sprite < 0, picture[top : top + 10, left : left + 8], sprite
            )
        pictures.append(palette[picture] if number >= black else np.zeros((*picture.shape, 3), np.uint8))
    whole = np.stack(pictures)
    return Game(whole, enlarged(whole, size))
