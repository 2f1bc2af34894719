"""A window that plays frames with OpenCV, and what it draws over them."""

import time
from bisect import bisect_right
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from lvc.errors import DisplayError, OutputError
from lvc.player.display import ADVICE, Display
from lvc.player.keys import Action, action_of, help_lines, is_shift
from lvc.player.playback import Playback
from lvc.reading.times import clock

CHUNK_FRAMES = 32
# Between two frames of the file a source may have ten or more, all of which are decoded.
COMPARED_CHUNK_FRAMES = 8
CHUNK_BYTES = 64 << 20
KEPT_CHUNKS = 4
POLL_MILLISECONDS = 10
# A stall (decoding, a moved window) must not become a leap in time.
LONGEST_STEP_SECONDS = 0.25
MESSAGE_SECONDS = 1.5
# Qt reports shift as a key press of its own; it belongs to a key that follows at once.
SHIFT_SECONDS = 0.3

_WHITE, _MARK, _TRACK, _ACCENT = (255, 255, 255), (235, 235, 235), (90, 80, 75), (255, 155, 90)


class FrameCache:
    """Decodes runs of frames ahead in a thread, and keeps the latest runs; only that thread touches the reader.

    A run lies inside one keyframe group, since decoding begins at a keyframe anyway.
    """

    def __init__(self, reader, *, chunk_frames: int = CHUNK_FRAMES):
        self._reader = reader
        self._keys = [n for n, kind in enumerate(reader.frame_types) if kind == "key"] or [0]
        self._count = len(reader)
        frame_bytes = reader.geometry.width * reader.geometry.height * 3
        self._run = max(1, min(chunk_frames, CHUNK_BYTES // frame_bytes))
        self._runs: OrderedDict[int, Future] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1)

    def frame(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3]; waits until it is decoded, and begins to decode what follows."""
        return self._ask(number).result()[number - self._bounds(number)[0]]

    def ready(self, number: int) -> bool:
        """Whether `frame` would not have to wait; where it would, decoding begins."""
        return self._ask(number).done()

    def _ask(self, number: int) -> Future:
        start, stop = self._bounds(number)
        wanted = self._asked_for(start, stop)
        if stop < self._count:
            self._asked_for(*self._bounds(stop))
        return wanted

    def _bounds(self, number: int) -> tuple[int, int]:
        place = bisect_right(self._keys, number)
        key = self._keys[max(0, place - 1)]
        end = self._keys[place] if place < len(self._keys) else self._count
        start = key + (number - key) // self._run * self._run
        return start, min(start + self._run, end)

    def _asked_for(self, start: int, stop: int) -> Future:
        if start not in self._runs:
            self._runs[start] = self._thread.submit(lambda: self._reader.frames(start, stop).data)
            while len(self._runs) > KEPT_CHUNKS:
                self._runs.popitem(last=False)[1].cancel()
        self._runs.move_to_end(start)
        return self._runs[start]

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


def play(
    reader,
    display: Display,
    *,
    name: str = "game.lvc",
    screenshots: Path = Path("."),
    loop: bool = False,
    paused: bool = False,
    full_screen: bool = False,
    start_seconds: float | None = None,
    panes: tuple[str, ...] = (),
) -> list[Path]:
    """Plays a file in a window until it is quit, and returns the screenshots that were taken.

    reader: as `lvc.open` gives. display: opened by the caller, before the time that a model needs to load.
    screenshots: the folder for them; none is ever overwritten.
    panes: names of the parts, of the same width, that each frame consists of from left to right (see SideBySide).
    Raises DisplayError where OpenCV opens no windows, OutputError where a screenshot cannot be written.
    """
    times = [float(pts * reader.time_base) for pts in reader.pts]
    playback = Playback(times, reader.metadata.end_stream_seconds, loop=loop, paused=paused)
    if start_seconds is not None:
        playback.seek(start_seconds)
    window = _Window(reader, playback, display, name=name, screenshots=screenshots, panes=panes)
    try:
        window.run(full_screen=full_screen)
    finally:
        window.close()
    return window.saved


class _Window:
    def __init__(
        self, reader, playback: Playback, display: Display, *, name: str, screenshots: Path, panes: tuple[str, ...]
    ):
        self._reader, self._playback, self._display = reader, playback, display
        self._name, self._folder, self._panes = name, screenshots, panes
        self._title = f"{name} - lvc"
        self._sizes = reader.mean_frame_bytes
        self._kinds = reader.frame_types
        self._cache = FrameCache(reader, chunk_frames=COMPARED_CHUNK_FRAMES if panes else CHUNK_FRAMES)
        self._message, self._message_until = "", 0.0
        self._full_screen = False
        self._shift_seen = float("-inf")
        self.saved: list[Path] = []

    def run(self, *, full_screen: bool) -> None:
        geometry = self._reader.geometry
        self._cache.frame(self._playback.frame)  # before the window, so that it never opens empty
        usual_width = 1280 if self._panes else 960
        factor = max(1, min(usual_width // geometry.width, 768 // geometry.height))
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise DisplayError(f"this OpenCV opens no windows (opencv-python-headless?); {ADVICE}") from error
        cv2.resizeWindow(self._title, geometry.width * factor, geometry.height * factor)
        cv2.setMouseCallback(self._title, self._clicked)
        if full_screen:
            self._set_full_screen(True)
        playback, drawn, before = self._playback, None, time.monotonic()
        while True:
            # Keys are read while a frame is still being decoded, and time stands still: nothing is skipped.
            now = time.monotonic()
            if self._cache.ready(playback.frame):
                playback.advance(min(now - before, LONGEST_STEP_SECONDS))
            before = now
            message = self._message if now < self._message_until else ""
            shown = (playback.frame, int(playback.position * 20), playback.paused, playback.overlay, playback.help,
                     playback.speed, playback.loop, playback.a, playback.b, message, self._scale())  # fmt: skip
            if shown != drawn and self._cache.ready(playback.frame):
                cv2.imshow(self._title, self._picture(message))
                drawn = shown
            code = cv2.waitKeyEx(POLL_MILLISECONDS)
            if code == -1:
                if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
                    return
                continue
            if is_shift(code):
                self._shift_seen = time.monotonic()
                continue
            shift = time.monotonic() - self._shift_seen < SHIFT_SECONDS or self._display.shift_held()
            self._shift_seen = float("-inf")  # it was for this key; one that is still held is asked for again
            action = action_of(code, shift=shift)
            if action is Action.QUIT:
                return
            if action is not None:
                self._do(action)

    def _do(self, action: Action) -> None:
        if action is Action.SCREENSHOT:
            number = self._playback.frame
            path = save_screenshot(self._cache.frame(number), self._folder, f"{Path(self._name).stem}-{number + 1:06d}")
            self.saved.append(path)
            self._say(f"saved {path.name}")
        elif action in (Action.FULL_SCREEN, Action.LEAVE_FULL_SCREEN):
            self._set_full_screen(action is Action.FULL_SCREEN and not self._full_screen)
        else:
            self._say(self._playback.act(action) or "")

    def _say(self, message: str) -> None:
        self._message, self._message_until = message, time.monotonic() + MESSAGE_SECONDS

    def _set_full_screen(self, wanted: bool) -> None:
        self._full_screen = wanted
        state = cv2.WINDOW_FULLSCREEN if wanted else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, state)

    def _clicked(self, event: int, x: int, y: int, flags: int, _) -> None:
        """The bar at the foot of the picture seeks; x and y are in pixels of the picture that is shown."""
        height, width = self._reader.geometry.height * self._scale(), self._reader.geometry.width * self._scale()
        if event == cv2.EVENT_LBUTTONDOWN and self._playback.overlay and y > height - 24:
            playback = self._playback
            playback.seek(playback.start + (playback.end - playback.start) * x / width)

    def _scale(self) -> int:
        """The whole number of screen pixels for a pixel, so that pixel art stays sharp."""
        _, _, width, height = cv2.getWindowImageRect(self._title)
        geometry = self._reader.geometry
        return max(1, min(width // geometry.width, height // geometry.height))

    def _picture(self, message: str) -> np.ndarray:
        playback = self._playback
        number = playback.frame
        picture = enlarged(self._cache.frame(number), self._scale())
        draw_panes(picture, self._panes, named=playback.overlay and not playback.help)
        if playback.help:
            draw_panel(picture, help_lines(), size=0.42)
        elif playback.overlay:
            draw_panel(picture, self._facts(number))
        if playback.overlay:
            draw_bar(picture, playback)
        if message:
            draw_panel(picture, [message], right=True)
        return picture

    def _facts(self, number: int) -> list[str]:
        playback = self._playback
        state = "paused" if playback.paused else f"{playback.speed:.2f}x"
        return [
            f"{clock(playback.position)} / {clock(playback.end)}  {state}{'  loop' if playback.loop else ''}",
            f"frame {number + 1} / {len(self._reader)}  {self._kinds[number]}  {self._sizes[number]:.0f} bytes",
        ]

    def close(self) -> None:
        self._cache.close()
        # Qt raises for a window that its user has closed already.
        if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1:
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)


def enlarged(frame: np.ndarray, scale: int) -> np.ndarray:
    """uint8 [H, W, 3] RGB to a picture for OpenCV: uint8 [H * scale, W * scale, 3] BGR, each pixel a square."""
    picture = np.ascontiguousarray(frame[:, :, ::-1])
    return picture.repeat(scale, axis=0).repeat(scale, axis=1) if scale > 1 else picture


def draw_panel(picture: np.ndarray, lines: list[str], *, right: bool = False, size: float = 0.5) -> None:
    """Writes lines into a corner of a BGR picture, on a dark ground, smaller where they would not fit."""
    font, margin = cv2.FONT_HERSHEY_SIMPLEX, 8
    height, width = picture.shape[:2]
    widest = max(cv2.getTextSize(line, font, size, 1)[0][0] for line in lines)
    size = min(
        size, size * (width - 4 * margin) / max(1, widest), size * (height - 4 * margin) / (len(lines) * 40 * size)
    )
    if size <= 0:
        return
    text_width = max(cv2.getTextSize(line, font, size, 1)[0][0] for line in lines)
    line_height = round(40 * size)
    left = width - text_width - 3 * margin if right else margin
    top, bottom = margin, 2 * margin + line_height * len(lines)
    ground = picture[top:bottom, left : left + text_width + 2 * margin]
    np.multiply(ground, 0.3, out=ground, casting="unsafe")
    for number, line in enumerate(lines):
        place = (left + margin, top + margin // 2 + round(line_height * (number + 0.72)))
        cv2.putText(picture, line, place, font, size, _WHITE, 1, cv2.LINE_AA)


def draw_panes(picture: np.ndarray, panes: tuple[str, ...], *, named: bool) -> None:
    """Draws a line between the parts of a BGR picture, and at the foot of each, above the bar, its name."""
    height, width = picture.shape[:2]
    for number, pane in enumerate(panes):
        left, right = (width * place // len(panes) for place in (number, number + 1))
        if number:
            picture[:, left - 1 : left + 1] = 0
        if named:
            draw_panel(picture[max(0, height - 60) : height - 8, left:right], [pane])


def draw_bar(picture: np.ndarray, playback: Playback) -> None:
    """The position in the file along the foot of the picture, with A and B."""
    height, width = picture.shape[:2]
    margin, length = 8, playback.end - playback.start

    def place(seconds: float) -> int:
        return margin + round((width - 2 * margin) * (seconds - playback.start) / length) if length else margin

    top, bottom = height - 12, height - 7
    ground = picture[top - 3 : bottom + 4, margin - 3 : width - margin + 3]
    np.multiply(ground, 0.35, out=ground, casting="unsafe")
    cv2.rectangle(picture, (margin, top), (width - margin, bottom), _TRACK, -1)
    cv2.rectangle(picture, (margin, top), (place(playback.position), bottom), _ACCENT, -1)
    for mark in (playback.a, playback.b):
        if mark is not None:
            cv2.line(picture, (place(mark), top - 3), (place(mark), bottom + 3), _MARK, 2)


def save_screenshot(frame: np.ndarray, folder: Path, stem: str) -> Path:
    """Saves uint8 [H, W, 3] as PNG at its own size under a name that no file has yet; OutputError where that fails."""
    data = cv2.imencode(".png", enlarged(frame, 1))[1].tobytes()
    number = 0
    while True:
        path = folder / (f"{stem}.png" if number == 0 else f"{stem}-{number}.png")
        try:
            with open(path, "xb") as file:
                file.write(data)
            return path
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
