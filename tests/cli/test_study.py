import json
import os
import subprocess
import sys

import numpy as np
import pytest

from lvc.cli.main import main
from tests import ROOT

SAMPLING = ("--every", "2", "--size", "48x32")
TINY = (
    "--sizes",
    "2,5",
    "--systems",
    "mlp1,conv1",
    "--steps",
    4,
    "--pictures",
    64,
    "--test-pictures",
    16,
    "--threads",
    1,
)
REPORTS = {"points.csv", "points.json", "table.md", "sweep.png", "curves.png", "denoising.png", "elsewhere.png"}


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "points").iterdir()}


@pytest.fixture(scope="module")
def frames(recordings, tmp_path_factory):
    """A data set with a recording for each split."""
    folder = tmp_path_factory.mktemp("data") / "frames"
    assert (
        main(["build-dataset", str(recordings), "-o", str(folder), *SAMPLING, "--split", "1:1:1", "-w", "1", "-q"]) == 0
    )
    return folder


def test_a_data_set_needs_recordings_to_test_on(lvc, dataset, tmp_path):
    shown = lvc("study", dataset, "-o", tmp_path / "study", *TINY)
    assert (shown.code, len(shown.err)) == (1, 1) and "holds no pictures for test; build the data set" in shown.err[0]


def test_a_study_from_the_command_line(lvc, frames, tmp_path):
    output = tmp_path / "study"
    command = ("study", "digits", frames, "-o", output, *TINY, "--size", "12x10")
    assert lvc(*command).err[-1].startswith("lvc study: digits: its pictures are 8x8"), (
        "what is taken whole has no other size"
    )
    assert not output.exists()

    command = ("study", frames, "-o", output, *TINY, "--size", "12x10")
    shown = lvc(*command)
    assert (shown.code, shown.out) == (0, "") and f"wrote {output}/table.md" in shown.err
    assert {path.name for path in output.iterdir()} == REPORTS | {"points", "study.json"}
    points = json.loads((output / "points.json").read_text())
    assert [(one["system"], one["code"], one["width"], one["height"]) for one in points] == [
        (system, code, 12, 10) for system in ("conv1", "mlp1") for code in (2, 5)
    ]

    # Run again, with more to do: what is there stays.
    before = times(output)
    shown = lvc(*command, "--denoise", "-q")
    assert (shown.code, shown.out, shown.err) == (0, "", [])
    assert {name: time for name, time in times(output).items() if name in before} == before
    assert len(json.loads((output / "points.json").read_text())) == 8
    assert len((output / "table.md").read_text().splitlines()) == 2 + 8


def test_sets_are_tried_on_each_other(lvc, tmp_path):
    random = np.random.default_rng(0)
    np.save(tmp_path / "noise.npy", random.integers(0, 256, (40, 6, 10, 3), dtype=np.uint8))
    assert lvc("study", "digits", tmp_path / "noise.npy", "-o", tmp_path / "study", *TINY, "-q").code == 0
    points = json.loads((tmp_path / "study/points.json").read_text())
    assert [(one["source"], *one["elsewhere"]) for one in points] == [("digits", "noise")] * 4 + [
        ("noise", "digits")
    ] * 4
    assert {one["raw_bytes"] for one in points} == {64, 6 * 10 * 3}


def test_quick_is_small_and_what_is_given_counts(lvc, tmp_path):
    assert (
        lvc(
            "study",
            "digits",
            "-o",
            tmp_path / "study",
            "--quick",
            "--systems",
            "mlp1",
            "--steps",
            2,
            "--threads",
            1,
            "-q",
        ).code
        == 0
    )
    points = json.loads((tmp_path / "study/points.json").read_text())
    assert [(one["system"], one["code"], one["train_pictures"], one["test_pictures"]) for one in points] == [
        ("mlp1", 4, 256, 64),
        ("mlp1", 64, 256, 64),
    ]
    assert [len(one["loss_curve"]) for one in points] == [2, 2]


def test_an_interrupted_study_goes_on(lvc, tmp_path, monkeypatch):
    from lvc.study import sweep

    whole, measured = sweep.measure_point, []

    def until_the_third(case, *rest, **options):
        measured.append(case)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return whole(case, *rest, **options)

    monkeypatch.setattr(sweep, "measure_point", until_the_third)
    command = ("study", "digits", "-o", tmp_path / "study", *TINY)
    shown = lvc(*command)
    assert (
        shown.code == 130
        and shown.err[-1]
        == f"lvc study: interrupted; {tmp_path}/study keeps what is measured; the same command goes on"
    )
    before = times(tmp_path / "study")
    assert len(before) == 2 and not list((tmp_path / "study").rglob("*.part"))
    assert lvc(*command, "-q").code == 0
    assert [str(case) for case in measured[3:]] == ["digits-conv1-2", "digits-conv1-5"]
    after = times(tmp_path / "study")
    assert len(after) == 4 and all(after[name] == time for name, time in before.items())


def test_a_study_that_is_ended_leaves_nothing_unfinished(tmp_path, until):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [
        sys.executable,
        "-m",
        "lvc",
        "study",
        "digits",
        "-o",
        str(tmp_path / "study"),
        "--systems",
        "mlp1",
        "--sizes",
        "2",
        "--steps",
        "1000000",
        "-q",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    until(lambda: list(scratch.glob("lvc-study-*/*")), 120)  # weights are written after each epoch
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and b"the same command goes on" in errors
    assert list(scratch.glob("lvc-study-*")) == [] and list((tmp_path / "study/points").iterdir()) == []


def test_what_is_there_stays_unless_told(lvc, tmp_path):
    command = ("study", "digits", "-o", tmp_path / "study", *TINY, "-q")
    assert lvc(*command).code == 0
    before = times(tmp_path / "study")
    shown = lvc(*command, "--seed", 1)
    assert shown.code == 1 and len(shown.err) == 1 and "holds a study with seed 0, not 1" in shown.err[0]
    assert lvc(*command, "--seed", 1, "-n").code == 0
    assert times(tmp_path / "study") == before
    assert lvc(*command, "--seed", 1, "--sizes", 3, "-y").code == 0
    assert set(times(tmp_path / "study")) == {"digits-mlp1-3.json", "digits-conv1-3.json"}


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["--sizes", "1,x"], "--sizes are whole numbers, as in 1,2,4, not '1,x'"),
        (["--sizes", "0"], "whole number from 1"),
        (["--sizes", "9999999"], "--sizes are whole numbers"),
        (["--systems", "mlp1,resnet"], "no system 'resnet' to study; choose from mlp1"),
        (["--steps", "0"], "steps must be a whole number"),
        (["--noise", "0"], "noise must be a number above 0"),
        (["--pictures", "0"], "train pictures must be"),
        (["--size", "wide"], "a size is written WIDTHxHEIGHT"),
        (["--size", "500x500"], "sides up to 128"),
        (["--quantiser", "floor"], "no quantiser 'floor'"),
        (["--device", "toaster"], "no device"),
        (["nothing_there"], "nothing_there: is none of digits, photographs"),
        (["digits"], "two sources are called digits"),
        (["empty"], "empty: is a folder"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(lvc, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    os.mkdir("empty")
    sources = [one for one in arguments if len(arguments) == 1]
    shown = lvc("study", "digits", *sources, "-o", "study", *TINY, *arguments[len(sources) :])
    assert (shown.code, shown.out, len(shown.err)) == (1, "", 1), shown
    assert shown.err[0].startswith("lvc study: ") and reason in shown.err[0]
    assert os.listdir() == ["empty"]


@pytest.mark.parametrize("package, what", [("matplotlib", "plots"), ("sklearn.datasets", "digits")])
def test_a_package_that_is_not_there_is_named_with_where_to_get_it(lvc, tmp_path, monkeypatch, package, what):
    monkeypatch.setitem(sys.modules, package, None)  # makes its import fail
    shown = lvc("study", "digits", "-o", tmp_path / "study", *TINY)
    assert (shown.code, len(shown.err)) == (1, 1) and what in shown.err[0] and "pip install lvc[study]" in shown.err[0]
    assert not (tmp_path / "study").exists()
