"""The times of a recording's frames as they are meant: from clocks that start again, jump, stand still or are missing,
one that goes on.
"""

from fractions import Fraction

# FFmpeg's own threshold for formats whose clocks may break (AVFMT_TS_DISCONT, as MPEG-TS):
# further ahead is another clock, not a pause.
JUMP_SECONDS = 10
# Frames that a codec may put out of order at most (H.264, H.265: 16): times less far back are badly stored,
# not a clock that starts again.
REORDERED = 16


class Timeline:
    """Gives each frame, in the order of display, a time of its own that is later than the one before.

    tick: seconds, of the times that are given out. finer: how many of them make a tick of the stream, where that one is
    too long to tell its frames apart. period: ticks from frame to frame at the stream's average rate. breaks: whether
    the format's clock may jump ahead. Times that increase come out as they are, so that a sound recording keeps its
    exact ones.
    """

    def __init__(self, *, period: Fraction, tick: Fraction, finer: int = 1, breaks: bool = False):
        self._period, self._tick, self._finer, self._breaks = period, tick, finer, breaks
        self._shift = 0  # of the clock that runs now, against the first
        self._latest: int | None = None
        self._counted = Fraction(0)  # where the latest frame is by counting, exactly
        self._frames = 0
        self._restarts: list[int] = []  # frames before each
        self._jumps: list[int] = []
        self._untimed = self._nudged = 0

    def place(self, stored: int | None) -> int:
        """The time of the next frame, from the one that is stored in ticks of the stream,
        or None where there is none.
        """
        time = self._counted_on() if stored is None else self._placed(stored * self._finer)
        if stored is not None or self._latest is None:
            self._counted = Fraction(time)
        self._latest, self._frames = time, self._frames + 1
        return time

    def _counted_on(self) -> int:
        self._untimed += 1
        if self._latest is None:
            return 0
        self._counted += self._period
        return max(self._latest + 1, round(self._counted))

    def _placed(self, time: int) -> int:
        latest = self._latest
        if latest is None:
            return time
        step = max(1, round(self._period))
        time += self._shift
        if time > latest and not (self._breaks and (time - latest) * self._tick > JUMP_SECONDS):
            return time
        if time <= latest and latest - time <= REORDERED * self._period:
            self._nudged += 1
            return latest + (max(1, int(self._period)) if self._finer > 1 else 1)
        (self._restarts if time <= latest else self._jumps).append(self._frames)
        self._shift += latest + step - time
        return latest + step

    @property
    def latest(self) -> int:
        """The time of the latest frame, 0 before there is one."""
        return self._latest or 0

    @property
    def notes(self) -> list[str]:
        """What was done that the file does not say, a line each."""
        found = []
        if self._restarts:
            found.append(
                f"its clock starts again after frame {self._restarts[0]}{times(self._restarts)}: times go on from there"
            )
        if self._jumps:
            found.append(
                f"its clock jumps ahead by more than {JUMP_SECONDS} s after frame "
                f"{self._jumps[0]}{times(self._jumps)}: times go on without the gap"
            )
        if self._nudged and self._finer > 1:
            found.append(
                f"its ticks of {self._tick * self._finer} s are too long for its frames: those of one tick were "
                "spread over it"
            )
        elif self._nudged:
            found.append(
                f"{self._nudged} of {self._frames} frames have a time that is not later than the one before: they "
                "were put right after it"
            )
        if self._untimed == self._frames > 1:
            found.append(
                f"it stores no times: frames were counted at {float(1 / (self._period * self._tick)):.6g} a second"
            )
        elif self._untimed:
            found.append(
                f"{self._untimed} of {self._frames} frames have no time of their own: they were counted at the "
                "average rate"
            )
        return found


def times(places: list[int]) -> str:
    return f", and {len(places) - 1} time{'s' * (len(places) > 2)} more" if len(places) > 1 else ""
