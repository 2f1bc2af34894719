"""The whole road by the commands that users have: recordings in, .lvc, pictures and figures out."""

import json
import os
import re
import stat
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from lvc.cli.main import main
from lvc.codecs.crf import DEFAULT_CRF
from lvc.container.reader import ContainerReader

SAMPLING = ("--every", "2", "--size", "48x32")


def video_frames(path):
    """Pictures [T, H, W, 3] and times in seconds of a video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return np.stack([frame.to_ndarray(format="rgb24") for frame in frames]), [
            frame.pts * Fraction(stream.time_base) for frame in frames
        ]


def facts(lvc, path):
    shown = lvc("info", "--json", path)
    assert shown.code == 0 and shown.err == []
    return json.loads(shown.out)


COMBINATIONS = [
    ("naive", "factorised"),
    ("naive", "adaptive"),
    ("naive", "raw"),
    ("scale", "adaptive"),
    ("scale", "raw"),
    ("kmeans", "adaptive"),
    ("kmeans", "raw"),
    ("none", "raw"),
]


@pytest.mark.parametrize(("quantiser", "entropy"), COMBINATIONS)
def test_every_combination_is_coded_checked_and_decoded(lvc, game, tiny_model, quantiser, entropy):
    model = ("--model", tiny_model)
    shown = lvc(
        "encode",
        game,
        "-o",
        "game.lvc",
        *model,
        *SAMPLING,
        "--keyint",
        8,
        "--quantiser",
        quantiser,
        "--entropy",
        entropy,
        "--json",
    )
    assert shown.code == 0
    made = json.loads(shown.out)
    assert (made["frames"], made["raw_bytes"], made["file_bytes"]) == (
        30,
        30 * 48 * 32 * 3,
        os.path.getsize("game.lvc"),
    )
    found = facts(lvc, "game.lvc")
    assert (found["quantiser"]["name"], found["entropy"]["name"], found["keyframes"]) == (
        quantiser,
        entropy,
        [0, 8, 16, 24],
    )
    assert sum(found["bytes"].values()) == found["file_bytes"]
    checked = lvc("verify", "--symbols", "game.lvc", *model)
    assert checked.code == 0 and "ok, 30 frames in 4 groups" in checked.out
    assert lvc("decode", "game.lvc", "-o", "out.npy", *model, "-q").code == 0
    assert np.load("out.npy").shape == (30, 3, 32, 48)


@pytest.mark.parametrize("crf", [None, 40])
def test_a_model_that_predicts(lvc, game, temporal_model, crf):
    model = ("--model", temporal_model)
    rate = () if crf is None else ("--crf", crf)
    assert lvc("encode", "-i", game, "-o", "game.lvc", *model, *SAMPLING, "--keyint", 16, *rate, "-q").code == 0
    found = facts(lvc, "game.lvc")
    assert (found["entropy"]["name"], found["keyframes"], found["crf"]) == (
        "prediction",
        [0, 16],
        DEFAULT_CRF if crf is None else crf,
    )
    assert lvc("verify", "--symbols", "game.lvc", *model, "-q").code == 0
    assert lvc("decode", "-i", "game.lvc", "-o", "all.npy", *model, "-q").code == 0
    assert lvc("decode", "game.lvc", "-o", "keys.npy", *model, "--keyframes-only", "-q").code == 0
    whole, keys = np.load("all.npy"), np.load("keys.npy")
    assert whole.shape == (30, 3, 32, 48) and keys.shape == (2, 3, 32, 48)
    # Alone and in a batch a frame goes through other kernels: a level apart here and there.
    assert np.abs(whole[[0, 16]].astype(int) - keys).max() <= 1


def test_all_forms_hold_the_same_pixels_at_the_times_of_the_source(lvc, coded, tiny_model, source_frames):
    model = ("--model", tiny_model)
    for output in ("out.mp4", "out.mkv", "out.npy", "pictures"):
        shown = lvc("decode", coded, "-o", output, *model)
        assert shown.code == 0 and shown.out == "" and shown.err[-1] == f"{output}: 30 frames"
    _, pts, time_base = source_frames
    seconds = [number * time_base for number in pts]
    array = np.load("out.npy").transpose(0, 2, 3, 1)
    for name, tolerance in (("out.mp4", 0), ("out.mkv", Fraction(1, 2000))):
        frames, times = video_frames(name)
        assert np.array_equal(frames, array)
        assert max(abs(one - other) for one, other in zip(times, seconds, strict=True)) <= tolerance
    pictures = sorted(name for name in os.listdir("pictures") if name.endswith(".png"))
    assert len(pictures) == 30
    assert np.array_equal(np.stack([cv2.imread(f"pictures/{name}")[:, :, ::-1] for name in pictures]), array)
    for name in ("out.timestamps.json", "pictures/timestamps.json"):
        with open(name) as file:
            assert json.load(file) == {"time_base": str(time_base), "pts": pts}


def test_a_report_measures_what_decode_gives(lvc, coded, game, tiny_model, source_frames):
    assert (
        lvc("report", coded, game, "-o", "r.json", "-o", "r.html", "-o", "r.csv", "--model", tiny_model, "-q").code == 0
    )
    assert lvc("decode", coded, "-o", "out.npy", "--model", tiny_model, "-q").code == 0
    with open("r.json") as file:
        report = json.load(file)
    errors = ((np.load("out.npy").transpose(0, 2, 3, 1).astype(float) - source_frames[0]) ** 2).mean(axis=(1, 2, 3))
    assert np.allclose([frame["psnr_avg"] for frame in report["psnr"]], 10 * np.log10(255**2 / errors), atol=1e-3)
    totals = report["lvc"]["totals"]
    assert totals["frames"] == 30 and totals["bytes_per_frame"] == pytest.approx(coded.stat().st_size / 30)


def test_encoding_with_a_report(lvc, game, tiny_model):
    shown = lvc("encode", game, "--model", tiny_model, *SAMPLING, "--report", "r.html")
    assert shown.code == 0 and shown.out == "" and "PSNR" in shown.err[-1]
    assert sorted(os.listdir()) == ["game.lvc", "game.mp4", "r.html"]


@pytest.mark.parametrize(
    ("options", "frames", "groups"),
    [
        (("--every", 10), 6, 1),
        (("--every", 1, "--keyint", "1s"), 60, 2),
        (("--every", 2, "--keyint", "0.2s"), 30, 10),
        (("--fps", "3", "--keyint", "2"), 6, 3),
        (("--fps", "30000/1001", "--keyint", "1s"), 59, 2),
        (("--fps", "7.5", "--keyint", "2s"), 15, 1),
    ],
)
def test_which_frames_and_keyframes(lvc, game, tiny_model, options, frames, groups):
    shown = lvc(
        "encode",
        game,
        "-o",
        "game.lvc",
        "--model",
        tiny_model,
        "--entropy",
        "adaptive",
        "--size",
        "40x24",
        *options,
        "-q",
    )
    assert (shown.code, shown.out, shown.err) == (0, "", [])
    found = facts(lvc, "game.lvc")
    assert (found["frames"], len(found["keyframes"]), found["width"], found["height"]) == (frames, groups, 40, 24)
    assert found["duration_seconds"] == pytest.approx(2.0, abs=0.34)
    report = lvc("report", "game.lvc", game, "--json", "-q", "--model", tiny_model)
    assert json.loads(report.out)["lvc"]["totals"]["measured_frames"] == frames


@pytest.mark.usefixtures("game")
def test_several_recordings_into_a_folder(lvc, recordings, tiny_model):
    os.mkdir("coded")
    shown = lvc(
        "encode",
        recordings / "game_1.mp4",
        "-i",
        recordings / "game_2.mp4",
        "-o",
        "coded",
        "--model",
        tiny_model,
        *SAMPLING,
        "--json",
        "-q",
    )
    assert shown.code == 0
    assert [json.loads(line)["frames"] for line in shown.out.splitlines()] == [30, 30]
    assert sorted(os.listdir("coded")) == ["game_1.lvc", "game_2.lvc"]
    assert lvc("info", "coded/game_1.lvc", "coded/game_2.lvc").out.count("30 of 48x32") == 2


def test_yes_never_and_quiet(lvc, coded, game, tiny_model):
    encode = ("encode", game, "-o", coded, "--model", tiny_model, *SAMPLING)
    before = coded.read_bytes()
    assert lvc(*encode, "-q").code == 1
    shown = lvc(*encode, "-n")
    assert (shown.code, shown.err) == (0, [f"{coded}: exists already, left as it is"])
    assert coded.read_bytes() == before
    shown = lvc(*encode, "-y", "-q")
    assert (shown.code, shown.out, shown.err) == (0, "", [])
    assert coded.read_bytes() != before, "another keyint gives another file"
    with ContainerReader(coded) as container:
        assert len(container.index) == 1
    for output in ("out.npy", "pictures"):
        decode = ("decode", coded, "-o", output, "--model", tiny_model, "-q")
        assert [lvc(*decode, *more).code for more in ((), (), ("-n",), ("-y",))] == [0, 1, 0, 0]


def test_outputs_have_the_permissions_of_any_new_file(lvc, coded, game, tiny_model, dataset):
    before = os.umask(0o027)
    try:
        os.mkdir("new")
        assert (
            lvc(
                "encode", game, "-o", "new/game.lvc", "--model", tiny_model, *SAMPLING, "--report", "new/r.html", "-q"
            ).code
            == 0
        )
        for name in ("out.mp4", "out.npy", "pictures"):
            assert lvc("decode", coded, "-o", f"new/{name}", "--model", tiny_model, "-q").code == 0
        small = ("--model", "conv4", "--option", "stages=2", "--option", "channels=4", "--steps", 1, "--threads", 1)
        assert lvc("train", dataset, "-o", "new/a.safetensors", *small, "-q").code == 0
    finally:
        os.umask(before)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir("new")}
    assert {name: mode for name, mode in modes.items() if mode != (0o750 if name == "pictures" else 0o640)} == {}
    assert len(modes) == 8


def test_the_file_that_a_link_means_is_written_and_the_link_stays(lvc, game, tiny_model):
    os.mkdir("disk")
    os.symlink("disk/game.lvc", "link.lvc")
    encode = ("encode", game, "-o", "link.lvc", "--model", tiny_model, *SAMPLING, "-q")
    assert lvc(*encode).code == 0
    assert os.path.islink("link.lvc") and os.listdir("disk") == ["game.lvc"]
    assert lvc(*encode).code == 1
    assert lvc(*encode, "-y").code == 0
    assert os.path.islink("link.lvc") and lvc("verify", "disk/game.lvc", "-q").code == 0


def test_models_are_found_by_name(lvc, game, tiny_model, monkeypatch):
    monkeypatch.setenv("LVC_MODELS", str(tiny_model.parent))
    assert lvc("encode", game, "--model", "tiny", *SAMPLING, "-q").code == 0
    assert lvc("decode", "game.lvc", "-o", "out.npy", "-q").code == 0
    assert "tiny: conv4" in lvc("models").out


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for name in (
        "build-dataset",
        "train",
        "encode",
        "decode",
        "info",
        "verify",
        "play",
        "report",
        "models",
        "import-onnx",
        "export-onnx",
    ):
        assert re.search(rf"^    {name}\s", shown, re.MULTILINE)
