import csv
import json
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

import lvc
from lvc.cli.main import main
from lvc.frames import FrameBatch, Geometry
from lvc.video.sample import Sampling, sampled_frames

SIZE = Geometry(48, 32)


class Reader:
    """Stands for a file whose decoded frames are the sampled ones, each sample one level too high."""

    def __init__(self, video, source):
        batches = list(sampled_frames(video, Sampling(every=2, geometry=SIZE)))
        self._data = np.concatenate([batch.data for batch in batches])
        self.pts = tuple(pts for batch in batches for pts in batch.pts)
        self.time_base = batches[0].time_base
        self.geometry = SIZE
        self.frame_types = ["key"] + ["predicted"] * (len(self.pts) - 1)
        self.frame_bytes = np.full(len(self.pts), 80.0)
        self.metadata = SimpleNamespace(
            model={"name": "conv4", "sha256": "0" * 64},
            keyint=64,
            crf=None,
            quantiser={"name": "scale"},
            entropy={"name": "adaptive"},
            source=source,
            file_bytes=1000,
        )
        self.damage = ()
        self.closed = False

    def __len__(self):
        return len(self.pts)

    def frames_at(self, indices):
        indices = list(indices)
        data = np.where(self._data[indices] < 255, self._data[indices] + 1, 254).astype(np.uint8)
        return FrameBatch(data, tuple(self.pts[n] for n in indices), self.time_base)

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "game.mp4"
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(20):
            picture = random.integers(0, 255, (64, 96, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def opened(video, monkeypatch):
    """Lets lvc.open give a reader whose header says `opened.source`; collects what was opened."""
    state = SimpleNamespace(source={"name": "game.mp4", "width": 96, "height": 64, "every": 2}, calls=[], readers=[])

    def fake_open(path, *, model=None, device="cpu"):
        state.calls.append((str(path), model, device))
        state.readers.append(Reader(video, state.source))
        return state.readers[-1]

    monkeypatch.setitem(vars(lvc), "open", fake_open)  # setattr would look the real one up, and so load torch
    return state


def test_all_outputs_in_one_run(video, opened, tmp_path, capsys):
    outputs = [tmp_path / f"report.{suffix}" for suffix in ("html", "json", "csv")]
    arguments = [part for path in outputs for part in ("-o", str(path))]
    assert main(["report", "game.lvc", str(video), *arguments, "--model", "w.safetensors"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "PSNR 48.1" in err and f"wrote {outputs[0]}" in err
    data = json.loads(outputs[1].read_text())
    assert len(data["psnr"]) == 10 and data["psnr"][0]["mse_avg"] == 1.0
    assert len(list(csv.DictReader(outputs[2].open()))) == 10
    assert outputs[0].read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.html", "report.json"]
    assert opened.calls == [("game.lvc", "w.safetensors", "cpu")] and opened.readers[0].closed


@pytest.mark.usefixtures("opened")
def test_json_to_stdout_is_data_alone(video, capsys):
    assert main(["report", "game.lvc", str(video), "--json", "-q"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["lvc"]["totals"]["frames"] == 10 and err == ""


@pytest.mark.usefixtures("opened")
def test_without_an_output_the_headline_is_the_data(video, capsys):
    assert main(["report", "game.lvc", str(video), "-q"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and out.startswith("10 frames, 100.0 bytes a frame, 46.1x smaller than raw, PSNR 48.1")
    assert err == ""


def test_frames_sampled_by_time(video, opened, capsys):
    opened.source = {"fps": "15"}
    assert main(["report", "game.lvc", str(video), "-q"]) == 0
    assert capsys.readouterr().out.startswith("10 frames")


@pytest.mark.parametrize(
    "source", [{}, {"fps": "1e999999999"}, {"fps": "1/0"}, {"fps": [3]}, {"every": 0}, {"every": "2"}, {"fps": "0"}]
)
def test_a_header_without_a_sampling_that_makes_sense_is_refused(video, opened, capsys, source):
    opened.source = source
    assert main(["report", "game.lvc", str(video)]) == 1
    assert capsys.readouterr().err.startswith("lvc report: ")
    assert opened.readers[0].closed


def test_outputs_are_checked_before_the_work(video, opened, tmp_path, capsys):
    existing = tmp_path / "report.json"
    existing.write_text("mine")
    for arguments, words in (
        (["-o", str(existing)], "overwrite it with -y"),
        (["-o", str(tmp_path / "report.pdf")], ".html, .json, .csv"),
        (["-o", str(tmp_path / "missing" / "report.csv")], "there is no folder"),
        (["-o", str(tmp_path / "a.csv"), "-o", str(tmp_path / "a.csv")], "given twice"),
        (["--worst", "-1"], "from 0"),
    ):
        assert main(["report", "game.lvc", str(video), *arguments]) == 1
        assert words in capsys.readouterr().err
    assert opened.calls == [] and existing.read_text() == "mine"


def test_overwrite_and_never_overwrite(video, opened, tmp_path):
    existing = tmp_path / "report.csv"
    existing.write_text("mine")
    assert main(["report", "game.lvc", str(video), "-o", str(existing), "-n", "-q"]) == 0
    assert existing.read_text() == "mine" and opened.calls == []
    assert main(["report", "game.lvc", str(video), "-o", str(existing), "-y", "-q"]) == 0
    assert existing.read_text().startswith("n,pts,")


@pytest.mark.usefixtures("opened")
def test_a_failure_leaves_no_output(tmp_path, capsys):
    output = tmp_path / "report.html"
    assert main(["report", "game.lvc", str(tmp_path / "none.mp4"), "-o", str(output), "-q"]) == 1
    assert "none.mp4" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("opened")
def test_the_output_may_not_be_the_source(video, tmp_path, capsys):
    page = tmp_path / "film.json"
    page.write_bytes(video.read_bytes())
    assert main(["report", "game.lvc", str(page), "-o", str(page), "-y"]) == 1
    assert "also the input" in capsys.readouterr().err and page.read_bytes() == video.read_bytes()
