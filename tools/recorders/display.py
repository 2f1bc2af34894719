"""A display of its own for a game: Xvfb, its picture read from memory,
keys and mouse as X's test extension sends them.
"""

import ctypes
import ctypes.util
import itertools
import mmap
import struct
import subprocess
import time
from pathlib import Path
from typing import Self

import numpy as np

FIRST_NUMBER = 120  # of the displays that are tried
BUTTONS = {"left": 1, "middle": 2, "right": 3}


class Display:
    """An Xvfb of width x height, and one who types and moves the mouse before it. Used in a `with` statement."""

    def __init__(self, folder: Path, width: int, height: int):
        self.width, self.height = width, height
        self._folder = folder

    def __enter__(self) -> Self:
        for number in itertools.count(FIRST_NUMBER):
            if not Path(f"/tmp/.X{number}-lock").exists():
                break
        self.name = f":{number}"
        screen = ["-screen", "0", f"{self.width}x{self.height}x24", "-fbdir", str(self._folder), "-nolisten", "tcp"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._server = subprocess.Popen(["Xvfb", self.name, *screen], **quiet)
        self._x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        self._test = ctypes.CDLL(ctypes.util.find_library("Xtst") or "libXtst.so.6")
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._x11.XStringToKeysym.restype = ctypes.c_ulong
        self._connection = ctypes.c_void_p(self._connect())
        self._pixels = self._map()
        return self

    def __exit__(self, *_) -> None:
        self._x11.XCloseDisplay(self._connection)
        self._server.terminate()
        self._server.wait()

    def _connect(self) -> int:
        for _ in range(200):
            connection = self._x11.XOpenDisplay(self.name.encode())
            if connection:
                return connection
            if self._server.poll() is not None:
                break
            time.sleep(0.1)
        raise OSError(f"Xvfb did not start on display {self.name}")

    def _map(self) -> np.ndarray:
        """The screen's pixels in Xvfb's memory, uint8 [height, width, 4], blue first.
        The file is as xwd(1) writes it.
        """
        with open(self._folder / "Xvfb_screen0", "rb") as file:
            memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        header = struct.unpack_from(">25I", memory)
        size, depth, line, colours = header[0], header[11], header[12], header[19]
        if depth != 32:
            raise OSError(f"Xvfb draws {depth} bits a pixel, not 32")
        pixels = np.frombuffer(memory, np.uint8, self.height * line, size + colours * 12)
        return pixels.reshape(self.height, line // 4, 4)[:, : self.width]

    def picture(self) -> np.ndarray:
        """What is on the screen, uint8 [height, width, 3], once the server has drawn all that it was sent."""
        for _ in range(2):
            self._x11.XSync(self._connection, 0)
        return np.ascontiguousarray(self._pixels[:, :, 2::-1])

    def key(self, name: str, *, down: bool) -> None:
        """Presses or lets go of a key, by X's name of it: "Return", "a", "Up"."""
        code = self._x11.XKeysymToKeycode(self._connection, ctypes.c_ulong(self._x11.XStringToKeysym(name.encode())))
        if not code:
            raise ValueError(f"no key is called {name!r}")
        self._test.XTestFakeKeyEvent(self._connection, code, int(down), ctypes.c_ulong(0))
        self._x11.XFlush(self._connection)

    def button(self, name: str, *, down: bool) -> None:
        """Presses or lets go of a mouse button: "left", "middle" or "right"."""
        self._test.XTestFakeButtonEvent(self._connection, BUTTONS[name], int(down), ctypes.c_ulong(0))
        self._x11.XFlush(self._connection)

    def move(self, x: int, y: int) -> None:
        """Moves the mouse to a position."""
        self._test.XTestFakeMotionEvent(self._connection, -1, int(x), int(y), ctypes.c_ulong(0))
        self._x11.XFlush(self._connection)

    def move_by(self, x: int, y: int) -> None:
        """Moves the mouse by so many pixels."""
        self._test.XTestFakeRelativeMotionEvent(self._connection, int(x), int(y), ctypes.c_ulong(0))
        self._x11.XFlush(self._connection)
