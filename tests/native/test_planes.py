"""A game's own pixels out of a recording's planes."""

from fractions import Fraction

import av
import numpy as np
import pytest

from lvc.errors import InputError
from lvc.frames import Geometry
from lvc.native.pixel_grid import KERNEL_UNIT, PLAIN, Blur, PixelGrid, exact_weights
from lvc.native.planes import (
    NEGLIGIBLE,
    NativeSampler,
    PlaneReader,
    average_samples,
    averaging,
    averaging_of,
    banded,
    showing,
    unblur_samples,
    unblurring,
)
from lvc.native.sample import native_frames
from lvc.video.sample import Sampling
from tests.builders.pixel_art import NATIVE, game

WINDOW = Geometry(960, 720)
FINE = {"crf": "8", "preset": "veryfast"}


def frame_of(picture: np.ndarray, pixel_format: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format=pixel_format)


def luma_of(pictures: np.ndarray) -> np.ndarray:
    return pictures.astype(float) @ [0.299, 0.587, 0.114]


def native_of(path, native=NATIVE, **options) -> np.ndarray:
    """uint8 [T, h, w, 3]."""
    batches = native_frames(path, Sampling(every=1, geometry=native, native=True), **options)
    return np.concatenate([batch.data for batch in batches])


# Planes


@pytest.mark.parametrize(
    "pixel_format, stride",
    [("yuv420p", 2), ("yuvj420p", 2), ("yuv422p", 1), ("yuv444p", 1), ("yuv420p10le", 1), ("rgb24", 1), ("nv12", 1)],
)
@pytest.mark.parametrize("size", [(48, 64), (47, 61), (1, 1)])
def test_planes_are_those_of_the_frame(pixel_format, stride, size):
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    if size[0] % 2:
        picture[:] = 120, 40, 200  # what is halved of odd sides is plain enough to compare
    frame = frame_of(picture, pixel_format)
    planes = PlaneReader().planes(frame)
    assert planes.geometry == Geometry(size[1], size[0]) and planes.stride == stride
    assert planes.chroma.shape == (2, *(-(-side // stride) for side in size))
    full = frame if stride == 2 else frame.reformat(format="yuv444p")
    for plane, found in zip(full.planes, (planes.luma, *planes.chroma)):
        assert np.array_equal(
            found, np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        )


# Weights


@pytest.mark.parametrize("native, source", [(160, 960), (210, 720), (7, 7), (3, 100)])
def test_native_pixels_are_the_mean_of_what_shows_them(native, source):
    pixels = np.random.default_rng(2).integers(0, 256, native)
    weights = averaging(native, source)
    assert weights.dtype == np.float32 and np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(weights @ pixels[np.arange(source) * native // source], pixels, atol=1e-3)


@pytest.mark.parametrize("kernel", [PLAIN, (0, 128, 128), (64, 128, 64), (-16, 80, 128, 80, -16)])
@pytest.mark.parametrize("native, source, stride", [(160, 960, 2), (210, 720, 2), (160, 480, 1), (144, 440, 2)])
def test_smeared_samples_are_told_apart_again(native, source, stride, kernel):
    samples = -(-source // stride)
    pixels = np.random.default_rng(3).integers(0, 256, native)
    seen = exact_weights(native, source, samples, stride, kernel) / (samples * KERNEL_UNIT) @ pixels
    found = unblurring(native, source, stride, kernel) @ seen
    # What steadies the solution draws it towards the sample in a pixel's middle,
    # by some hundredths of how far that one is off.
    assert np.abs(found - pixels).mean() < 3


def test_the_sample_in_the_middle_of_a_pixel_stands_for_it():
    assert averaging_of(4, 8, 16, 2).argmax(axis=1).tolist() == [1, 3, 5, 7]
    assert averaging_of(3, 1, 3, 4).argmax(axis=1).tolist() == [0, 0, 0]


# Samples


def averaged(plane: np.ndarray, native: tuple[int, int], width: int, **changed) -> tuple[int, np.ndarray]:
    """What the kernel gives, and the native pixels [h, w] of a plane, of whose rows `width` samples count."""
    height, stride = plane.shape
    rows, row_counts = showing(native[0], height)
    columns, column_counts = showing(native[1], width)
    told = {"rows": rows, "row_counts": row_counts, "columns": columns, "column_counts": column_counts, **changed}
    pixels = np.full((native[0], native[1] + 5), 77, np.uint8)
    refused = average_samples(plane=plane, sums=np.empty(stride, np.uint32), pixels=pixels, **told)
    assert (pixels[:, native[1] :] == 77).all()
    return refused, pixels[:, : native[1]]


@pytest.mark.parametrize("native, size", [((3, 4), (9, 12)), ((21, 16), (72, 96)), ((7, 5), (7, 5)), ((1, 1), (3, 2))])
@pytest.mark.parametrize("levels", [2, 256])
def test_the_mean_of_samples_is_exact_and_halves_are_those_of_float32(native, size, levels):
    plane = np.random.default_rng(4).integers(0, levels, (size[0], size[1] + 3)).astype(np.uint8)
    refused, found = averaged(plane, native, size[1])
    wanted = np.zeros(native)
    for y, x in np.ndindex(native):
        shows_y = np.arange(size[0]) * native[0] // size[0] == y
        shows_x = np.arange(size[1]) * native[1] // size[1] == x
        samples = plane[:, : size[1]][np.ix_(shows_y, shows_x)]
        exact = samples.mean()
        if exact % 1 == 0.5:
            exact = summed([summed(line, 1 / np.float32(len(line))) for line in samples], 1 / np.float32(len(samples)))
        wanted[y, x] = np.rint(exact)
    assert refused == 0 and np.array_equal(found, wanted)


def summed(values, weight: np.float32) -> np.float32:
    """Weighted values added up in their order, each sum rounded once."""
    total = np.float32(0)
    for value in values:
        total = np.float32(np.float64(weight) * np.float64(value) + np.float64(total))
    return total


@pytest.mark.parametrize(
    "changed",
    [
        {"rows": np.array([0, 3, 7])},
        {"rows": np.array([-1, 3, 6])},
        {"columns": np.array([0, 3, 6, 13])},
        {"row_counts": np.array([3, 0, 3])},
        {"column_counts": np.array([3, 3, 3, 1 << 62])},
    ],
)
def test_samples_that_are_not_there_are_refused(changed):
    refused, found = averaged(np.zeros((9, 15), np.uint8), (3, 4), 12, **changed)
    assert refused == -1 and (found == 77).all()


@pytest.mark.parametrize("rows, columns, refused", [(0, 0, 0), (1, 0, -1), (0, 1, -1), (-9, 0, -1)])
def test_chroma_is_made_of_weighted_sums_in_the_order_of_the_samples(rows, columns, refused):
    random = np.random.default_rng(5)
    plane = random.integers(0, 256, (12, 9), np.uint8)
    told = {
        "rows": np.array([0, 4, 8 + rows]),
        "row_weights": random.normal(0, 0.5, (3, 4)).astype(np.float32),
        "columns": np.array([0, 2, 3, 7 + columns]),
        "column_weights": random.normal(0, 1, (4, 2)).astype(np.float32),
    }
    pixels = np.full((3, 6), 77, np.uint8)
    scratch = {"lines": np.empty((12, 4), np.float32), "sums": np.empty(4, np.float32)}
    assert unblur_samples(plane=plane, pixels=pixels, **scratch, **told) == refused
    assert (pixels[:, 4:] == 77).all()
    if refused:
        assert (pixels == 77).all()
        return
    lines, sums = np.zeros((12, 4), np.float32), np.zeros((3, 4), np.float32)
    for tap in range(2):
        lines += told["column_weights"][:, tap] * plane[:, told["columns"] + tap].astype(np.float32)
    for tap in range(4):
        sums += told["row_weights"][:, tap, None] * lines[told["rows"] + tap]
    assert np.array_equal(pixels[:, :4], np.clip(np.rint(sums), 0, 255))
    assert {0, 255} < set(pixels[:, :4].flat), "some are cut to 0 to 255, some not"


def test_what_weights_in_bands_leave_out_is_negligible():
    weights = unblurring(210, 720, 2, (0, 128, 128))
    first, kept = banded(weights)
    found = np.zeros_like(weights)
    for row in range(len(weights)):
        found[row, first[row] : first[row] + kept.shape[1]] = kept[row]
    assert kept.shape[1] < weights.shape[1] / 4 and np.abs(found - weights).max() <= NEGLIGIBLE


# Recordings


def test_native_pixels_of_a_lossless_recording_come_back(tmp_path, make_recording):
    made = game(3, WINDOW)
    found = native_of(make_recording(tmp_path / "game.mkv", made.shown, codec="ffv1", pixel_format="yuv444p"))
    # A level of luma and of each chroma is lost to 8 bits; blue takes two of its chroma's, and rounds once more.
    assert np.abs(found.astype(int) - made.native).max() <= 3


@pytest.mark.parametrize("window", [WINDOW, Geometry(640, 420), Geometry(1280, 960)], ids=str)
def test_native_pixels_of_a_fine_recording_come_back(tmp_path, make_recording, window):
    made = game(3, window)
    found = native_of(make_recording(tmp_path / "game.mp4", made.shown, options=FINE))
    # Luma is a mean over whole pixels, and off by what x264 leaves at this quality. Chroma was halved and smeared over
    # edges, which the kernels undo for the most part; where sprites of single pixels stand side by side more of it is
    # left.
    assert np.abs(luma_of(found) - luma_of(made.native)).mean() < 1
    apart = np.abs(found.astype(int) - made.native)
    assert apart.mean() < 2 and np.percentile(apart, 95) <= 8


def test_how_frames_are_read_does_not_change_native_pixels(tmp_path, make_recording):
    path = make_recording(tmp_path / "game.mp4", game(15, Geometry(640, 420)).shown, options=FINE)
    wanted = native_of(path)
    assert np.array_equal(native_of(path, batch=2), wanted) and np.array_equal(native_of(path, threads=2), wanted)


def test_colours_of_a_full_range_are_told_from_limited_ones():
    grid = PixelGrid(Geometry(2, 1), Geometry(8, 4))
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[:, 4:] = 255
    found = np.empty((1, 2, 3), np.uint8)
    for pixel_format in ("yuv420p", "yuvj420p"):
        NativeSampler(grid, Blur(2, 2)).sample_into(frame_of(picture, pixel_format), found)
        assert found.reshape(2, 3).tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    "asked, reason",
    [
        (Geometry(200, 160), "a game of 160x210 pixels enlarged; one of 200x160 was expected"),
        (None, "no game's own pixels"),
    ],
)
def test_a_recording_of_other_pixels_is_refused_where_they_are_asked_for(tmp_path, make_recording, asked, reason):
    pictures = (
        game(3, WINDOW).shown if asked else list(np.random.default_rng(1).integers(0, 256, (3, 480, 640, 3), np.uint8))
    )
    path = make_recording(tmp_path / "game.mp4", pictures, options=FINE)
    with pytest.raises(InputError, match=reason):
        native_of(path, asked or NATIVE)


def test_native_frames_have_the_recordings_times(tmp_path, make_recording):
    path = make_recording(tmp_path / "game.mp4", game(5, WINDOW).shown, options=FINE)
    batches = list(native_frames(path, Sampling(every=2, geometry=NATIVE, native=True)))
    assert [time for batch in batches for time in batch.pts_seconds] == [Fraction(0), Fraction(2, 30), Fraction(4, 30)]
    assert all(batch.native is None and batch.grid is None and batch.geometry == NATIVE for batch in batches)
