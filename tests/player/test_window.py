import sys
import time

import cv2
import numpy as np
import pytest

from lvc.errors import DisplayError, OutputError
from lvc.player import window
from lvc.player.display import Display
from lvc.player.playback import Playback
from tests.player import fake_player
from tests.player.fake_player import PlainReader


class CountingReader:
    def __init__(self):
        self._reader = PlainReader()
        self.runs = []

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def __len__(self):
        return len(self._reader)

    def frames(self, start, stop):
        self.runs.append((start, stop))
        return self._reader.frames(start, stop)


def test_the_cache_decodes_runs_within_groups_once_and_ahead():
    reader = CountingReader()
    cache = window.FrameCache(reader)
    for number in (*range(70), 69, 40):
        assert cache.frame(number)[0, 0, 0] == number
    cache.close()
    assert reader.runs[:3] == [(0, 32), (32, 64), (64, 96)]
    assert reader.runs[3:] in ([], [(96, 128)])  # asked for ahead; closing may have come first


def test_the_cache_passes_a_fault_of_the_reader_on():
    reader = CountingReader()
    reader.frames = lambda _start, _stop: (_ for _ in ()).throw(OutputError("broken"))
    cache = window.FrameCache(reader)
    with pytest.raises(OutputError, match="broken"):
        cache.frame(0)
    cache.close()


def test_enlarging_makes_squares_and_swaps_the_colours():
    frame = np.zeros((2, 2, 3), np.uint8)
    frame[0, 1, 0] = 200
    picture = window.enlarged(frame, 3)
    assert picture.shape == (6, 6, 3) and (picture[:3, 3:] == (0, 0, 200)).all() and not picture[3:].any()


@pytest.mark.parametrize("size", [(16, 16), (48, 64), (480, 640)])
def test_the_overlay_fits_pictures_of_any_size(size):
    picture = np.full((*size, 3), 255, np.uint8)
    playback = Playback([0.0, 1.0], 2.0)
    playback.a = 1.0
    window.draw_panel(picture, ["0:00.000 / 0:02.000  1.00x", "frame 1 / 2"])
    window.draw_bar(picture, playback)
    window.draw_panel(picture, ["saved"], right=True)
    assert picture.shape == (*size, 3)
    if min(size) > 40:
        assert (picture < 255).any(axis=2)[: size[0] // 2].any() and (picture < 255).any(axis=2)[-12:].any()


def test_screenshots_never_overwrite(tmp_path):
    frame = np.full((4, 5, 3), 7, np.uint8)
    (tmp_path / "game-000001.png").write_text("mine")
    first = window.save_screenshot(frame, tmp_path, "game-000001")
    second = window.save_screenshot(frame, tmp_path, "game-000001")
    assert (tmp_path / "game-000001.png").read_text() == "mine"
    assert [first.name, second.name] == ["game-000001-1.png", "game-000001-2.png"]
    assert (cv2.imread(str(first)) == 7).all()


def test_a_screenshot_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        window.save_screenshot(np.zeros((4, 5, 3), np.uint8), tmp_path / "missing", "game")


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a window server")


@linux_only
@pytest.mark.parametrize("name", [None, "", ":4913", "nonsense", ":x"])
def test_without_a_display_the_error_names_decode(monkeypatch, name):
    monkeypatch.delenv("DISPLAY", raising=False)
    if name is not None:
        monkeypatch.setenv("DISPLAY", name)
    with pytest.raises(DisplayError, match="lvc decode game.lvc -o game.mp4"):
        Display()


@linux_only
def test_without_libx11_the_socket_is_asked(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", missing)
    monkeypatch.setenv("DISPLAY", ":4913")
    with pytest.raises(DisplayError, match="does not answer"):
        Display()


def number_shown(screenshot) -> int:
    """The number of the frame that a screenshot shows, from 0, by its pixels;
    of both halves, where a source is beside it.
    """
    picture = cv2.imread(str(screenshot))
    blue, green, red = map(int, picture[0, -1])
    assert blue == 90 and screenshot.name.startswith(f"plain-{red + 256 * green + 1:06d}")
    if picture.shape[1] > 64:
        assert picture.shape == (48, 128, 3)
        assert (picture[:, :64] == (200, green, red)).all() and (picture[:, 64:] == (90, green, red)).all()
    return red + 256 * green


@pytest.mark.parametrize("beside", [(), ("--compare",)], ids=["alone", "beside its source"])
def test_real_keys_in_a_real_window(tmp_path, open_window, until, beside):
    command = [sys.executable, "-m", fake_player.__name__, tmp_path, *beside]
    with open_window(command, "^plain.lvc - lvc$") as (player, press):

        def frame_after(*keys):
            """The number of the frame that a screenshot shows after some keys."""
            before = set(tmp_path.iterdir())
            press(*keys, "s")
            (path,) = until(lambda: set(tmp_path.iterdir()) - before)
            until(lambda: path.stat().st_size)
            return number_shown(path)

        assert frame_after() == 0
        assert frame_after() == 0  # a second file, not the first again
        assert frame_after("period", "period", "period") == 3
        assert frame_after("comma") == 2
        assert frame_after("Right") == 17
        assert frame_after("shift+Right") == 20
        assert frame_after("shift+Left", "Left") == 2
        assert frame_after("Up") == 182
        assert frame_after("Up", "Up") == 299
        assert frame_after("Down") == 119
        assert frame_after("Home") == 0
        # A-B loop over one second at full speed: 3 frames, again and again.
        press("l", "shift+Right", "l", *["bracketright"] * 12, "space")
        time.sleep(1.2)
        assert frame_after("space") < 3
        press("l", "BackSpace", "o", "question", "f", "Escape", "space")
        time.sleep(0.8)
        assert 0 < frame_after("space") < 20
        press("q")
        assert player.wait(timeout=15) == 0
        assert len(list(tmp_path.iterdir())) == 13


def test_panes_are_parted_and_named():
    picture = np.full((160, 400, 3), 255, np.uint8)
    window.draw_panes(picture, ("source", "decoded"), named=False)
    assert not picture[:, 199:201].any() and (picture[:, :199] == 255).all() and (picture[:, 201:] == 255).all()
    window.draw_panes(picture, ("source", "decoded"), named=True)
    changed = (picture != 255).any(axis=2)
    assert changed[100:145, :199].any() and changed[100:145, 201:].any() and not changed[:90, :199].any()
    tiny = np.full((16, 32, 3), 255, np.uint8)
    window.draw_panes(tiny, ("source", "decoded"), named=True)
    assert not tiny[:, 15:17].any()
