"""The tables of the workshop's models: made of real files, kept row by row, and put into a page."""

import json

import pytest

from lvc.cli.main import main
from tests.builders.tools import module_of, run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, make_recording, gameplay):
    folder = tmp_path_factory.mktemp("tables")
    for number in range(3):
        make_recording(folder / "recordings" / f"{number}.mp4", gameplay(12, 48, 32))
    command = [
        "build-dataset",
        str(folder / "recordings"),
        "-o",
        str(folder / "set"),
        "--every",
        "2",
        "--size",
        "48x32",
    ]
    assert main([*command, "--validation", "1.mp4", "--test", "2.mp4", "-w", "1", "-q"]) == 0
    return folder / "set"


@pytest.mark.slow
def test_a_row_is_trained_then_measured_and_neither_twice(dataset, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "above\n<!-- the workshop's models, measured -->\nold\n<!-- end of the workshop's models -->\nbelow\n"
    )
    common = (dataset, "-o", tmp_path / "results", "--threads", 1)
    trained = run(
        "reproduce_tables",
        *common,
        "--only",
        "conv4",
        "--train",
        "--minutes",
        0.1,
        "--more",
        "--steps",
        3,
        "--batch",
        4,
    )
    assert trained.returncode == 0 and not trained.stdout, trained.stderr
    facts = json.loads((tmp_path / "results" / "conv4.json").read_text())
    assert facts["steps"] == 3 and facts["batch"] == 4 and facts["peak_memory"] > 1e8
    measured = run("reproduce_tables", *common, "--measure", "--page", page)
    assert measured.returncode == 0, measured.stderr
    rows = json.loads((tmp_path / "results" / "results.json").read_text())
    assert [(row["quantiser"], row["entropy"]) for row in rows] == [
        ("none", "raw"),
        ("naive", "factorised"),
        ("scale", "adaptive"),
        ("kmeans", "adaptive"),
        ("bits:3", "adaptive"),
    ]
    assert rows[0]["coded_bytes_per_frame"] is None and all(row["coded_bytes_per_frame"] > 0 for row in rows[1:])
    # A float and a byte for each of 128 x 2 x 3 latents, and the file's own.
    assert 3072 <= rows[0]["raw_bytes_per_frame"] < 3300 and 768 <= rows[1]["raw_bytes_per_frame"] < 1000
    text = page.read_text()
    assert (
        text.startswith("above\n")
        and text.endswith("below\n")
        and "old" not in text
        and "| conv4 | none | 30.36, 0.874 |" in text
    )
    before = page.stat().st_mtime_ns, (tmp_path / "results" / "conv4.none.json").stat().st_mtime_ns
    assert run("reproduce_tables", *common, "--only", "conv4").returncode == 0
    assert (page.stat().st_mtime_ns, (tmp_path / "results" / "conv4.none.json").stat().st_mtime_ns) == before


@pytest.mark.slow
def test_a_failed_training_is_told_in_one_line_and_leaves_no_row(dataset, tmp_path):
    failed = run(
        "reproduce_tables", dataset, "-o", tmp_path / "results", "--only", "conv4", "--train", "--more", "--lr", "0"
    )
    assert failed.returncode == 1 and failed.stderr.splitlines()[-1].startswith(
        "reproduce_tables: conv4: lvc train ended with"
    )
    assert not (tmp_path / "results" / "conv4.json").exists()


def test_all_that_the_workshop_reported_has_its_row():
    tool = module_of("reproduce_tables")
    labels = {row.theirs: row for row in tool.ROWS}
    assert len(tool.PUBLISHED) == 11
    assert all(name in labels and quantiser in labels[name].quantisers for name, quantiser in tool.PUBLISHED)


def test_a_page_without_marks_is_left_as_it_is(tmp_path):
    tool, page = module_of("reproduce_tables"), tmp_path / "page.md"
    page.write_text("nothing to replace\n")
    with pytest.raises(tool.InputError, match="has no lines"):
        tool.write_between_marks(page, "text\n")
    assert page.read_text() == "nothing to replace\n"
