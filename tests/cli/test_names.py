"""Names and links of outputs, in the commands that tests/cli/test_refusals.py leaves out."""

import json
import os
import shutil
from pathlib import Path

import pytest

SMALL = ("--model", "conv4", "--option", "stages=2", "--option", "channels=4", "--steps", 1, "--threads", 1)
SAMPLING = ("--every", "2", "--size", "48x32")
STEMS = {
    "space": "two words",
    "line end": "two\nlines",
    "dash": "-dash",
    "snow": "snow ☃",
    "no UTF-8": os.fsdecode(b"\xff\xfe"),
    "quote": 'it\'s; $(rm) "q"',
    "long": "x" * 230,
}


@pytest.mark.parametrize("stem", STEMS.values(), ids=STEMS)
def test_odd_names_of_data_sets_weights_and_sheets(lvc, recordings, coded, tiny_model, stem):
    os.mkdir("in")
    for number in range(2):
        shutil.copy(recordings / f"game_{number}.mp4", f"in/{stem}{number}.mp4")
    shown = lvc(
        "build-dataset", f"--output={stem} set", f"--validation={stem}1.mp4", *SAMPLING, "-w", 1, "-q", "--", "in"
    )
    assert shown.code == 0, shown
    names = [video["name"] for video in json.loads(Path(f"{stem} set/manifest.json").read_text())["videos"]]
    assert sorted(names) == [f"{stem}0.mp4", f"{stem}1.mp4"]
    shown = lvc("train", f"--output={stem}.safetensors", *SMALL, "--name", "plain", "-q", "--", f"{stem} set")
    assert shown.code == 0, shown
    shown = lvc("models", "--", f"{stem}.safetensors")
    assert shown.code == 0 and "plain" in shown.out
    assert lvc("storyboard", f"--output={stem}.png", "--model", tiny_model, "-q", "--", coded).code == 0
    before = sorted(os.listdir())
    for command in (
        ("train", f"--output={stem}.safetensors", *SMALL, "--name", "plain", "-q", "--", f"{stem} set"),
        ("storyboard", f"--output={stem}.png", "--model", tiny_model, "-q", "--", coded),
    ):
        shown = lvc(*command)
        assert shown.code == 1 and len(shown.err) == 1 and "exists already" in shown.err[0]
    assert sorted(os.listdir()) == before and not any(name.endswith(".part") for name in before)


def test_a_link_as_output_stays_a_link(lvc, coded, game, tiny_model):
    os.mkdir("real")
    made = {
        "link.lvc": ("encode", game, *SAMPLING, "--model", tiny_model),
        "link.mp4": ("decode", coded, "--model", tiny_model),
        "link.npy": ("decode", coded, "--model", tiny_model),
        "link.html": ("report", coded, game, "--model", tiny_model),
        "link.png": ("storyboard", coded, "--model", tiny_model),
    }
    for name, command in made.items():
        os.symlink(f"real/{name}", name)
        assert lvc(*command, "-o", name, "-q").code == 0
        assert os.path.islink(name) and os.path.getsize(f"real/{name}") > 100
        shown = lvc(*command, "-o", name, "-q")
        assert shown.code == 1 and "exists already" in shown.err[0]
        Path(f"real/{name}").write_text("old")
        assert lvc(*command, "-o", name, "-q", "-y").code == 0
        assert os.path.islink(name) and os.path.getsize(f"real/{name}") > 100
    assert not [name for name in os.listdir("real") if name.endswith(".part")]


def test_a_link_to_a_folder_as_output_stays_a_link(lvc, coded, recordings, tiny_model):
    os.mkdir("real")
    os.mkdir("real/pictures")
    os.symlink("real/pictures", "pictures")
    for more in ((), ("-y",)):
        assert lvc("decode", coded, "-o", "pictures", "--model", tiny_model, "-q", *more).code == 0
        assert os.path.islink("pictures") and len(os.listdir("real/pictures")) == 31
    os.mkdir("real/set")
    os.symlink("real/set", "set")
    assert lvc("build-dataset", recordings, "-o", "set", *SAMPLING, "-w", 1, "-q").code == 0
    assert os.path.islink("set") and "manifest.json" in os.listdir("real/set")
    assert sorted(os.listdir("real")) == ["pictures", "set"]


@pytest.mark.usefixtures("game")
def test_weights_that_are_read_are_not_written_over(lvc, dataset, tiny_model):
    shutil.copy(tiny_model, "mine.safetensors")
    precious = Path("mine.safetensors").read_bytes()
    os.symlink("mine.safetensors", "link.safetensors")
    os.link("mine.safetensors", "net.encoder.onnx")
    commands = [
        ("train", dataset, "-o", name, "--start-from", "mine.safetensors", "--steps", 1, "--threads", 1)
        for name in ("mine.safetensors", "link.safetensors")
    ]
    for command in (*commands, ("export-onnx", "mine.safetensors", "-o", "net.onnx")):
        shown = lvc(*command, "-y", "-q")
        assert (shown.code, len(shown.err)) == (1, 1) and "the output is also the input" in shown.err[0], shown
        assert Path("mine.safetensors").read_bytes() == precious
    assert sorted(os.listdir()) == ["game.mp4", "link.safetensors", "mine.safetensors", "net.encoder.onnx"]


def test_names_that_are_as_long_as_may_be(lvc, game, tiny_model):
    name = "x" * 251 + ".lvc"
    assert lvc("encode", game, "-o", name, "--model", tiny_model, *SAMPLING).code == 0
    assert sorted(os.listdir()) == ["game.mp4", name]


def test_names_that_are_too_long(lvc, game, tiny_model):
    shown = lvc("encode", game, "-o", "x" * 252 + ".lvc", "--model", tiny_model, *SAMPLING)
    assert (shown.code, len(shown.err)) == (1, 1) and "File name too long" in shown.err[0]
    assert os.listdir() == ["game.mp4"]
