"""Frames of few colours: every pixel is coded once, all comes back, and what cannot be is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.errors import FormatError
from lvc.frames import Geometry
from lvc.palette.facts import BlockFacts, Candidates, Surroundings
from lvc.palette.moves import BACKS, Move, code_moves, moved
from lvc.palette.passes import AROUND, KEY_PASSES, LATTICE, PASSES, PREDICTED_PASSES
from lvc.palette.walk import ColourTable, PaletteFrames

sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))
from make_palette import random_palette, random_pictures


@pytest.fixture(scope="module")
def parts():
    checkpoint = random_palette(Geometry(48, 40))
    return checkpoint.model.for_coding(), checkpoint.tables["flags"]


def there_and_back(parts, symbols, moves=()):
    writer = SymbolWriter()
    PaletteFrames(*parts).code_frames(symbols, len(symbols), writer, symbols.shape[1:], moves)
    return PaletteFrames(*parts).code_frames(None, len(symbols), SymbolReader(writer.finish()), symbols.shape[1:])


@pytest.mark.parametrize("passes", [KEY_PASSES, PREDICTED_PASSES])
@pytest.mark.parametrize("size", [(160, 200), (4, 4), (36, 100)])
def test_every_pixel_is_in_one_pass_and_sees_only_known_ones(passes, size):
    rows, columns = (plane.ravel() for plane in np.indices(size))
    known = np.zeros(size, bool)
    for step in passes:
        here = step.places(rows, columns)
        assert not known[rows[here], columns[here]].any()
        if step.kind != LATTICE:
            for row, column in AROUND[step.kind]:
                there = rows[here] + row * step.distance, columns[here] + column * step.distance
                inside = (there[0] >= 0) & (there[1] >= 0) & (there[0] < size[0]) & (there[1] < size[1])
                assert known[there[0][inside], there[1][inside]].all()
        known[rows[here], columns[here]] = True
    assert known.all()
    assert len({step.number for step in passes}) == len(passes) and max(step.number for step in passes) == PASSES - 1


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.int32, st.tuples(st.integers(1, 4), st.just(1), st.sampled_from([4, 8, 20]), st.sampled_from([4, 12])), elements=st.sampled_from([0, 0xFFFFFF, 7, 0x10203, 0x808080])))
def test_any_pictures_come_back(parts, symbols):
    assert np.array_equal(there_and_back(parts, symbols), symbols)


def test_moves_and_many_colours_come_back(parts):
    symbols = random_pictures(6, Geometry(48, 40), seed=3)
    symbols[3, 0] = np.arange(40 * 48).reshape(40, 48) * 7919 % (1 << 24)  # as many colours as pixels
    moves = [(), (Move(0, 3, 2, 1, 1, 4, 5),), (Move(1, -2, 0, 0, 3, 10, 2), Move(0, 0, -4, 4, 4, 2, 2)), (), (Move(3, 0, 0, 0, 0, 10, 12),), ()]
    assert np.array_equal(there_and_back(parts, symbols, moves), symbols)


def test_a_move_makes_what_moved_cheap(parts):
    generator = np.random.default_rng(1)
    symbols = np.zeros((2, 1, 40, 48), np.int32)
    symbols[0, 0, 4:24, 4:24] = generator.choice([0xFF, 0xFF00, 0xFF0000], (20, 20))
    symbols[1, 0, 10:30, 15:35] = symbols[0, 0, 4:24, 4:24]
    sizes = []
    for moves in ((), ((), (Move(0, -11, -6, 2, 3, 6, 6),))):
        writer = SymbolWriter()
        PaletteFrames(*parts).code_frames(symbols, 2, writer, symbols.shape[1:], moves)
        sizes.append(len(writer.finish()))
    assert sizes[1] < sizes[0] - 50  # 400 noisy pixels of three colours are some 80 bytes


@given(st.lists(st.builds(Move, st.integers(0, 3), st.integers(-64, 63), st.integers(-64, 63), st.integers(0, 39), st.integers(0, 49), st.integers(1, 40), st.integers(1, 50)), max_size=31))
def test_moves_are_coded_as_they_are_or_refused(moves):
    fits = all(move.fits(40, 50, BACKS) for move in moves)
    writer = SymbolWriter()
    try:
        code_moves(moves, writer, (40, 50), BACKS)
    except FormatError:
        assert not fits
        return
    assert fits
    assert list(code_moves(None, SymbolReader(writer.finish()), (40, 50), BACKS)) == moves
    moved([np.zeros((160, 200), np.int32)] * BACKS, moves)


def test_what_moves_from_outside_of_a_frame_or_of_the_group_is_refused():
    for move in (Move(0, -1, 0, 0, 0, 1, 1), Move(0, 0, 1, 39, 0, 1, 1), Move(0, 0, 0, 0, 49, 1, 2), Move(1, 0, 0, 0, 0, 1, 1)):
        writer = SymbolWriter()
        with pytest.raises(FormatError, match="from outside"):
            code_moves([move], writer, (40, 50), 1)
        with pytest.raises(FormatError, match="from outside"):
            code_moves(None, SymbolReader(writer.finish()), (40, 50), 1)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_colours_or_a_typed_error(parts, payload):
    try:
        found = PaletteFrames(*parts).code_frames(None, 3, SymbolReader(payload), (1, 8, 12))
    except FormatError:
        return
    assert found.min() >= 0 and found.max() < 1 << 24


def test_candidates_are_what_stands_around_the_likeliest_first():
    expected = np.full((12, 12), 5, np.int32)
    expected[:, 6:] = 9
    around = Surroundings(np.ones((12, 12), bool), expected, (expected, expected, expected))
    step = PREDICTED_PASSES[-1]
    found = Candidates(*around.sources(step, np.array([5, 5]), np.array([2, 6])))
    assert found.colours[0].tolist() == [5, -1, -1, -1, -1, -1] and found.counts.tolist() == [1, 2]
    assert found.colours[1, :2].tolist() == [9, 5]


def test_ranks_of_colours_begin_between_the_two_around():
    table = ColourTable()
    table.colours = np.array([0xFF0000, 0x101010, 0x00FF00, 0x808080], np.int32)
    order = table.order(np.array([[0, 0xFFFFFF, -1, -1, -1, -1], [0x101010, -1, -1, -1, -1, -1]], np.int32))
    # Grey lies between black and white; what was refused comes last.
    assert order[0, 0] in (1, 3) and set(order[0, :2].tolist()) == {1, 3}
    assert order[1, -1] == 1


def test_what_blocks_are_told_is_what_is_known():
    last = np.zeros((8, 8), np.int32)
    expected = last.copy()
    expected[0, 0] = 3
    still = np.zeros((2, 2), bool)
    about = BlockFacts(last, expected, last, (still, ~still))
    about.tell(np.array([1]), np.array([1]), np.array([True]))
    facts = about.facts(2, np.array([0]), np.array([0]))[0]
    assert facts[:8].tolist() == [0, 0, 0, 0, 0, 0, 0, 1] and not facts[8:16].any()
    planes = facts[16:61].reshape(5, 9)[:, 0].tolist()
    assert planes == [0, 1, 1, 1, 1]  # unchanged, changed before, moved, not flat, not as it stood
    assert facts[61:].tolist() == [0, 0, 1, 0]
