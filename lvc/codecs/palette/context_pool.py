"""Context models that groups have learned in and are done with, for the next groups: what was written is undone, page
by page.

A copy of 7 MB took 0.3 ms and 1,700 page faults, a tenth of what it takes to open a file and read a frame; this takes
0.08 to 0.15 ms.
"""

from collections import deque

from lvc.codecs.palette.context_model import CONTEXT_MODEL, ContextModel, initial_model
from lvc.codecs.palette.model import Palette
from lvc.kernels.binding import Kernel, Struct

KEPT = 4  # idle ones, 7 MB each
restore = Kernel("lvc_palette_restore", Struct(structs={"model": CONTEXT_MODEL, "initial": CONTEXT_MODEL}))


class ContextPool:
    """Context models of one set of weights, each as at a group's beginning when it is taken.
    Any number of threads may take them and give them back.
    """

    def __init__(self, weights: Palette, rate: int):
        self._initial = initial_model(weights, rate)
        # Without a lock, because what is dropped while one is held may be what gives a model back
        self._idle: deque[ContextModel] = deque(maxlen=KEPT)

    @property
    def nbytes(self) -> int:
        """Memory held, about, but what is taken."""
        return (1 + len(self._idle)) * self._initial.nbytes

    def take(self) -> ContextModel:
        try:
            model = self._idle.pop()
        except IndexError:
            return self._initial.copy()
        restore(model=model.state, initial=self._initial.state)
        return model

    def give(self, model: ContextModel) -> None:
        """Takes back a model that was taken here and that nothing uses any more."""
        self._idle.append(model)
