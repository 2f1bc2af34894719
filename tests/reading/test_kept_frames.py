"""Frames that are kept come back as they were, and cost what they do not have in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvc.reading import kept_frames
from lvc.reading.kept_frames import FrameCache, KeptFrames


def frames_of(count, height, width, seed, *, blocks=4):
    """Frames of a few blocks that come again and again, some frames twice."""
    random = np.random.default_rng(seed)
    tiles = random.integers(0, 256, (blocks, 3, 8, 8), np.uint8)
    tiles[0] = 0
    which = random.integers(0, blocks, (count, -(-height // 8), -(-width // 8)))
    wide = tiles[which].transpose(0, 3, 1, 4, 2, 5).reshape(count, 3, -(-height // 8) * 8, -(-width // 8) * 8)
    return wide[:, :, :height, :width]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(0, 99), st.data())
def test_any_frames_come_back_in_any_order(height, width, count, seed, data):
    frames = frames_of(count, height, width, seed)
    kept = KeptFrames(height, width, most=count)
    for number in data.draw(st.permutations(range(count))):
        assert number not in kept
        kept.put(number, frames[number])
        kept.put(number, frames[number])
        np.testing.assert_array_equal(kept.get(number), frames[number])
    for number in range(count):
        np.testing.assert_array_equal(kept.get(number), frames[number])


def test_blocks_in_common_are_kept_once():
    frames = frames_of(64, 160, 200, seed=1, blocks=50)
    kept = KeptFrames(160, 200, most=64)
    for number, frame in enumerate(frames):
        kept.put(number, frame)
    # 50 blocks of 192 bytes with 12 to find them, in an array that doubles,
    # and two bytes for each of the 500 positions of a frame.
    assert kept.nbytes <= 2 * 50 * 192 + 12 * 50 + 64 * 500 * 2


def test_blocks_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(kept_frames, "FACTORS", np.zeros_like(kept_frames.FACTORS))
    frames = frames_of(6, 24, 16, seed=2)
    kept = KeptFrames(24, 16, most=6)
    for number, frame in enumerate(frames):
        kept.put(number, frame)
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(kept.get(number), frame)


@pytest.mark.parametrize("limit, expected", [(0, []), (1, ["b"]), (1 << 20, ["a", "b"])])
def test_groups_stay_up_to_the_limit(limit, expected):
    cache = FrameCache(limit, height=16, width=16)
    frames = frames_of(3, 16, 16, seed=3)
    cache.put("a", 3, {0: frames[0]})
    cache.put("b", 3, {2: frames[2]})
    cache.put("b", 3, {1: frames[1]})
    assert [name for name in "ab" if cache.get(name, [0, 1, 2])] == expected
    found = cache.get("b", [0, 1, 2])
    assert list(found) == ([1, 2] if "b" in expected else [])
    for number, frame in found.items():
        np.testing.assert_array_equal(frame, frames[number])
