"""Memories that one group after another learns in: each begins as if no other had."""

import gc
import threading

import numpy as np
import pytest

from lvc.codecs.family import build
from lvc.codecs.palette import memory_pool
from lvc.codecs.palette.memory import GUESS_KINDS, GUESSES, MARKS, SLOTS, memory_of
from lvc.codecs.palette.memory_pool import KEPT, Memories
from lvc.codecs.palette.walk import CODING_RATE, PaletteFrames
from lvc.entropy.bits import BitReader, BitWriter
from lvc.errors import FormatError
from lvc.frames import Geometry
from tests.builders.palette import golden_moves, random_palette, random_pictures

SHAPE = 1, 40, 48
GEOMETRY = Geometry(48, 40)


@pytest.fixture(scope="module", params=["taught", "blank"])
def model(request):
    return (random_palette(GEOMETRY).model if request.param == "taught" else build("temporal-palette", geometry=GEOMETRY)).for_coding()


def written(coding: PaletteFrames, seed: int) -> tuple[np.ndarray, bytes]:
    symbols, writer = random_pictures(5, GEOMETRY, seed=seed), BitWriter()
    coding.code_frames(symbols, len(symbols), writer, SHAPE, golden_moves(symbols.shape))
    return symbols, writer.finish()


def is_at_the_beginning(memory, model) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(memory, memory_of(model, CODING_RATE)))


def test_a_memory_that_was_used_is_taken_as_at_the_beginning(model):
    memories = Memories(model, CODING_RATE)
    first = PaletteFrames(model, memories=memories)
    used = first.memory
    _, payload = written(first, 1)
    assert not is_at_the_beginning(used, model)
    first.finish()
    assert first.memory is None and len(first) == 5
    again = memories.take()
    assert again.slots is used.slots and is_at_the_beginning(again, model)


def test_all_that_is_written_is_marked(model):
    """Also by a reader, and where a writer chooses; only slots that are asked alone, and weights, are restored in any case."""
    memory, beginning = memory_of(model, CODING_RATE), memory_of(model, CODING_RATE)
    written(PaletteFrames(model, memory), 1)
    wanted = np.concatenate((memory.slots != beginning.slots, memory.guesses != beginning.guesses))
    wanted[: memory_pool.ALONE_SLOTS] = False
    blocks = wanted.reshape(MARKS, -1).any(axis=1)
    assert blocks.any() and memory.marks[blocks].all() and memory.marks.max() == 1
    assert len(wanted) == SLOTS + GUESS_KINDS * GUESSES


def test_what_was_coded_in_a_memory_that_was_used_is_the_same(model):
    memories = Memories(model, CODING_RATE)
    for seed in (1, 2, 3, 1):
        symbols, alone = written(PaletteFrames(model), seed)
        coding = PaletteFrames(model, memories=memories)
        assert written(coding, seed)[1] == alone
        coding.finish()
        reading = PaletteFrames(model, memories=memories)
        assert np.array_equal(reading.code_frames(None, 5, BitReader(alone), SHAPE), symbols)
        reading.finish()
    assert memories.nbytes == 2 * memory_of(model, CODING_RATE).nbytes, "one that is used again and again, and the beginning"


def test_what_is_dropped_gives_its_memory_back_once(model):
    memories = Memories(model, CODING_RATE)
    coding = PaletteFrames(model, memories=memories)
    before, held = memories.nbytes, coding.nbytes
    written(coding, 1)
    assert coding.nbytes >= held >= coding.memory.nbytes
    del coding
    gc.collect()
    assert memories.nbytes == before + held
    coding = PaletteFrames(model, memories=memories)
    assert coding.nbytes == held and memories.nbytes == before
    coding.finish()
    coding.finish()
    del coding
    gc.collect()
    assert memories.nbytes == before + held


def test_a_damaged_group_leaves_a_memory_that_is_clean(model):
    memories, generator, failed = Memories(model, CODING_RATE), np.random.default_rng(1), 0
    symbols, payload = written(PaletteFrames(model), 4)
    for number in range(30):
        damaged = bytearray(payload)
        damaged[generator.integers(len(payload))] ^= 1 << generator.integers(8)
        try:
            PaletteFrames(model, memories=memories).code_frames(None, 5, BitReader(bytes(damaged) if number else b"\xff" * 9), SHAPE)
        except FormatError:
            failed += 1
        gc.collect()
        memory = memories.take()
        assert is_at_the_beginning(memory, model)
        memories.give(memory)
    assert failed or model.config.colours
    assert np.array_equal(PaletteFrames(model, memories=memories).code_frames(None, 5, BitReader(payload), SHAPE), symbols)


def test_few_memories_are_kept(model):
    memories = Memories(model, CODING_RATE)
    many = [memories.take() for _ in range(KEPT + 3)]
    assert len({memory.slots.ctypes.data for memory in many}) == len(many)
    for memory in many:
        memories.give(memory)
    assert memories.nbytes == (1 + KEPT) * many[0].nbytes


def test_threads_share_memories_and_never_one_at_a_time(model):
    memories = Memories(model, CODING_RATE)
    groups = [written(PaletteFrames(model), seed) for seed in range(1, 5)]
    wrong = []

    def read(turn: int) -> None:
        for number in range(12):
            symbols, payload = groups[(turn + number) % len(groups)]
            coding = PaletteFrames(model, memories=memories)
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
