"""Frames of few colours: all comes back whatever has moved, and what cannot be is refused."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lvc.codecs.family import build
from lvc.codecs.palette import walk
from lvc.codecs.palette.colour_table import ColourTable, code_colours
from lvc.codecs.palette.memory import (
    COLOUR_SLOTS,
    GUESS_BITS,
    MOST_CONTEXTS,
    NUMBER_SLOTS,
    PIXEL_COLOURS,
    PIXEL_PATTERNS,
    PIXEL_ROWS,
    PIXEL_SLOTS,
    PIXELS,
    PIXELS_OWN,
    PLACE_ROWS,
    RUN_SLOTS,
    RUNS,
    SURE,
    SURE_SLOTS,
)
from lvc.codecs.palette.model import NO_COLOUR
from lvc.codecs.palette.moves import (
    REACH,
    STILL,
    Direction,
    Moves,
    code_ways,
    expect,
    find_sources,
    keep_recent,
    recent_directions,
    show_row,
    shown_word,
)
from lvc.codecs.palette.numbers import NEW_COUNT, code_unary, code_uniform
from lvc.codecs.palette.past import (
    BACKS,
    BORDER,
    COLOURS_LIMIT,
    DIRECTIONS_LIMIT,
    EDGE,
    FRAMES,
    RECENT,
    RECENTS,
    WAYS,
    no_past,
    with_room,
)
from lvc.codecs.palette.past import COLOURS as COLOUR_COUNT
from lvc.codecs.palette.pixels import (
    AROUND,
    GUESS_1,
    HASH_1,
    KEY,
    KNOWN_E,
    ROW,
    TRUST_1,
    candidates_of,
    pixel_contexts,
    run_slot,
    sure_slot,
)
from lvc.codecs.palette.walk import Motion, PaletteFrames
from lvc.entropy.bits import BitReader, BitWriter
from lvc.entropy.mixing import EMPTY
from lvc.errors import FormatError
from lvc.frames import Geometry
from tests.builders.palette import golden_moves, random_palette, random_pictures

COLOURS = 0, 0xFFFFFF, 7, 0x10203, 0x808080
DIRECTION = st.builds(Direction, st.integers(0, BACKS - 1), st.integers(-REACH, REACH), st.integers(-REACH, REACH)).filter(lambda direction: direction != STILL)


@pytest.fixture(scope="module")
def model():
    return random_palette(Geometry(48, 40)).model.for_coding()


@pytest.fixture(scope="module")
def blank():
    """A model that was taught nothing."""
    return build("temporal-palette", geometry=Geometry(48, 40)).for_coding()


def written(model, symbols, moves=()) -> bytes:
    writer = BitWriter()
    given_back = PaletteFrames(model).code_frames(symbols, len(symbols), writer, symbols.shape[1:], moves)
    assert np.array_equal(given_back, symbols)
    return writer.finish()


def there_and_back(model, symbols, moves=()):
    return PaletteFrames(model).code_frames(None, len(symbols), BitReader(written(model, symbols, moves)), symbols.shape[1:])


PICTURES = arrays.arrays(np.int32, st.tuples(st.integers(1, 4), st.just(1), st.sampled_from([4, 8, 20]), st.sampled_from([4, 12])), elements=st.sampled_from(COLOURS))


@settings(max_examples=40, deadline=None)
@given(PICTURES)
def test_any_pictures_come_back(model, symbols):
    assert np.array_equal(there_and_back(model, symbols), symbols)


@settings(max_examples=40, deadline=None)
@given(PICTURES, st.data())
def test_any_moves_come_back_with_their_pictures(model, symbols, data):
    moves = [Motion()]
    for number in range(1, len(symbols)):
        directions = tuple(data.draw(st.lists(DIRECTION.filter(lambda direction, number=number: direction.back < number), max_size=DIRECTIONS_LIMIT, unique=True)))
        places = data.draw(arrays.arrays(np.uint8, (symbols.shape[2] // 4, symbols.shape[3] // 4), elements=st.integers(0, 1 + len(directions))))
        moves.append(Motion(moves=Moves(directions, places)))
    assert np.array_equal(there_and_back(model, symbols, moves), symbols)


def test_moves_and_many_colours_come_back(model):
    symbols = random_pictures(6, Geometry(48, 40), seed=3)
    symbols[3, 0] = np.arange(40 * 48).reshape(40, 48) * 7919 % (1 << 24)  # as many colours as pixels
    assert np.array_equal(there_and_back(model, symbols, golden_moves(symbols.shape)), symbols)


def test_frames_come_back_one_by_one_as_all_at_once(model):
    symbols = random_pictures(7, Geometry(48, 40), seed=1)
    reader, coding = BitReader(written(model, symbols, golden_moves(symbols.shape))), PaletteFrames(model)
    for picture in symbols:
        assert np.array_equal(coding.code_frames(None, 1, reader, symbols.shape[1:])[0], picture)


def test_the_bytes_are_the_same_however_much_room_is_made_at_once(model, monkeypatch):
    symbols = random_pictures(3, Geometry(48, 40), seed=2)
    payload = written(model, symbols)
    monkeypatch.setattr(walk, "ROOM", 1)  # a row of blocks
    assert written(model, symbols) == payload


@pytest.fixture(scope="module")
def moved_square():
    """(frames, moves): noise of three colours that moves by (11, 6) pixels."""
    generator = np.random.default_rng(1)
    symbols = np.zeros((2, 1, 40, 48), np.int32)
    symbols[0, 0, 4:24, 4:24] = generator.choice([0xFF, 0xFF00, 0xFF0000], (20, 20))
    symbols[1, 0, 10:30, 15:35] = symbols[0, 0, 4:24, 4:24]
    places = np.zeros((10, 12), np.uint8)
    places[2:8, 3:9] = 2
    return symbols, (Motion(), Motion(moves=Moves((Direction(0, -11, -6),), places)))


@pytest.mark.parametrize("which", ["model", "blank"])
def test_a_move_makes_what_moved_cheap(which, moved_square, request):
    symbols, moves = moved_square
    still, moving = (len(written(request.getfixturevalue(which), symbols, found)) for found in ((), moves))
    assert moving < still - 50  # 400 noisy pixels of three colours are some 80 bytes


def test_what_last_stood_still_is_cheap_to_uncover(blank):
    generator = np.random.default_rng(2)
    symbols = np.repeat(generator.choice([0xFF, 0xFF00, 0xFF0000], (1, 1, 40, 48)), 6, axis=0).astype(np.int32)
    for number in (2, 3, 4):  # something that never stands still passes before it
        symbols[number, 0, 8:32, 8:32] = generator.choice([0x10, 0x20, 0x30], (24, 24)) + number
    places = np.zeros((10, 12), np.uint8)
    places[2:8, 2:8] = 1
    bits = []
    for last in (Motion(moves=Moves((), places)), Motion()):
        coding, writer = PaletteFrames(blank), BitWriter()
        coding.code_frames(symbols[:5], 5, writer, symbols.shape[1:])
        before = writer.bits
        coding.code_frames(symbols[5:], 1, writer, symbols.shape[1:], (last,))
        bits.append(writer.bits - before)
    assert bits[0] < bits[1] / 2


def test_what_stays_costs_next_to_nothing(blank):
    one = random_pictures(1, Geometry(48, 40), seed=4)
    alone = len(written(blank, one))
    assert len(written(blank, np.repeat(one, 100, axis=0))) <= alone + 20  # 120 blocks and 100 frames: 0.013 bits a block


def test_what_was_seen_before_in_a_group_is_cheaper_the_second_time(blank):
    """Surroundings teach which colour follows: here a picture that comes back after another, without moves."""
    symbols = random_pictures(8, Geometry(48, 40), seed=5)
    symbols = np.stack((symbols[7], symbols[0] ^ 0x0F0F0F, symbols[7]))
    first = len(written(blank, symbols[:1]))
    assert len(written(blank, symbols)) - len(written(blank, symbols[:2])) < first / 2


# Directions


def blank_slots():
    """A memory of numbers alone."""
    return np.full(NUMBER_SLOTS, EMPTY, np.uint32)


def wide_writer() -> BitWriter:
    writer = BitWriter()
    writer.room(1 << 12)
    return writer


def after(recent, backs: int):
    """What a group has known after so many frames, in which these directions were taken of late."""
    past = no_past(4, 4)
    past.recent[: len(recent)] = np.array(recent).reshape(-1, 3)
    past.counts[RECENTS], past.counts[FRAMES] = len(recent), backs
    return past


def code(directions, coder, recent, backs: int):
    """The directions that are found, or None for those that cannot be."""
    past = after(recent, backs)
    if code_ways(coder.parts, blank_slots(), past, np.array(directions or (), np.int64).reshape(-1, 3)):
        return None
    return tuple(Direction(*map(int, way)) for way in past.ways[2 : past.counts[WAYS]])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.builds(Direction, st.integers(0, BACKS - 1), st.integers(-REACH - 3, REACH + 3) | st.integers(-9, 9), st.integers(-REACH - 3, REACH + 3)), max_size=DIRECTIONS_LIMIT),
    st.lists(DIRECTION, max_size=RECENT, unique=True).map(tuple),
    st.integers(1, BACKS),
)
def test_directions_are_coded_as_they_are_or_refused(directions, recent, backs):
    directions = (*directions, *recent)[:DIRECTIONS_LIMIT]
    fits = all(direction.back < backs and max(abs(direction.dx), abs(direction.dy)) <= REACH and direction != STILL for direction in directions)
    fits = fits and len(set(directions)) == len(directions)
    writer = wide_writer()
    assert code(directions, writer, recent, backs) == (directions if fits else None)
    assert code(None, BitReader(writer.finish()), recent, backs) == (directions if fits else None)


@pytest.mark.parametrize(
    "directions",
    [
        (Direction(1, 2, 3),),
        (Direction(0, REACH + 1, 0),),
        (Direction(0, 0, -REACH - 1),),
        (Direction(0, 10**7, 0),),
        (STILL,),
        (Direction(0, 1, 0), Direction(0, 1, 0)),
    ],
    ids=["before the group", "too far right", "too far up", "very far", "nowhere", "twice"],
)
def test_directions_from_outside_are_refused_by_writer_and_reader(directions):
    writer = wide_writer()
    assert code(directions, writer, (), 1) is None
    assert code(None, BitReader(writer.finish()), (), 1) is None


def test_a_file_that_moves_from_outside_is_refused(blank):
    symbols = random_pictures(2, Geometry(48, 40), seed=4)
    places = np.zeros((10, 12), np.uint8)
    with pytest.raises(FormatError, match="from outside"):
        written(blank, symbols, (Motion(), Motion(moves=Moves((Direction(1, 0, 0),), places))))


def test_directions_of_late_are_told_by_their_place():
    recent = tuple(Direction(0, 5 * number, 3) for number in range(1, 5))
    sizes = []
    for known in ((), recent):
        writer = wide_writer()
        assert code(recent, writer, known, BACKS) == recent
        sizes.append(writer.bits)
    assert sizes[1] < sizes[0] / 3


def recent_after(recent, directions):
    past = after(recent, BACKS)
    past.ways[2 : 2 + len(directions)] = np.array(directions).reshape(-1, 3)
    past.counts[WAYS] = 2 + len(directions)
    keep_recent(past)
    return recent_directions(past)


def test_the_latest_directions_are_remembered():
    recent = tuple(Direction(0, 5 * number, 3) for number in range(1, 5))
    assert recent_after(recent, (recent[2], Direction(1, 0, 0))) == (recent[2], Direction(1, 0, 0), recent[0], recent[1], recent[3])
    many = tuple(Direction(1, 0, number) for number in range(DIRECTIONS_LIMIT))
    assert recent_after(tuple(Direction(2, 0, number) for number in range(RECENT)), many) == many[:RECENT]


def shown(pictures: np.ndarray, directions, places=None):
    """A past of pictures [N, H, W], the latest first, with these directions and which of them blocks take."""
    past = with_room(no_past(*pictures.shape[1:]), len(pictures))
    past.pictures[1 : 1 + len(pictures), BORDER:-BORDER, BORDER:-BORDER] = pictures[::-1]
    past.pictures[0, BORDER:-BORDER, BORDER:-BORDER] = -2
    past.counts[FRAMES], past.counts[WAYS] = len(pictures), len(directions)
    past.ways[: len(directions)] = directions
    if places is not None:
        past.taken[EDGE:-EDGE, EDGE:-EDGE] = places
    return past


def test_a_direction_that_leaves_the_picture_shows_its_border():
    pictures = np.arange(2 * 8 * 12, dtype=np.int16).reshape(2, 8, 12)
    past = shown(pictures, [(0, 0, 0), (1, 60, -60)], np.array([[0, 1, 0], [1, 0, 0]], np.uint8))
    expect(past)
    expected = past.expected[BORDER:-BORDER, BORDER:-BORDER]
    assert (expected[:4, 4:8] == pictures[1, 0, 11]).all() and (expected[4:, :4] == pictures[1, 0, 11]).all()
    assert np.array_equal(expected[4:, 4:], pictures[0, 4:, 4:])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3), st.integers(-REACH, REACH) | st.integers(-5, 5), st.integers(-REACH, REACH) | st.integers(-5, 5), st.sampled_from([(4, 4), (8, 12), (20, 84)]))
def test_what_a_direction_shows_is_what_stands_there(back, dx, dy, size):
    """By the word, and a line of words at a time."""
    pictures = np.random.default_rng(1).integers(0, COLOURS_LIMIT, (4, *size)).astype(np.int16)
    past = shown(pictures, [(0, 0, 0), (BACKS, 0, 0), (back, dx, dy)])
    rows = np.clip(np.arange(size[0]) + dy, 0, size[0] - 1)
    columns = np.clip(np.arange(size[1]) + dx, 0, size[1] - 1)
    wanted = pictures[back][rows][:, columns]
    sources, lines, apart = past.room.sources, past.room.shown, past.room.apart
    find_sources(past, sources)
    for row in range(size[0] // 4):
        show_row(past.pictures, past.words, sources, 3, row, lines, apart)
        found = np.ascontiguousarray(lines[2]).view(np.int16).reshape(4, size[1])
        assert np.array_equal(found, wanted[4 * row : 4 * row + 4])
        assert (np.ascontiguousarray(lines[1]).view(np.int16) == -2).all() and apart.all()
        for y in range(4 * row, 4 * row + 4):
            word = shown_word(past.pictures, past.words, *sources[2], y, 0)
            assert np.array([word], np.uint64).view(np.int16).tolist() == wanted[y, :4].tolist()


# What cannot be


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_colours_or_a_typed_error(model, payload):
    try:
        found = PaletteFrames(model).code_frames(None, 3, BitReader(payload), (1, 8, 12))
    except FormatError:
        return
    assert found.min() >= 0 and found.max() < 1 << 24


@pytest.mark.parametrize("which", ["model", "blank"])
def test_damaged_bytes_give_colours_or_a_typed_error(which, request):
    model, symbols = request.getfixturevalue(which), random_pictures(4, Geometry(48, 40), seed=6)
    payload, generator = written(model, symbols, golden_moves(symbols.shape)), np.random.default_rng(3)
    ended = set()
    for _ in range(60):
        damaged = bytearray(payload)
        damaged[generator.integers(len(payload))] ^= 1 << generator.integers(8)
        try:
            found = PaletteFrames(model).code_frames(None, 4, BitReader(bytes(damaged)), symbols.shape[1:])
            assert found.min() >= 0 and found.max() < 1 << 24
            ended.add("colours")
        except FormatError:
            ended.add("refused")
    assert "colours" in ended


def test_a_group_without_colours_is_refused(blank):
    with pytest.raises(FormatError, match="there are no colours"):
        PaletteFrames(blank).code_frames(None, 1, BitReader(b"\xff" * 9), (1, 8, 12))  # high bits are a no each time


def test_a_group_has_as_many_colours_as_there_are_places_and_no_more(blank):
    symbols = (np.arange(64 * 64, dtype=np.int32) * 4093 % (1 << 24)).reshape(1, 1, 64, 64)
    assert len(np.unique(symbols)) == COLOURS_LIMIT
    assert np.array_equal(there_and_back(blank, symbols), symbols)
    one_more = np.concatenate((symbols, np.full_like(symbols, 5)))
    with pytest.raises(ValueError, match=f"more than {COLOURS_LIMIT} colours"):
        written(blank, one_more)


def test_too_many_colours_in_the_bytes_are_refused():
    slots = np.full(NUMBER_SLOTS, EMPTY, np.uint32)
    writer = BitWriter()
    code_unary(writer.parts, slots, NEW_COUNT, 1, 1)
    code_uniform(writer.parts, 1, 12)  # two new ones
    past = no_past(4, 4)
    past.counts[COLOUR_COUNT] = COLOURS_LIMIT - 1
    slots[:] = EMPTY
    assert code_colours(BitReader(writer.finish()).parts, slots, past, np.empty(0, np.int32)) == 1
    assert past.counts[COLOUR_COUNT] == COLOURS_LIMIT - 1


# Colours and their contexts


def test_new_colours_are_told_once_the_darkest_first():
    past, slots, writer = no_past(4, 4), np.full(NUMBER_SLOTS, EMPTY, np.uint32), BitWriter()

    def told(wanted):
        table = ColourTable(past.colours[: past.counts[COLOUR_COUNT]])
        assert code_colours(writer.parts, slots, past, table.new(np.array(wanted, np.int32))) == 0
        return past.colours[: past.counts[COLOUR_COUNT]].tolist()

    assert told([0xFFFFFF, 0x0000FF, 0xFF0000, 0]) == [0, 0x0000FF, 0xFF0000, 0xFFFFFF]
    before = writer.bits
    told([0xFF0000, 0])
    assert writer.bits - before < 4, "those that are known are not told again"
    assert told([0x00FF00, 0]) == [0, 0x0000FF, 0xFF0000, 0xFFFFFF, 0x00FF00]
    table = ColourTable(np.array(told([]), np.int32))
    picture = np.array([[0x00FF00, 0], [0xFFFFFF, 0x0000FF]], np.int32)
    assert np.array_equal(table.colours[table.places(picture)], picture)
    assert table.places(np.array([[5]], np.int32)) == NO_COLOUR


@st.composite
def surroundings(draw):
    """What may stand around a pixel."""
    around = np.array(draw(st.lists(st.integers(NO_COLOUR, 3) | st.integers(0, COLOURS_LIMIT - 1), min_size=AROUND, max_size=AROUND)), np.int64)
    for first, count, most in ((KNOWN_E, 4, 1), (TRUST_1, 3, 3), (ROW, 2, 1 << 14), (KEY, 1, 1)):
        around[first : first + count] = draw(st.lists(st.integers(0, most), min_size=count, max_size=count))
    around[HASH_1 : HASH_1 + 3] = [draw(st.integers(0, (1 << GUESS_BITS) - 1)) + (kind << GUESS_BITS) for kind in range(3)]
    return around


@settings(max_examples=300, deadline=None)
@given(surroundings())
def test_every_context_of_a_pixel_is_in_a_region_of_its_own(around):
    """Compiled code does not look whether a place is there."""
    colours, scores, contexts = np.zeros(32, np.int64), np.zeros(32, np.int64), np.zeros(MOST_CONTEXTS, np.int64)
    count = candidates_of(around, colours, scores)
    assert len(set(colours[:count].tolist())) == count and NO_COLOUR not in colours[:count]
    regions = [(PIXELS + number * PIXEL_SLOTS, PIXEL_SLOTS) for number in range(PIXEL_PATTERNS)]
    regions += [(PIXELS_OWN + number * COLOUR_SLOTS, COLOUR_SLOTS) for number in range(PIXEL_COLOURS)]
    for rank in range(min(count, 6)):
        rows = pixel_contexts(around, colours, scores, rank, count, contexts)
        assert all(first <= context < first + slots for context, (first, slots) in zip(contexts, regions, strict=False))
        assert PIXEL_ROWS[0] <= rows[0] < PIXEL_ROWS[1] <= rows[1] < PLACE_ROWS[0]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([NO_COLOUR, 0, 1]), min_size=75, max_size=75), st.lists(st.integers(0, 1), min_size=25, max_size=25), st.integers(0, 1), st.integers(1, 255))
def test_slots_of_one_question_are_in_their_regions(colours, unknown, key, trust):
    picture, expected, settled = np.array(colours, np.int16).reshape(3, 5, 5)
    unknown = np.array(unknown, np.uint8).reshape(5, 5)
    run = run_slot(picture, expected, settled, unknown, key, 2, 2)
    assert run == -1 or RUNS <= run < RUNS + RUN_SLOTS - 8
    assert SURE <= sure_slot(picture, 2, 2, 1, trust) < SURE + SURE_SLOTS
    alike = np.full((5, 5), 1, np.int16)
    assert run_slot(alike, alike, alike, unknown, key, 2, 2) >= 0


def test_candidates_are_what_stands_around_with_the_weights_of_where():
    around = np.full(AROUND, NO_COLOUR, np.int64)
    around[KNOWN_E : KNOWN_E + 4] = 0
    around[TRUST_1 : TRUST_1 + 3] = 0
    around[:4] = 5, 5, 9, 5  # west, north, north-west, north-east
    around[GUESS_1], around[TRUST_1] = 9, 3
    colours, scores = np.zeros(32, np.int64), np.zeros(32, np.int64)
    count = candidates_of(around, colours, scores)
    assert dict(zip(colours[:count].tolist(), scores[:count].tolist())) == {5: 5 + 5 + 3, 9: 2 + 4 * 3 + 3}
