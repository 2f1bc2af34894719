"""Frames of few colours: all comes back whatever has moved, and what cannot be is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lvc.codecs.family import build
from lvc.codecs.palette.bitstream import PLAN, FramePlan, PaletteFrames
from lvc.codecs.palette.colour_table import ColourTable
from lvc.codecs.palette.context_model import initial_model
from lvc.codecs.palette.layout import (
    COLOUR_CONTEXTS,
    INDEX_MIXERS,
    MATCH_AT,
    MATCH_BITS,
    MATCH_CONTEXTS,
    MIXER_INPUTS,
    OWN_PIXELS_AT,
    PIXEL_COLOURS,
    PIXEL_CONTEXTS,
    PIXEL_MIXERS,
    PIXEL_PATTERNS,
    PIXELS_AT,
    RUN_CONTEXTS,
    RUNS_AT,
)
from lvc.codecs.palette.model import NO_COLOUR
from lvc.codecs.palette.motion import (
    EARLIER_FRAMES,
    MOST_VECTORS,
    REACH,
    RECENT_VECTORS,
    STILL,
    MotionField,
    MotionVector,
)
from lvc.codecs.palette.references import BORDER, EDGE, MOST_COLOURS, ReferenceState, inside
from lvc.entropy.bits import CODER, BitReader, BitWriter
from lvc.errors import FormatError
from lvc.frames import Geometry
from tests.builders.kernels import code_colours, code_motion, find_contexts, find_run
from tests.builders.palette import golden_motion, random_palette, random_pictures

CODE_VECTORS, PREDICT, KEEP_RECENT, SHOW = range(4)
# What stands around a pixel, as lvc/kernels/palette_pixels.h has it.
KNOWN_E, MATCH_1, CONFIDENCE_1, HASH_1, ROW, KEY, AROUND, CANDIDATES = 24, 28, 31, 34, 37, 39, 40, 32

COLOURS = 0, 0xFFFFFF, 7, 0x10203, 0x808080
VECTOR = st.builds(
    MotionVector, st.integers(0, EARLIER_FRAMES - 1), st.integers(-REACH, REACH), st.integers(-REACH, REACH)
).filter(lambda vector: vector != STILL)


@pytest.fixture(scope="module")
def model():
    return random_palette(Geometry(48, 40)).model.for_coding()


@pytest.fixture(scope="module")
def blank():
    """A model that was taught nothing."""
    return build("temporal-palette", geometry=Geometry(48, 40)).for_coding()


def written(model, symbols, plans=()) -> bytes:
    writer = BitWriter()
    given_back = PaletteFrames(model).code_frames(symbols, len(symbols), writer, symbols.shape[1:], plans)
    assert np.array_equal(given_back, symbols)
    return writer.finish()


def there_and_back(model, symbols, plans=()):
    return PaletteFrames(model).code_frames(
        None, len(symbols), BitReader(written(model, symbols, plans)), symbols.shape[1:]
    )


PICTURES = arrays.arrays(
    np.int32,
    st.tuples(st.integers(1, 4), st.just(1), st.sampled_from([4, 8, 20]), st.sampled_from([4, 12])),
    elements=st.sampled_from(COLOURS),
)


@settings(max_examples=40, deadline=None)
@given(PICTURES)
def test_any_pictures_come_back(model, symbols):
    assert np.array_equal(there_and_back(model, symbols), symbols)


@settings(max_examples=40, deadline=None)
@given(PICTURES, st.data())
def test_any_motion_comes_back_with_its_pictures(model, symbols, data):
    plans = [FramePlan()]
    for number in range(1, len(symbols)):
        vectors = tuple(
            data.draw(
                st.lists(
                    VECTOR.filter(lambda vector, number=number: vector.back < number),
                    max_size=MOST_VECTORS,
                    unique=True,
                )
            )
        )
        indices = data.draw(
            arrays.arrays(
                np.uint8, (symbols.shape[2] // 4, symbols.shape[3] // 4), elements=st.integers(0, 1 + len(vectors))
            )
        )
        plans.append(FramePlan(motion=MotionField(vectors, indices)))
    assert np.array_equal(there_and_back(model, symbols, plans), symbols)


def test_motion_and_many_colours_come_back(model):
    symbols = random_pictures(6, Geometry(48, 40), seed=3)
    symbols[3, 0] = np.arange(40 * 48).reshape(40, 48) * 7919 % (1 << 24)  # as many colours as pixels
    assert np.array_equal(there_and_back(model, symbols, golden_motion(symbols.shape)), symbols)


def test_frames_come_back_one_by_one_as_all_at_once(model):
    symbols = random_pictures(7, Geometry(48, 40), seed=1)
    reader, coding = BitReader(written(model, symbols, golden_motion(symbols.shape))), PaletteFrames(model)
    for picture in symbols:
        assert np.array_equal(coding.code_frames(None, 1, reader, symbols.shape[1:])[0], picture)


def test_the_bytes_are_the_same_however_much_room_is_made_at_once(model, monkeypatch):
    """And a writer stops for room again and again where it has little."""
    symbols, asked = random_pictures(3, Geometry(48, 40), seed=2), []
    symbols[1, 0] = np.arange(40 * 48).reshape(40, 48) * 7919 % (1 << 24)
    payload, make_room = written(model, symbols), BitWriter.make_room

    def make_little_room(writer, bits):
        asked.append(bits)
        make_room(writer, bits)
        CODER.replace(writer.state, data=np.ascontiguousarray(writer.data[: writer.state.position + 4 * bits + 8]))

    monkeypatch.setattr(BitWriter, "make_room", make_little_room)
    assert written(model, symbols) == payload and len(asked) > 10


@pytest.fixture(scope="module")
def moved_square():
    """(frames, plans): noise of three colours that moves by (11, 6) pixels."""
    generator = np.random.default_rng(1)
    symbols = np.zeros((2, 1, 40, 48), np.int32)
    symbols[0, 0, 4:24, 4:24] = generator.choice([0xFF, 0xFF00, 0xFF0000], (20, 20))
    symbols[1, 0, 10:30, 15:35] = symbols[0, 0, 4:24, 4:24]
    indices = np.zeros((10, 12), np.uint8)
    indices[2:8, 3:9] = 2
    return symbols, (FramePlan(), FramePlan(motion=MotionField((MotionVector(0, -11, -6),), indices)))


@pytest.mark.parametrize("which", ["model", "blank"])
def test_motion_makes_what_moved_cheap(which, moved_square, request):
    symbols, plans = moved_square
    still, moving = (len(written(request.getfixturevalue(which), symbols, found)) for found in ((), plans))
    assert moving < still - 50  # 400 noisy pixels of three colours are some 80 bytes


def test_what_last_stood_still_is_cheap_to_uncover(blank):
    generator = np.random.default_rng(2)
    symbols = np.repeat(generator.choice([0xFF, 0xFF00, 0xFF0000], (1, 1, 40, 48)), 6, axis=0).astype(np.int32)
    for number in (2, 3, 4):  # something that never stands still passes before it
        symbols[number, 0, 8:32, 8:32] = generator.choice([0x10, 0x20, 0x30], (24, 24)) + number
    indices = np.zeros((10, 12), np.uint8)
    indices[2:8, 2:8] = 1
    bits = []
    for last in (FramePlan(motion=MotionField((), indices)), FramePlan()):
        coding, writer = PaletteFrames(blank), BitWriter()
        coding.code_frames(symbols[:5], 5, writer, symbols.shape[1:])
        before = writer.bits
        coding.code_frames(symbols[5:], 1, writer, symbols.shape[1:], (last,))
        bits.append(writer.bits - before)
    assert bits[0] < bits[1] / 2


def test_what_stays_costs_next_to_nothing(blank):
    one = random_pictures(1, Geometry(48, 40), seed=4)
    alone = len(written(blank, one))
    # 120 blocks and 100 frames: 0.013 bits a block
    assert len(written(blank, np.repeat(one, 100, axis=0))) <= alone + 20


def test_what_was_seen_before_in_a_group_is_cheaper_the_second_time(blank):
    """Surroundings teach which colour follows: here a picture that comes back after another, without motion."""
    symbols = random_pictures(8, Geometry(48, 40), seed=5)
    symbols = np.stack((symbols[7], symbols[0] ^ 0x0F0F0F, symbols[7]))
    first = len(written(blank, symbols[:1]))
    assert len(written(blank, symbols)) - len(written(blank, symbols[:2])) < first / 2


# Motion vectors


def wide_writer() -> BitWriter:
    writer = BitWriter()
    writer.make_room(1 << 12)
    return writer


def after(recent, frames: int) -> ReferenceState:
    """What a group has known after so many frames, in which these vectors were taken of late."""
    references = ReferenceState(4, 4)
    references.recent[: len(recent)] = np.array(recent).reshape(-1, 3)
    references.state.recent_vectors, references.state.frames = len(recent), frames
    return references


def code(vectors, coder, recent, frames: int):
    """The vectors that are found, or None for those that cannot be."""
    references, plan = after(recent, frames), PLAN(field=np.array(vectors or (), np.int64).reshape(-1, 3))
    model = initial_model(build("temporal-palette", geometry=Geometry(4, 4)), 5)
    if code_motion(step=CODE_VECTORS, coder=coder.state, model=model.state, references=references.state, plan=plan):
        return None
    return tuple(MotionVector(*map(int, vector)) for vector in references.field[2 : references.state.vectors])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(
            MotionVector,
            st.integers(0, EARLIER_FRAMES - 1),
            st.integers(-REACH - 3, REACH + 3) | st.integers(-9, 9),
            st.integers(-REACH - 3, REACH + 3),
        ),
        max_size=MOST_VECTORS,
    ),
    st.lists(VECTOR, max_size=RECENT_VECTORS, unique=True).map(tuple),
    st.integers(1, EARLIER_FRAMES),
)
def test_vectors_are_coded_as_they_are_or_refused(vectors, recent, frames):
    vectors = (*vectors, *recent)[:MOST_VECTORS]
    fits = all(
        vector.back < frames and max(abs(vector.dx), abs(vector.dy)) <= REACH and vector != STILL for vector in vectors
    )
    fits = fits and len(set(vectors)) == len(vectors)
    writer = wide_writer()
    assert code(vectors, writer, recent, frames) == (vectors if fits else None)
    assert code(None, BitReader(writer.finish()), recent, frames) == (vectors if fits else None)


@pytest.mark.parametrize(
    "vectors",
    [
        (MotionVector(1, 2, 3),),
        (MotionVector(0, REACH + 1, 0),),
        (MotionVector(0, 0, -REACH - 1),),
        (MotionVector(0, 10**7, 0),),
        (STILL,),
        (MotionVector(0, 1, 0), MotionVector(0, 1, 0)),
    ],
    ids=["before the group", "too far right", "too far up", "very far", "nowhere", "twice"],
)
def test_vectors_from_outside_are_refused_by_writer_and_reader(vectors):
    writer = wide_writer()
    assert code(vectors, writer, (), 1) is None
    assert code(None, BitReader(writer.finish()), (), 1) is None


def test_a_file_that_moves_from_outside_is_refused(blank):
    symbols = random_pictures(2, Geometry(48, 40), seed=4)
    indices = np.zeros((10, 12), np.uint8)
    with pytest.raises(FormatError, match="from outside"):
        written(blank, symbols, (FramePlan(), FramePlan(motion=MotionField((MotionVector(1, 0, 0),), indices))))


def test_vectors_of_late_are_told_by_their_place():
    recent = tuple(MotionVector(0, 5 * number, 3) for number in range(1, 5))
    sizes = []
    for known in ((), recent):
        writer = wide_writer()
        assert code(recent, writer, known, EARLIER_FRAMES) == recent
        sizes.append(writer.bits)
    assert sizes[1] < sizes[0] / 3


def recent_after(recent, vectors):
    references = after(recent, EARLIER_FRAMES)
    references.field[2 : 2 + len(vectors)] = np.array(vectors).reshape(-1, 3)
    references.state.vectors = 2 + len(vectors)
    code_motion(step=KEEP_RECENT, references=references.state)
    return references.recent_vectors


def test_the_latest_vectors_are_remembered():
    recent = tuple(MotionVector(0, 5 * number, 3) for number in range(1, 5))
    assert recent_after(recent, (recent[2], MotionVector(1, 0, 0))) == (
        recent[2],
        MotionVector(1, 0, 0),
        recent[0],
        recent[1],
        recent[3],
    )
    many = tuple(MotionVector(1, 0, number) for number in range(MOST_VECTORS))
    assert (
        recent_after(tuple(MotionVector(2, 0, number) for number in range(RECENT_VECTORS)), many)
        == many[:RECENT_VECTORS]
    )


def shown(pictures: np.ndarray, vectors, indices=None) -> ReferenceState:
    """References of pictures [N, H, W], the latest first, with these vectors and which of them blocks take."""
    references = ReferenceState(*pictures.shape[1:])
    references.make_room(len(pictures))
    references.pictures[1 : 1 + len(pictures)] = NO_COLOUR
    inside(references.pictures)[1 : 1 + len(pictures)] = pictures[::-1]
    inside(references.pictures)[0] = -2
    references.state.frames, references.state.vectors = len(pictures), len(vectors)
    references.field[: len(vectors)] = vectors
    if indices is not None:
        references.vector_map[EDGE:-EDGE, EDGE:-EDGE] = indices
    return references


def test_a_vector_that_leaves_the_picture_shows_its_border():
    pictures = np.arange(2 * 8 * 12, dtype=np.int16).reshape(2, 8, 12)
    references = shown(pictures, [(0, 0, 0), (1, 60, -60)], np.array([[0, 1, 0], [1, 0, 0]], np.uint8))
    code_motion(step=PREDICT, references=references.state)
    predicted = references.prediction[BORDER:-BORDER, BORDER:-BORDER]
    assert (predicted[:4, 4:8] == pictures[1, 0, 11]).all() and (predicted[4:, :4] == pictures[1, 0, 11]).all()
    assert np.array_equal(predicted[4:, 4:], pictures[0, 4:, 4:])


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 3),
    st.integers(-REACH, REACH) | st.integers(-5, 5),
    st.integers(-REACH, REACH) | st.integers(-5, 5),
    st.sampled_from([(4, 4), (8, 12), (20, 84)]),
)
def test_what_a_vector_shows_is_what_stands_there(back, dx, dy, size):
    """By the word, and a line of words at a time."""
    pictures = np.random.default_rng(1).integers(0, MOST_COLOURS, (4, *size)).astype(np.int16)
    references = shown(pictures, [(0, 0, 0), (EARLIER_FRAMES, 0, 0), (back, dx, dy)])
    rows = np.clip(np.arange(size[0]) + dy, 0, size[0] - 1)
    columns = np.clip(np.arange(size[1]) + dx, 0, size[1] - 1)
    wanted = pictures[back][rows][:, columns]
    lines, differs = references.state.kept["shown"], references.state.kept["differs"]
    words = np.empty_like(lines)
    for row in range(size[0] // 4):
        assert code_motion(step=SHOW, row=row, references=references.state, words=words) == 0
        assert np.array_equal(lines[2].view(np.int16).reshape(4, size[1]), wanted[4 * row : 4 * row + 4])
        assert (lines[1].view(np.int16) == -2).all() and differs.all()
        assert np.array_equal(words[:3], lines[:3])


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
    payload, generator = written(model, symbols, golden_motion(symbols.shape)), np.random.default_rng(3)
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
    assert len(np.unique(symbols)) == MOST_COLOURS
    assert np.array_equal(there_and_back(blank, symbols), symbols)
    one_more = np.concatenate((symbols, np.full_like(symbols, 5)))
    with pytest.raises(ValueError, match=f"more than {MOST_COLOURS} colours"):
        written(blank, one_more)


def code_new(coder, model, references: ReferenceState, added=()) -> int:
    coder.make_room(1 << 10)
    plan = PLAN(added=np.array(added, np.int32))
    return code_colours(coder=coder.state, model=model.state, references=references.state, plan=plan)


def test_too_many_colours_in_the_bytes_are_refused(blank):
    writer = BitWriter()
    assert code_new(writer, initial_model(blank, 5), ReferenceState(4, 4), [3, 5]) == 0
    references = ReferenceState(4, 4)
    references.state.colours = MOST_COLOURS - 1
    assert code_new(BitReader(writer.finish()), initial_model(blank, 5), references) == -2
    assert references.state.colours == MOST_COLOURS - 1


# Colours and their contexts


def test_new_colours_are_told_once_the_darkest_first(blank):
    references, model, writer = ReferenceState(4, 4), initial_model(blank, 5), BitWriter()

    def told(wanted):
        assert code_new(writer, model, references, ColourTable(references.colours).new(np.array(wanted, np.int32))) == 0
        return references.colours.tolist()

    assert told([0xFFFFFF, 0x0000FF, 0xFF0000, 0]) == [0, 0x0000FF, 0xFF0000, 0xFFFFFF]
    before = writer.bits
    told([0xFF0000, 0])
    assert writer.bits - before < 4, "those that are known are not told again"
    assert told([0x00FF00, 0]) == [0, 0x0000FF, 0xFF0000, 0xFFFFFF, 0x00FF00]
    table = ColourTable(np.array(told([]), np.int32))
    picture = np.array([[0x00FF00, 0], [0xFFFFFF, 0x0000FF]], np.int32)
    assert np.array_equal(table.colours[table.indices(picture)], picture)
    assert table.indices(np.array([[5]], np.int32)) == NO_COLOUR


@st.composite
def surroundings(draw):
    """What may stand around a pixel."""
    around = np.array(
        draw(st.lists(st.integers(NO_COLOUR, 3) | st.integers(0, MOST_COLOURS - 1), min_size=AROUND, max_size=AROUND)),
        np.int64,
    )
    for first, count, most in ((KNOWN_E, 4, 1), (CONFIDENCE_1, 3, 3), (ROW, 2, 1 << 14), (KEY, 1, 1)):
        around[first : first + count] = draw(st.lists(st.integers(0, most), min_size=count, max_size=count))
    around[HASH_1 : HASH_1 + 3] = [
        draw(st.integers(0, (1 << MATCH_BITS) - 1)) + (kind << MATCH_BITS) for kind in range(3)
    ]
    return around


def contexts_of(around: np.ndarray, rank: int):
    """The struct with candidates and contexts of the one of this rank."""
    made = find_contexts.struct(
        around=around,
        rank=rank,
        colours=np.zeros(CANDIDATES, np.int64),
        scores=np.zeros(CANDIDATES, np.int64),
        contexts=np.zeros(MIXER_INPUTS, np.int64),
    )
    assert find_contexts(made) == 0
    return made


@settings(max_examples=150, deadline=None)
@given(surroundings())
def test_every_context_of_a_pixel_is_in_a_region_of_its_own(around):
    """Compiled code does not look whether one is there."""
    regions = [(PIXELS_AT + number * PIXEL_CONTEXTS, PIXEL_CONTEXTS) for number in range(PIXEL_PATTERNS)]
    regions += [(OWN_PIXELS_AT + number * COLOUR_CONTEXTS, COLOUR_CONTEXTS) for number in range(PIXEL_COLOURS)]
    rank, made = 0, contexts_of(around, 0)
    colours = made.kept["colours"][: made.count]
    assert len(set(colours.tolist())) == made.count and NO_COLOUR not in colours
    while rank < min(made.count, 6):
        made = contexts_of(around, rank)
        assert all(
            first <= context < first + size
            for context, (first, size) in zip(made.kept["contexts"], regions, strict=False)
        )
        assert PIXEL_MIXERS[0] <= made.first < PIXEL_MIXERS[1] <= made.second < INDEX_MIXERS[0]
        rank += 1


def run_at_centre(picture, prediction, background, unknown, key: int, confidence: int = 1):
    made = find_run.struct(
        picture=picture,
        prediction=prediction,
        background=background,
        unknown=unknown,
        key=key,
        y=2,
        x=2,
        confidence=confidence,
    )
    assert find_run(made) == 0
    return made


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([NO_COLOUR, 0, 1]), min_size=75, max_size=75),
    st.lists(st.integers(0, 1), min_size=25, max_size=25),
    st.integers(0, 1),
    st.integers(1, 255),
)
def test_contexts_of_one_question_are_in_their_regions(colours, unknown, key, confidence):
    pictures = np.array(colours, np.int16).reshape(3, 5, 5)
    unknown = np.array(unknown, np.uint8).reshape(5, 5)
    made = run_at_centre(*pictures, unknown, key, confidence)
    assert made.run == -1 or RUNS_AT <= made.run < RUNS_AT + RUN_CONTEXTS - 8
    assert MATCH_AT <= made.match < MATCH_AT + MATCH_CONTEXTS
    alike = np.full((5, 5), 1, np.int16)
    assert run_at_centre(alike, alike, alike, unknown, key).run >= 0


def test_candidates_are_what_stands_around_with_the_weights_of_where():
    around = np.full(AROUND, NO_COLOUR, np.int64)
    around[KNOWN_E : KNOWN_E + 4] = 0
    around[CONFIDENCE_1 : CONFIDENCE_1 + 3] = 0
    around[HASH_1:AROUND] = 0
    around[:4] = 5, 5, 9, 5  # west, north, north-west, north-east
    around[MATCH_1], around[CONFIDENCE_1] = 9, 3
    made = contexts_of(around, 0)
    assert dict(zip(made.kept["colours"][: made.count].tolist(), made.kept["scores"][: made.count].tolist())) == {
        5: 5 + 5 + 3,
        9: 2 + 4 * 3 + 3,
    }
