"""A `.lvc` file in a page: a server on this machine's loopback address, and the player that it gives to a browser.

The page draws on a canvas, with mpv's keys; it asks for runs of frames as raw RGB. Only who knows the address, with its
random part, gets anything, and only under the names of the loopback address, so that no other page can reach it through
the browser.
"""

import json
import secrets
import threading
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import urlsplit

from lvc.errors import LvcError, OptionError, OutputError
from lvc.player.keys import BINDINGS, help_lines
from lvc.reading.reader import Reader

RUN_FRAMES, RUN_BYTES = 32, 8 << 20  # of frames that are asked for at once
LOOPBACK = "127.0.0.1"


class PageServer:
    """Serves one file until `close`, or until the page's key q.

        with PageServer(reader, name="game.lvc") as server:
            print(server.address)
            server.wait()

    port: 0 for one that is free. Raises OptionError for a file without frames, OutputError where the port is taken.
    """

    def __init__(self, reader: Reader, *, name: str, port: int = 0):
        if not len(reader):
            raise OptionError(f"{name}: there is no frame to play")
        self.reader, self.name = reader, name
        self.token = secrets.token_urlsafe(16)
        self.ended = threading.Event()
        frame_bytes = 3 * reader.geometry.width * reader.geometry.height
        self.run = max(1, min(RUN_FRAMES, RUN_BYTES // frame_bytes))
        handler = type("PageHandler", (Handler,), {"page": self})
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"port {port}: cannot be served on: {getattr(error, 'strerror', None) or error}"
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="lvc-serve", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    @cached_property
    def facts(self) -> bytes:
        """What the page has to know, as JSON: time, kind and bytes of each frame, the keys, the length of a run."""
        reader = self.reader
        content = {
            "name": self.name,
            "width": reader.geometry.width,
            "height": reader.geometry.height,
            "times": [float(pts * reader.time_base) for pts in reader.pts],
            "end": reader.metadata.end_stream_seconds,
            "kinds": reader.frame_types,
            "bytes": [round(size) for size in reader.mean_frame_bytes.tolist()],
            "run": self.run,
            "keys": {key: action.name for key, action in BINDINGS.items()},
            "help": help_lines(),
        }
        return json.dumps(content).encode()

    def pixels(self, start: int) -> bytes:
        """A run of frames from a number on, RGB, one after the other.

        Raises FormatError where one is lost, IndexError out of range.
        """
        stop = min(start + self.run, len(self.reader))
        if not 0 <= start < stop:
            raise IndexError(f"frame {start}")
        return self.reader.frames(start, stop).data.tobytes()

    def wait(self, timeout: float | None = None) -> bool:
        """Until the page is quit; whether it was."""
        return self.ended.wait(timeout)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()


class Handler(BaseHTTPRequestHandler):
    """Answers one request; `page` is the server of the file."""

    page: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "lvc", ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer(self._found)

    def do_POST(self) -> None:
        self._answer(self._posted)

    def _answer(self, find: Callable[[str], tuple[bytes, str] | None]) -> None:
        hosts = {f"{name}:{self.page.port}" for name in (LOOPBACK, "localhost")}
        _, token, *rest = urlsplit(self.path).path.split("/")
        if (
            self.headers.get("Host") not in hosts
            or not secrets.compare_digest(token.encode(), self.page.token.encode())
            or len(rest) != 1
        ):
            self._send(HTTPStatus.NOT_FOUND, b"not here", "text/plain")
            return
        try:
            found = find(rest[0])
        except LvcError as error:
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, str(error).encode(), "text/plain; charset=utf-8")
        except (ValueError, IndexError):
            self._send(HTTPStatus.NOT_FOUND, b"no such frame", "text/plain")
        else:
            self._send(
                HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK, *(found or (b"not here", "text/plain"))
            )

    def _found(self, name: str) -> tuple[bytes, str] | None:
        if name == "":
            nonce = secrets.token_urlsafe(12)
            self._nonce = nonce
            page = files("lvc.player").joinpath("page.html").read_text(encoding="utf-8")
            return page.replace("NONCE", nonce).encode(), "text/html; charset=utf-8"
        if name == "facts.json":
            return self.page.facts, "application/json"
        if name.startswith("frames-") and name[7:].isascii() and name[7:].isdigit() and len(name) < 20:
            return self.page.pixels(int(name[7:])), "application/octet-stream"
        return None

    def _posted(self, name: str) -> tuple[bytes, str] | None:
        if name != "quit":
            return None
        self.page.ended.set()
        return b"", "text/plain"

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        nonce = getattr(self, "_nonce", "")
        sources = f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; " if nonce else ""
        self.send_header(
            "Content-Security-Policy",
            f"default-src 'none'; {sources}connect-src 'self'; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        )
        self._nonce = ""
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:  # the page has gone
            self.close_connection = True

    def log_message(self, *_) -> None:
        """Nothing is printed: the library does not."""
