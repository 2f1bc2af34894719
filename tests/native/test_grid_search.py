"""Whether a recording shows a game's own pixels, and how many: of made-up games, and never of what is none."""

import av
import cv2
import numpy as np
import pytest

from lvc.frames import Geometry
from lvc.native.grid_search import LEAST_PSNR, found_grid, native_side, spread, whole_kernel
from lvc.native.pixel_grid import KERNEL_ABS_LIMIT, KERNEL_UNIT, PixelGrid
from lvc.native.planes import PlaneReader, Planes, shown
from lvc.native.sample import LOOKED_THROUGH, frames_with_native
from lvc.video.resize import AreaScaler
from lvc.video.sample import Sampling, sampled_frames
from tests.builders.pixel_art import NATIVE, enlarged, game

# Fine enough that edges stand where they were: coarser recordings ring around them.
FINE = {"crf": "8", "preset": "veryfast"}
SMALL = Geometry(200, 160)
WINDOW = Geometry(960, 720)


def read(path, geometry=SMALL, **options):
    return list(frames_with_native(path, Sampling(every=1, geometry=geometry), **options))


def looked_at(path, geometry=SMALL):
    """What `found_grid` is given of a recording's frames."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    scaler = AreaScaler(geometry)
    return [PlaneReader().planes(frame) for frame in frames], np.stack([scaler.planes(frame) for frame in frames])


@pytest.mark.parametrize(
    "native, window, geometry",
    [
        (NATIVE, WINDOW, SMALL),
        (NATIVE, Geometry(640, 420), SMALL),
        (NATIVE, Geometry(1152, 864), Geometry(160, 210)),
        (Geometry(160, 144), Geometry(480, 440), SMALL),
        (Geometry(320, 240), Geometry(1280, 960), Geometry(320, 240)),
        (Geometry(256, 224), Geometry(896, 672), Geometry(256, 160)),
    ],
    ids=str,
)
def test_the_games_own_pixels_are_counted(tmp_path, make_recording, native, window, geometry):
    path = make_recording(tmp_path / "game.mp4", game(4, window, native=native).shown, options=FINE)
    planes, small = looked_at(path, geometry)
    grid, seen = found_grid(planes, small)
    assert (grid.native, grid.source) == (native, window)
    assert (grid.chroma.stride_x, grid.chroma.stride_y) == (seen.stride_x, seen.stride_y) == (2, 2), (
        "a recording's chroma is halved"
    )


DITHERED = pytest.mark.xfail(
    strict=True, reason="swscale dithers ten bits to eight: steps of a level stand everywhere, and hide the edges"
)


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv422p", pytest.param("yuv420p10le", marks=DITHERED)])
def test_the_kind_of_planes_does_not_matter(tmp_path, make_recording, pixel_format):
    path = make_recording(tmp_path / "game.mkv", game(3, WINDOW).shown, pixel_format=pixel_format, options=FINE)
    assert [batch.grid and batch.grid.native for batch in read(path)] == [NATIVE]


def test_a_real_game_is_found_and_looks_as_its_frames_do(clip):
    planes, small = looked_at(clip)
    places = spread(len(planes), LOOKED_THROUGH)
    grid, _ = found_grid([planes[place] for place in places], small[places])
    assert grid.native == NATIVE and grid.source == WINDOW


def test_what_native_pixels_look_like_is_what_the_frames_show(tmp_path, make_recording):
    made = game(3, WINDOW)
    planes, small = looked_at(make_recording(tmp_path / "game.mp4", made.shown, options=FINE))
    grid, _ = found_grid(planes, small)
    luma = np.stack(
        [cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]].transpose(2, 0, 1) for picture in made.native]
    ).astype(float)
    # Luma of full range, as OpenCV gives it, against a recording's 16 to 235; chroma likewise.
    luma = (luma - [[[0]], [[128]], [[128]]]) * [[[219 / 255]], [[224 / 255]], [[224 / 255]]] + [
        [[16]],
        [[128]],
        [[128]],
    ]
    error = np.mean([np.square(shown(grid, picture, SMALL) - target).mean() for picture, target in zip(luma, small)])
    assert 10 * np.log10(255**2 / error) > LEAST_PSNR, "that is what a grid is taken for"


# What shows no game's own pixels


def photograph(size: Geometry, seed: int = 3) -> np.ndarray:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (size.height // 40, size.width // 40, 3)).astype(np.uint8)
    return cv2.resize(coarse, (size.width, size.height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    "pictures",
    [
        np.random.default_rng(1).integers(0, 256, (3, 480, 640, 3), np.uint8),
        np.stack([photograph(Geometry(640, 480))] * 3),
        np.full((3, 480, 640, 3), 90, np.uint8),
        np.zeros((3, 480, 640, 3), np.uint8),
        game(3, NATIVE).shown,
        enlarged(np.random.default_rng(2).integers(0, 256, (3, 8, 8, 3), np.uint8), Geometry(640, 480)),
        np.stack([np.roll(game(1, Geometry(640, 420)).shown[0], number, axis=1) for number in (0, 1, 2)]),
    ],
    ids=[
        "noise",
        "a photograph",
        "one colour",
        "black",
        "pixels that are not enlarged",
        "fewer pixels than any game has",
        "pixels that slide",
    ],
)
def test_what_shows_none_is_left_as_it_is(tmp_path, make_recording, pictures):
    path = make_recording(tmp_path / "film.mkv", list(pictures), options=FINE)
    batches = read(path, Geometry(64, 48))
    assert all(batch.native is None and batch.grid is None for batch in batches)
    plain = list(sampled_frames(path, Sampling(every=1, geometry=Geometry(64, 48))))
    assert all(np.array_equal(one.data, other.data) for one, other in zip(batches, plain, strict=True))


def test_more_pixels_than_are_worth_it_are_not_taken(tmp_path, make_recording):
    path = make_recording(tmp_path / "game.mp4", game(3, WINDOW).shown, options=FINE)
    assert read(path, Geometry(100, 80))[0].grid is None, "33,600 native pixels would be told for 8,000 that are shown"
    assert read(path, Geometry(160, 140))[0].grid is not None


def test_a_picture_alone_is_too_small_to_have_a_grid():
    for size in ((1, 1), (2, 40), (40, 2), (47, 47)):
        planes = Planes(np.zeros(size, np.uint8), np.zeros((2, *size), np.uint8), 1)
        assert found_grid([planes], np.zeros((1, 3, 4, 4), np.uint8)) is None


# Beginnings


def test_a_recording_that_begins_black_is_found_by_what_follows(tmp_path, make_recording):
    made = game(LOOKED_THROUGH + 2, WINDOW, black=LOOKED_THROUGH - 5)
    batches = read(make_recording(tmp_path / "game.mp4", made.shown, options=FINE), batch=4)
    assert [batch.grid.native for batch in batches] == [NATIVE] * 4, "the black frames have native pixels too"
    assert batches[0].native.max() <= 3, "black is black, within the recording's noise"


def test_frames_and_times_are_the_same_with_a_grid_as_without(tmp_path, make_recording):
    path = make_recording(tmp_path / "game.mp4", game(LOOKED_THROUGH + 3, WINDOW).shown, options=FINE)
    for every, batch in ((1, 4), (2, 32)):
        sampling = Sampling(every=every, geometry=SMALL)
        plain, more = (list(frames(path, sampling, batch=batch)) for frames in (sampled_frames, frames_with_native))
        assert [one.pts for one in plain] == [other.pts for other in more]
        assert all(np.array_equal(one.data, other.data) for one, other in zip(plain, more))
        assert all(other.native.shape == (len(other), 210, 160, 3) for other in more)


# Parts


@pytest.mark.parametrize("native, size", [(160, 960), (210, 720), (144, 431), (32, 48), (224, 1080)])
def test_a_side_is_counted_by_where_its_edges_stand(native, size):
    generator = np.random.default_rng(native)
    line = generator.integers(0, 256, native).astype(np.uint8)[np.arange(size) * native // size]
    assert native_side([np.repeat(line[None], 4, axis=0)], 1) == native
    assert native_side([np.repeat(line[:, None], 4, axis=1)], 0) == native


def test_noise_of_a_level_does_not_hide_edges():
    generator = np.random.default_rng(1)
    line = generator.integers(0, 256, 160)[np.arange(960) * 160 // 960]
    noisy = line + generator.integers(-1, 2, (8, 960))
    assert native_side([np.clip(noisy, 0, 255).astype(np.uint8)], 1) == 160


def test_places_are_spread_evenly():
    assert (
        spread(12, 6).tolist() == [0, 2, 4, 6, 8, 11]
        and spread(3, 6).tolist() == [0, 1, 2]
        and spread(1, 6).tolist() == [0]
    )


@pytest.mark.parametrize(
    "weights", [(0, 1, 0), (0.25, 0.5, 0.25), (-3, 7, -3), (5, -9, 5), (0.333, 0.333, 0.334), (1e-9, -1e-9, 1)]
)
def test_any_weights_become_a_kernel_that_a_header_may_hold(weights):
    kernel = whole_kernel(np.array(weights, float))
    assert sum(kernel) == KERNEL_UNIT and sum(map(abs, kernel)) <= KERNEL_ABS_LIMIT
    assert all(type(weight) is int for weight in kernel)
    assert PixelGrid(NATIVE, WINDOW).as_json()  # as numbers that JSON takes
