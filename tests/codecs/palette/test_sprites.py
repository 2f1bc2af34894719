"""Sprites that come and go in front of a background: writer and reader learn the same,
and what was seen before is cheap to tell.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.codecs.palette.bitstream import FramePlan, KnownFrame, PaletteFrames
from lvc.codecs.palette.model import SPRITE_SIDE
from lvc.codecs.palette.rate_distortion import channels
from lvc.codecs.palette.sprite_search import found_sprites
from lvc.codecs.palette.sprites import (
    AGE,
    BITMAP,
    KNOWN_AGE,
    KNOWN_BITMAPS,
    LEAST_AREA,
    MOST_SPRITES,
    OWN_BITMAPS,
    TRIED_AGE,
    SpriteUpdate,
    X,
    Y,
    take_part,
)
from lvc.entropy.bits import BitReader, BitWriter
from lvc.errors import FormatError
from lvc.frames import Geometry
from tests.builders.acting import acted, random_sprites
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


def parts_of_layer(coding: PaletteFrames) -> list[np.ndarray]:
    """All of a sprite layer that later frames are told by."""
    layer = coding.references.sprites
    assert not layer.state.kept["mask"].any(), "nothing is left of what a frame was looked through for"
    return [
        layer.bitmaps,
        layer.sizes,
        layer.table[: layer.count],
        np.array([layer.count, layer.own_bitmaps]),
        layer.background,
        layer.owned,
    ]


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
class SearchingFrame(KnownFrame):
    """A frame whose sprites an encoder looks for; found: where they go."""

    coding: PaletteFrames | None = None
    found: list[SpriteUpdate] = field(default_factory=list)

    def sprites(self) -> SpriteUpdate:
        picture = channels(self.whole).astype(np.uint8)
        references = self.coding.references
        self.found.append(
            found_sprites(
                picture,
                references.background,
                channels(self.coding.colours),
                np.zeros(picture.shape[:2], np.int32),
                references.sprites,
                0.01,
            )
        )
        return self.found[-1]


def searched(model, symbols) -> tuple[PaletteFrames, list[float], list[SpriteUpdate | None]]:
    """What coding these frames came to, bits of each, and the sprites that were found."""
    coding, writer, bits, updates = PaletteFrames(model), BitWriter(), [], []
    for picture in symbols:
        before, wanted = writer.bits, SearchingFrame(picture[0], coding=coding)
        coding.code_frames([wanted], 1, writer, SHAPE)
        bits.append(writer.bits - before)
        updates.append(wanted.found[0] if wanted.found else None)
    return coding, bits, updates


# Writer and reader


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1), st.integers(1, 7), st.integers(0, 2**32))
def test_writer_and_reader_end_in_equal_layers_whatever_the_sprites(models, which, count, seed):
    model, generator = models[which], np.random.default_rng(seed)
    symbols = random_pictures(count, GEOMETRY, seed=seed % 1000)
    writing, writer = PaletteFrames(model), BitWriter()
    given_back = np.concatenate(
        [writing.code_frames([wanted], 1, writer, SHAPE) for wanted in acted(writing, symbols, generator)]
    )
    assert np.array_equal(given_back, symbols)
    payload = writer.finish()
    at_once, one_by_one, reader = PaletteFrames(model), PaletteFrames(model), BitReader(payload)
    assert np.array_equal(at_once.code_frames(None, count, BitReader(payload), SHAPE), symbols)
    for picture in symbols:
        assert np.array_equal(one_by_one.code_frames(None, 1, reader, SHAPE)[0], picture)
    for reading in (at_once, one_by_one):
        assert all(
            np.array_equal(one, other)
            for one, other in zip(parts_of_layer(writing), parts_of_layer(reading), strict=True)
        )


def test_a_table_that_is_full_goes_on(models):
    """More new sprites than there is room for: those not seen for longest leave."""
    coding, writer, symbols = PaletteFrames(models[1]), BitWriter(), ground(4)
    entered = np.stack(
        [np.arange(MOST_SPRITES) % 12, np.arange(MOST_SPRITES) % 40, np.arange(MOST_SPRITES) % 48], axis=1
    )
    for picture in symbols:
        coding.code_frames(
            [KnownFrame(picture[0], FramePlan(sprites=SpriteUpdate(SpriteUpdate.nothing().seen, entered)))],
            1,
            writer,
            SHAPE,
        )
    assert coding.references.sprites.count == MOST_SPRITES
    reading = PaletteFrames(models[1])
    assert np.array_equal(reading.code_frames(None, 4, BitReader(writer.finish()), SHAPE), symbols)
    assert all(np.array_equal(one, other) for one, other in zip(parts_of_layer(coding), parts_of_layer(reading)))


@pytest.mark.parametrize(
    "entered",
    [(200, 3, 3), (KNOWN_BITMAPS + 5, 3, 3), (0, 40, 3), (0, 3, 48)],
    ids=["no such bitmap", "no own one yet", "below", "right"],
)
def test_a_sprite_that_cannot_be_is_refused_by_writer_and_reader(models, entered):
    coding, writer, symbols = PaletteFrames(models[1]), BitWriter(), ground(2)
    coding.code_frames(symbols[:1], 1, writer, SHAPE)
    with pytest.raises(FormatError, match="a sprite that cannot be"):
        coding.code_frames(
            [
                KnownFrame(
                    symbols[1, 0],
                    FramePlan(sprites=SpriteUpdate(SpriteUpdate.nothing().seen, np.array([entered], np.int64))),
                )
            ],
            1,
            writer,
            SHAPE,
        )
    reading, reader = PaletteFrames(models[1]), BitReader(writer.finish())
    assert np.array_equal(reading.code_frames(None, 1, reader, SHAPE), symbols[:1])
    with pytest.raises(FormatError, match="a sprite that cannot be"):
        reading.code_frames(None, 1, reader, SHAPE)


def test_as_many_decisions_as_a_frame_may_take_are_made_room_for(models):
    """A full table, all of which moves and changes, and as many new ones:
    what compiled code writes has its place, or `finish` would fail.
    """
    coding, writer, generator = PaletteFrames(models[1]), BitWriter(), np.random.default_rng(1)
    symbols, asked = ground(3), []
    make_room = writer.make_room
    writer.make_room = lambda bits: (asked.append(bits), make_room(bits))
    for picture in symbols:
        update = (
            random_sprites(coding.references.sprites, generator, most=0)
            if coding.references
            else SpriteUpdate.nothing()
        )
        update.seen[:, 0] = 1
        entered = np.stack(
            [
                generator.integers(12, size=MOST_SPRITES),
                generator.integers(40, size=MOST_SPRITES),
                generator.integers(48, size=MOST_SPRITES),
            ],
            axis=1,
        )
        coding.code_frames(
            [KnownFrame(picture[0], FramePlan(sprites=SpriteUpdate(update.seen, entered)))], 1, writer, SHAPE
        )
    assert max(asked) >= 48 * (2 * 7 + 3 + 8) + 49 * (2 + 8 + 2 * 14)
    assert np.array_equal(PaletteFrames(models[1]).code_frames(None, 3, BitReader(writer.finish()), SHAPE), symbols)


# What is learned


def test_a_bitmap_is_learned_where_it_appears_and_seen_again_elsewhere(blank):
    symbols = pictures_with([None, (6, 5), (7, 8), (8, 11)])
    coding, _, updates = searched(blank, symbols)
    layer = coding.references.sprites
    assert layer.own_bitmaps == 1 and layer.sizes[KNOWN_BITMAPS].tolist() == [9, 8]
    assert np.array_equal(coding.colours[layer.bitmaps[KNOWN_BITMAPS, :9, :8]], sprite_of(2))
    assert [update.seen[0].tolist() for update in updates[2:]] == [[1, KNOWN_BITMAPS, 7, 8], [1, KNOWN_BITMAPS, 8, 11]]
    assert layer.count == 1 and layer.table[0, [BITMAP, Y, X, AGE]].tolist() == [KNOWN_BITMAPS, 8, 11, 0]
    assert np.array_equal(coding.colours[coding.references.background], ground(1)[0, 0]), (
        "the background is what stands behind"
    )


def test_a_sprite_is_cheaper_to_tell_again(blank):
    symbols = pictures_with([None, (6, 5), (7, 8), (8, 11), (9, 14), (10, 17)])
    _, bits, _ = searched(blank, symbols)
    # 72 noisy pixels of three colours are some 110 bits and more; a sprite that went on is a place,
    # and what it uncovers known.
    assert max(bits[3:]) < bits[1] / 3


def test_a_known_bitmap_is_told_as_a_new_sprite_at_once():
    model = random_palette(GEOMETRY, **GAME).model.for_coding()
    areas = (model.sprites >= 0).sum(axis=(1, 2))
    known = int(np.argmax(np.where(areas < 100, areas, 0)))  # where a whole screen changes, nobody looks for sprites
    height, width = model.sizes[known].tolist()
    bitmap = model.sprites[known][:height, :width]
    symbols = np.full((2, *SHAPE), int(model.colours[0]), np.int32)
    holes = bitmap < 0
    symbols[1, 0, 10 : 10 + height, 12 : 12 + width] = np.where(holes, model.colours[0].item(), model.colours[bitmap])
    _, _, updates = searched(model, symbols)
    assert updates[1].entered.tolist() == [[known, 10, 12]]


def test_a_sprite_that_stands_still_becomes_background(blank):
    coding, _, _ = searched(blank, pictures_with([None, (6, 5), (6, 5), (6, 5)]))
    assert coding.references.sprites.count == 0
    assert np.array_equal(coding.colours[coding.references.background], pictures_with([(6, 5)])[0, 0])


def test_a_sprite_that_is_not_seen_is_remembered_for_a_while(blank):
    def after(places):
        return searched(blank, pictures_with(places))[0].references.sprites.count

    assert after([None, (6, 5), *[None] * TRIED_AGE]) == 1 and after([None, (6, 5), *[None] * (TRIED_AGE + 1)]) == 0
    moved = [None, (6, 5), (7, 8)]
    assert after([*moved, *[None] * KNOWN_AGE]) == 1 and after([*moved, *[None] * (KNOWN_AGE + 1)]) == 0


def test_the_same_look_is_one_bitmap(blank):
    coding, _, _ = searched(blank, pictures_with([None, (6, 5), *[None] * (TRIED_AGE + 1), (20, 30)]))
    assert coding.references.sprites.own_bitmaps == 1


@pytest.mark.parametrize(
    "size, learned",
    [
        ((1, LEAST_AREA - 1), 0),
        ((1, LEAST_AREA), 1),
        ((SPRITE_SIDE, SPRITE_SIDE), 1),
        ((SPRITE_SIDE + 1, 3), 0),
        ((3, SPRITE_SIDE + 1), 0),
    ],
    ids=str,
)
def test_parts_of_a_bitmaps_size_are_learned(blank, size, learned):
    symbols = pictures_with([None, (3, 3)], sprite_of(3, size))
    coding = PaletteFrames(blank)
    coding.code_frames(symbols, 2, BitWriter(), SHAPE)
    assert coding.references.sprites.own_bitmaps == learned


def test_the_oldest_own_bitmaps_make_place_for_new_ones(blank):
    count = OWN_BITMAPS + 5
    symbols = ground(2 * count)
    for number in range(count):
        put(symbols[2 * number + 1], sprite_of(100 + number, (4, 4)), 3 + number % 30, 3 + number % 40)
    coding = PaletteFrames(blank)
    coding.code_frames(symbols, len(symbols), BitWriter(), SHAPE)
    layer = coding.references.sprites
    assert layer.own_bitmaps == count
    newest = layer.bitmaps[KNOWN_BITMAPS + (count - 1) % OWN_BITMAPS, :4, :4]
    assert np.array_equal(coding.colours[newest], sprite_of(100 + count - 1, (4, 4)))


# Parts


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 0.9), st.sampled_from([1, 5, 64]))
def test_parts_are_taken_out_of_a_mask_whole(seed, share, most):
    generator = np.random.default_rng(seed)
    mask = np.zeros((14, 17), np.uint8)
    mask[1:-1, 1:-1] = generator.random((12, 15)) < share
    before, total, part = mask.copy(), 0, np.zeros((most, 2), np.int32)
    while mask.any():
        y, x = map(int, np.argwhere(mask)[0])
        left = int(mask.sum())
        made = take_part.struct(mask=mask, y=y, x=x, pixels=part)
        assert take_part(made) == 0
        count, kept = made.count, part[: min(made.count, most)]
        assert (
            count == left - int(mask.sum())
            and before[kept[:, 0], kept[:, 1]].all()
            and not mask[kept[:, 0], kept[:, 1]].any()
        )
        assert len(np.unique(kept, axis=0)) == len(kept)
        if count <= most:
            assert [made.top, made.left, made.bottom, made.right] == [
                *kept.min(axis=0).tolist(),
                *kept.max(axis=0).tolist(),
            ]
        total += count
    assert total == before.sum()


@pytest.mark.parametrize("y, x", [(0, 3), (13, 3), (3, 0), (3, 16), (-1, 3), (3, 99)])
def test_a_part_is_not_taken_from_the_border(y, x):
    assert take_part(mask=np.zeros((14, 17), np.uint8), y=y, x=x, pixels=np.zeros((5, 2), np.int32)) == -1


# What cannot be


@pytest.mark.parametrize("which", [0, 1], ids=hostile.GAMES)
def test_hostile_bits_give_frames_or_a_typed_error(which):
    model, generator = (
        random_palette(hostile.GEOMETRY, **list(hostile.GAMES.values())[which]).model.for_coding(),
        np.random.default_rng(4),
    )
    payload = hostile.written(model, 1)
    ends = {hostile.ended(model, hostile.spoiled(payload, generator)) for _ in range(60)}
    assert {"frames", "a sprite that cannot be"} <= ends
