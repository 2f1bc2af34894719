"""Resizing of arrays against averages that can be worked out."""

import numpy as np

from lvc.frames import Geometry
from lvc.video.resize import resize


def test_shrinking_averages_areas():
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    wanted = frames.reshape(3, 16, 4, 24, 4, 3).mean((2, 4))
    assert np.abs(resize(frames, Geometry(24, 16)) - wanted).max() <= 0.5 + 1e-6


def test_the_same_size_changes_nothing():
    frames = np.random.default_rng(0).integers(0, 256, (2, 30, 51, 3), dtype=np.uint8)
    assert np.array_equal(resize(frames, Geometry(51, 30)), frames)


def test_enlarging_interpolates():
    frames = np.zeros((1, 1, 2, 3), np.uint8)
    frames[0, 0, 1] = 200
    row = resize(frames, Geometry(8, 1))[0, 0, :, 0].astype(int)
    assert row[0] == 0 and row[-1] == 200
    assert (np.diff(row) >= 0).all() and len(set(row)) > 3


def test_no_frames_stay_no_frames():
    assert resize(np.empty((0, 4, 4, 3), np.uint8), Geometry(2, 2)).shape == (0, 2, 2, 3)
