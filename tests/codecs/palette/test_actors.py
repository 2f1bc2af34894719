"""Sprites that come and go before a background: writer and reader learn the same, and what was seen before is cheap to tell."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.codecs.palette.actor_search import found_scene
from lvc.codecs.palette.actors import ACTORS_MOST, KNOWN_AGE, LEAST_AREA, REACH, TRIED_AGE, bits_of, part_from
from lvc.codecs.palette.choice import channels
from lvc.codecs.palette.stage import (
    AGE,
    CAST,
    ENTERED,
    KNOWN_SPRITES,
    OWN_SPRITES,
    SHOWN,
    SPRITE,
    SPRITE_SIDE,
    Scene,
    X,
    Y,
)
from lvc.codecs.palette.walk import Known, Motion, PaletteFrames
from lvc.entropy.bits import BitReader, BitWriter
from lvc.errors import FormatError
from lvc.frames import Geometry
from tests import ROOT
from tests.builders.acting import acted, random_scene
from tests.builders.palette import blank_palette, random_palette, random_pictures
from tests.codecs.palette import hostile

GEOMETRY = Geometry(48, 40)
SHAPE = 1, 40, 48
GAME = {"colours": 9, "sprites": 12, "scenes": 2}
GROUND, RED, BLUE = 0x202020, 0xFF0000, 0x0000FF


@pytest.fixture(scope="module")
def models():
    """Of many games, and of one."""
    return [random_palette(GEOMETRY, **game).model.for_coding() for game in ({}, GAME)]


@pytest.fixture(scope="module")
def blank():
    return blank_palette(GEOMETRY).model.for_coding()


def parts_of_stage(coding: PaletteFrames) -> list[np.ndarray]:
    """All of a stage that later frames are told by."""
    stage = coding.past.stage
    assert not stage.mask.any(), "nothing is left of what a frame was looked through for"
    return [stage.bitmaps, stage.sizes, stage.cast[: stage.counts[ENTERED]], stage.counts, stage.background, stage.owned]


def ground(count: int, *, seed: int = 1) -> np.ndarray:
    """Colours int32 [T, 1, 40, 48] of tiles that stand still."""
    tiles = np.random.default_rng(seed).choice(np.array([GROUND, 0x404040, 0x606000], np.int32), (5, 6))
    return np.repeat(np.kron(tiles, np.ones((8, 8), np.int32))[None, None], count, axis=0)


def sprite_of(seed: int, size=(9, 8)) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([RED, BLUE, 0xFFFF00], np.int32), size)


def put(picture: np.ndarray, sprite: np.ndarray, y: int, x: int) -> None:
    picture[0, y : y + sprite.shape[0], x : x + sprite.shape[1]] = sprite


def pictures_with(places, sprite=None, *, count: int | None = None) -> np.ndarray:
    """The ground, with a sprite at each frame's place, where there is one."""
    sprite, symbols = sprite_of(2) if sprite is None else sprite, ground(count or len(places))
    for picture, place in zip(symbols, places):
        if place is not None:
            put(picture, sprite, *place)
    return symbols


@dataclass(frozen=True)
class Searching(Known):
    """A frame whose actors an encoder looks for; found: where they go."""

    coding: PaletteFrames | None = None
    found: list[Scene] = field(default_factory=list)

    def actors(self) -> Scene:
        picture = channels(self.whole).astype(np.uint8)
        self.found.append(found_scene(picture, self.coding.background, channels(self.coding.colours), np.zeros(picture.shape[:2], np.int32), self.coding.past.stage, 0.01))
        return self.found[-1]


def searched(model, symbols) -> tuple[PaletteFrames, list[float], list[Scene | None]]:
    """What coding these frames came to, bits of each, and the scenes that were found."""
    coding, writer, bits, scenes = PaletteFrames(model), BitWriter(), [], []
    for picture in symbols:
        before, wanted = writer.bits, Searching(picture[0], coding=coding)
        coding.code_frames([wanted], 1, writer, SHAPE)
        bits.append(writer.bits - before)
        scenes.append(wanted.found[0] if wanted.found else None)
    return coding, bits, scenes


# Writer and reader


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1), st.integers(1, 7), st.integers(0, 2**32))
def test_writer_and_reader_end_in_equal_stages_whatever_the_scenes(models, which, count, seed):
    model, generator = models[which], np.random.default_rng(seed)
    symbols = random_pictures(count, GEOMETRY, seed=seed % 1000)
    writing, writer = PaletteFrames(model), BitWriter()
    given_back = np.concatenate([writing.code_frames([wanted], 1, writer, SHAPE) for wanted in acted(writing, symbols, generator)])
    assert np.array_equal(given_back, symbols)
    payload = writer.finish()
    at_once, one_by_one, reader = PaletteFrames(model), PaletteFrames(model), BitReader(payload)
    assert np.array_equal(at_once.code_frames(None, count, BitReader(payload), SHAPE), symbols)
    for picture in symbols:
        assert np.array_equal(one_by_one.code_frames(None, 1, reader, SHAPE)[0], picture)
    for reading in (at_once, one_by_one):
        assert all(np.array_equal(one, other) for one, other in zip(parts_of_stage(writing), parts_of_stage(reading), strict=True))


def test_a_cast_that_is_full_goes_on(models):
    """More new actors than there is room for: those not seen for longest leave."""
    coding, writer, symbols = PaletteFrames(models[1]), BitWriter(), ground(4)
    new = np.stack([np.arange(CAST) % 12, np.arange(CAST) % 40, np.arange(CAST) % 48], axis=1)
    for picture in symbols:
        coding.code_frames([Known(picture[0], Motion(scene=Scene(Scene.nothing().again, new)))], 1, writer, SHAPE)
    assert coding.past.stage.counts[ENTERED] == CAST
    reading = PaletteFrames(models[1])
    assert np.array_equal(reading.code_frames(None, 4, BitReader(writer.finish()), SHAPE), symbols)
    assert all(np.array_equal(one, other) for one, other in zip(parts_of_stage(coding), parts_of_stage(reading)))


@pytest.mark.parametrize("new", [(200, 3, 3), (KNOWN_SPRITES + 5, 3, 3), (0, 40, 3), (0, 3, 48)], ids=["no such sprite", "no own one yet", "below", "right"])
def test_an_actor_that_cannot_be_is_refused_by_writer_and_reader(models, new):
    coding, writer, symbols = PaletteFrames(models[1]), BitWriter(), ground(2)
    coding.code_frames(symbols[:1], 1, writer, SHAPE)
    with pytest.raises(FormatError, match="an actor that cannot be"):
        coding.code_frames([Known(symbols[1, 0], Motion(scene=Scene(Scene.nothing().again, np.array([new], np.int64))))], 1, writer, SHAPE)
    reading, reader = PaletteFrames(models[1]), BitReader(writer.finish())
    assert np.array_equal(reading.code_frames(None, 1, reader, SHAPE), symbols[:1])
    with pytest.raises(FormatError, match="an actor that cannot be"):
        reading.code_frames(None, 1, reader, SHAPE)


def test_as_many_decisions_as_a_frame_may_take_are_made_room_for(models):
    """A full cast, all of whom move and change, and a full cast of new ones: what compiled code writes has its place."""
    coding, writer, generator = PaletteFrames(models[1]), BitWriter(), np.random.default_rng(1)
    symbols, taken = ground(3), []
    room = writer.room
    writer.room = lambda decisions: (taken.append(decisions), room(decisions))
    for picture in symbols:
        scene = random_scene(coding.past.stage, generator, most=0) if coding.past else Scene.nothing()
        scene.again[:, 0] = 1
        new = np.stack([generator.integers(12, size=CAST), generator.integers(40, size=CAST), generator.integers(48, size=CAST)], axis=1)
        coding.code_frames([Known(picture[0], Motion(scene=Scene(scene.again, new)))], 1, writer, SHAPE)
    assert ACTORS_MOST in taken
    assert np.array_equal(PaletteFrames(models[1]).code_frames(None, 3, BitReader(writer.finish()), SHAPE), symbols)


# What is learned


def test_a_sprite_is_learned_where_it_appears_and_seen_again_elsewhere(blank):
    symbols = pictures_with([None, (6, 5), (7, 8), (8, 11)])
    coding, _, scenes = searched(blank, symbols)
    stage = coding.past.stage
    assert stage.counts[SHOWN] == 1 and stage.sizes[KNOWN_SPRITES].tolist() == [9, 8]
    assert np.array_equal(coding.colours[stage.bitmaps[KNOWN_SPRITES, :9, :8]], sprite_of(2))
    assert [scene.again[0].tolist() for scene in scenes[2:]] == [[1, KNOWN_SPRITES, 7, 8], [1, KNOWN_SPRITES, 8, 11]]
    assert stage.counts[ENTERED] == 1 and stage.cast[0, [SPRITE, Y, X, AGE]].tolist() == [KNOWN_SPRITES, 8, 11, 0]
    assert np.array_equal(coding.colours[coding.background], ground(1)[0, 0]), "the background is what stands behind"


def test_a_sprite_is_cheaper_to_tell_again(blank):
    symbols = pictures_with([None, (6, 5), (7, 8), (8, 11), (9, 14), (10, 17)])
    _, bits, _ = searched(blank, symbols)
    # 72 noisy pixels of three colours are some 110 bits and more; an actor that went on is a place, and what it uncovers known.
    assert max(bits[3:]) < bits[1] / 3


def test_a_known_sprite_is_told_as_a_new_actor_at_once():
    model = random_palette(GEOMETRY, **GAME).model.for_coding()
    areas = (model.sprites >= 0).sum(axis=(1, 2))
    stage_sprite = int(np.argmax(np.where(areas < 100, areas, 0)))  # where a whole screen changes, nobody looks for actors
    height, width = model.sizes[stage_sprite].tolist()
    bitmap = model.sprites[stage_sprite][:height, :width]
    symbols = np.full((2, *SHAPE), int(model.colours[0]), np.int32)
    holes = bitmap < 0
    symbols[1, 0, 10 : 10 + height, 12 : 12 + width] = np.where(holes, model.colours[0].item(), model.colours[bitmap])
    _, _, scenes = searched(model, symbols)
    assert scenes[1].new.tolist() == [[stage_sprite, 10, 12]]


def test_an_actor_that_stands_still_becomes_background(blank):
    coding, _, _ = searched(blank, pictures_with([None, (6, 5), (6, 5), (6, 5)]))
    assert coding.past.stage.counts[ENTERED] == 0
    assert np.array_equal(coding.colours[coding.background], pictures_with([(6, 5)])[0, 0])


def test_who_is_not_seen_is_remembered_for_a_while(blank):
    def after(places):
        return searched(blank, pictures_with(places))[0].past.stage.counts[ENTERED]

    assert after([None, (6, 5), *[None] * TRIED_AGE]) == 1 and after([None, (6, 5), *[None] * (TRIED_AGE + 1)]) == 0
    moved = [None, (6, 5), (7, 8)]
    assert after([*moved, *[None] * KNOWN_AGE]) == 1 and after([*moved, *[None] * (KNOWN_AGE + 1)]) == 0


def test_the_same_look_is_one_sprite(blank):
    coding, _, _ = searched(blank, pictures_with([None, (6, 5), *[None] * (TRIED_AGE + 1), (20, 30)]))
    assert coding.past.stage.counts[SHOWN] == 1


@pytest.mark.parametrize("size, learned", [((1, LEAST_AREA - 1), 0), ((1, LEAST_AREA), 1), ((SPRITE_SIDE, SPRITE_SIDE), 1), ((SPRITE_SIDE + 1, 3), 0), ((3, SPRITE_SIDE + 1), 0)], ids=str)
def test_parts_of_a_sprites_size_are_learned(blank, size, learned):
    symbols = pictures_with([None, (3, 3)], sprite_of(3, size))
    coding = PaletteFrames(blank)
    coding.code_frames(symbols, 2, BitWriter(), SHAPE)
    assert coding.past.stage.counts[SHOWN] == learned


def test_the_oldest_own_sprites_make_place_for_new_ones(blank):
    count = OWN_SPRITES + 5
    symbols = ground(2 * count)
    for number in range(count):
        put(symbols[2 * number + 1], sprite_of(100 + number, (4, 4)), 3 + number % 30, 3 + number % 40)
    coding = PaletteFrames(blank)
    coding.code_frames(symbols, len(symbols), BitWriter(), SHAPE)
    stage = coding.past.stage
    assert stage.counts[SHOWN] == count
    newest = stage.bitmaps[KNOWN_SPRITES + (count - 1) % OWN_SPRITES, :4, :4]
    assert np.array_equal(coding.colours[newest], sprite_of(100 + count - 1, (4, 4)))


# Parts


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 0.9), st.sampled_from([1, 5, 64]))
def test_parts_are_taken_out_of_a_mask_whole(seed, share, most):
    generator = np.random.default_rng(seed)
    mask = np.zeros((14, 17), np.uint8)
    mask[1:-1, 1:-1] = generator.random((12, 15)) < share
    before, total, part = mask.copy(), 0, np.zeros((most, 2), np.int64)
    while mask.any():
        y, x = map(int, np.argwhere(mask)[0])
        left = int(mask.sum())
        count, top, first, bottom, last = part_from(mask, y, x, part)
        kept = part[: min(count, most)]
        assert count == left - int(mask.sum()) and before[kept[:, 0], kept[:, 1]].all() and not mask[kept[:, 0], kept[:, 1]].any()
        assert len(np.unique(kept, axis=0)) == len(kept)
        if count <= most:
            assert [top, first, bottom, last] == [*kept.min(axis=0).tolist(), *kept.max(axis=0).tolist()]
        total += count
    assert total == before.sum()


def test_coordinates_have_as_many_bits_as_the_side_needs():
    assert [int(bits_of(side)) for side in (1, 2, 3, 4, 5, 160, 256, 257, 16_384)] == [1, 1, 2, 2, 3, 8, 8, 9, 14]
    assert REACH == 32


# What cannot be


@pytest.mark.parametrize("which", [0, 1], ids=hostile.GAMES)
def test_hostile_bits_give_frames_or_a_typed_error(which):
    model, generator = random_palette(hostile.GEOMETRY, **list(hostile.GAMES.values())[which]).model.for_coding(), np.random.default_rng(4)
    payload = hostile.written(model, 1)
    ends = {hostile.ended(model, hostile.spoiled(payload, generator)) for _ in range(60)}
    assert {"frames", "an actor that cannot be"} <= ends


@pytest.mark.slow
def test_hostile_bits_leave_no_array(tmp_path):
    """In code that checks bounds, which is compiled for this alone: it takes minutes."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "LVC_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, "-m", hostile.__name__, "2", "300"], env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert {"frames", "an actor that cannot be"} <= json.loads(answer.stdout).keys()
