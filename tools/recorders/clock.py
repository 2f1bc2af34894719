"""A game's clock in the recorder's hand, a recorded frame at a time: the recorder's side of game_clock.c."""

import mmap
import struct
import subprocess
import time
from pathlib import Path

SOURCE = Path(__file__).with_name("game_clock.c")
PAGE = struct.Struct("=5q")  # now, wanted, shown, waiting, looks: struct page of game_clock.c
NOW, WANTED, SHOWN, WAITING, LOOKS = range(0, 40, 8)
SECOND = 1_000_000_000
# Real seconds that a game has for a picture, after which time passes without one: it loads, or stands still.
PATIENCE = 1.0
# A game that looks at its clock so often and shows nothing waits for time to pass, without sleep.
RESTLESS = 5000


class GameClock:
    """Time that passes when `step` is called, for the process that `environment` is given to."""

    def __init__(self, folder: Path):
        self._file = folder / "game_clock"
        self._file.write_bytes(bytes(64))
        with open(self._file, "r+b") as page:
            self._page = mmap.mmap(page.fileno(), 64)
        self._library = folder / "game_clock.so"
        compile_ = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE), "-ldl"]
        subprocess.run(compile_, check=True, capture_output=True)

    def environment(self) -> dict[str, str]:
        """The variables that put a process under this clock."""
        return {"GAME_CLOCK": str(self._file), "LD_PRELOAD": str(self._library)}

    @property
    def shown(self) -> int:
        """Pictures that the game has shown."""
        return self._get(SHOWN)

    def step(self, seconds: float) -> bool:
        """Lets time pass and waits for the next picture of the game; False where it showed none.

        The game shows none where it loads, waits for time to pass, or draws only what changes.
        """
        before, looks = self.shown, self._get(LOOKS)
        self._set(NOW, self._get(NOW) + round(seconds * SECOND))
        self._set(WANTED, before + 1)
        started = time.monotonic()
        while self.shown == before:
            waited = time.monotonic() - started
            # A thread that slept until just now has a moment to wake up.
            if waited > PATIENCE or (waited > 0.03 and (self._get(WAITING) or self._get(LOOKS) - looks > RESTLESS)):
                return False
            time.sleep(0.0005)
        return True

    def release(self) -> None:
        """Holds the game no longer, so that it can be ended."""
        self._set(WANTED, -1)

    def _get(self, place: int) -> int:
        return struct.unpack_from("=q", self._page, place)[0]

    def _set(self, place: int, value: int) -> None:
        struct.pack_into("=q", self._page, place, value)
