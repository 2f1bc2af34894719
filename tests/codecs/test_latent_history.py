"""Latents kept by what changes are those that were put in, in any order, and what stands still costs little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lvc.codecs.latent_history import LatentHistory

SHAPES = ((4, 2, 3), (6,), (2, 5), (1, 1, 1))


@given(st.data())
def test_any_frames_come_back_in_any_order(data):
    shape = data.draw(st.sampled_from(SHAPES))
    count = data.draw(st.integers(1, 12))
    limit = data.draw(st.sampled_from([1, 127, 128, 32768, 2**31 - 1]))
    frames = data.draw(arrays.arrays(np.int32, (count, *shape), elements=st.integers(-limit, limit)))
    still = data.draw(arrays.arrays(bool, count))
    for number in range(1, count):
        if still[number]:
            frames[number] = frames[number - 1]
    history = LatentHistory(shape, most=data.draw(st.integers(count, count + 3)))
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=3)))
    for start, stop in zip([0, *cuts], [*cuts, count]):
        history.append(frames[start:stop])
        assert len(history) == stop
        np.testing.assert_array_equal(history.frames(slice(stop)), frames[:stop])
    order = data.draw(st.lists(st.integers(0, count - 1), max_size=8))
    found = history.frames(order)
    assert found.dtype == np.int32 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, frames[order])


@pytest.mark.parametrize("most", [64, 4096])
def test_what_stands_still_takes_nothing(most):
    frames = np.random.default_rng(1).integers(-100, 100, (1, 24, 20, 25), np.int32).repeat(64, axis=0)
    frames[30:, :, 3, 4] += 1
    history = LatentHistory((24, 20, 25), most)
    history.append(frames)
    # The first frame, 500 rows of 24 bytes, and one row that changes; half of that again for the frame that the next
    # one is compared with.
    assert history.nbytes <= 500 * 24 + 2 * (24 + 2) + (0 if most == 64 else 4 * 12_000)
    np.testing.assert_array_equal(history.frames([29, 30]), frames[[29, 30]])


def test_frames_that_change_whole_are_kept_whole():
    frames = np.random.default_rng(1).integers(-100, 100, (200, 3, 20, 25), np.int32)
    history = LatentHistory((3, 20, 25), 200)
    history.append(frames)
    assert history.nbytes <= 200 * 1500
    np.testing.assert_array_equal(history.frames([199, 0, 100, 100, 3]), frames[[199, 0, 100, 100, 3]])


def test_a_frame_that_nothing_else_is_kept_whole_after_is_read_from_near():
    frames = np.zeros((300, 1, 10, 10), np.int32)
    frames[np.arange(300), 0, np.arange(300) % 10, 0] = np.arange(300)
    history = LatentHistory((1, 10, 10), 300)
    history.append(frames)
    np.testing.assert_array_equal(history.frames(slice(None)), frames)
    np.testing.assert_array_equal(history.frames(slice(290, 10, -7)), frames[290:10:-7])
