"""What weights may know of one game, and what they may not: compiled code checks no bounds."""

import numpy as np
import pytest

from lvc.codecs.family import build, open_codec
from lvc.codecs.palette.model import (
    CONFIDENCE,
    MOST_COLOURS,
    MOST_CONFIDENCE,
    MOST_SCENES,
    MOST_SPRITES,
    NO_COLOUR,
    SPRITE_SIDE,
)
from lvc.errors import LvcError, ModelError, OptionError
from lvc.frames import Geometry
from lvc.weights import checkpoints
from tests.builders.palette import random_palette

GEOMETRY = Geometry(48, 40)
GAME = {"colours": 9, "sprites": 12, "scenes": 2}


@pytest.fixture
def checkpoint():
    return random_palette(GEOMETRY, **GAME)


@pytest.mark.parametrize(
    "game",
    [
        {},
        {"colours": 1},
        {"colours": 5, "sprites": 1},
        {"colours": 5, "scenes": 3},
        {"colours": MOST_COLOURS, "sprites": MOST_SPRITES, "scenes": MOST_SCENES},
    ],
    ids=str,
)
def test_fresh_models_of_any_game_can_code(game):
    assert build("temporal-palette", geometry=GEOMETRY, **game).for_coding()


@pytest.mark.parametrize(
    "game",
    [
        {"colours": MOST_COLOURS + 1},
        {"colours": -1},
        {"colours": True},
        {"colours": 4.0},
        {"sprites": 1},
        {"scenes": 1},
        {"colours": 5, "sprites": MOST_SPRITES + 1},
        {"colours": 5, "scenes": MOST_SCENES + 1},
    ],
    ids=str,
)
def test_games_that_cannot_be_are_refused(game):
    with pytest.raises(OptionError):
        build("temporal-palette", geometry=GEOMETRY, **game)


def test_a_model_of_one_game_comes_back_from_its_file(checkpoint, tmp_path):
    checkpoints.save(tmp_path / "game.safetensors", checkpoint)
    loaded = checkpoints.load(tmp_path / "game.safetensors")
    one, other = checkpoint.model.arrays(), loaded.model.for_coding().arrays()
    assert one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


TAMPERED = {
    "a sprite's colour that there is not": ("sprites", (3, 2, 2), 9),
    "a sprite's colour below all": ("sprites", (3, 2, 2), NO_COLOUR - 1),
    "a scene's colour that there is not": ("scenes", (1, 39, 47), 9),
    "a scene with a hole": ("scenes", (0, 0, 0), NO_COLOUR),
    "a sprite that is too high": ("sizes", (11, 0), SPRITE_SIDE + 1),
    "a sprite that is too wide": ("sizes", (0, 1), 2**15 - 1),
    "a sprite of less than nothing": ("sizes", (5, 1), -1),
    "a guess of a colour that there is not": ("guesses", (7,), 10),
    "a guess below nothing": ("guesses", (7,), -1),
    "a guess that is trusted too far": ("guesses", (7,), (MOST_CONFIDENCE + 1) * CONFIDENCE + 1),
    "a guess that is trusted and guesses nothing": ("guesses", (7,), 5 * CONFIDENCE),
    "a colour of more than 24 bits": ("colours", (8,), 1 << 24),
    "a colour below black": ("colours", (0,), -1),
    "a mixing weight that could overflow": ("weights", (3, 3), -(2**31)),
}


@pytest.mark.parametrize("part, place, value", TAMPERED.values(), ids=TAMPERED)
def test_weights_that_could_lead_out_of_bounds_are_refused(checkpoint, tmp_path, part, place, value):
    checkpoint.model.for_coding()
    getattr(checkpoint.model, part)[place] = value
    with pytest.raises(ModelError):
        checkpoint.model.for_coding()
    # As from a file that somebody sent.
    checkpoints.save(tmp_path / "game.safetensors", checkpoint)
    with pytest.raises(ModelError):
        open_codec(checkpoints.load(tmp_path / "game.safetensors"), geometry=GEOMETRY)


@pytest.mark.parametrize(
    "part, place, value",
    [
        ("guesses", (7,), MOST_CONFIDENCE * CONFIDENCE + 9),
        ("sizes", (3, 0), 0),
        ("sprites", (2, 15, 15), 8),
        ("own_counts", (5,), 255),
        ("own_chances", (5,), -(2**15)),
    ],
)
def test_what_is_just_within_bounds_is_taken_and_codes(checkpoint, part, place, value):
    getattr(checkpoint.model, part)[place] = value
    codec = open_codec(checkpoint, geometry=GEOMETRY)
    frames = np.random.default_rng(1).integers(0, 256, (4, 10, 12, 3), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    coded = codec.encode_group(frames)
    assert np.array_equal(codec.decode(coded.packets).symbols, coded.latents.symbols)


@pytest.mark.parametrize("part", ["colours", "sprites", "sizes", "scenes", "own_chances", "own_counts", "guesses"])
def test_a_file_that_lacks_a_part_of_its_game_is_refused(checkpoint, tmp_path, part):
    setattr(checkpoint.model, part, getattr(checkpoint.model, part)[:-1])

    def there_and_back():
        checkpoints.save(tmp_path / "game.safetensors", checkpoint)
        checkpoints.load(tmp_path / "game.safetensors")

    with pytest.raises(LvcError):
        there_and_back()


# Coding with it


def scenes_shown(model, count: int) -> np.ndarray:
    """Frames uint8 [T, 40, 48, 3]: the second scene that the model knows, then with one of its sprites passing."""
    colours, scene = model.colours, model.scenes[1]
    areas = (model.sprites >= 0).sum(axis=(1, 2))
    sprite = int(np.argmax(np.where(areas < 100, areas, 0)))
    frames = []
    for number in range(count):
        picture, bitmap = scene.copy(), model.sprites[sprite]
        part = picture[10 + number : 10 + number + SPRITE_SIDE, 5 + 2 * number : 5 + 2 * number + SPRITE_SIDE]
        bitmap = bitmap[: part.shape[0], : part.shape[1]]
        if number:
            part[bitmap >= 0] = bitmap[bitmap >= 0]
        frames.append(colours[picture])
    whole = np.stack(frames)
    return np.stack([whole >> 16, whole >> 8 & 255, whole & 255], axis=3).astype(np.uint8)


def test_frames_of_a_known_game_come_back_one_by_one_as_all_at_once(checkpoint):
    codec = open_codec(checkpoint, geometry=GEOMETRY, crf=0)
    frames = scenes_shown(checkpoint.model, 6)
    coded = codec.encode_group(frames)
    latents, packets = coded.latents, coded.packets
    assert latents.plans[0].built_in == 2, "the group begins from the picture that it shows"
    assert codec.encode(latents).packets == coded.packets and codec.encode(latents).digest == coded.digest
    assert np.array_equal(codec.decode(packets).symbols, latents.symbols)
    for stop in (1, 2, 5):
        assert np.array_equal(codec.decode(packets, stop=stop).symbols, latents.symbols[:stop])
    coding, (first, rest) = codec.coding(6), (codec.reader(packet.payload) for packet in packets)
    for number in range(6):
        assert np.array_equal(
            coding.code_frames(None, 1, rest if number else first, codec.latent_shape)[0], latents.symbols[number]
        )
    assert len(coding) == 6, "the scene is none of the frames"
    assert np.array_equal(coding.frames(slice(None)), latents.symbols) and np.array_equal(
        coding.frames([5, 0]), latents.symbols[[5, 0]]
    )


def test_a_known_scene_makes_the_first_frame_cheap(checkpoint):
    frames = scenes_shown(checkpoint.model, 1)
    stranger = random_palette(GEOMETRY)
    sizes = [
        len(open_codec(one, geometry=GEOMETRY, crf=0).encode_group(frames).packets[0].payload)
        for one in (checkpoint, stranger)
    ]
    assert sizes[0] < sizes[1] / 3


@pytest.mark.parametrize("geometry", [Geometry(40, 48), Geometry(8, 8), Geometry(64, 40)], ids=str)
def test_pictures_of_another_size_are_as_if_there_were_none(checkpoint, geometry):
    codec = open_codec(checkpoint, geometry=geometry)
    frames = np.random.default_rng(2).integers(0, 256, (3, geometry.height, geometry.width, 3), np.uint8)
    coded = codec.encode_group(frames)
    assert coded.latents.plans[0].built_in == 0 and np.array_equal(
        codec.decode(coded.packets).symbols, coded.latents.symbols
    )
