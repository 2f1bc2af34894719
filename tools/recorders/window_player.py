"""A player before a window: keys held for a while and mouse strokes, drawn from a seed, a step each recorded frame."""

import random
from dataclasses import dataclass, field

from recorders.display import Display
from recorders.screen import RATE


@dataclass(frozen=True)
class Play:
    """How a game is played blindly.

    keys: name to weight and the shortest and longest seconds it is held. together: the chance that a second key is held
    too. strokes: whether the mouse moves: "position" to places of the window, "turn" by so many pixels, as one looks
    around; area of the window that strokes keep to, as shares. buttons: name to presses a minute. regular: keys pressed
    every so many seconds, as one who starts again after a fall.
    """

    keys: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    together: float = 0.4
    strokes: str = ""
    area: tuple[float, float, float, float] = (0.1, 0.1, 0.9, 0.9)
    turn: tuple[int, int] = (6, 2)
    buttons: dict[str, float] = field(default_factory=dict)
    regular: dict[str, float] = field(default_factory=dict)


class WindowPlayer:
    """Plays so before a display; `next` is called before each recorded frame."""

    def __init__(self, play: Play, seed: int, display: Display):
        self.play, self.display = play, display
        self.random = random.Random(seed)
        self.frame = 0
        self.held: dict[str, int] = {}  # key or button to the frame at which it is let go
        self.at = (display.width / 2, display.height / 2)
        self.target, self.until, self.speed = self.at, 0, (0.0, 0.0)

    def next(self) -> None:
        """Does what is due at this frame."""
        self._let_go()
        if self.play.keys and not any(key in self.play.keys for key in self.held):
            self._hold_keys()
        for key, seconds in self.play.regular.items():
            if self.frame % round(seconds * RATE) == round(seconds * RATE) - 1:
                self._press(key, 4)
        for button, a_minute in self.play.buttons.items():
            if button not in self.held and self.random.random() < a_minute / 60 / RATE:
                self._press(button, self.random.randint(3, 12))
        if self.play.strokes:
            self._stroke()
        self.frame += 1

    def _press(self, name: str, frames: int) -> None:
        if name in self.held:
            return
        (self.display.button if name in self.play.buttons else self.display.key)(name, down=True)
        self.held[name] = self.frame + frames

    def _let_go(self) -> None:
        for name in [name for name, end in self.held.items() if end <= self.frame]:
            (self.display.button if name in self.play.buttons else self.display.key)(name, down=False)
            del self.held[name]

    def _hold_keys(self) -> None:
        names = list(self.play.keys)
        weights = [self.play.keys[name][0] for name in names]
        chosen = {self.random.choices(names, weights)[0]}
        if self.random.random() < self.play.together:
            chosen.add(self.random.choices(names, weights)[0])
        for name in sorted(chosen):
            _, shortest, longest = self.play.keys[name]
            self._press(name, max(1, round(self.random.uniform(shortest, longest) * RATE)))

    def _stroke(self) -> None:
        if self.frame >= self.until:
            left, top, right, bottom = self.play.area
            self.until = self.frame + self.random.randint(8, 40)
            self.target = (
                self.random.uniform(left, right) * self.display.width,
                self.random.uniform(top, bottom) * self.display.height,
            )
            self.speed = tuple(self.random.uniform(-most, most) for most in self.play.turn)
        if self.play.strokes == "turn":
            self.display.move_by(round(self.speed[0]), round(self.speed[1]))
            return
        left = max(1, self.until - self.frame)
        self.at = tuple(at + (target - at) / left for at, target in zip(self.at, self.target))
        self.display.move(*self.at)
