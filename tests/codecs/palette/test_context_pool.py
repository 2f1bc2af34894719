"""Context models that one group after another learns in: each begins as if no other had."""

import gc
import threading

import numpy as np
import pytest

from lvc.codecs.family import build
from lvc.codecs.palette.bitstream import CODING_RATE, PaletteFrames
from lvc.codecs.palette.context_model import ContextModel, initial_model
from lvc.codecs.palette.context_pool import KEPT, ContextPool
from lvc.codecs.palette.layout import ALONE_CONTEXTS, CONTEXTS, MATCH_KINDS, MATCHES, PAGES
from lvc.entropy.bits import BitReader, BitWriter
from lvc.errors import FormatError
from lvc.frames import Geometry
from tests.builders.palette import golden_motion, random_palette, random_pictures

SHAPE = 1, 40, 48
GEOMETRY = Geometry(48, 40)


@pytest.fixture(scope="module", params=["taught", "blank"])
def model(request):
    return (
        random_palette(GEOMETRY).model if request.param == "taught" else build("temporal-palette", geometry=GEOMETRY)
    ).for_coding()


def written(coding: PaletteFrames, seed: int) -> tuple[np.ndarray, bytes]:
    symbols, writer = random_pictures(5, GEOMETRY, seed=seed), BitWriter()
    coding.code_frames(symbols, len(symbols), writer, SHAPE, golden_motion(symbols.shape))
    return symbols, writer.finish()


def is_at_the_beginning(contexts: ContextModel, model) -> bool:
    initial = initial_model(model, CODING_RATE)
    return contexts.rate == initial.rate and all(
        np.array_equal(getattr(contexts, part), getattr(initial, part))
        for part in ("probabilities", "weights", "matches", "pages")
    )


def test_a_context_model_that_was_used_is_taken_as_at_the_beginning(model):
    pool = ContextPool(model, CODING_RATE)
    first = PaletteFrames(model, pool=pool)
    used = first.model
    written(first, 1)
    assert not is_at_the_beginning(used, model)
    first.finish()
    assert first.model is None and len(first) == 5
    again = pool.take()
    assert again is used and is_at_the_beginning(again, model)


def test_all_that_is_written_is_marked(model):
    """Also by a reader, and where a writer chooses; only what predicts alone, and weights, are restored in any case."""
    learned, initial = initial_model(model, CODING_RATE), initial_model(model, CODING_RATE)
    written(PaletteFrames(model, learned), 1)
    wanted = np.concatenate((learned.probabilities != initial.probabilities, learned.matches != initial.matches))
    wanted[:ALONE_CONTEXTS] = False
    pages = wanted.reshape(PAGES, -1).any(axis=1)
    assert pages.any() and learned.pages[pages].all() and learned.pages.max() == 1
    assert len(wanted) == CONTEXTS + MATCH_KINDS * MATCHES


def test_what_was_coded_by_a_context_model_that_was_used_is_the_same(model):
    pool = ContextPool(model, CODING_RATE)
    for seed in (1, 2, 3, 1):
        symbols, alone = written(PaletteFrames(model), seed)
        coding = PaletteFrames(model, pool=pool)
        assert written(coding, seed)[1] == alone
        coding.finish()
        reading = PaletteFrames(model, pool=pool)
        assert np.array_equal(reading.code_frames(None, 5, BitReader(alone), SHAPE), symbols)
        reading.finish()
    assert pool.nbytes == 2 * initial_model(model, CODING_RATE).nbytes, (
        "one that is used again and again, and the beginning"
    )


def test_what_is_dropped_gives_its_context_model_back_once(model):
    pool = ContextPool(model, CODING_RATE)
    coding = PaletteFrames(model, pool=pool)
    before, held = pool.nbytes, coding.nbytes
    written(coding, 1)
    assert coding.nbytes >= held >= coding.model.nbytes
    del coding
    gc.collect()
    assert pool.nbytes == before + held
    coding = PaletteFrames(model, pool=pool)
    assert coding.nbytes == held and pool.nbytes == before
    coding.finish()
    coding.finish()
    del coding
    gc.collect()
    assert pool.nbytes == before + held


@pytest.fixture
def fresh_heap():
    """Collecting looks at what is made from here on alone: all other modules' objects would take most of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("fresh_heap")
def test_a_damaged_group_leaves_a_context_model_that_is_clean(model):
    pool, generator, failed = ContextPool(model, CODING_RATE), np.random.default_rng(1), 0
    symbols, payload = written(PaletteFrames(model), 4)
    for number in range(30):
        damaged = bytearray(payload)
        damaged[generator.integers(len(payload))] ^= 1 << generator.integers(8)
        try:
            PaletteFrames(model, pool=pool).code_frames(
                None, 5, BitReader(bytes(damaged) if number else b"\xff" * 9), SHAPE
            )
        except FormatError:
            failed += 1
        gc.collect()
        contexts = pool.take()
        assert is_at_the_beginning(contexts, model)
        pool.give(contexts)
    assert failed or model.config.colours
    assert np.array_equal(PaletteFrames(model, pool=pool).code_frames(None, 5, BitReader(payload), SHAPE), symbols)


def test_few_context_models_are_kept(model):
    pool = ContextPool(model, CODING_RATE)
    many = [pool.take() for _ in range(KEPT + 3)]
    assert len({contexts.probabilities.ctypes.data for contexts in many}) == len(many)
    for contexts in many:
        pool.give(contexts)
    assert pool.nbytes == (1 + KEPT) * many[0].nbytes


def test_threads_share_context_models_and_never_one_at_a_time(model):
    pool = ContextPool(model, CODING_RATE)
    groups = [written(PaletteFrames(model), seed) for seed in range(1, 5)]
    wrong = []

    def read(turn: int) -> None:
        for number in range(12):
            symbols, payload = groups[(turn + number) % len(groups)]
            coding = PaletteFrames(model, pool=pool)
            if not np.array_equal(coding.code_frames(None, 5, BitReader(payload), SHAPE), symbols):
                wrong.append((turn, number))
            if number % 3:
                coding.finish()

    threads = [threading.Thread(target=read, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
