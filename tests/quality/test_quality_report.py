import csv
import io
import json
from fractions import Fraction
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from lvc.errors import InputError
from lvc.frames import FrameBatch
from lvc.quality import report as reports
from lvc.quality.metrics import psnr_of_mse
from lvc.quality.report import ComparedFrame, Comparison, PicturePair, ReportBuilder, ShownFrames

ERRORS = [1, 0, 7, 2, 2, 9, 0, 3, 1, 5]
PTS = [0, 3000, 6000, 10_000, 30_000, 33_000, 36_000, 39_000, 90_000, 93_000]  # a variable frame rate


def built(reader, source_batches, **options):
    comparison = Comparison(reader, source_batches)
    builder = ReportBuilder(len(reader), **options)
    for compared in comparison:
        builder.add(compared)
    return builder.finish(comparison, reader, path="folder/game.lvc", source="folder/game.mp4")


@pytest.fixture
def source(material):
    return material.source_frames(len(ERRORS))


@pytest.fixture
def reader(material, source):
    return material.KnownReader(source, ERRORS, PTS)


@pytest.fixture
def report(material, reader, source):
    return built(reader, material.batches(source, PTS), worst=3, samples=4)


def test_scores_are_those_of_the_known_errors(report):
    assert [score.mse for score in report.scores] == [error**2 for error in ERRORS]
    assert [score.index for score in report.scores] == list(range(10))
    assert [score.kind for score in report.scores][3:6] == ["predicted", "key", "predicted"]
    assert report.scores[3].pts_seconds == pytest.approx(10_000 / 90_000)
    assert report.scores[1].psnr is None and report.scores[1].identical


def test_the_worst_come_first_and_pictures_are_exact(report, source):
    assert report.worst == [5, 2, 9]
    assert set(report.pictures) == {0, 3, 6, 9} | {5, 2}
    pair = report.pictures[5]
    assert pair.note == ""
    for data, expected in ((pair.source, source[5]), (pair.decoded, source[5] + 9)):
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert (picture[:, :, ::-1] == expected).all()


def test_equal_errors_keep_the_earlier_frame(material, source):
    reader = material.KnownReader(source, [4] * 10, PTS)
    assert built(reader, material.batches(source, PTS), worst=3, samples=0).worst == [0, 1, 2]


def test_identical_frames_are_never_among_the_worst(material, source):
    reader = material.KnownReader(source, [0] * 9 + [1], PTS)
    assert built(reader, material.batches(source, PTS), worst=3).worst == [9]


@pytest.mark.usefixtures("report")
def test_each_group_is_decoded_in_one_call(reader):
    assert reader.calls == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_waiting_frames_are_bounded(material, source, monkeypatch):
    monkeypatch.setattr(reports, "PENDING_BYTES", 2 * source[0].nbytes)
    reader = material.KnownReader(source, ERRORS, PTS, keyint=100)
    built(reader, material.batches(source, PTS))
    assert max(map(len, reader.calls)) == 2


def test_frames_are_matched_by_time_whatever_the_time_base_and_what_is_missing(material, source):
    # The file lost frames 2 and 6; the source counts in other ticks and has one frame that the file never had.
    kept = [0, 1, 3, 4, 5, 7, 8, 9]
    reader = material.KnownReader(source[kept], [ERRORS[n] for n in kept], [PTS[n] for n in kept])
    times = [*(Fraction(pts, 90_000) * 180_000 for pts in PTS), Fraction(400_000)]
    frames = np.concatenate([source, source[:1]])
    report = built(reader, material.batches(frames, [int(time) for time in times], time_base=Fraction(1, 180_000)))
    assert [score.mse for score in report.scores] == [ERRORS[n] ** 2 for n in kept]
    totals = report.totals()
    assert totals["unmatched_source_frames"] == 3 and totals["unmatched_decoded_frames"] == 0


def test_a_shifted_source_is_refused_not_scored(material, reader, source):
    with pytest.raises(InputError, match="none of the 10 source frames has the timestamp"):
        built(reader, material.batches(source, [pts + 1 for pts in PTS]))


def test_another_size_is_refused(reader):
    other = FrameBatch(np.zeros((1, 20, 20, 3), np.uint8), (0,), Fraction(1, 90_000))
    with pytest.raises(InputError, match="20x20; the file's are 40x24"):
        built(reader, [other])


def test_a_source_with_a_timestamp_twice_is_scored_once(material, reader, source):
    twice = [*material.batches(source, PTS), *material.batches(source, PTS)]
    report = built(reader, twice)
    assert len(report.scores) == 10 and report.totals()["unmatched_source_frames"] == 10


def test_totals(report):
    totals = report.totals()
    mses = [error**2 for error in ERRORS]
    known = [psnr_of_mse(mse) for mse in mses if mse]
    assert totals["psnr_mean_of_frames"] == pytest.approx(sum(known) / 8, abs=1e-6)
    assert totals["psnr_of_mean_mse"] == pytest.approx(psnr_of_mse(sum(mses) / 10), abs=1e-6)
    assert totals["identical_frames"] == 2 and totals["key_frames"] == 3
    assert totals["raw_bytes"] == 10 * 40 * 24 * 3
    assert totals["file_bytes"] == 3 * 900 + 367 + 300
    assert totals["ratio_to_raw"] == pytest.approx(28_800 / 3367, abs=1e-3)
    assert totals["seconds"] == pytest.approx(96_000 / 90_000)


def test_json_follows_ffmpeg_quality_metrics_and_has_null_for_identical(report):
    text = io.StringIO()
    report.write_json(text)
    data = json.loads(text.getvalue(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert data["psnr"][0] == {"n": 1, "psnr_avg": round(psnr_of_mse(1), 4), "mse_avg": 1.0}
    assert data["psnr"][1] == {"n": 2, "psnr_avg": None, "mse_avg": 0.0, "identical": True}
    assert data["ssim"][1] == {"n": 2, "ssim_avg": 1.0}
    assert set(data["global"]["psnr"]["psnr_avg"]) == {"average", "median", "stdev", "min", "max"}
    assert data["global"]["psnr"]["psnr_avg"]["min"] == pytest.approx(psnr_of_mse(81), abs=1e-6)
    assert (data["input_file_dist"], data["input_file_ref"]) == ("folder/game.lvc", "folder/game.mp4")
    assert data["lvc"]["model"] == {"name": "conv4", "sha256": "ab" * 32}
    assert data["lvc"]["frames"][4] == {"n": 5, "pts": 30_000, "pts_seconds": 0.333333, "type": "key", "bytes": 900}
    assert data["lvc"]["frames"][1]["bytes"] == 52.5
    assert data["lvc"]["worst"] == [6, 3, 10]
    assert data["lvc"]["totals"] == report.totals()


def test_csv_has_one_row_a_frame(report):
    text = io.StringIO()
    report.write_csv(text)
    rows = list(csv.DictReader(io.StringIO(text.getvalue())))
    assert len(rows) == 10
    assert rows[1]["psnr"] == "" and rows[1]["identical"] == "true" and rows[1]["ssim"] == "1.000000"
    assert rows[4] | {"psnr": "", "ssim": ""} == {
        "n": "5", "pts": "30000", "pts_seconds": "0.333333", "type": "key", "bytes": "900",
        "psnr": "", "mse": "4.000000", "ssim": "", "identical": "false",
    }  # fmt: skip


class PageReader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.asked_for, self.scripts, self._inside = [], [], False

    def handle_starttag(self, tag, attributes):
        self.asked_for += [value for name, value in attributes if name in ("src", "href", "data", "action", "poster")]
        if tag == "script":
            self.scripts.append("")
        self._inside = tag == "script"

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag):
        self._inside = False


def page_of(report) -> tuple[str, PageReader]:
    text = io.StringIO()
    report.write_html(text)
    page = PageReader()
    page.feed(text.getvalue())
    return text.getvalue(), page


def test_the_page_asks_for_nothing_outside_and_holds_all_figures(report):
    text, page = page_of(report)
    assert all(value.startswith("data:") for value in page.asked_for)
    assert text.replace("http://www.w3.org/2000/svg", "").count("://") == 0 and "@import" not in text
    # A hostile name in the header neither ends the element nor starts one.
    assert len(page.scripts) == 2
    data = json.loads(page.scripts[0])
    assert "alert(1)" in data["header"]["source"]
    assert data["frames"]["psnr"][1] is None and data["worst"] == [5, 2, 9]
    assert set(data["pictures"]) == {"0", "2", "3", "5", "6", "9"}


def test_pictures_fit_their_allowance_even_for_noise_at_full_hd():
    noise = np.random.default_rng(1).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    frames = ShownFrames.of(ComparedFrame(None, noise, noise))
    assert frames.source.shape == (540, 960, 3)
    pair = PicturePair.within(frames, 100_000)
    assert pair.size <= 100_000 and pair.note.startswith("lossy preview, 1/")
