"""The order in which a frame of few colours is coded: what moved, which blocks are coded, new colours, then pixels coarse to fine.

One walk serves both directions: the encoder passes frames, the decoder passes None, and both get the colours back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lvc.entropy.tables import Tables, in_proportion
from lvc.errors import FormatError
from lvc.flags import code_flags
from lvc.models.integer_layers import ACTIVATION_LIMIT
from lvc.models.palette import SIDE, FlagNetwork, Palette
from lvc.models.temporal import phase_of
from lvc.palette.facts import BLOCK_PHASES, CANDIDATES, NONE, BlockFacts, Candidates, Surroundings, differs
from lvc.palette.moves import BACKS, Move, code_moves, moved
from lvc.palette.passes import KEY_PASSES, PREDICTED_PASSES, Pass

COLOUR_BITS = 24
COUNT_BITS = 12  # of the new colours of a frame
COLOURS_LIMIT = 1 << COUNT_BITS  # in a group
ESCAPE_WEIGHT = 2  # of a colour that was escaped to before, beside the 1 of every colour


class PaletteFrames:
    """Codes the frames of one group in order; keeps what the next one is predicted from.

    model: exact and ready to code. flags: its tables.
    """

    def __init__(self, model: Palette, flags: Tables):
        self.pixels, self.blocks, self.flags = Network(model.pixels), Network(model.blocks), flags
        self.past: Past | None = None

    def code_frames(self, symbols, count: int, coder, shape: tuple[int, int, int], moves: Sequence[Sequence[Move]] = ()) -> np.ndarray:
        """Codes colours int32 [T, 1, H, W] of the next `count` frames with `coder`, or decodes them where `symbols` is None; gives
        them back. In place of one frame's colours may stand a `Choice`, that finds them. moves: of each frame, or none at all.

        Raises FormatError for what cannot be.
        """
        result = np.empty((count, *shape), np.int32)
        for place in range(count):
            wanted = None if symbols is None else symbols[place]
            if isinstance(wanted, np.ndarray):
                wanted = Known(wanted[0], moves[place] if moves else ())
            result[place, 0] = self._code_frame(wanted, coder, shape[1:])
        return result

    def _code_frame(self, wanted: "Known | None", coder, size: tuple[int, int]) -> np.ndarray:
        past, shape = self.past, (size[0] // SIDE, size[1] // SIDE)
        if past is None:
            expected, settled, coded, passes = None, None, np.ones(shape, bool), KEY_PASSES
            table = ColourTable()
        else:
            moves = code_moves(None if wanted is None else wanted.moves, coder, shape, len(past.pictures))
            expected, settled, passes, table = moved(past.pictures, moves), past.settled, PREDICTED_PASSES, past.table
            coded = self._code_blocks(None if wanted is None else wanted.blocks(expected), past, expected, coder)
        unknown = np.repeat(np.repeat(coded, SIDE, axis=0), SIDE, axis=1)
        table.code_new(None if wanted is None else wanted.colours(unknown), coder)
        around = Surroundings(expected, settled, unknown)
        rows, columns = np.nonzero(unknown)
        for step in passes:
            here = step.places(rows, columns)
            if here.any():
                self._code_pixels(wanted, step, rows[here], columns[here], around, table, coder)
        picture = around.whole()
        self.past = Past.after(past, picture, coded, table)
        return picture

    def _code_blocks(self, wanted: np.ndarray | None, past: "Past", expected: np.ndarray, coder) -> np.ndarray:
        """Codes which blocks [rows, columns] are coded; the others are as expected."""
        about = BlockFacts(past.pictures[0], expected, past.settled, past.changed)
        result, phases = np.zeros(about.shape, bool), phase_of(*about.shape, BLOCK_PHASES).numpy()
        for phase in range(BLOCK_PHASES):
            here = np.nonzero(phases == phase)
            flags = code_flags(None if wanted is None else wanted[here], self.blocks.odds(about.facts(phase, *here)), self.flags, coder)
            result[here] = flags
            about.tell(*here, flags)
        return result

    def _code_pixels(self, wanted: "Known | None", step: Pass, rows: np.ndarray, columns: np.ndarray, around: Surroundings, table: "ColourTable", coder) -> None:
        """Codes the pixels of one pass: yes or no to each candidate in turn, then the place in the table of colours."""
        candidates = Candidates(*around.sources(step, rows, columns))
        odds = Odds(self.pixels, candidates, step, len(table.colours), predicted=around.expected is not None)
        chosen = None if wanted is None else wanted.pick(rows, columns, candidates, odds)
        result = np.full(len(rows), NONE, np.int32)
        left = np.arange(len(rows))
        for rank in range(CANDIDATES):
            here = left[candidates.counts[left] > rank]
            if not len(here):
                break
            offered = candidates.colours[here, rank]
            taken = code_flags(None if chosen is None else chosen[here] == offered, odds.at(here, rank), self.flags, coder)
            result[here[taken]] = offered[taken]
            left = left[result[left] == NONE]
        if len(left):
            result[left] = table.code(None if chosen is None else chosen[left], len(left), coder)
        around.tell(rows, columns, result)


class Network:
    """A `FlagNetwork` for coding: whole log-odds from facts, exactly."""

    def __init__(self, network: FlagNetwork):
        self.layers = network.rows

    def odds(self, facts: np.ndarray) -> np.ndarray:
        """int32 [N] of facts float32 [N, F]."""
        first, second, last = self.layers
        x = np.clip(first(facts), 0, ACTIVATION_LIMIT)
        x = np.clip(second(x), 0, ACTIVATION_LIMIT)
        return last(x)[:, 0].astype(np.int32)


class Odds:
    """What the network says of the candidates of some pixels: log-odds that each is right where those before it were not."""

    def __init__(self, network: Network, candidates: Candidates, step: Pass, palette_size: int, *, predicted: bool):
        self.network, self.candidates, self.step, self.palette_size, self.predicted = network, candidates, step, palette_size, predicted
        self.said: dict[int, np.ndarray] = {}

    def at(self, here: np.ndarray, rank: int) -> np.ndarray:
        """int32 [N] at pixels `here`, each of which has a candidate of this rank."""
        if rank in self.said:
            return self.said[rank][here]
        return self.network.odds(self.candidates.facts(here, rank, self.step, self.palette_size, predicted=self.predicted))

    def everywhere(self, rank: int) -> np.ndarray:
        """int32 [N] of all pixels, 0 where there is no candidate of this rank."""
        said = np.zeros(len(self.candidates.counts), np.int32)
        here = np.flatnonzero(self.candidates.counts > rank)
        if len(here):
            said[here] = self.at(here, rank)
        self.said[rank] = said
        return said


class ColourTable:
    """The colours of a group so far, in the order in which they were told, and how often each was told by its place."""

    def __init__(self):
        self.colours, self.counts = np.empty(0, np.int32), np.empty(0, np.int64)

    def code_new(self, wanted: np.ndarray | None, coder) -> None:
        """Codes colours [N] that a frame needs; those known already are left out."""
        new = None if wanted is None else np.setdiff1d(wanted, self.colours)
        some = int(coder.code_bits(None if new is None else np.array([len(new) > 0]), 1, 1)[0])
        if not some:
            return
        count = int(coder.code_bits(None if new is None else np.array([len(new) - 1]), COUNT_BITS, 1)[0]) + 1
        if len(self.colours) + count > COLOURS_LIMIT:
            raise FormatError(f"the coded symbols are damaged: a group of more than {COLOURS_LIMIT} colours")
        new = coder.code_bits(new, COLOUR_BITS, count)
        self.colours = np.append(self.colours, new.astype(np.int32))
        self.counts = np.append(self.counts, np.zeros(count, np.int64))

    def code(self, wanted: np.ndarray | None, count: int, coder) -> np.ndarray:
        """Codes colours [count] of the table by their places."""
        if not len(self.colours):
            raise FormatError("the coded symbols are damaged: there are no colours")
        places = None
        if wanted is not None:
            order = np.argsort(self.colours)
            places = order[np.searchsorted(self.colours, wanted, sorter=order)].astype(np.int32)
        places = coder.code_by_size(places, in_proportion(1 + ESCAPE_WEIGHT * self.counts), np.zeros(count, np.int64))
        self.counts += np.bincount(places, minlength=len(self.colours))
        return self.colours[places]


@dataclass(frozen=True)
class Known:
    """A frame whose colours int32 [H, W] are known before they are coded, and what has moved in it."""

    picture: np.ndarray
    moves: Sequence[Move] = ()

    def blocks(self, expected: np.ndarray) -> np.ndarray:
        return differs(self.picture, expected)

    def colours(self, unknown: np.ndarray) -> np.ndarray:
        return np.unique(self.picture[unknown])

    def pick(self, rows: np.ndarray, columns: np.ndarray, candidates: Candidates, odds: Odds) -> np.ndarray:
        return self.picture[rows, columns]


@dataclass(frozen=True)
class Past:
    """What a frame is predicted from: colours int32 [H, W] of the frames before, the latest first, and of what last stood still;
    which blocks were coded in the last frame and the one before; the group's colours.
    """

    pictures: tuple[np.ndarray, ...]
    settled: np.ndarray
    changed: tuple[np.ndarray, np.ndarray]
    table: ColourTable

    @staticmethod
    def after(past: "Past | None", picture: np.ndarray, coded: np.ndarray, table: ColourTable) -> "Past":
        if past is None:
            still = np.zeros_like(coded)
            return Past((picture,), picture, (still, still), table)
        settled = np.where(picture == past.pictures[0], picture, past.settled)
        return Past((picture, *past.pictures[: BACKS - 1]), settled, (coded, past.changed[0]), table)
