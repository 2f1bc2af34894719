import numpy as np
import pytest

from lvc.codecs.learning.clips import ClipSampler, spread
from lvc.errors import InputError, OptionError


def test_an_epoch_has_each_frame_once_in_an_order_of_its_own(training_frames):
    sampler = ClipSampler(training_frames, batch=8, seed=3)
    first, second = sampler.indices(0), sampler.indices(1)
    assert sorted(first.ravel()) == list(range(48)) == sorted(second.ravel())
    assert not np.array_equal(first, second)
    assert np.array_equal(first, ClipSampler(training_frames, batch=8, seed=3).indices(0))
    assert not np.array_equal(first, ClipSampler(training_frames, batch=8, seed=4).indices(0))


def test_clips_are_consecutive_and_stay_within_a_recording(training_frames):
    clips = ClipSampler(training_frames, batch=3, seed=0, length=5).indices(0).reshape(-1, 5)
    assert (np.diff(clips, axis=1) == 1).all()
    assert (clips[:, 0] // 24 == clips[:, -1] // 24).all()
    assert len(np.unique(clips[:, 0])) == len(clips) == (2 * 20) // 3 * 3


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_change_no_order_and_a_start_skips_batches(training_frames, workers):
    sampler = ClipSampler(training_frames, batch=8, seed=3)
    expected = [training_frames.frames(indices) for indices in sampler.indices(2)]
    got = list(sampler.batches(2, start=2, workers=workers))
    assert len(got) == 4
    assert all(np.array_equal(a, b) for a, b in zip(got, expected[2:]))


def test_reading_may_stop_half_way(training_frames):
    batches = ClipSampler(training_frames, batch=8, seed=3).batches(0, workers=2)
    assert next(batches).shape == (8, 3, 16, 32)
    batches.close()
    assert list(batches) == []


def test_an_error_of_a_reading_thread_arrives(training_frames):
    def broken(_indices):
        raise InputError("frames/a.frames: is damaged")

    training_frames.frames = broken
    with pytest.raises(InputError, match="damaged"):
        next(ClipSampler(training_frames, batch=8, seed=3).batches(0, workers=1))


def test_a_small_set_makes_one_small_batch_and_an_empty_one_is_refused(training_frames):
    assert ClipSampler(training_frames, batch=1000, seed=0).indices(0).shape == (1, 48)
    with pytest.raises(InputError, match="25 frames"):
        ClipSampler(training_frames, batch=1, seed=0, length=25)
    with pytest.raises(OptionError, match="batch"):
        ClipSampler(training_frames, batch=0, seed=0)


def test_spread_reaches_both_ends():
    assert spread(10, 4).tolist() == [0, 3, 6, 9]
    assert spread(3, 10).tolist() == [0, 1, 2]
