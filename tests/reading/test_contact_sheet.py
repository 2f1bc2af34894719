"""Which frames a storyboard shows and where they lie; tests/cli/test_storyboard.py draws real ones."""

import pytest

from lvc.container.layout import Index
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.reading.contact_sheet import MAX_SHEET_PIXELS, SheetLayout, spread_frames


def index_of(*groups):
    """An Index of groups given as (first frame, number of frames)."""
    firsts, counts = zip(*groups) if groups else ((), ())
    return Index(offsets=firsts, byte_sizes=counts, first_frames=firsts, frame_counts=counts, first_pts=firsts)


def test_frames_are_spread_from_the_first_to_the_last():
    index = index_of((0, 64), (64, 64), (128, 1))
    assert spread_frames(index, 5) == [0, 32, 64, 96, 128]
    assert spread_frames(index, 1) == [0]
    assert spread_frames(index, 1000) == list(range(129))
    assert spread_frames(index, 2, keyframes_only=True) == [0, 128]
    assert spread_frames(index, 9, keyframes_only=True) == [0, 64, 128]
    assert spread_frames(index_of(), 5) == []


def test_frames_of_lost_groups_are_passed_over():
    index = index_of((0, 10), (40, 10), (50, 2))
    assert spread_frames(index, 22) == [*range(10), *range(40, 52)]
    assert set(spread_frames(index, 7)) <= {*range(10), *range(40, 52)}


def test_a_million_frames_are_chosen_from_at_once():
    index = index_of(*((first, 64) for first in range(0, 1_000_000, 64)))
    assert spread_frames(index, 3) == [0, index.frame_count // 2, index.frame_count - 1]


@pytest.mark.parametrize("width", [None, 300, 1280, 4000])
@pytest.mark.parametrize("frame", [Geometry(200, 160), Geometry(7, 5), Geometry(1920, 1080), Geometry(100, 400)])
def test_tiles_lie_apart_and_inside(width, frame):
    layout = SheetLayout.of(frame, columns=4, rows=3, width=width)
    places = [layout.place(number) for number in range(12)]
    assert layout.width == width or width is None
    assert places[0][1] >= layout.head_height
    assert (
        places[1][0] >= places[0][0] + layout.tile_width
        and places[4][1] >= places[0][1] + layout.tile_height + layout.caption_size
    )
    assert places[11][0] + layout.tile_width <= layout.width
    assert places[11][1] + layout.tile_height + layout.caption_size <= layout.height


def test_frames_keep_their_own_size_while_there_is_room():
    layout = SheetLayout.of(Geometry(200, 160), columns=5, rows=6)
    assert (layout.tile_width, layout.tile_height) == (200, 160)
    assert SheetLayout.of(Geometry(1920, 1080), columns=5, rows=6).width == 1920


@pytest.mark.parametrize(
    "asked",
    [
        {"columns": 100, "rows": 1, "width": 300},
        {"columns": 1, "rows": 500},
        {"columns": 64, "rows": 60, "width": 16_000},
    ],
)
def test_a_sheet_without_bounds_is_refused(asked):
    with pytest.raises(OptionError):
        SheetLayout.of(Geometry(200, 160), **asked)
    with pytest.raises(OptionError, match="smaller width"):
        SheetLayout.of(Geometry(3, 400), columns=4, rows=3)
    assert MAX_SHEET_PIXELS * 3 <= 201_326_592
