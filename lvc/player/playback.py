"""Where playback stands, and what each action does to it; knows no window and no pixels."""

from bisect import bisect_right

from lvc.errors import OptionError
from lvc.player.keys import Action
from lvc.reading.times import clock

SPEED_STEP = 1.1
SLOWEST, FASTEST = 0.01, 100.0

SEEKS_SECONDS = {
    Action.FORWARD_1_SECOND: 1,
    Action.BACK_1_SECOND: -1,
    Action.FORWARD_5_SECONDS: 5,
    Action.BACK_5_SECONDS: -5,
    Action.FORWARD_1_MINUTE: 60,
    Action.BACK_1_MINUTE: -60,
}


class Playback:
    """A position in time that runs, pauses, seeks and loops.

    times: presentation times of the frames in seconds, rising. end: when the last frame has been shown.
    All times are in seconds on the file's own clock. Raises OptionError for no frames.
    """

    def __init__(self, times, end: float, *, loop: bool = False, paused: bool = False):
        if not len(times):
            raise OptionError("there is no frame to play")
        self._times = list(times)
        self.start = self._times[0]
        self.end = max(end, self._times[-1])
        self.position = self.start
        self.speed = 1.0
        self.paused = paused
        self.loop = loop
        self.overlay = True
        self.help = False
        self.a: float | None = None
        self.b: float | None = None

    @property
    def frame(self) -> int:
        """The number of the frame on screen."""
        return max(0, bisect_right(self._times, self.position) - 1)

    @property
    def ended(self) -> bool:
        return self.position >= self.end

    def advance(self, elapsed_seconds: float) -> None:
        """Lets time pass on the wall clock."""
        if self.paused:
            return
        before, self.position = self.position, self.position + elapsed_seconds * self.speed
        if self.b is not None and before < self.b <= self.position:
            self.position = self.a + (self.position - self.b) % (self.b - self.a)
        elif self.position >= self.end:
            if self.loop and self.end > self.start:
                self.position = self.start + (self.position - self.end) % (self.end - self.start)
            else:
                # As mpv's --keep-open: the last frame stays.
                self.position, self.paused = self.end, True

    def seek(self, seconds: float) -> None:
        """Goes to a time, or to the nearest one that has a frame."""
        self.position = min(max(seconds, self.start), self._times[-1])

    def act(self, action: Action) -> str | None:
        """Does what an action asks, and returns what to tell the viewer; None for an action that is not playback's."""
        if action in SEEKS_SECONDS:
            self.seek(self.position + SEEKS_SECONDS[action])
            return clock(self.position)
        match action:
            case Action.PAUSE:
                if self.paused and self.ended:
                    self.position = self.start
                self.paused = not self.paused
                return "paused" if self.paused else "playing"
            case Action.STEP | Action.STEP_BACK:
                self.paused = True
                step = 1 if action is Action.STEP else -1
                self.position = self._times[min(max(self.frame + step, 0), len(self._times) - 1)]
                return f"frame {self.frame + 1}"
            case Action.START:
                self.seek(self.start)
                return clock(self.position)
            case Action.FASTER | Action.SLOWER | Action.NORMAL_SPEED:
                factor = {Action.FASTER: SPEED_STEP, Action.SLOWER: 1 / SPEED_STEP}.get(action)
                speed = 1.0 if factor is None else self.speed * factor
                # Up and down again must end at exactly 1.
                self.speed = 1.0 if abs(speed - 1) < 1e-6 else min(max(speed, SLOWEST), FASTEST)
                return f"speed {self.speed:.2f}x"
            case Action.A_B_LOOP:
                return self._set_a_or_b()
            case Action.LOOP:
                self.loop = not self.loop
                return "loop on" if self.loop else "loop off"
            case Action.OVERLAY:
                self.overlay = not self.overlay
                return ""
            case Action.HELP:
                self.help = not self.help
                return ""
        return None

    def _set_a_or_b(self) -> str:
        if self.a is None:
            self.a = self.position
            return f"A {clock(self.a)}"
        if self.b is None:
            if self.position == self.a:
                return "B must be another time than A"
            self.a, self.b = sorted((self.a, self.position))
            self.position = self.a
            return f"A-B {clock(self.a)} to {clock(self.b)}"
        self.a = self.b = None
        return "A-B loop cleared"
