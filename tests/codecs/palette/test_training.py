"""The palette family's training: it learns from other games, it goes on where it stopped,
and its rate is the file's.
"""

from dataclasses import asdict

import numpy as np
import pytest

from lvc.codecs.family import build, open_codec
from lvc.codecs.learning.team import Team
from lvc.codecs.learning.trainer import RunSettings
from lvc.codecs.palette import fit_game as game
from lvc.codecs.palette import training as palette
from lvc.codecs.palette.context_model import initial_model
from lvc.codecs.palette.training import (
    KEPT_COUNT,
    PaletteOptions,
    coded_clip,
    train_palette,
    validate_palette,
    whole_pictures,
)
from lvc.errors import InputError, ModelError, OptionError
from lvc.frames import Geometry
from lvc.weights import checkpoints
from tests.builders.recordings_in_memory import small_tiles

GEOMETRY = Geometry(width=40, height=32)


def trained(folder, *, steps=12, resume=False, stop_after=None, name="small", frames=None, model=None, **more):
    seen = []
    records = train_palette(
        model or build("temporal-palette", geometry=GEOMETRY),
        frames or small_tiles(),
        small_tiles(20, seed=4),
        folder / f"{name}.safetensors",
        options=PaletteOptions(steps=steps, validation_clips=1),
        settings=RunSettings(
            files=checkpoints,
            name=name,
            resume=resume,
            overwrite=True,
            should_stop=lambda: stop_after is not None and len(seen) >= stop_after,
            **more,
        ),
    )
    for record in records:
        if record.learning_rate is not None:
            seen.append(record.terms["loss"])
    return seen


def test_training_leaves_a_model_that_codes_another_game_in_fewer_bytes(tmp_path):
    trained(tmp_path, steps=40)
    frames, sizes = small_tiles(12, seed=5).data, {}
    for name, model in (
        ("small", checkpoints.load(tmp_path / "small.safetensors").model),
        ("blank", build("temporal-palette", geometry=GEOMETRY)),
    ):
        sizes[name] = validate_palette(model, small_tiles(24, seed=5), clips=1).bits
    assert sizes["small"] < 0.6 * sizes["blank"]  # 25 and 49 bits when written
    codec = open_codec(checkpoints.load(tmp_path / "small.safetensors"), geometry=GEOMETRY)
    latents = codec.analyse(frames.transpose(0, 2, 3, 1))
    packets = codec.encode(latents).packets
    assert np.array_equal(codec.decode(packets).symbols, latents.symbols)


def test_a_run_that_was_stopped_goes_on_to_the_same_curve(tmp_path):
    whole = trained(tmp_path, name="whole")
    first = trained(tmp_path, stop_after=5, name="parts")
    rest = trained(tmp_path, resume=True, name="parts")
    assert len(first) == 5 and first + rest == whole
    one, other = (checkpoints.load(tmp_path / f"{name}.safetensors").model.arrays() for name in ("whole", "parts"))
    assert all(np.array_equal(one[part], other[part]) for part in ("chances", "counts", "weights"))


def test_the_weights_are_of_patterns_that_go_on_learning(tmp_path):
    trained(tmp_path)
    checkpoint = checkpoints.load(tmp_path / "small.safetensors")
    assert (checkpoint.quantiser, checkpoint.entropy, dict(checkpoint.tables)) == (
        {"name": "round"},
        {"name": "mixing"},
        {},
    )
    fresh = build("temporal-palette", geometry=GEOMETRY).arrays()
    assert all((part != fresh[name]).any() for name, part in checkpoint.model.arrays().items())
    assert 0 < checkpoint.model.counts.max() <= KEPT_COUNT


def test_the_model_that_was_given_stays_as_it_is(tmp_path):
    model = build("temporal-palette", geometry=GEOMETRY)
    trained(tmp_path, steps=3, model=model)
    assert not model.counts.any()


def test_clips_are_coded_with_colours_that_are_forgotten_after_each():
    model, bits = build("temporal-palette", geometry=GEOMETRY), []
    for others in (0, 3):
        contexts = initial_model(model, 0)
        patterns, weights = contexts.probabilities[: len(model.chances)].copy(), contexts.weights.copy()
        for number in range(others):
            coded_clip(model, contexts, small_tiles(seed=number), np.random.default_rng(9))
        # Patterns as they were; so what is left of the other clips could only be their colours.
        contexts.probabilities[: len(model.chances)], contexts.weights[:] = patterns, weights
        bits.append(coded_clip(model, contexts, small_tiles(seed=7), np.random.default_rng(1)))
    assert bits[0] == bits[1]


def test_what_validation_says_a_frame_costs_is_what_a_file_takes():
    model, play = build("temporal-palette", geometry=GEOMETRY), small_tiles(24, seed=6)
    figures = validate_palette(model, play, clips=1)
    checkpoint = checkpoints.Checkpoint(
        checkpoints.Metadata(
            "small", "temporal-palette", asdict(model.config), GEOMETRY, {"name": "round"}, {"name": "mixing"}
        ),
        model,
    )
    codec = open_codec(checkpoint, geometry=GEOMETRY, crf=palette.VALIDATION_CRF)
    starts = play.clips(palette.CLIP_LENGTHS[0])
    start = starts[palette.spread(len(starts), 1)[0]]
    latents = codec.analyse(play.frames(range(start, start + palette.CLIP_LENGTHS[0])).transpose(0, 2, 3, 1))
    packets = codec.encode(latents).packets
    assert figures.bits == 8 * len(packets[1].payload) / (len(latents) - 1)


def test_frames_are_continued_to_whole_blocks():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 11, 18, 3), np.uint8)
    found = whole_pictures(pictures)
    assert found.shape == (2, 12, 20, 3) and np.array_equal(found[:, :11, :18], pictures)
    assert np.array_equal(found[:, 11, :18], pictures[:, 10]) and (found[:, :, 18:] == found[:, :, 17:18]).all()
    assert np.array_equal(whole_pictures(pictures[:, :8, :16]), pictures[:, :8, :16])


# One game

GAME = {"colours": 32, "sprites": 4, "scenes": 2}


@pytest.fixture
def few_clips(monkeypatch):
    """A few clips are enough for tests."""
    monkeypatch.setattr(game, "SPRITE_CLIPS", 4)


def game_model():
    return build("temporal-palette", geometry=GEOMETRY, **GAME)


@pytest.mark.usefixtures("few_clips")
def test_a_model_of_one_game_knows_its_colours_pictures_and_sprites(tmp_path):
    play = small_tiles(80)
    trained(tmp_path, steps=3, frames=play, model=game_model())
    model = checkpoints.load(tmp_path / "small.safetensors").model.for_coding()
    seen = {
        int(colour) for colour in play.data.transpose(0, 2, 3, 1).reshape(-1, 3).astype(np.int64) @ [1 << 16, 1 << 8, 1]
    }
    assert set(model.colours.tolist()) <= seen, "colours that stand far apart are kept as they are"
    tiles = model.colours[model.scenes[0]]
    shown = play.data.transpose(0, 2, 3, 1).astype(np.int64) @ [1 << 16, 1 << 8, 1]
    assert (tiles == shown).mean() > 0.8, "a picture is what most frames show"
    assert model.own_counts.any() and model.guesses.any()


@pytest.mark.usefixtures("few_clips")
def test_a_model_of_one_game_codes_it_in_fewer_bytes_than_one_of_many(tmp_path):
    sizes = []
    for model in (game_model(), build("temporal-palette", geometry=GEOMETRY)):
        trained(tmp_path, steps=12, frames=small_tiles(80), model=model)
        codec = open_codec(checkpoints.load(tmp_path / "small.safetensors"), geometry=GEOMETRY)
        coded = codec.encode_group(small_tiles(80).data[:20].transpose(0, 2, 3, 1))
        assert np.array_equal(codec.decode(coded.packets).symbols, coded.latents.symbols)
        sizes.append(coded.payload_bytes)
    assert sizes[0] < 0.7 * sizes[1], sizes


@pytest.mark.usefixtures("few_clips")
def test_training_of_one_game_goes_on_to_the_same_weights(tmp_path):
    whole = trained(tmp_path, name="whole", steps=6, frames=small_tiles(80), model=game_model())
    first = trained(tmp_path, stop_after=2, name="parts", steps=6, frames=small_tiles(80), model=game_model())
    rest = trained(tmp_path, resume=True, name="parts", steps=6, frames=small_tiles(80), model=game_model())
    assert len(first) == 2 and first + rest == whole
    one, other = (checkpoints.load(tmp_path / f"{name}.safetensors").model.arrays() for name in ("whole", "parts"))
    assert one.keys() == other.keys() and all(np.array_equal(one[part], other[part]) for part in one)


@pytest.mark.usefixtures("few_clips")
def test_a_run_of_one_game_is_not_continued_as_one_of_another_size(tmp_path):
    trained(tmp_path, stop_after=1, steps=3, frames=small_tiles(80), model=game_model())
    with pytest.raises(OptionError, match="is of another model"):
        trained(
            tmp_path,
            resume=True,
            steps=3,
            frames=small_tiles(80),
            model=build("temporal-palette", geometry=GEOMETRY, **{**GAME, "colours": 31}),
        )


@pytest.mark.usefixtures("few_clips")
def test_recordings_that_are_too_short_to_find_sprites_in_are_refused(tmp_path):
    with pytest.raises(InputError, match="no recording of 32 frames to find sprites in"):
        trained(tmp_path, frames=small_tiles(40), model=game_model())


def test_what_cannot_be_trained_is_refused(tmp_path):
    for name, value in (("steps", 0), ("steps", 1.5), ("validation_clips", 0)):
        with pytest.raises(OptionError, match=name):
            PaletteOptions(**{name: value})
    with pytest.raises(InputError, match="no recording of 9 frames to train on"):
        trained(tmp_path, frames=small_tiles(8))
    with pytest.raises(OptionError, match="one process"):
        trained(tmp_path, team=Team(0, 2))
    assert not list(tmp_path.iterdir())


def test_another_runs_state_is_refused(tmp_path):
    trained(tmp_path, stop_after=1)
    with pytest.raises(OptionError, match="is of another model"):
        trained(tmp_path, resume=True, model=build("temporal-palette", geometry=Geometry(48, 32)))
    last = tmp_path / "small.last.safetensors"
    checkpoint = checkpoints.load(last)
    checkpoints.save(last, checkpoint, overwrite=True, state={"slots": np.zeros(3, np.int64)})
    with pytest.raises(ModelError, match="no state of such a training"):
        trained(tmp_path, resume=True)
