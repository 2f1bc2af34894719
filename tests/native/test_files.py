"""Files of a game's own pixels: what is written comes back, however it is read, and the header says how it is shown."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

import lvc
from lvc.codecs.codec import BEST_KNOWN_PSNR
from lvc.codecs.crf import psnr_of_crf
from lvc.codecs.family import open_codec
from lvc.container.header import inflated
from lvc.encoding.encode import encode
from lvc.encoding.search import tried
from lvc.errors import FormatError, LvcError, OptionError
from lvc.frames import FrameBatch, Geometry
from lvc.native import spread
from lvc.native.pixel_grid import Blur, PixelGrid
from lvc.native.sample import FIRST_BATCH, frames_with_native
from lvc.native.shown import Screen
from lvc.native.spread import RunsAhead, spread_runs
from lvc.video.demux import probe
from lvc.video.sample import Sampling
from lvc.weights import checkpoints
from lvc.writing.choice import CLEARLY_ABOVE, Run, candidates
from lvc.writing.writer import Writer
from tests.builders.pixel_art import game
from tests.fuzz.sealing import assembled, parts_of

SHOWN, NATIVE = Geometry(40, 32), Geometry(22, 13)  # whose blocks are not whole
GRID = PixelGrid(NATIVE, Geometry(88, 65), chroma=Blur(2, 2, (64, 128, 64), (0, 128, 128)))
MILLISECOND = Fraction(1, 1000)
COUNT, KEYINT = 13, 5


@pytest.fixture(scope="module")
def weights(tmp_path_factory, save_small):
    return save_small(tmp_path_factory.mktemp("weights") / "small.safetensors", "temporal-palette")


def played(count: int = COUNT, *, start: int = 0, grid: PixelGrid = GRID) -> FrameBatch:
    """A square of some colours that runs over tiles, and how it is shown."""
    native = grid.native
    colours = np.kron(
        np.random.default_rng(1).choice(
            [0x102030, 0xA0A000, 0x707070], (-(-native.height // 4), -(-native.width // 4))
        ),
        np.ones((4, 4), int),
    )
    pictures = np.repeat(colours[None, : native.height, : native.width], count, axis=0).astype(np.int32)
    for number in range(count):
        left = (start + number) % (native.width - 4)
        pictures[number, 3:8, left : left + 4] = 0xF04020
    frames = Screen(grid, SHOWN).show(pictures[:, None])
    rgb = np.stack([pictures >> 16, pictures >> 8 & 255, pictures & 255], axis=3).astype(np.uint8)
    return FrameBatch(frames, tuple(range(33 * start, 33 * (start + count), 33)), MILLISECOND, rgb, grid)


def part_of(batch: FrameBatch, here: slice) -> FrameBatch:
    return FrameBatch(batch.data[here], batch.pts[here], batch.time_base, batch.native[here], batch.grid)


def writer_of(path, weights, **options) -> Writer:
    return Writer(
        path,
        **{
            "geometry": SHOWN,
            "grid": GRID,
            "time_base": MILLISECOND,
            "frame_duration": 33,
            "model": weights,
            "keyint": KEYINT,
            "crf": 0,
        }
        | options,
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory, weights):
    made = tmp_path_factory.mktemp("native") / "game.lvc"
    with writer_of(made, weights) as writer:
        writer.write(part_of(played(), slice(0, 7)))
        writer.write(part_of(played(), slice(7, None)))
    return made


@pytest.fixture
def reader(path, weights):
    with lvc.open(path, model=weights) as opened:
        yield opened


def changed(path, target, **keys):
    """The file with other keys in its header, under checksums that hold."""
    text, records = parts_of(path.read_bytes())
    target.write_bytes(
        assembled(
            json.dumps({**json.loads(text if text.startswith(b"{") else inflated(text)), **keys}).encode(), records
        )
    )
    return target


# There and back


def test_frames_are_shown_as_the_games_own_pixels_look(reader):
    found = torch.stack(list(reader)).numpy()
    # So few colours, at the best quality, are kept as they are: and what is shown of them is whole numbers.
    assert np.array_equal(found, played().data.transpose(0, 3, 1, 2))
    assert reader.pts == played().pts and reader.geometry == SHOWN


def test_the_header_says_how_pixels_are_shown(reader):
    assert PixelGrid.from_json(reader.header.extra["grid"]) == GRID
    assert (reader.header.width, reader.header.height) == (40, 32)
    assert reader.codec.latent_shape == (1, 16, 24), "latents are the native pixels, in whole blocks"


@pytest.mark.parametrize("key", [slice(3, 11), slice(None, None, 4), slice(12, 2, -3), [12, 0, 5, 5, -1]], ids=str)
def test_any_way_to_ask_for_frames_gives_those_of_reading_in_order(path, weights, key):
    with lvc.open(path, model=weights) as reader:
        everything = torch.stack(list(reader))
    with lvc.open(path, model=weights) as reader:
        found = reader[key] if isinstance(key, slice) else reader.get_frames_at(key).data
    assert torch.equal(found, everything[list(range(COUNT))[key] if isinstance(key, slice) else key])


def test_integer_latents_become_the_same_frames(reader):
    latents = reader.latents_at(range(COUNT))
    assert latents.symbols.shape == (COUNT, 1, 16, 24)
    everything = torch.stack(list(reader))
    assert torch.equal(reader.synthesise(latents), everything)
    assert torch.equal(reader.synthesise(latents.symbols), everything)
    with pytest.raises(OptionError, match="of whole numbers"):
        reader.synthesise(latents.symbols[:, :, :12])


def test_the_batches_that_frames_come_in_do_not_matter(path, weights, tmp_path):
    for size in (1, 4, COUNT):
        with writer_of(tmp_path / f"{size}.lvc", weights) as writer:
            for start in range(0, COUNT, size):
                writer.write(part_of(played(), slice(start, start + size)))
        assert (tmp_path / f"{size}.lvc").read_bytes() == path.read_bytes()


def test_what_a_batch_holds_is_copied(path, weights, tmp_path):
    with writer_of(tmp_path / "game.lvc", weights) as writer:
        for number in range(COUNT):
            batch = part_of(played(), slice(number, number + 1))
            writer.write(batch)
            batch.native[:] = 0
    assert (tmp_path / "game.lvc").read_bytes() == path.read_bytes()


def test_every_keeps_native_pixels_of_the_frames_that_are_kept(weights, tmp_path):
    with writer_of(tmp_path / "game.lvc", weights, every=3) as writer:
        for start in range(0, COUNT, 4):
            writer.write(part_of(played(), slice(start, start + 4)))
    with lvc.open(tmp_path / "game.lvc", model=weights) as reader:
        assert np.array_equal(torch.stack(list(reader)).numpy(), played().data[::3].transpose(0, 3, 1, 2))


def test_frames_that_come_without_their_pixels_are_refused(weights, tmp_path):
    other = replace(GRID, native=Geometry(20, 13))
    with writer_of(tmp_path / "game.lvc", weights) as writer:
        writer.write(played(2))
        for frames in (replace(played(1, start=2), native=None, grid=None), played(1, start=2, grid=other)):
            with pytest.raises(OptionError, match="22x13 pixels: batches that bring these along were expected"):
                writer.write(frames)
        writer.write(played(1, start=2))
    assert writer.frames_written == 3


def test_a_file_without_a_grid_takes_frames_as_they_are_shown(weights, tmp_path):
    with writer_of(tmp_path / "game.lvc", weights, grid=None) as writer:
        writer.write(played(3))
    with lvc.open(tmp_path / "game.lvc", model=weights) as reader:
        assert "grid" not in reader.header.extra and reader.codec.latent_shape == (1, 32, 40)


def test_models_of_no_colours_are_refused(tmp_path, save_small):
    for family in ("conv4", "temporal"):
        other = save_small(tmp_path / f"{family}.safetensors", family)
        with pytest.raises(OptionError, match="a game's own pixels are for models of colours"):
            open_codec(checkpoints.load(other), geometry=SHOWN, grid=GRID)


# Continued files


def test_a_file_is_continued_with_its_grid(weights, tmp_path):
    target = tmp_path / "game.lvc"
    with writer_of(target, weights) as writer:
        writer.write(part_of(played(), slice(0, KEYINT)))
    old = target.read_bytes()
    with Writer(target, model=weights, append=True) as writer:  # what is not said is as in the file
        writer.write(part_of(played(), slice(KEYINT, None)))
    with lvc.open(target, model=weights) as reader:
        assert np.array_equal(torch.stack(list(reader)).numpy(), played().data.transpose(0, 3, 1, 2))
    assert target.read_bytes()[:200] == old[:200]


@pytest.mark.parametrize(
    "grid",
    [replace(GRID, native=Geometry(21, 13)), replace(GRID, chroma=Blur())],
    ids=["other pixels", "another chroma"],
)
def test_another_grid_is_refused_and_the_old_file_is_left_alone(path, weights, tmp_path, grid):
    target = tmp_path / "game.lvc"
    target.write_bytes(path.read_bytes())
    with pytest.raises(OptionError, match="another grid"):
        writer_of(target, weights, append=True, grid=grid)
    assert target.read_bytes() == path.read_bytes() and list(tmp_path.iterdir()) == [target]


# Hostile headers


WHOLE = GRID.as_json()
HOSTILE = {
    "a number": 7,
    "a text": "22x13",
    "no pixels": {**WHOLE, "native": [0, 13]},
    "more pixels than are shown": {**WHOLE, "native": [89, 13]},
    "more pixels than any file may have": {**WHOLE, "native": [16384, 16384], "source": [16384, 16384]},
    "a side that is too long": {**WHOLE, "source": [1 << 40, 65]},
    "a part that is missing": {key: value for key, value in WHOLE.items() if key != "luma"},
    "a part that nobody knows": {**WHOLE, "more": 1},
    "a kernel that swings": {
        **WHOLE,
        "luma": {"stride": [1, 1], "across": [-(1 << 30), 256 + (1 << 31), -(1 << 30)], "down": [256]},
    },
    "a stride of nothing": {**WHOLE, "chroma": {"stride": [0, 2], "across": [256], "down": [256]}},
    "fractions": {**WHOLE, "native": [22.5, 13]},
}


@pytest.mark.parametrize("grid", HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_asks_for_what_cannot_be_is_refused(path, weights, tmp_path, grid):
    target = changed(path, tmp_path / "bad.lvc", grid=grid)
    with lvc.open(target, model=weights) as reader, pytest.raises(FormatError, match="asks for what cannot be"):
        reader[0]
    with pytest.raises(LvcError):
        Writer(target, model=weights, append=True)


@pytest.mark.parametrize(
    "grid",
    [
        None,
        {**WHOLE, "native": [24, 16]},
        {**WHOLE, "native": [8, 5]},
        {**WHOLE, "native": [88, 65]},
        {**WHOLE, "source": [16384, 16384]},
    ],
    ids=str,
)
def test_a_header_of_another_grid_gives_frames_or_a_typed_error(path, weights, tmp_path, grid):
    target = changed(path, tmp_path / "bad.lvc", grid=grid)
    with lvc.open(target, model=weights) as reader:
        for number in (0, 4, 12):
            try:
                assert reader[number].shape == (3, 32, 40)
            except FormatError:
                continue


def test_a_grid_that_other_models_cannot_show_is_refused(tmp_path, save_small):
    weights = save_small(tmp_path / "conv.safetensors", "conv4")
    with Writer(tmp_path / "game.lvc", geometry=SHOWN, fps=30, model=weights) as writer:
        writer.write(played(2).data)
    target = changed(tmp_path / "game.lvc", tmp_path / "bad.lvc", grid=WHOLE)
    with lvc.open(target, model=weights) as reader, pytest.raises(FormatError, match="are for models of colours"):
        reader[0]


# Recordings


@pytest.fixture(scope="module")
def recording(tmp_path_factory, make_recording):
    made = game(16, Geometry(480, 320), native=Geometry(60, 40), colours=6)
    return make_recording(
        tmp_path_factory.mktemp("recording") / "game.mp4", made.shown, options={"crf": "8", "preset": "veryfast"}
    )


SAMPLING = Sampling(every=2, geometry=Geometry(50, 40))


def test_a_recording_is_coded_by_its_games_own_pixels(recording, weights, tmp_path):
    made = encode(recording, tmp_path / "game.lvc", sampling=SAMPLING, model=weights, crf=10, keyint=4)
    (batch,) = frames_with_native(recording, SAMPLING)
    with lvc.open(made.path, model=weights) as reader:
        assert PixelGrid.from_json(reader.header.extra["grid"]) == batch.grid and batch.grid.native == Geometry(60, 40)
        decoded = torch.stack(list(reader)).numpy()
    error = np.square(decoded.astype(float) - batch.data.transpose(0, 3, 1, 2)).mean()
    assert 10 * np.log10(255**2 / error) > 30, "frames look as the recording's, as far as this quality goes"
    assert made.frames == 8 and made.sample_psnr > 30


def test_a_recording_is_coded_as_it_is_shown_by_models_of_no_colours(recording, save_small, tmp_path):
    other = save_small(tmp_path / "conv.safetensors", "conv4")
    made = encode(recording, tmp_path / "game.lvc", sampling=SAMPLING, model=other)
    with lvc.open(made.path, model=other) as reader:
        assert "grid" not in reader.header.extra and len(reader) == made.frames == 8


def test_what_a_codec_of_native_pixels_is_tried_on_is_what_a_file_shows(weights):
    batch = played(4)
    codec = open_codec(checkpoints.load(weights), geometry=SHOWN, crf=0, grid=GRID)
    trial = tried(codec, batch.data, batch.native, similarity=True)
    assert (trial.mse, trial.ssim, trial.psnr, trial.identical) == (0, 1, None, 4), (
        "so few colours are kept as they are"
    )
    run = Run(batch.data, batch.native)
    (found,) = candidates([run], SHOWN, grid=GRID, crf=0, names=[str(weights)])
    assert found.fit.psnr == BEST_KNOWN_PSNR and found.cost == found.fit.bytes_per_frame


def test_where_the_games_own_pixels_are_served_well_no_standard_codec_is_tried():
    batch = played(4)
    found = candidates([Run(batch.data, batch.native)], SHOWN, grid=GRID, crf=40, effort=0)
    assert {one.checkpoint.metadata.model for one in found} == {"temporal-palette"}
    assert found[0].fit.psnr >= psnr_of_crf(40) + CLEARLY_ABOVE
    without = candidates([Run(batch.data)], SHOWN, crf=40, effort=0)
    assert "hevc" in {one.checkpoint.metadata.model for one in without}


def test_runs_show_the_games_own_pixels_by_what_the_beginning_has_shown(recording):
    first = next(frames_with_native(recording, SAMPLING, batch=3))
    places = {"places": (0.4,), "frames": 3}
    (shown,) = spread_runs(recording, SAMPLING, known=(first.grid, first.seen), **places)
    (plain,) = spread_runs(recording, SAMPLING, **places)
    assert shown.grid == first.grid and shown.native.shape == first.native.shape
    assert plain.native is None and plain.grid is None
    assert np.array_equal(shown.data, plain.data) and shown.pts == plain.pts


def test_a_place_that_shows_frames_of_another_size_is_looked_through_again(recording):
    first = next(frames_with_native(recording, SAMPLING, batch=3))
    other = replace(first.grid, source=Geometry(first.grid.source.width + 2, first.grid.source.height))
    places = {"places": (0.4,), "frames": 3}
    (again,) = spread_runs(recording, SAMPLING, known=(other, first.seen), **places)
    (known,) = spread_runs(recording, SAMPLING, known=(first.grid, first.seen), **places)
    # Their smear is fitted to other frames, so they may be some levels apart.
    assert np.abs(again.native.astype(int) - known.native).mean() < 2


@pytest.mark.parametrize("large", [False, True])
def test_runs_that_are_decoded_ahead_are_those_that_are_decoded_when_they_are_asked_for(recording, monkeypatch, large):
    first = next(frames_with_native(recording, SAMPLING, batch=3))
    places = {"places": (0.2, 0.6), "frames": 3}
    if large:
        monkeypatch.setattr(spread, "LOOKED_BYTES", 1000)
    for known in (None, (first.grid, first.seen)):
        wanted = spread_runs(recording, SAMPLING, known=known, **places)
        with RunsAhead(recording, SAMPLING, probe(recording), **places) as ahead:
            found = ahead.batches(known)
        assert len(found) == len(wanted) == 2
        for one, other in zip(found, wanted):
            assert np.array_equal(one.data, other.data) and one.pts == other.pts and one.grid == other.grid
            assert one.native is other.native is None or np.array_equal(one.native, other.native)


def test_the_first_batch_is_a_small_one_and_the_frames_are_the_same(recording):
    sizes = [len(batch) for batch in frames_with_native(recording, SAMPLING, batch=32)]
    whole = np.concatenate([batch.data for batch in frames_with_native(recording, SAMPLING, batch=1)])
    found = np.concatenate([batch.data for batch in frames_with_native(recording, SAMPLING, batch=32)])
    assert sizes[0] == min(FIRST_BATCH, len(whole)) and sum(sizes) == len(whole)
    assert np.array_equal(found, whole)
