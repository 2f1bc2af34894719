"""Which colours an encoder chooses: better ones for better qualities, and what moved is found."""

from itertools import pairwise

import numpy as np
import pytest

from lvc.codecs.codec import GroupCodec
from lvc.codecs.family import open_codec
from lvc.codecs.palette.bitstream import FramePlan, PaletteFrames
from lvc.codecs.palette.colours import COUNTS, packed, palette_of, rgb
from lvc.codecs.palette.motion import EARLIER_FRAMES, MOST_VECTORS, MotionField, MotionVector
from lvc.codecs.palette.motion_search import SearchPicture, found_motion
from lvc.codecs.palette.rate_distortion import (
    BESIDE_BITS,
    BLOCK_BITS,
    STAYS,
    RdoFrame,
    channels,
    choose,
    gains,
    lambda_of,
    least_errors,
    lifetimes_of,
    nearest_of_cells,
    worth_coding,
)
from lvc.entropy.bits import BitCounter
from lvc.frames import Geometry
from lvc.video.sample import Sampling, sampled_frames
from lvc.weights import checkpoints
from tests.builders.palette import blank_palette

LAMBDA = lambda_of(20)
NONE = np.empty(0, np.int32)  # no colours are known before


def scene(count: int, *, noise: float = 0.7) -> np.ndarray:
    """uint8 [T, 80, 120, 3]: a patched ball that runs over tiles, with a camera's noise."""
    generator = np.random.default_rng(4)
    ground = np.kron(generator.choice([20, 90, 160], (3, 10, 15)), np.ones((8, 8)))
    ball = generator.choice([60, 150, 250], (14, 14))[None] * np.array([1.0, 0.8, 0.1])[:, None, None]
    frames = np.repeat(ground[None], count, axis=0)
    for number in range(count):
        frames[number, :, 20 + 3 * number : 34 + 3 * number, 10 + 5 * number : 24 + 5 * number] = ball
    return np.ascontiguousarray(
        np.clip(np.rint(frames + generator.normal(0, noise, frames.shape)), 0, 255)
        .astype(np.uint8)
        .transpose(0, 2, 3, 1)
    )


def measured(codec: GroupCodec, frames: np.ndarray) -> tuple[int, float]:
    latents = codec.analyse(frames)
    size = sum(len(packet.payload) for packet in codec.encode(latents).packets)
    return size, float(10 * np.log10(255**2 / np.square(codec.render(latents).astype(float) - frames).mean()))


@pytest.fixture(scope="module")
def recorded(clip):
    """24 frames [T, 160, 200, 3] of a real game."""
    batches = sampled_frames(clip, Sampling(every=10, geometry=Geometry(200, 160)))
    return np.concatenate([batch.data for batch in batches])


@pytest.fixture(scope="module")
def model():
    return blank_palette(Geometry(120, 80)).model.for_coding()


# Rates


@pytest.mark.parametrize("weights", ["blank", "arcade"])
def test_bytes_and_quality_fall_as_crf_rises(recorded, weights):
    checkpoint = blank_palette(Geometry(200, 160)) if weights == "blank" else checkpoints.load(weights)
    found = [
        measured(open_codec(checkpoint, geometry=Geometry(200, 160), crf=crf), recorded) for crf in (0, 21, 42, 63)
    ]
    assert all(one > other for (one, _), (other, _) in pairwise(found))
    assert all(one > other for (_, one), (_, other) in pairwise(found))
    # 47.3 and 31.6 dB when written with a model that was taught nothing, 46.8 and 25.4 with arcade, at 33 a frame.
    assert found[0][1] > 44 and found[-1][1] > 24


def test_weights_that_know_other_games_need_fewer_bytes_for_this_one(recorded):
    taught, blank = (
        open_codec(checkpoint, geometry=Geometry(200, 160))
        for checkpoint in (checkpoints.load("arcade"), blank_palette(Geometry(200, 160)))
    )
    latents = taught.analyse(recorded)
    sizes = [sum(len(packet.payload) for packet in codec.encode(latents).packets) for codec in (taught, blank)]
    assert sizes[0] < 0.97 * sizes[1]  # 1,881 and 1,992 bytes when written


def test_an_error_is_worth_less_at_each_crf_than_at_the_one_before():
    lambdas = [lambda_of(crf) for crf in range(64)]
    assert (lambdas[0], lambdas[-1]) == pytest.approx((0.008, 0.00003))
    assert np.diff(np.log(lambdas)) == pytest.approx(np.log(0.00003 / 0.008) / 63)


def test_what_choosing_is_said_to_cost_is_what_the_bytes_are(model):
    chosen = choose(PaletteFrames(model), scene(4), 30, search=True)
    coder = BitCounter()
    again = PaletteFrames(model).code_frames(chosen.symbols, 4, coder, chosen.symbols.shape[1:], chosen.plans)
    assert np.array_equal(again, chosen.symbols)
    # While colours are chosen, all of the palette is told; afterwards those that were taken: at most 24 bits each.
    spared = len(palette_of(scene(4), lambda_of(30), NONE)) - len(np.unique(chosen.symbols))
    assert chosen.bits - 40 * spared - 100 <= coder.bits <= chosen.bits


def test_the_choice_of_one_clip_is_the_same_each_time(model):
    pictures = scene(4)
    one, other = (choose(PaletteFrames(model), pictures, 30, search=True) for _ in range(2))
    assert np.array_equal(one.symbols, other.symbols) and one.bits == other.bits
    for mine, others in zip(one.plans[1:], other.plans[1:]):
        assert mine.motion.vectors == others.motion.vectors and np.array_equal(
            mine.motion.indices, others.motion.indices
        )
        assert all(map(np.array_equal, mine.sprites, others.sprites))
    assert one.plans[0] == other.plans[0] == FramePlan(), "a keyframe moves from nowhere"


# What has moved


def found(
    now: np.ndarray, before: list[np.ndarray], background: np.ndarray, recent: tuple, floor: int = 0
) -> MotionField:
    """Of pictures [H, W, 3], where an error is worth as much everywhere and coding leaves `floor` of it."""
    height, width = now.shape[:2]
    lambda_ = np.full((height // 4, width // 4), 3 * LAMBDA)
    return found_motion(
        SearchPicture(now),
        [SearchPicture(picture) for picture in before],
        background,
        np.full((height, width), floor, np.int32),
        lambda_,
        recent,
    )


def test_errors_that_coding_leaves_are_no_reason_to_move():
    one, other = scene(2, noise=0)
    assert found(other, [one], one, ()).vectors
    assert not found(other, [one], one, (), floor=3 * 255**2).indices.any()


def test_looking_for_motion_pays():
    frames = scene(10)
    sizes = [
        measured(open_codec(blank_palette(Geometry(120, 80)), geometry=Geometry(120, 80), effort=effort), frames)[0]
        for effort in (0, 1)
    ]
    assert sizes[1] < sizes[0]


def test_what_moved_is_found():
    one, other = scene(2, noise=0)
    field = found(other, [one], one, ())
    assert MotionVector(0, -5, -3) in field.vectors
    ball = field.indices[6:9, 4:7]  # blocks that are of the ball alone
    assert (ball == 2 + field.vectors.index(MotionVector(0, -5, -3))).all()
    assert not field.indices[:5].any(), "nothing moved up there"


def test_nothing_is_found_where_nothing_has_moved():
    one, other = scene(2, noise=0)
    field = found(one, [one, other], one, (MotionVector(0, -5, -3),))
    assert field.vectors == () and not field.indices.any()


def test_a_vector_of_late_is_taken_again_without_looking(monkeypatch):
    one, other = scene(2, noise=0)
    monkeypatch.setattr("lvc.codecs.palette.motion_search.TILES", 0)
    assert found(other, [one], one, ()).vectors == ()
    assert found(other, [one], one, (MotionVector(0, 9, 9), MotionVector(0, -5, -3))).vectors == (
        MotionVector(0, -5, -3),
    )


def test_what_stood_still_before_is_found_where_it_is_uncovered():
    one, other = scene(2, noise=0)
    field = found(one, [other], one, ())
    assert field.vectors == () and set(np.unique(field.indices)) == {0, 1}


def test_further_frames_back_are_looked_at():
    pictures = scene(3, noise=0)
    flat = np.full_like(pictures[0], 90)
    field = found(pictures[0], [flat, flat, pictures[0]], flat, ())
    assert field.vectors[0] == MotionVector(2, 0, 0)


@pytest.mark.parametrize("size", [(4, 4), (4, 40), (12, 8), (8, 8), (20, 36)])
def test_motion_of_any_size_can_be_coded(size):
    generator = np.random.default_rng(size[0])
    before = [generator.integers(0, 256, (*size, 3), np.uint8) for _ in range(EARLIER_FRAMES)]
    field = found(np.roll(before[0], (3, 2), axis=(0, 1)), before, before[1], (MotionVector(EARLIER_FRAMES - 1, 1, 1),))
    assert field.indices.shape == (size[0] // 4, size[1] // 4) and field.indices.max() < 2 + len(field.vectors)
    assert len(field.vectors) <= MOST_VECTORS and len(set(field.vectors)) == len(field.vectors)
    assert all(0 <= vector.back < EARLIER_FRAMES for vector in field.vectors)


# Colours


def test_colours_are_packed_and_taken_apart():
    pixels = np.random.default_rng(1).integers(0, 256, (7, 9, 3), np.uint8)
    assert np.array_equal(rgb(packed(pixels)), pixels)
    assert packed(np.array([[1, 2, 255]], np.uint8)).tolist() == [0x0102FF]


def test_a_palette_has_more_colours_where_errors_are_worth_more_and_all_where_they_are_few(recorded):
    pictures = recorded
    sizes = [len(palette_of(pictures, lambda_of(crf), NONE)) for crf in (0, 30, 63)]
    assert COUNTS[-1] >= sizes[0] > sizes[1] > sizes[2] >= COUNTS[0]
    few = scene(3, noise=0)
    assert set(palette_of(few, 1.0, NONE).tolist()) == set(packed(few).ravel().tolist())


# Blocks


def test_a_block_gains_what_its_error_is_above_the_least():
    generator = np.random.default_rng(2)
    source = generator.integers(0, 256, (12, 16, 3), np.uint8)
    colours = generator.integers(0, 1 << 24, 9).astype(np.int32)
    expected = generator.integers(0, 9, (12, 16)).astype(np.int16)
    least = generator.integers(0, 9000, (12, 16)).astype(np.int32)
    error = np.square(source.astype(np.int64) - rgb(colours)[expected]).sum(axis=2) - least
    assert np.array_equal(gains(source, expected, colours, least), error.reshape(3, 4, 4, 4).sum(axis=(1, 3)))


def test_the_least_errors_are_about_those_of_the_nearest_colours():
    generator = np.random.default_rng(3)
    source, palette = (
        generator.integers(0, 256, (24, 32, 3), np.uint8),
        generator.integers(0, 256, (40, 3)).astype(np.int32),
    )
    nearest = np.square(source[:, :, None].astype(np.int64) - palette).sum(axis=3).min(axis=2)
    found = least_errors(source, palette, nearest_of_cells(palette))
    # The colour is that of the middle of a cell, which is at most half its diagonal, 4 * 3**0.5 levels, away: so is
    # the other way to it.
    assert (found >= nearest).all() and (np.sqrt(found) <= np.sqrt(nearest) + 8 * np.sqrt(3)).all()
    exact = rgb(packed(palette.astype(np.uint8)[None])).astype(np.uint8)
    assert np.median(least_errors(exact, palette, nearest_of_cells(palette))) == 0


def test_blocks_are_worth_coding_by_their_gain_and_by_those_beside_them():
    gained = np.zeros((5, 7))
    gained[2, 1] = BLOCK_BITS + BESIDE_BITS + 1  # worth it alone
    gained[0, 0] = BLOCK_BITS + 1  # not quite: one alone costs more
    gained[4, 3:6] = BLOCK_BITS + 1  # these are, beside each other
    gained[3, 4] = BLOCK_BITS + 1
    gained[2, 4] = BLOCK_BITS - 1  # with one beside it not
    coded = worth_coding(gained)
    assert coded.dtype == np.uint8
    assert {(int(row), int(column)) for row, column in zip(*np.nonzero(coded))} == {
        (2, 1),
        (4, 3),
        (4, 4),
        (4, 5),
        (3, 4),
    }


def test_a_hole_among_coded_blocks_is_coded_with_them():
    gained = np.full((3, 3), 100.0)
    gained[1, 1] = BLOCK_BITS - 3 * BESIDE_BITS + 0.5
    assert worth_coding(gained).all()
    gained[1, 1] = BLOCK_BITS - 3 * BESIDE_BITS - 0.5
    assert worth_coding(gained).sum() == 8


def test_blocks_live_until_they_differ():
    pictures = np.zeros((6, 8, 12, 3), np.uint8)
    pictures[3:, :4, 4:8] = 200  # changes once
    pictures[::2, 4:, 8:] = 90  # changes every time
    pictures[:, 4:, :4] = np.arange(6)[:, None, None, None]  # a camera's noise
    lives = lifetimes_of(pictures)
    assert lives.dtype == np.int64 and lives.shape == (6, 2, 3)
    assert lives[:, 0, 0].tolist() == lives[:, 1, 0].tolist() == [6, 5, 4, 3, 2, 1]
    assert lives[:, 0, 1].tolist() == [3, 2, 1, 3, 2, 1]
    assert lives[:, 1, 2].tolist() == [1] * 6


def test_a_block_lives_on_up_to_so_much_difference():
    pictures = np.zeros((2, 4, 8, 3), np.uint8)
    pictures[1, :, :4] = 6  # 48 numbers differ by 6
    pictures[1, :, 4:] = 6
    pictures[1, 0, 4, 0] = 7
    assert STAYS == 48 * 36 and lifetimes_of(pictures)[0].tolist() == [[2, 1]]


def chooser(*facts) -> RdoFrame:
    return RdoFrame(*facts, None, [], search=False, sprites=False)


def test_what_lasts_is_worth_more():
    source = np.full((4, 8, 3), 100, np.uint8)
    # Predicted are 16 pixels of 3 channels, 4 levels off.
    lives = np.array([[1, 16]])
    palette, least = packed(source)[0, :1], np.zeros((4, 8), np.int32)
    per_level = BLOCK_BITS / (48 * 16)
    chosen = [
        chooser(source, palette, share * per_level, least, lives)
        .coded_blocks(np.zeros((4, 8), np.int16), np.array([0x606060], np.int32))
        .tolist()
        for share in (0.1, 0.5, 3)
    ]
    assert chosen == [[[0, 0]], [[0, 1]], [[1, 1]]]


def test_pixels_of_what_lasts_are_worth_more():
    frame = chooser(np.zeros((4, 8, 3), np.uint8), np.array([0]), 0.01, np.zeros((4, 8), np.int32), np.array([[1, 30]]))
    target = frame.pixels(None)
    assert target.source is frame.source and target.lambda_[0, 0] < target.lambda_[0, 1] == pytest.approx(0.01 * 60)
    assert channels(np.array([0, 0x010203])).tolist() == [[0, 0, 0], [1, 2, 3]]
