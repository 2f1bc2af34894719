"""The report's page as a person uses it: a real Chromium, a real mouse, real keys; and its size."""

import io
import re
import shutil
from fractions import Fraction

import numpy as np
import pytest

from lvc.frames import Geometry
from lvc.quality.report import ComparedFrame, Comparison, FrameScore, ReportBuilder

COUNT, KEYINT = 60, 16
# The source is grey, the decoded frame n brighter by ERRORS[n]: every pixel on screen tells what it is of.
GREY = 60
ERRORS = [20 + number % 7 for number in range(COUNT)]
ERRORS[41], ERRORS[23], ERRORS[7] = 90, 80, 0
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def report(material):
    source = np.full((COUNT, material.GEOMETRY.height, material.GEOMETRY.width, 3), GREY, np.uint8)
    pts = [30_000 * number for number in range(COUNT)]  # 3 frames a second
    reader = material.KnownReader(source, ERRORS, pts, keyint=KEYINT)
    comparison = Comparison(reader, material.batches(source, pts))
    builder = ReportBuilder(COUNT, worst=5, samples=7)
    for compared in comparison:
        builder.add(compared)
    return builder.finish(comparison, reader, path="folder/game.lvc", source="folder/game.mp4")


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("a Chromium is needed to use the page")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is needed to drive Chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"], timeout=240_000
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def opened(report, browser, tmp_path_factory):
    """The page in a window without a network, and all that it asked for or complained of."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    with open(path, "w", encoding="utf-8") as file:
        report.write_html(file)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True, color_scheme="light")
    context.set_default_timeout(120_000)  # on a busy machine
    page, heard = context.new_page(), []
    page.on("request", lambda request: heard.append(request.url))
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.address = path.as_uri()
    page.goto(page.address)
    yield page, heard
    context.close()


@pytest.fixture
def page(opened):
    """The page as it is when it has just been opened."""
    page, _ = opened
    page.mouse.move(2, 2)
    page.goto("about:blank")
    page.goto(page.address)
    return page


def place(page, chart: int, frame: int) -> tuple[float, float]:
    """Where on screen a frame (counted from 1) stands in a chart, which is scrolled into view:
    frames are evenly spread.
    """
    svg = page.locator("#charts svg").nth(chart)
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    left, right = page.evaluate("[left, right]")
    return box["x"] + left + (frame - 1) / (COUNT - 1) * (box["width"] - left - right), box["y"] + box["height"] / 2


def colour(page, selector: str, across: float) -> int:
    """The red level that is on screen at a share of an element's width, in its middle."""
    from PIL import Image

    page.locator(selector).scroll_into_view_if_needed()
    picture = Image.open(io.BytesIO(page.locator(selector).screenshot()))
    return picture.convert("RGB").getpixel((round(across * (picture.width - 1)), round(0.3 * picture.height)))[0]


def near(level: int) -> pytest.approx:
    return pytest.approx(level, abs=2)  # WebP and the screen's colours round


def test_it_opens_at_the_worst_frame_and_asks_for_nothing(page, opened):
    assert page.title() == "game.lvc – lvc report"
    assert page.locator("#shown").inner_text() == "Frame 42 at 0:13.667"
    assert page.locator("#charts svg").count() == 3 and page.locator("#tiles .tile").count() == 6
    assert {re.split("[:,]", one)[0] for one in opened[1]} <= {"file", "data", "about"}, opened[1]


def test_hovering_reads_every_curve_and_leaving_returns(page):
    readings = page.locator("#charts h3 .num")
    before = readings.all_inner_texts()
    assert before[0].startswith("frame 42 ")
    page.mouse.move(*place(page, 1, 18))  # the SSIM curve reads all three
    psnr, ssim, size = readings.all_inner_texts()
    assert psnr.startswith("frame 18 · 0:05.667 · ") and float(psnr.split()[-2]) == pytest.approx(
        20 * np.log10(255 / 23), abs=0.006
    )
    assert 0 < float(ssim) < 1 and size == "53 B"
    assert (
        page.locator("#charts .cross").evaluate_all("lines => lines.map(line => line.getAttribute('visibility'))")
        == ["visible"] * 3
    )
    page.mouse.move(*place(page, 0, 8))
    assert readings.first.inner_text() == "frame 8 · 0:02.333 · identical"
    page.mouse.move(2, 2)
    assert readings.all_inner_texts() == before
    assert page.locator("#shown").inner_text() == "Frame 42 at 0:13.667"


def test_a_click_jumps_to_a_frame_and_to_the_nearest_picture_where_it_has_none(page):
    before = page.locator("#stage img").nth(1).get_attribute("src")
    page.mouse.click(*place(page, 0, 24))
    assert page.locator("#shown").inner_text() == "Frame 24 at 0:07.667"
    assert page.locator("#stage img").nth(1).get_attribute("src") != before
    assert page.locator("tr.here td").first.inner_text() == "24"
    assert page.locator("#nearest").inner_text() == ""
    shown = page.locator("#stage img").nth(1).get_attribute("src")
    page.mouse.click(*place(page, 2, 27))
    assert page.locator("tr.here td").first.inner_text() == "27"
    assert page.locator("#charts h3 .num").first.inner_text().startswith("frame 27 ")
    assert page.locator("#shown").inner_text() == "Frame 27 at 0:08.667"
    assert "the nearest is of frame 24 at 0:07.667" in page.locator("#nearest").inner_text()
    assert page.locator("#stage img").nth(1).get_attribute("src") == shown
    page.keyboard.press("ArrowRight")
    assert page.locator("#shown").inner_text() == "Frame 31 at 0:10.000"
    page.get_by_role("button", name="Previous stored picture").click()
    assert page.locator("#shown").inner_text() == "Frame 24 at 0:07.667"
    page.goto(page.address + "#frame=1")
    assert page.locator("#shown").inner_text() == "Frame 1 at 0:00.000"


def test_source_and_decoded_stand_side_by_side(page):
    assert (
        page.locator("#stage img").evaluate_all("all => all.map(one => [one.naturalWidth, one.naturalHeight])")
        == [[40, 24]] * 2
    )
    assert colour(page, "#stage figure:nth-child(1) .screen", 0.5) == near(GREY)
    assert colour(page, "#stage figure:nth-child(2) .screen", 0.5) == near(GREY + 90)
    left, right = page.locator("#stage .screen").all()
    assert (
        left.bounding_box()["y"] == right.bounding_box()["y"] and left.bounding_box()["x"] < right.bounding_box()["x"]
    )


def test_the_slider_uncovers_the_decoded_frame(page):
    page.get_by_role("button", name="Slider").click()
    slider = page.get_by_role("slider")
    assert slider.get_attribute("aria-valuenow") == "50"
    assert colour(page, "#stage .screen", 0.2) == near(GREY) and colour(page, "#stage .screen", 0.8) == near(GREY + 90)
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], middle, steps=4)
    page.mouse.up()
    assert slider.get_attribute("aria-valuenow") == "90"
    assert colour(page, "#stage .screen", 0.8) == near(GREY)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuenow") == "88"
    page.get_by_role("button", name="Difference").click()
    page.wait_for_function("document.querySelector('#stage canvas').width === 40")
    assert colour(page, "#stage .screen", 0.5) == 255  # 8 x 90


def test_the_worst_come_first_and_lead_to_their_pictures(page):
    decibels = [float(text.split()[0]) for text in page.locator(".card b").all_inner_texts()]
    assert len(decibels) == 5 and decibels == sorted(decibels)
    second = page.locator(".card").nth(1)
    assert "frame 24" in second.inner_text()
    second.click()
    assert page.locator("#shown").inner_text() == "Frame 24 at 0:07.667"
    assert "here" in second.get_attribute("class")
    assert colour(page, "#stage figure:nth-child(2) .screen", 0.5) == near(GREY + 80)


def test_the_table_sorts_and_leads_to_frames(page):
    page.get_by_role("columnheader", name="PSNR dB").get_by_role("button").click()
    first = page.locator("#body tr:not(.gap)").first
    assert first.locator("td").first.inner_text() == "42"
    page.locator("#body tr:not(.gap)").nth(1).click()
    assert page.locator("#shown").inner_text() == "Frame 24 at 0:07.667"


@pytest.mark.parametrize("width, height", [(390, 780), (1280, 900)])
def test_nothing_is_wider_than_the_window(page, width, height):
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": height})
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        page.set_viewport_size(before)


def test_a_page_of_a_thousand_frames_stays_below_3_megabytes():
    # Noise is what no picture format makes small, at the default size and the default number of pictures.
    geometry, count = Geometry(200, 160), 1000
    noise = np.random.default_rng(5).integers(0, 256, (8, geometry.height, geometry.width, 3), dtype=np.uint8)
    builder = ReportBuilder(count)
    for index in range(count):
        score = FrameScore(index, 512 * index, index / 3, "predicted", 1234.56 + index, 7000.123 + index, 0.12345)
        builder.add(ComparedFrame(score, noise[index % 8], noise[(index + 1) % 8]))

    class Whole:
        unmatched_source_frames = 0

    class Reader:
        time_base = Fraction(1, 90_000)
        metadata = type(
            "Metadata",
            (),
            {
                "model": {"name": "pacman", "sha256": "ab" * 32},
                "keyint": 64,
                "crf": 32,
                "quantiser": {"name": "round"},
                "entropy": {"name": "prediction"},
                "source": {"every": 10},
                "file_bytes": 100_000,
            },
        )

        def __len__(self):
            return count

    Reader.geometry = geometry
    report = builder.finish(Whole, Reader(), path="game.lvc", source="game.mp4")
    text = io.StringIO()
    report.write_html(text)
    assert len(report.pictures) >= 30 + 12 - 1
    assert len(text.getvalue().encode()) < 3_000_000
