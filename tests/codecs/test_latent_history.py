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


@pytest.mark.parametrize("most, bits", [(64, 16), (4096, 32)])
def test_what_stands_still_takes_a_number_for_each_position(most, bits):
    frames = np.random.default_rng(1).integers(-100, 100, (1, 24, 20, 25), np.int32).repeat(64, axis=0)
    frames[30:, :, 3, 4] += 1
    history = LatentHistory((24, 20, 25), most)
    history.append(frames)
    # 500 rows of the first frame and one that changes, 24 bytes each, in an array that doubles; half of that again for
    # the frame that the next one is compared with.
    rows = 24 * 501
    assert history.nbytes <= 2 * rows + 64 * 500 * bits // 8 + (0 if most == 64 else 4 * 12_000)
    np.testing.assert_array_equal(history.frames([29, 30]), frames[[29, 30]])
