"""Games with a window, under Xvfb and software GL, their time in the recorder's hand (clock.py)."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from recorders.clock import GameClock
from recorders.display import Display
from recorders.modules import absent_programs
from recorders.screen import RATE
from recorders.take import Take
from recorders.window_player import WindowPlayer
from recorders.windowed_games import GAMES, Game

ENLARGE = cv2.INTER_LINEAR
PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/games"
NEEDED = {"Xvfb": "apt xvfb", "gcc": "apt gcc", "xdotool": "apt xdotool"}  # xdotool brings the libraries of X's tests


def missing(game: str) -> list[str]:
    """The packages that the game needs and that are not here."""
    return absent_programs({**NEEDED, GAMES[game].command[0]: f"apt {GAMES[game].package}"}, PATH)


def pictures(take: Take):
    """Yields what the game shows, uint8 [height, width, 3] of its window, each 1/30 s of its time, without end."""
    game = GAMES[take.game]
    with tempfile.TemporaryDirectory(prefix="record-") as name:
        folder = Path(name)
        with Display(folder, *game.screen) as display:
            clock = GameClock(folder)
            process = _start(game, folder, display, clock)
            try:
                yield from _play(game, take, process, display, clock)
            finally:
                clock.release()
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _start(game: Game, folder: Path, display: Display, clock: GameClock) -> subprocess.Popen:
    home = folder / "home"
    for path, content in game.files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(content)
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        **clock.environment(),
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PATH": PATH,
        "DISPLAY": display.name,
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "LP_NUM_THREADS": "1",
        "SDL_AUDIODRIVER": "dummy",
        "ALSOFT_DRIVERS": "null",
        "SDL_VIDEO_X11_XRANDR": "0",
    }
    with open(folder / "log", "wb") as log:
        return subprocess.Popen(
            game.command,
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _play(game: Game, take: Take, process: subprocess.Popen, display: Display, clock: GameClock):
    for step in game.start:
        _do(step, process, display, clock)
    player = WindowPlayer(game.play, take.seed, display)
    last: np.ndarray | None = None
    while True:
        player.next()
        if process.poll() is not None:
            raise RuntimeError(f"{take.game} ended with {process.returncode}")
        if clock.step(1 / RATE) or last is None:
            last = display.picture()
            if game.view is not None:
                left, top, width, height = game.view
                last = last[top : top + height, left : left + width]
        yield last


def _do(step: tuple, process: subprocess.Popen, display: Display, clock: GameClock) -> None:
    """A step of a game's start: ("drawn", n) waits for n pictures, ("time", s) lets s seconds of the game pass,
    ("key", name), ("click", x, y)."""
    if step[0] == "drawn":
        wanted = clock.shown + step[1]
        for _ in range(20 * step[1] + 600):
            clock.step(1 / RATE)
            if clock.shown >= wanted:
                return
            if process.poll() is not None:
                raise RuntimeError(f"the game ended with {process.returncode} before it began")
        raise RuntimeError(f"the game did not show {step[1]} pictures")
    if step[0] == "time":
        for _ in range(round(step[1] * RATE)):
            clock.step(1 / RATE)
    elif step[0] == "key":
        display.key(step[1], down=True)
        _do(("time", 0.15), process, display, clock)
        display.key(step[1], down=False)
        _do(("time", 0.3), process, display, clock)
    elif step[0] == "click":
        display.move(step[1], step[2])
        _do(("time", 0.2), process, display, clock)
        display.button("left", down=True)
        _do(("time", 0.15), process, display, clock)
        display.button("left", down=False)
        _do(("time", 0.3), process, display, clock)
    else:
        raise ValueError(f"no step is called {step[0]!r}")
