"""Memories that groups have learned in and are done with, for the next groups: what was written is undone, block by block.

A copy of 7 MB took 0.3 ms and 1,700 page faults, a tenth of what it takes to open a file and read a frame; this takes 0.08 to 0.15 ms.
"""

from collections import deque

import numpy as np

from lvc.codecs.palette.memory import ALONE_SLOTS, GUESS_MARKS, MARK_BITS, MARKS, Memory, memory_of
from lvc.codecs.palette.model import Palette
from lvc.kernels.compiled import bare, inlined

KEPT = 4  # idle ones, 7 MB each
MARKED = 1 << MARK_BITS  # slots of a block


class Memories:
    """Memories of one model, each as at a group's beginning when it is taken. Any number of threads may take them and give them back."""

    def __init__(self, model: Palette, rate: int):
        self._beginning = memory_of(model, rate)
        self._idle: deque[Memory] = deque(maxlen=KEPT)  # without a lock, because what is dropped while one is held may be what gives a memory back

    @property
    def nbytes(self) -> int:
        """Memory held, about, but what is taken."""
        return (1 + len(self._idle)) * self._beginning.nbytes

    def take(self) -> Memory:
        try:
            memory = self._idle.pop()
        except IndexError:
            return self._beginning.copy()
        restore(memory.marks, blocks_of(memory), blocks_of(self._beginning))
        memory.slots[:ALONE_SLOTS], memory.weights[:] = self._beginning.slots[:ALONE_SLOTS], self._beginning.weights
        return memory

    def give(self, memory: Memory) -> None:
        """Of one that was taken here, by whom nothing looks at it any more."""
        self._idle.append(memory)


def blocks_of(memory: Memory) -> tuple[np.ndarray, np.ndarray]:
    """Slots and guesses, each block a row."""
    return memory.slots.reshape(-1, MARKED), memory.guesses.reshape(-1, MARKED)


@bare
def restore(marks, memory, beginning):
    """Makes the marked blocks of slots and guesses as at the beginning, and takes their marks away."""
    (slots, guesses), (first_slots, first_guesses) = memory, beginning
    for block in range(GUESS_MARKS):
        if marks[block]:
            copy_block(first_slots[block], slots[block])
    for block in range(GUESS_MARKS, MARKS):
        if marks[block]:
            copy_block(first_guesses[block - GUESS_MARKS], guesses[block - GUESS_MARKS])
    for block in range(MARKS):
        marks[block] = 0


@inlined
def copy_block(source, target):
    for place in range(MARKED):  # of a length that is known, so that it becomes a few wide moves
        target[place] = source[place]
