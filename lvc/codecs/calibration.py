"""Which level of an encoder's quantiser gives a wanted quality: read from trials at fixed levels, so that it falls as
the wish rises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RUNS, RUN_FRAMES = 2, 12  # runs of frames that are tried, and frames of each: a trial takes libaom a second or two
# Of the correction on longer runs: trials at most, levels between those that are tried, and dB a level at least.
TRIALS, APART, LEAST_SLOPE = 2, 4, 0.05
# A decibel more takes 18 to 23 % more bytes on games, whichever codec it is.
BYTES_A_DECIBEL = 1.22


@dataclass(frozen=True)
class Point:
    """What some frames come to at a level: mean PSNR in dB over frames, and bytes a frame.

    slope: dB that are lost from one level to the next there, where that is known.
    """

    level: int
    psnr: float
    bytes_per_frame: float
    slope: float = 0.0


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
    lost = max(better.psnr - worse.psnr, 1e-6)
    share = (better.psnr - wanted) / lost
    share = min(max(share, 0.0), 1.0)
    level = round(better.level + share * (worse.level - better.level))
    share = (level - better.level) / (worse.level - better.level)
    rate = better.bytes_per_frame ** (1 - share) * worse.bytes_per_frame**share
    slope = lost / (worse.level - better.level)
    return Point(level, better.psnr + share * (worse.psnr - better.psnr), rate, slope)


def corrected(wanted: float, near: Point, trial: Callable[[int], Point], levels: range) -> Point:
    """The level whose PSNR on longer runs is the wanted one, from what short ones said and a trial or two.

    near: what short runs came to, with its slope. trial: what the longer runs come to at a level.
    Of a group's many frames some lie before scenes that are easier than those of a short run, and what stands still
    gets better with each: real games come out up to 2 dB beside their short runs. The slope is the same.
    """
    level, point = near.level, near
    for _ in range(TRIALS):
        # Levels at even distances, so that wishes near each other are led by the same trials
        tried = min(max(round(level / APART) * APART, levels[0]), levels[-1])
        if point is not near and abs(tried - point.level) < APART:
            break
        point = trial(tried)
        level = tried + (point.psnr - wanted) / max(near.slope, LEAST_SLOPE)
        level = min(max(round(level), levels[0]), levels[-1])
    lost = (level - point.level) * near.slope
    return Point(level, point.psnr - lost, point.bytes_per_frame * BYTES_A_DECIBEL**-lost, near.slope)
