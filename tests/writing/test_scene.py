"""Cuts between scenes, and the keyframes that they get."""

import numpy as np

import lvc
from lvc.writing.scene import is_cut


def scenes(count: int, cut: int) -> np.ndarray:
    """Frames [T, H, W, 3] of a square over one maze, and from frame `cut` on over another."""
    random = np.random.default_rng(8)
    mazes = [
        np.kron(random.integers(0, 256, (4, 5, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8)) for _ in range(2)
    ]
    frames = np.stack([mazes[number >= cut] for number in range(count)])
    for number in range(count):
        frames[number, 10:18, number % 30 : number % 30 + 8] = (255, 255, 0)
    return frames


def test_a_cut_is_where_the_picture_is_another_one():
    frames = scenes(12, 6)
    assert [is_cut(frames[number], frames[number + 1]) for number in range(11)] == [number == 5 for number in range(11)]
    assert not is_cut(frames[0], np.minimum(frames[0], 250))


def test_a_cut_gets_a_keyframe_and_a_flash_does_not(tmp_path, save_small):
    model = save_small(tmp_path / "small.safetensors", "temporal")
    frames = scenes(30, 13)
    frames[16] = 255 - frames[16]
    with lvc.Writer(tmp_path / "a.lvc", fps=3, model=model) as writer:
        writer.write(frames)
    with lvc.open(tmp_path / "a.lvc", model=model) as reader:
        assert [group.first_frame for group in reader.container.groups()] == [0, 13]
        assert len(reader) == 30
