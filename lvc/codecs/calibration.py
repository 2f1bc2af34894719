"""Which level of an encoder's quantiser gives a wanted quality: read from trials at fixed levels, so that it falls as
the wish rises."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lvc.codecs.codec import Fit, GroupCodec
from lvc.codecs.crf import CRF_LEVELS, psnr_of_crf

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


class FittedCodec(GroupCodec):
    """A codec whose quantiser has a level for a whole file, `level` in its spec, which the file's frames choose."""

    @property
    @abstractmethod
    def tried_levels(self) -> Sequence[int]:
        """Levels to try, the best first, between which quality is about a straight line."""

    @property
    @abstractmethod
    def levels(self) -> range:
        """All levels, the best first."""

    @abstractmethod
    def trial(self, runs: Sequence[np.ndarray], level: int) -> Point:
        """What short runs of frames, uint8 [T, H, W, 3] each, come to at a level."""

    def longer_trial(self, fit: Fit, runs: Sequence[np.ndarray]) -> Callable[[int], Point]:
        """What tells what longer runs come to at a level. fit: what short ones said."""
        del fit
        return lambda level: self.trial(runs, level)

    def quantiser_at(self, level: int) -> dict:
        """The quantiser's spec with a level."""
        return {**self.quantiser_spec, "level": level}

    @property
    def has_level(self) -> bool:
        """Whether the spec has a level: then there is nothing to choose."""
        return self.quantiser_spec.get("level") is not None

    def fitted(self, runs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Fit:
        """The level that gives some frames the quality that crf means, and what they come to at it."""
        if self.has_level:
            return super().fitted(runs)
        shown = [shown for _, shown in runs]
        guess = self.crf * len(self.tried_levels) // CRF_LEVELS
        found = level_at(psnr_of_crf(self.crf), lambda level: self.trial(shown, level), self.tried_levels, guess=guess)
        return self._fit(found, shown)

    def settled(self, fit: Fit, runs: Sequence[np.ndarray]) -> Fit:
        if self.has_level or fit.quantiser is None or not runs:
            return fit
        near = Point(fit.quantiser["level"], fit.psnr, fit.bytes_per_frame, fit.slope)
        trial = self.longer_trial(fit, runs)
        return self._fit(corrected(psnr_of_crf(self.crf), near, trial, self.levels), runs)

    def _fit(self, found: Point, runs: Sequence[np.ndarray]) -> Fit:
        count = sum(map(len, runs))
        return Fit(count, found.psnr, found.bytes_per_frame, self.quantiser_at(found.level), found.slope)

    def level_of(self, frames: np.ndarray) -> int:
        """The spec's level, or where it has none the one that suits the frames of a group, uint8 [T, H, W, 3]."""
        if not self.has_level:
            fit = self.fitted([(run, run) for run in runs_of([frames])])
            return self.settled(fit, [frames]).quantiser["level"]
        return self.quantiser_spec["level"]
