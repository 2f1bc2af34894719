"""Resizing of arrays against averages that can be worked out."""

import av
import numpy as np
import pytest

from lvc.frames import Geometry
from lvc.video.resize import CUT_OFF, AreaScaler, resize


def test_shrinking_averages_areas():
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    wanted = frames.reshape(3, 16, 4, 24, 4, 3).mean((2, 4))
    assert np.abs(resize(frames, Geometry(24, 16)) - wanted).max() <= 0.5 + 1e-6


def test_the_same_size_changes_nothing():
    frames = np.random.default_rng(0).integers(0, 256, (2, 30, 51, 3), dtype=np.uint8)
    assert np.array_equal(resize(frames, Geometry(51, 30)), frames)


def area_means(row: np.ndarray, count: int) -> np.ndarray:
    """Means over `count` equal parts of a row of pixels [n], worked out on a grid that both fit."""
    return np.repeat(row.astype(float), count).reshape(count, len(row)).mean(1)


@pytest.mark.parametrize(
    "size", [Geometry(20, 12), Geometry(25, 7), Geometry(8, 21), Geometry(10, 21), Geometry(25, 12)], ids=str
)
def test_enlarging_averages_areas_too(size):
    frames = np.random.default_rng(0).integers(0, 256, (1, 12, 10, 3), dtype=np.uint8)
    wanted = np.apply_along_axis(area_means, 2, frames, size.width)
    wanted = np.apply_along_axis(area_means, 1, wanted, size.height)
    # Half a level for each of two roundings, and 1/2048 of 255 for OpenCV's weights in whole numbers.
    assert np.abs(resize(frames, size) - wanted).max() <= 1 + 2 * 255 / 2048


def test_no_frames_stay_no_frames():
    assert resize(np.empty((0, 4, 4, 3), np.uint8), Geometry(2, 2)).shape == (0, 2, 2, 3)


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("form", [*sorted(CUT_OFF), "yuv444p", "nv12", "rgb24"])
@pytest.mark.parametrize("width", [8, 18, 24, 192, 200, 202])
def test_a_frame_of_the_wanted_size_keeps_every_column(form, width, rotation):
    """swscale's way from 4:2:0 to planar GBR of the same size leaves out what follows the last whole 16 columns."""
    colour, height = (200, 120, 40), 32
    source = np.full((height, width, 3), colour, np.uint8)
    frame = av.VideoFrame.from_ndarray(source, "rgb24").reformat(format=form)
    sides = (width, height) if rotation == 0 else (height, width)
    picture = np.zeros((sides[1], sides[0], 3), np.uint8)
    AreaScaler(Geometry(*sides)).scale_into(frame, picture, rotation)
    # 8-bit luma and chroma of limited range round by half a level, which is up to 2 levels of blue.
    assert np.abs(picture.astype(int) - colour).max() <= 2
