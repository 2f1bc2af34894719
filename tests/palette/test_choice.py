"""Which colours an encoder chooses: better ones for better qualities, and what moved is found."""

import sys
from pathlib import Path

import numpy as np
import pytest

from lvc import checkpoints
from lvc.codec import Codec
from lvc.frames import Geometry
from lvc.palette.choice import choose, error_worth
from lvc.palette.colours import nearest, packed, palette_of, rgb
from lvc.palette.move_search import best_area, found_moves, largest_sum
from lvc.palette.walk import PaletteFrames
from lvc.video.sample import Sampling, sampled_frames

sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))
from make_palette import random_palette


def scene(count: int, *, noise: float = 0.7) -> np.ndarray:
    """uint8 [T, 3, 80, 120]: a striped ball that runs over tiles, with a camera's noise."""
    generator = np.random.default_rng(4)
    ground = np.kron(generator.choice([20, 90, 160], (3, 10, 15)), np.ones((8, 8)))
    ball = np.where((np.indices((14, 14))[0] // 2) % 2, 250, 60)[None] * np.array([1.0, 0.8, 0.1])[:, None, None]
    frames = np.repeat(ground[None], count, axis=0)
    for number in range(count):
        frames[number, :, 20 + 3 * number : 34 + 3 * number, 10 + 5 * number : 24 + 5 * number] = ball
    return np.clip(np.rint(frames + generator.normal(0, noise, frames.shape)), 0, 255).astype(np.uint8)


def measured(codec: Codec, frames: np.ndarray) -> tuple[int, float]:
    latents = codec.analyse(frames)
    size = sum(len(packet.payload) for packet in codec.encode(latents)[0])
    return size, float(10 * np.log10(255**2 / np.square(codec.synthesise(latents).astype(float) - frames).mean()))


@pytest.fixture(scope="module")
def recorded(clip):
    """24 frames [T, 3, 160, 200] of a real game."""
    batches = sampled_frames(clip, Sampling(every=10, geometry=Geometry(200, 160)))
    return np.concatenate([batch.data for batch in batches])


def test_bytes_and_quality_fall_as_crf_rises(recorded):
    found = [measured(Codec(checkpoints.load("arcade"), geometry=Geometry(200, 160), crf=crf), recorded) for crf in (0, 21, 42, 63)]
    assert all(one > other for (one, _), (other, _) in zip(found, found[1:]))
    assert all(one > other for (_, one), (_, other) in zip(found, found[1:]))
    assert found[0][1] > 44 and found[-1][1] > 28  # 47.9 and 30.9 dB when written


def test_looking_for_moves_pays():
    frames = scene(10)
    sizes = [measured(Codec(checkpoints.load("arcade"), geometry=Geometry(120, 80), effort=effort), frames)[0] for effort in (0, 1)]
    assert sizes[1] < sizes[0]


def test_what_moved_is_found():
    one, other = (frame.transpose(1, 2, 0) for frame in scene(2, noise=0))
    moves = found_moves(other, [one], error_worth(20))
    assert any((move.back, move.dx, move.dy) == (0, -5, -3) for move in moves)
    assert not found_moves(one, [one, other], error_worth(20)), "nothing has moved"


def test_the_largest_area_is_found():
    saved = np.full((20, 30), -1.0, np.float32)
    saved[5:9, 7:20] = 2
    saved[15, 2] = 6
    area = best_area(saved)
    assert (area.top, area.bottom, area.left, area.right, area.saved) == (5, 9, 7, 20, 104)
    generator = np.random.default_rng(0)
    for _ in range(20):
        values = generator.normal(0, 1, (6, 7)).astype(np.float32)
        top, bottom, left, right = largest_sum(values)
        best = max(values[a:b, c:d].sum() for a in range(6) for b in range(a + 1, 7) for c in range(7) for d in range(c + 1, 8))
        assert values[top:bottom, left:right].sum() == pytest.approx(best, abs=1e-4)  # float32 sums in another order


def test_colours_are_packed_and_found_again():
    pixels = np.random.default_rng(1).integers(0, 256, (7, 9, 3), np.uint8)
    colours = packed(pixels)
    assert np.array_equal(rgb(colours), pixels)
    best, least = nearest(pixels, np.unique(colours))
    assert np.array_equal(best, colours) and least.max() < 1  # float32 of numbers up to 2 * 255**2


def test_a_palette_has_more_colours_where_errors_are_worth_more_and_all_where_they_are_few(recorded):
    pictures = recorded.transpose(0, 2, 3, 1)
    sizes = [len(palette_of(pictures, error_worth(crf))) for crf in (0, 30, 63)]
    assert sizes[0] > sizes[1] > sizes[2] >= 8
    few = scene(3, noise=0).transpose(0, 2, 3, 1)
    assert set(palette_of(few, 1.0).tolist()) == set(packed(few).ravel().tolist())


def test_the_choice_of_one_clip_is_the_same_each_time():
    checkpoint = random_palette(Geometry(120, 80))
    parts = checkpoint.model.for_coding(), checkpoint.tables["flags"]
    pictures = np.ascontiguousarray(scene(4).transpose(0, 2, 3, 1))
    one, other = (choose(PaletteFrames(*parts), pictures, 30, search=True) for _ in range(2))
    assert np.array_equal(one.symbols, other.symbols) and one.moves == other.moves
