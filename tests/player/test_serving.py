"""The player's page: what its server gives and refuses, and a real Chromium with real keys."""

import http.client
import json
import shutil
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest

import lvc
from lvc.frames import FrameBatch, Geometry
from lvc.player.serving import PageServer
from tests import ROOT

COUNT = 40
TENTH = Fraction(1, 10)
# Frame n is of one colour, which tells it from all others.
COLOURS = [(5 * number, 255 - 5 * number, 40) for number in range(COUNT)]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def game(tmp_path_factory):
    path = tmp_path_factory.mktemp("serving") / "game.lvc"
    frames = np.broadcast_to(np.array(COLOURS, np.uint8)[:, None, None], (COUNT, 16, 24, 3))
    with lvc.Writer(
        path, geometry=Geometry(24, 16), time_base=TENTH, frame_duration=1, model="lossless", keyint=8
    ) as writer:
        writer.write(FrameBatch(np.ascontiguousarray(frames), tuple(range(COUNT)), TENTH))
    return path


@pytest.fixture(scope="module")
def server(game):
    with lvc.open(game) as reader, PageServer(reader, name="game.lvc") as served:
        yield served


def ask(server, path, *, method="GET", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.port}"})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def test_frames_and_facts(server):
    facts = json.loads(ask(server, f"/{server.token}/facts.json")[1])
    assert (facts["width"], facts["height"], len(facts["times"]), facts["end"], facts["run"]) == (
        24,
        16,
        COUNT,
        4.0,
        32,
    )
    assert facts["keys"]["shift+left"] == "BACK_1_SECOND" and facts["kinds"][0] == "key"
    status, data, _ = ask(server, f"/{server.token}/frames-32")
    pixels = np.frombuffer(data, np.uint8).reshape(8, 16, 24, 3)
    assert status == 200 and np.array_equal(pixels[:, 0, 0], COLOURS[32:])


def test_only_who_knows_the_address_gets_anything(server):
    inside = f"/{server.token}/facts.json"
    assert ask(server, inside, host=f"localhost:{server.port}")[0] == 200
    for path, host in (
        (inside, "evil.example"),
        (inside, f"evil.example:{server.port}"),
        ("/", None),
        ("/facts.json", None),
        ("/wrong/facts.json", None),
        (f"/{server.token}/../facts.json", None),
    ):
        assert ask(server, path, host=host)[0] == 404
    for name in ("frames-40", "frames--1", "frames-", "frames-1e3", "frames-99999999999999999999", "none", "page.html"):
        assert ask(server, f"/{server.token}/{name}")[0] == 404
    assert ask(server, f"/{server.token}/quit")[0] == 404 and not server.ended.is_set()
    policy = ask(server, f"/{server.token}/")[2]["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_damage_is_told_where_it_lies(game):
    data = bytearray(game.read_bytes())
    with lvc.open(game) as reader:
        entry = reader.container.index[4]
    data[entry.offset + entry.byte_size // 2] ^= 1
    with lvc.open(bytes(data)) as reader, PageServer(reader, name="game.lvc") as server:
        assert ask(server, f"/{server.token}/frames-0")[0] == 200
        status, told, _ = ask(server, f"/{server.token}/frames-32")
        assert status == 422 and b"frames 32-39" in told


def test_a_port_that_is_taken(game, server):
    with lvc.open(game) as reader, pytest.raises(lvc.OutputError, match=str(server.port)):
        PageServer(reader, name="game.lvc", port=server.port)


def test_the_command_prints_the_address_and_ends_with_the_page(game):
    command = [sys.executable, "-m", "lvc", "serve", str(game), "-q"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        _, _, host, token, _ = address.split("/")
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("POST", f"/{token}/quit")
        assert connection.getresponse().status == 200
        assert process.wait(60) == 0 and process.stderr.read() == ""


# A real browser


@pytest.fixture(scope="module")
def page(game):
    """The page of a server of its own, paused at its first frame, and all that it complained of."""
    if BROWSER is None:
        pytest.skip("a Chromium is needed to use the page")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is needed to drive Chromium")
    with (
        lvc.open(game) as reader,
        PageServer(reader, name="game.lvc") as server,
        playwright.sync_playwright() as driver,
    ):
        chromium = driver.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"], timeout=240_000
        )
        opened = chromium.new_page(viewport={"width": 640, "height": 480})
        opened.set_default_timeout(120_000)  # on a busy machine
        opened.heard, opened.server = [], server
        opened.on("console", lambda message: message.type == "error" and opened.heard.append(message.text))
        opened.on("pageerror", lambda error: opened.heard.append(str(error)))
        opened.goto(server.address)
        wait_for(opened, "document.body.dataset.frame !== undefined")
        yield opened
        chromium.close()


@pytest.fixture
def at_start(page):
    page.evaluate(
        "Object.assign(state, {paused: true, speed: 1, loop: false, help: false, overlay: true, a: null, b: null})"
    )
    page.keyboard.press("Home")
    on_screen(page, 0)
    return page


def wait_for(page, condition):
    """Waits until JavaScript gives true; asked from outside, as the page's policy has it."""
    end = time.monotonic() + 120  # on a busy machine
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def on_screen(page, number):
    """Waits until a frame is there, and looks at its pixels."""
    wait_for(page, f"document.body.dataset.frame == {number}")
    assert tuple(page.evaluate("[...pen.getImageData(11, 7, 1, 1).data]")) == (*COLOURS[number], 255)


def test_it_plays_and_stops_at_the_end(at_start):
    at_start.keyboard.press("Space")
    wait_for(at_start, "+document.body.dataset.frame > 2")
    at_start.keyboard.press("p")
    at_start.evaluate("state.position = 3.95; state.paused = false")
    wait_for(at_start, "state.paused && state.position === 4")
    on_screen(at_start, COUNT - 1)


@pytest.mark.parametrize(
    ("keys", "number"),
    [
        (".", 1),
        (". . . ,", 2),
        ("Shift+ArrowRight", 10),
        ("Shift+ArrowRight Shift+ArrowRight Shift+ArrowLeft", 10),
        ("ArrowRight", 39),
        ("ArrowUp ArrowLeft", 0),
        (". ArrowDown", 0),
    ],
    ids=str,
)
def test_keys_move_as_in_the_window(at_start, keys, number):
    for key in keys.split():
        at_start.keyboard.press(key)
    on_screen(at_start, number)


def test_speed_loop_help_and_what_is_told(at_start):
    press, text = at_start.keyboard.press, lambda name: at_start.text_content(f"#{name}")
    press("]")
    press("]")
    wait_for(at_start, "document.getElementById('message').textContent === 'speed 1.21x'")
    press("Backspace")
    assert at_start.evaluate("state.speed") == 1
    press("L")
    wait_for(at_start, "document.getElementById('message').textContent === 'loop on'")
    press("?")
    wait_for(at_start, "document.getElementById('facts').textContent.includes('one frame back')")
    press("?")
    wait_for(at_start, "document.getElementById('facts').textContent.includes('frame 1 / 40  key')")
    press("o")
    wait_for(at_start, "document.getElementById('facts').textContent === ''")
    assert text("facts") == "" and at_start.title() == "game.lvc - lvc"


def test_a_b_loop(at_start):
    for key in (".", "l", ".", ".", ".", "l"):
        at_start.keyboard.press(key)
    wait_for(at_start, "state.b !== null && document.querySelectorAll('.mark').length === 2")
    on_screen(at_start, 1)
    at_start.evaluate("state.position = 0.39; state.paused = false")
    wait_for(at_start, "state.position < 0.3")
    at_start.keyboard.press("p")
    at_start.keyboard.press("l")
    assert at_start.evaluate("[state.a, state.b]") == [None, None]


def test_the_bar_seeks_and_pixels_stay_square(at_start):
    box = at_start.locator("#bar").bounding_box()
    at_start.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 5)
    on_screen(at_start, 20)
    size = at_start.locator("canvas").bounding_box()
    assert size["width"] / 24 == size["height"] / 16 == int(size["width"] / 24) > 10


def test_a_screenshot_is_the_frame(at_start):
    from PIL import Image

    at_start.keyboard.press(".")
    on_screen(at_start, 1)
    with at_start.expect_download() as download:
        at_start.keyboard.press("s")
    assert download.value.suggested_filename == "game-000002.png"
    picture = np.asarray(Image.open(download.value.path()).convert("RGB"))
    assert picture.shape == (16, 24, 3) and np.all(picture == COLOURS[1])


def test_q_ends_the_server_and_nothing_was_complained_of(at_start):
    at_start.keyboard.press("q")
    assert at_start.server.wait(60)
    assert at_start.text_content("#message") == "closed" and at_start.heard == []
