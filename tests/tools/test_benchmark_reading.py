"""The benchmark of reading on a data set of a few frames: all formats, all tables,
and a page of which the rest is kept.
"""

import importlib.util
import json

import numpy as np
import pytest

from lvc.cli.main import main
from tests.builders.tools import run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, make_recording, gameplay):
    folder = tmp_path_factory.mktemp("benchmark")
    make_recording(folder / "recordings" / "game.mp4", gameplay(24, 200, 160))
    assert (
        main(
            [
                "build-dataset",
                str(folder / "recordings"),
                "-o",
                str(folder / "set"),
                "--every",
                "2",
                "--test",
                "game.mp4",
                "-w",
                "1",
                "-q",
            ]
        )
        == 0
    )
    return folder / "set"


@pytest.mark.slow
def test_all_tables_are_written_between_the_marks(dataset, tmp_path):
    page, data = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text("# Mine\n\n<!-- measured -->\nold figures\n<!-- end of what is measured -->\nwhat it means\n")
    formats = ["lvc keyint 4", "H.264 g=2", "PNG"] + (["HDF5"] if importlib.util.find_spec("h5py") else [])
    clips = (
        "--clips",
        3,
        "--distinct",
        2,
        "--frames",
        8,
        "--keyint",
        4,
        "--formats",
        ",".join(formats),
        "--folder",
        tmp_path / "coded",
    )
    done = run("benchmark_reading", dataset, "-o", page, "--data", data, *clips, "--samples", 2, "--long-frames", 60)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# Mine\n") and text.endswith("what it means\n") and "old figures" not in text
    figures = json.loads(data.read_text())
    assert (figures["clips"], figures["distinct"], figures["frames"]) == (3, 2, 8)
    rows = figures["rows"]
    for name in ("lvc keyint 4, lvc", "H.264 g=2, PyAV", "PNG, OpenCV"):
        assert f"| {name} |" in text
        assert rows[name]["epochs"]["frames"]["epochs"][0]["reads"] == 3 * 8
        assert all(one["processor"] > 0 for one in rows[name]["reads"].values())
    assert set(rows["lvc keyint 4, lvc"]["epochs"]) == {"frames", "kept frames", "latents"}
    assert rows["PNG, OpenCV"]["psnr"] is None and 15 < rows["H.264 g=2, PyAV"]["psnr"] < 60
    pictures = [one.stat().st_size for one in (tmp_path / "coded").glob("*/PNG/clip_*/*.png")]
    assert len(pictures) == 2 * 8 and np.isclose(rows["PNG, OpenCV"]["bytes_per_frame"], np.mean(pictures))
    assert (figures["long"]["lvc keyint 4"]["frames"], figures["long"]["lvc keyint 4"]["groups"]) == (60, 15)


@pytest.mark.parametrize(
    "more, says",
    [(("--clips", 100), "windows"), (("--formats", "VHS"), "VHS")],
    ids=["too many clips", "no such format"],
)
def test_what_cannot_be_measured_is_told(dataset, tmp_path, more, says):
    done = run("benchmark_reading", dataset, "-o", tmp_path / "page.md", "--frames", 8, "--clips", 1, *more)
    assert done.returncode == 1 and says in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert not (tmp_path / "page.md").exists()
