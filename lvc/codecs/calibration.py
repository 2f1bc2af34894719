"""Which level of an encoder's quantiser gives a wanted quality: read from trials at fixed levels, so that it falls as
the wish rises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RUNS, RUN_FRAMES = 2, 12  # runs of frames that are tried, and frames of each: a trial takes libaom a second or two


@dataclass(frozen=True)
class Point:
    """What some frames come to at a level: mean PSNR in dB over frames, and bytes a frame."""

    level: int
    psnr: float
    bytes_per_frame: float


def runs_of(groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Up to RUNS runs of up to RUN_FRAMES frames, spread over the frames uint8 [T, H, W, 3] of groups in a row."""
    total = sum(map(len, groups))
    frames = [frame for group in groups for frame in group]
    if total <= RUNS * RUN_FRAMES:
        return [np.stack(frames)]
    starts = np.linspace(0, total - RUN_FRAMES, RUNS).astype(int)
    return [np.stack(frames[start : start + RUN_FRAMES]) for start in starts]


def level_at(wanted: float, trial: Callable[[int], Point], grid: Sequence[int], *, guess: int) -> Point:
    """The level whose PSNR is nearest to the one wanted, by a straight line between two trials of the grid; bytes
    likewise, on a log scale.

    trial: what frames come to at a level; PSNR falls as levels rise. grid: levels to try, the best first. guess: the
    place in it to begin at.
    The levels tried do not depend on the wish, so that of two wishes the higher never gets the higher level.
    """
    known: dict[int, Point] = {}

    def at(place: int) -> Point:
        if place not in known:
            known[place] = trial(grid[place])
        return known[place]

    place = min(max(guess, 0), len(grid) - 2)  # between this level of the grid and the next
    while place > 0 and at(place).psnr < wanted:
        place -= 1
    while place < len(grid) - 2 and at(place + 1).psnr > wanted:
        place += 1
    better, worse = at(place), at(place + 1)
    share = (better.psnr - wanted) / max(better.psnr - worse.psnr, 1e-6)
    share = min(max(share, 0.0), 1.0)
    level = round(better.level + share * (worse.level - better.level))
    share = (level - better.level) / (worse.level - better.level)
    rate = better.bytes_per_frame ** (1 - share) * worse.bytes_per_frame**share
    return Point(level, better.psnr + share * (worse.psnr - better.psnr), rate)
