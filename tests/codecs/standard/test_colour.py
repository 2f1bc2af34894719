"""Planes and frames: exact there and back, and the same whole numbers as a plain reference."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lvc.codecs.standard import colour


def test_every_corner_of_rgb_and_a_sample_of_all_others_survives_ten_bit_planes():
    levels = np.array(sorted({*range(0, 256, 5), 1, 2, 254, 255}), np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(1, len(levels), -1, 3)
    assert np.array_equal(colour.frame_of(colour.planes_of(cube)[0]), cube[0])


@given(arrays(np.uint8, (2, 3, 5, 3)))
@settings(max_examples=50, deadline=None)
def test_frames_survive_both_kinds_of_planes(frames):
    for there, back in (
        (colour.planes_of, colour.frame_of),
        (colour.difference_planes_of, colour.frame_of_differences),
    ):
        planes = there(frames)
        assert planes.dtype == np.uint16 and planes.shape == (2, 3, 3, 5) and planes.max() <= colour.PEAK
        assert np.array_equal(np.stack([back(one) for one in planes]), frames)


@given(arrays(np.uint16, (3, 2, 4), elements=st.integers(0, 65535)))
@settings(max_examples=50, deadline=None)
def test_any_planes_show_the_frame_that_whole_numbers_say(planes):
    # 16 bits hold more than a decoder gives: what a hostile stream could ask for still fits 32 bits.
    frame = colour.frame_of(planes)
    for row, column, channel in np.ndindex(frame.shape):
        levels = [int(planes[plane, row, column]) - (colour.MIDDLE if plane else 0) for plane in range(3)]
        total = sum(level * int(part) for level, part in zip(levels, colour.TO_RGB[:, channel]))
        exact = min(max((total + 32768) >> 16, 0), 255)
        assert abs(total) < 1 << 32
        if abs(total) < 1 << 30:
            assert frame[row, column, channel] == exact


def test_planes_are_orthonormal_and_alike_stretched():
    assert np.allclose(colour.AXES @ colour.AXES.T, np.eye(3))
    assert np.array_equal(np.rint(colour.AXES / colour.STRETCH * 65536).astype(int), colour.TO_RGB)
