"""The order in which a frame of few colours is coded: what moved, which blocks are coded, new colours, then pixels coarse to fine.

One walk serves both directions: the encoder passes frames, the decoder passes None, and both get the colours back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lvc.entropy.tables import Tables, in_proportion
from lvc.errors import FormatError
from lvc.flags import code_flags
from lvc.models.palette import SIDE, FlagNetwork, Palette
from lvc.models.temporal import phase_of
from lvc.palette.colours import rgb
from lvc.palette.facts import BLOCK_PHASES, CANDIDATES, NONE, BlockFacts, Candidates, Surroundings, differs
from lvc.palette.moves import BACKS, Move, code_moves, moved
from lvc.palette.passes import KEY_PASSES, PREDICTED_PASSES, Pass

COLOUR_BITS = 24
COUNT_BITS = 12  # of the new colours of a frame
COLOURS_LIMIT = 1 << COUNT_BITS  # in a group
# How likely the ranks of colours are at first, the nearest first, and how much each that was right adds.
FIRST_RANKS, RANK_WEIGHT = 64, 8
RANKED_AT_ONCE = 1024  # pixels: bounds the memory
LAST = 1 << 32  # further than any colour


class PaletteFrames:
    """Codes the frames of one group in order; keeps what the next one is predicted from.

    model: exact and ready to code. flags: its tables. observer: sees all that is decided, for training.
    """

    def __init__(self, model: Palette, flags: Tables, observer: "Observer | None" = None):
        self.pixels, self.blocks, self.flags, self.observer = model.pixels, model.blocks, flags, observer
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
            expected, earlier, coded, passes, table = None, (), np.ones(shape, bool), KEY_PASSES, ColourTable()
        else:
            moves = code_moves(None if wanted is None else wanted.moves, coder, shape, len(past.pictures))
            expected, passes, table = moved(past.pictures, moves), PREDICTED_PASSES, past.table
            earlier = past.settled, past.pictures[0], past.pictures[min(1, len(past.pictures) - 1)]
            coded = self._code_blocks(None if wanted is None else wanted.blocks(expected), past, expected, coder)
        unknown = np.repeat(np.repeat(coded, SIDE, axis=0), SIDE, axis=1)
        table.code_new(None if wanted is None else wanted.colours(unknown), coder)
        around = Surroundings(unknown, expected, earlier)
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
            facts = about.facts(phase, *here)
            flags = code_flags(None if wanted is None else wanted[here], self.blocks.odds(facts), self.flags, coder)
            result[here] = flags
            if self.observer:
                self.observer.blocks(facts, flags)
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
            result[left] = table.code(None if chosen is None else chosen[left], candidates.colours[left], coder)
        around.tell(rows, columns, result)
        if self.observer:
            self.observer.pixels(odds, result)


class Observer(Protocol):
    """Sees what is decided: of blocks the facts [N, BLOCK_FACTS] and whether they are coded; of pixels the candidates and the colours [N]."""

    def blocks(self, facts: np.ndarray, coded: np.ndarray) -> None: ...

    def pixels(self, odds: "Odds", colours: np.ndarray) -> None: ...


class Odds:
    """What the network says of the candidates of some pixels: log-odds that each is right where those before it were not."""

    def __init__(self, network: FlagNetwork, candidates: Candidates, step: Pass, palette_size: int, *, predicted: bool):
        self.network, self.candidates, self.step, self.palette_size, self.predicted = network, candidates, step, palette_size, predicted
        self.said: dict[int, np.ndarray] = {}

    def at(self, here: np.ndarray, rank: int) -> np.ndarray:
        """int32 [N] at pixels `here`, each of which has a candidate of this rank."""
        return self.said[rank][here] if rank in self.said else self.network.odds(self.facts(here, rank))

    def facts(self, here: np.ndarray, rank: int) -> np.ndarray:
        return self.candidates.facts(here, rank, self.step, self.palette_size, predicted=self.predicted)

    def everywhere(self, rank: int) -> np.ndarray:
        """int32 [N] of all pixels, 0 where there is no candidate of this rank."""
        said = np.zeros(len(self.candidates.counts), np.int32)
        here = np.flatnonzero(self.candidates.counts > rank)
        if len(here):
            said[here] = self.at(here, rank)
        self.said[rank] = said
        return said


class ColourTable:
    """The colours of a group so far, in the order in which they were told, and how a pixel of none of the colours around it is told
    one: by its rank among them, those between the two likeliest colours around first, as where an edge is smoothed.
    """

    def __init__(self):
        self.colours = np.empty(0, np.int32)
        self.ranked = np.empty(0, np.int64)  # how often each rank was right

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
        self.ranked = np.append(self.ranked, np.zeros(count, np.int64))

    def code(self, wanted: np.ndarray | None, refused: np.ndarray, coder) -> np.ndarray:
        """Codes colours [N] of pixels whose candidates [N, CANDIDATES], the likeliest first, were refused."""
        if not len(self.colours):
            raise FormatError("the coded symbols are damaged: there are no colours")
        result = np.empty(len(refused), np.int32)
        tables = in_proportion(FIRST_RANKS // np.arange(1, len(self.colours) + 1) + RANK_WEIGHT * self.ranked + 1)
        for start in range(0, len(refused), RANKED_AT_ONCE):
            part = slice(start, start + RANKED_AT_ONCE)
            order = self.order(refused[part])
            ranks = None
            if wanted is not None:
                ranks = (self.colours[order] == wanted[part, None]).argmax(axis=1).astype(np.int32)
            ranks = coder.code(ranks, tables, np.zeros(len(order), np.int64))
            self.ranked += np.bincount(ranks, minlength=len(self.colours))
            result[part] = self.colours[order[np.arange(len(order)), ranks]]
        return result

    def order(self, refused: np.ndarray) -> np.ndarray:
        """Places of all colours [N, K] in the order of their ranks."""
        first, second = refused[:, 0], np.where(refused[:, 1] == NONE, refused[:, 0], refused[:, 1])
        far = distances(self.colours, first) + distances(self.colours, second)
        far[(self.colours[None, :, None] == refused[:, None, :]).any(axis=2)] = LAST
        return np.argsort(far, axis=1, kind="stable")


def distances(colours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far colours [K] lie from others [N], in whole 1/256 levels: int64 [N, K]."""
    apart = rgb(others)[:, None].astype(np.int64) - rgb(colours)
    # A root of float64 is rounded exactly, and far from any whole number that it is not.
    return np.floor(np.sqrt((np.square(apart).sum(axis=2) << 16).astype(np.float64))).astype(np.int64)


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
