"""What encoders look for, compared with the same search in plain Python: kernels leave out what cannot be the best."""

import numpy as np
import pytest

from lvc.codecs.palette import sprite_search
from lvc.codecs.palette.motion import MotionVector
from lvc.codecs.palette.motion_search import TILE, SearchPicture, TileSearch
from lvc.codecs.palette.rate_distortion import CELL_BITS, channels, least_errors, nearest_of_cells
from lvc.codecs.palette.sprite_search import found_sprites
from lvc.codecs.palette.sprites import Bitmaps, SpriteLayer
from lvc.writing.scene import CHANGED, CUT_SHARE, is_cut

SEARCH_X, SEARCH_Y = 40, 32
MOST_ERROR = 1 << 30


def plain_match(now, before, top, left, known) -> MotionVector:
    """The first of the best places in all pictures, unless a known vector is better than all of them."""

    def error(back: int, y: int, x: int) -> int:
        return int(
            np.square(now[top : top + TILE, left : left + TILE] - before[back][y : y + TILE, x : x + TILE]).sum()
        )

    height, width = now.shape
    least, found = MOST_ERROR, MotionVector(0, 0, 0)
    for back, dx, dy in known:
        if 0 <= top + dy <= height - TILE and 0 <= left + dx <= width - TILE:
            least = min(least, 1 + error(back, top + dy, left + dx))
    for back in range(len(before)):
        for y in range(max(0, top - SEARCH_Y), min(height - TILE, top + SEARCH_Y) + 1):
            for x in range(max(0, left - SEARCH_X), min(width - TILE, left + SEARCH_X) + 1):
                if (here := error(back, y, x)) < least:
                    least, found = here, MotionVector(back, x - left, y - top)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_tile_is_found_where_plain_python_finds_it(seed):
    generator = np.random.default_rng(seed)
    height, width = 8 * int(generator.integers(2, 5)), 8 * int(generator.integers(2, 8))
    levels = int(generator.choice([2, 256]))  # of few, many places fit alike, and the first of them counts
    pictures = (generator.integers(0, levels, (3, height, width, 3)) * (255 // (levels - 1))).astype(np.uint8)
    pictures[0] = np.roll(pictures[2], (3, -2), axis=(0, 1))
    now, *before = map(SearchPicture, pictures)
    known = [MotionVector(0, 0, 0), MotionVector(1, 3, 1)]
    search, lumas = TileSearch(now, before), [one.luma.astype(np.int64) for one in before]
    for top, left in ((0, 0), (height - TILE, width - TILE), (8 * (height // 16), 8 * (width // 16))):
        for vectors in (known[:1], known):
            expected = plain_match(now.luma.astype(np.int64), lumas, top, left, vectors)
            assert search.match(top, left, vectors) == expected


def test_sums_are_of_whole_tiles():
    picture = SearchPicture(np.random.default_rng(1).integers(0, 256, (17, 21, 3), np.uint8))
    luma = picture.picture @ np.array([1, 2, 1])
    assert np.array_equal(picture.luma, luma)
    tiles = np.lib.stride_tricks.sliding_window_view(luma, (TILE, TILE))
    assert np.array_equal(picture.sums, tiles.sum(axis=(2, 3)))


def test_the_nearest_colour_of_each_cell_is_the_first_of_the_nearest():
    colours = np.random.default_rng(2).integers(0, 256, (37, 3)).astype(np.int32)
    colours[20] = colours[5]
    middles = np.stack(np.indices((1 << CELL_BITS,) * 3), axis=-1).reshape(-1, 3) * 4 + 2
    errors = np.stack([np.square(middles - colour).sum(axis=1) for colour in colours])
    nearest = nearest_of_cells(colours)
    assert np.array_equal(nearest, errors.argmin(axis=0))
    source = np.random.default_rng(3).integers(0, 256, (8, 12, 3), np.uint8)
    cells = (source >> 2).astype(np.int64) @ (1 << np.array([12, 6, 0]))
    expected = np.square(source - colours[nearest[cells]]).sum(axis=-1)
    assert np.array_equal(least_errors(source, colours, nearest), expected)


def random_scene(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, SpriteLayer]:
    """A picture, its colours' channels, the least errors and sprites that may be in it; some at its sides."""
    generator = np.random.default_rng(seed)
    table = channels(generator.integers(0, 1 << 24, 12).astype(np.int32))
    bitmaps, sizes = np.full((20, 16, 16), -1, np.int16), generator.integers(4, 17, (20, 2))
    for bitmap, size in zip(bitmaps, sizes):
        bitmap[: size[0], : size[1]] = generator.integers(-1, 12, size)
    height, width = 64, 96
    picture = np.zeros((height, width), np.int16)
    for top, left in zip(generator.integers(-8, height, 4), (*generator.integers(0, width, 2), width - 9, width - 5)):
        bitmap = bitmaps[generator.integers(20)]
        for y, x in np.argwhere(bitmap >= 0):
            if 0 <= top + y < height and left + x < width:
                picture[top + y, left + x] = bitmap[y, x]
    for left in (0, 40, width - 7):  # and what is no sprite, but about as well one as another
        picture[50:58, left : left + 7] = generator.integers(0, 12, (8, 7))
    source = (table[picture] + generator.integers(-2, 3, (height, width, 3))).clip(0, 255).astype(np.uint8)
    # More than an error now and then, as it is about the least.
    least = generator.integers(0, 8, (height, width)).astype(np.int32)
    return source, table, least, SpriteLayer(height + 8, width + 8, Bitmaps(bitmaps, sizes))


def test_sprites_are_found_alike_whether_or_not_their_costs_are_kept(monkeypatch):
    """Without the table each place is tried by itself, with it several at once. Of 40 pictures, since few have places
    at which a mistake would tell; in the densest of them none is looked for.
    """
    found, size = 0, sprite_search.TABLE_SIZE
    for seed in range(40):
        source, table, least, layer = random_scene(seed)
        entered = []
        for kept in (size, 0):
            monkeypatch.setattr(sprite_search, "TABLE_SIZE", kept)
            background = np.zeros(least.shape, np.int16)
            entered.append(found_sprites(source, background, table, least, layer, 0.01).entered)
        assert np.array_equal(*entered), seed
        found += len(entered[0])
    assert found > 40


def test_another_scene_is_one_of_which_most_pixels_differ_in_any_channel():
    generator = np.random.default_rng(4)
    before = generator.integers(0, 200, (20, 30, 3), np.uint8)
    for share in (CUT_SHARE - 0.05, CUT_SHARE + 0.05):
        after = before.copy()
        changed = generator.permutation(600)[: round(600 * share)]
        after.reshape(-1, 3)[changed, generator.integers(0, 3, len(changed))] += CHANGED
        assert is_cut(before, after) == (share > CUT_SHARE)
        assert is_cut(after, before) == (share > CUT_SHARE)
