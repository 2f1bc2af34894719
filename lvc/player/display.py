"""Whether a window can be opened, asked before Qt is, because Qt ends the whole process where it cannot."""

import ctypes
import os
import socket
import sys
import time
from typing import Any, Self

from lvc.errors import DisplayError

ADVICE = "decode to a file instead: lvc decode game.lvc -o game.mp4"
ATTEMPTS = 3
_X_PORT = 6000
_SHIFT_MASK = 1
_VK_SHIFT = 0x10


class Display:
    """A connection to the window system, which also tells whether shift is held.

    Raises DisplayError where there is none; the message names `lvc decode`. Use it as a context manager.
    """

    def __init__(self):
        self._x11 = self._connection = None
        if sys.platform in ("win32", "darwin"):
            return
        name = os.environ.get("DISPLAY")
        if not name:
            raise DisplayError(f"there is no display (DISPLAY is not set) to open a window on; {ADVICE}")
        try:
            self._x11 = ctypes.CDLL("libX11.so.6")
        except OSError:  # OpenCV brings its own copy of what Qt needs, so there may be none; then shift is guessed
            if not _accepts_connections(name):
                raise DisplayError(f"the display {name} does not answer; {ADVICE}") from None
            return
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
        for attempt in range(ATTEMPTS):
            # A server whose last client has just left (Xvfb, Xephyr) starts anew, and refuses for a moment.
            time.sleep(0.2 if attempt else 0)
            self._connection = self._x11.XOpenDisplay(name.encode())
            if self._connection:
                return
        raise DisplayError(f"the display {name} cannot be reached, or refuses the connection; {ADVICE}")

    def shift_held(self) -> bool:
        """Whether shift is down now; False where the window system cannot be asked."""
        if sys.platform == "win32":
            return bool(ctypes.windll.user32.GetKeyState(_VK_SHIFT) & 0x8000)
        if not self._connection:
            return False
        display = ctypes.c_void_p(self._connection)
        self._x11.XDefaultRootWindow.restype = ctypes.c_ulong
        root = ctypes.c_ulong(self._x11.XDefaultRootWindow(display))
        windows = [ctypes.c_ulong() for _ in range(2)]
        places = [ctypes.c_int() for _ in range(4)]
        mask = ctypes.c_uint()
        self._x11.XQueryPointer(display, root, *map(ctypes.byref, (*windows, *places, mask)))
        return bool(mask.value & _SHIFT_MASK)

    def close(self) -> None:
        if self._connection:
            self._x11.XCloseDisplay(ctypes.c_void_p(self._connection))
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _accepts_connections(name: str, *, timeout_seconds: float = 3.0) -> bool:
    """Whether an X server listens at a display name such as ":0", ":1.0" or "host:0"."""
    host, _, rest = name.rpartition(":")
    number = rest.partition(".")[0]
    if not number.isascii() or not number.isdigit():
        return False
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        attempts: list[tuple[int | None, Any]] = [(socket.AF_UNIX, path), (socket.AF_UNIX, "\0" + path)]
    else:
        attempts = [(None, (host.strip("[]"), _X_PORT + int(number)))]
    for family, address in attempts:
        try:
            if family is None:
                socket.create_connection(address, timeout=timeout_seconds).close()
            else:
                with socket.socket(family, socket.SOCK_STREAM) as connection:
                    connection.settimeout(timeout_seconds)
                    connection.connect(address)
            return True
        except (OSError, OverflowError):
            continue
    return False
