"""What native pixels look like: whole numbers that come to what exact arithmetic says, in whatever batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.frames import Geometry
from lvc.native import shown
from lvc.native.pixel_grid import Blur, PixelGrid, axis_of
from lvc.native.shown import LINES, Screen

LUMA_BITS, GREEN, THOUSANDTH, BY_GREEN = 4, 587, 4294968, 1829203  # of lvc/kernels/grid_show.c
SOFT = (-20, 60, 176, 60, -20)
HALVED = Blur(2, 2, SOFT, (0, 128, 128))
GRIDS = {
    "whole multiples": (PixelGrid(Geometry(16, 10), Geometry(64, 40)), Geometry(32, 20)),
    "arcade": (PixelGrid(Geometry(160, 210), Geometry(960, 720), chroma=HALVED), Geometry(200, 160)),
    "luma too": (PixelGrid(Geometry(31, 17), Geometry(97, 50), HALVED, HALVED), Geometry(41, 23)),
    "shown larger": (PixelGrid(Geometry(12, 9), Geometry(30, 20), chroma=HALVED), Geometry(77, 50)),
    "one pixel": (PixelGrid(Geometry(9, 7), Geometry(18, 21), chroma=Blur(4, 4, SOFT, SOFT)), Geometry(1, 1)),
    "of one": (PixelGrid(Geometry(1, 1), Geometry(5, 5), chroma=HALVED), Geometry(8, 6)),
}


def random_colours(count: int, native: Geometry, *, seed: int = 1, more: int = 0) -> np.ndarray:
    """int32 [T, 1, h, w], with `more` rows and columns that are not shown."""
    shape = count, 1, native.height + more, native.width + more
    return np.random.default_rng(seed).choice(
        np.array([0, 0xFFFFFF, 0xFF0000, 0xFF00, 0xFF, 0x7F3A10, 0x123456], np.int32), shape
    )


def reference(grid: PixelGrid, geometry: Geometry, colours: np.ndarray) -> np.ndarray:
    """float64 [T, H, W, 3]: luma and what channels differ from it are weighted sums of their own."""
    ways = []
    for blur in (grid.luma, grid.chroma):
        down = axis_of(grid.native.height, grid.source.height, geometry.height, blur.stride_y, blur.down).matrix(
            grid.native.height
        )
        across = axis_of(grid.native.width, grid.source.width, geometry.width, blur.stride_x, blur.across).matrix(
            grid.native.width
        )
        ways.append(lambda plane, down=down, across=across: down @ plane @ across.T)
    pictures = []
    for (picture,) in colours:
        picture = picture[: grid.native.height, : grid.native.width]
        channels = [(picture >> shift & 255).astype(float) for shift in (16, 8, 0)]
        luma = 0.299 * channels[0] + 0.587 * channels[1] + 0.114 * channels[2]
        pictures.append(np.stack([ways[0](luma) + ways[1](channel - luma) for channel in channels], axis=-1))
    return np.clip(np.stack(pictures), 0, 255)


@pytest.mark.parametrize("grid, geometry", GRIDS.values(), ids=GRIDS)
def test_frames_are_what_exact_arithmetic_says_within_a_level(grid, geometry):
    colours = random_colours(3, grid.native)
    frames = Screen(grid, geometry).show(colours)
    assert frames.dtype == np.uint8 and frames.shape == (3, geometry.height, geometry.width, 3)
    # Half a level is lost where the result is rounded, a 32nd where luma is, and less between columns and rows.
    assert np.abs(frames - reference(grid, geometry, colours)).max() < 0.6


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_grid_is_shown_as_exact_arithmetic_says(data):
    sides = st.integers(1, 24)
    (width, wide), (height, high) = (sorted((data.draw(sides), data.draw(sides))) for _ in range(2))
    kernels = st.sampled_from([(256,), SOFT, (0, 0, 256), (128, 128, 0), (-100, 256, 100)])
    blurs = st.builds(Blur, st.integers(1, 4), st.integers(1, 4), kernels, kernels)
    grid = PixelGrid(Geometry(width, height), Geometry(wide, high), data.draw(blurs), data.draw(blurs))
    geometry = Geometry(data.draw(sides), data.draw(sides))
    colours = random_colours(1, grid.native, seed=data.draw(st.integers(0, 9)), more=data.draw(st.integers(0, 3)))
    # Kernels that swing make the 32nd of a level, by which luma is rounded,
    # up to four times as much for columns and rows together.
    assert np.abs(Screen(grid, geometry).show(colours) - reference(grid, geometry, colours)).max() < 0.8


def test_the_same_frames_come_of_any_batches():
    grid, geometry = GRIDS["arcade"]
    colours, screen = random_colours(7, grid.native, more=2), Screen(grid, geometry)
    wanted = screen.show(colours)
    for size in (1, 2, 3, 5):
        parts = [Screen(grid, geometry).show(colours[start : start + size]) for start in range(0, 7, size)]
        assert np.array_equal(np.concatenate(parts), wanted)
    assert np.array_equal(screen.show(colours[::-1])[::-1], wanted), "views too"
    assert screen.show(colours[:0]).shape == (0, 160, 200, 3)


@pytest.mark.parametrize("size", [(1, 1), (24, 16), (16, 9)])
def test_pixels_that_stay_as_they_are_keep_their_colours(size):
    """All of them: luma and what channels differ from it add up to the channel again."""
    geometry = Geometry(*size)
    colours = np.random.default_rng(3).integers(0, 1 << 24, (40, 1, geometry.height, geometry.width)).astype(np.int32)
    frames = Screen(PixelGrid(geometry, geometry), geometry).show(colours)
    assert np.array_equal(frames.astype(np.int32) @ [1 << 16, 1 << 8, 1], colours[:, 0])


def test_one_colour_is_that_colour_in_any_grid():
    for grid, geometry in GRIDS.values():
        for colour in (0, 0xFFFFFF, 0xFF00, 0x123456):
            frames = Screen(grid, geometry).show(
                np.full((1, 1, grid.native.height, grid.native.width), colour, np.int32)
            )
            assert np.unique(frames.astype(np.int32) @ [1 << 16, 1 << 8, 1]).tolist() == [colour]


def test_divisions_by_products_are_exact():
    luma = np.arange(((1000 * 255) << LUMA_BITS) + 501)
    assert np.array_equal(luma * THOUSANDTH >> 32, luma // 1000)
    greens = np.arange(256 * GREEN)
    assert np.array_equal(greens * BY_GREEN >> 30, greens // GREEN)


@pytest.mark.parametrize("height", [LINES - 1, LINES, LINES + 1, 2 * LINES])
def test_frames_of_any_height_are_shown_to_their_last_line(height):
    grid, geometry = PixelGrid(Geometry(9, 7), Geometry(18, 21), chroma=HALVED), Geometry(11, height)
    colours = random_colours(2, grid.native)
    assert np.abs(Screen(grid, geometry).show(colours) - reference(grid, geometry, colours)).max() < 0.6


def test_wide_pictures_are_shown_a_few_lines_at_a_time(monkeypatch):
    """A header may ask for a line of millions of pixels."""
    grid, geometry = GRIDS["arcade"]
    colours = random_colours(2, grid.native)
    wanted = Screen(grid, geometry).show(colours)
    for numbers in (1, 200 * 7):
        monkeypatch.setattr(shown, "STRIP", numbers)
        assert np.array_equal(Screen(grid, geometry).show(colours), wanted)
