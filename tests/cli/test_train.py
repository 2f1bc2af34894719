import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest

from lvc.cli.main import main
from lvc.frames import FrameBatch, Geometry
from lvc.video.mux import open_output
from lvc.weights import checkpoints

TINY = ["--model", "conv4", "--option", "stages=2", "--option", "channels=4", "--threads", "1", "--batch", "8"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A data set of three short recordings, made by the command that users have."""
    folder = tmp_path_factory.mktemp("recordings")
    geometry = Geometry(width=32, height=16)
    for number in range(3):
        random = np.random.default_rng(number)
        frames = np.broadcast_to(
            np.kron(random.integers(0, 200, (3, 4, 8)), np.ones((1, 4, 4))).astype(np.uint8), (20, 3, 16, 32)
        ).copy()
        for time_step, frame in enumerate(frames):
            frame[:, 4:8, time_step : time_step + 4] = 255
        with open_output(folder / f"{number}.mkv", geometry=geometry, time_base=Fraction(1, 30)) as writer:
            writer.write(FrameBatch(frames.transpose(0, 2, 3, 1), tuple(range(20)), Fraction(1, 30)))
    output = folder / "dataset"
    assert (
        main(
            [
                "build-dataset",
                *map(str, sorted(folder.glob("*.mkv"))),
                "-o",
                str(output),
                "--every",
                "1",
                "--size",
                "32x16",
                "-q",
            ]
        )
        == 0
    )
    return output


def train(dataset, output, *more):
    return main(["train", str(dataset), "-o", str(output), *map(str, more)])


def test_a_run_from_the_command_line(dataset, tmp_path, capsys):
    output = tmp_path / "squares.safetensors"
    assert train(dataset, output, *TINY, "--epochs", 3, "--description", "squares that move") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "validation" in captured.err and "dB" in captured.err and "all steps done" in captured.err
    checkpoint = checkpoints.load(output)
    assert checkpoint.name == "squares"
    assert checkpoint.metadata.description == "squares that move"
    assert checkpoint.metadata.training["dataset"]["name"] == "dataset"
    assert "factorised" in checkpoint.tables
    assert (tmp_path / "squares.last.safetensors").exists()

    assert main(["models", str(output), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["model"], facts["sha256"]) == ("squares", "conv4", checkpoint.sha256)
    assert facts["validation_psnr"] > 5
    assert main(["models", str(output)]) == 0
    assert "squares that move" in capsys.readouterr().out


def test_quiet_is_quiet(dataset, tmp_path, capsys):
    assert train(dataset, tmp_path / "a.safetensors", *TINY, "--epochs", 1, "-q") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_round_chooses_latents_to_round(dataset, tmp_path):
    assert train(dataset, tmp_path / "a.safetensors", *TINY, "--epochs", 1, "--quantiser", "round,step=0.5", "-q") == 0
    checkpoint = checkpoints.load(tmp_path / "a.safetensors")
    assert checkpoint.quantiser == {"name": "round", "step": 0.5}
    assert checkpoint.model.rounded_latents
    assert checkpoint.entropy == {"name": "factorised"}


@pytest.mark.parametrize(
    ("quantiser", "entropy"),
    [("none", "raw"), ("naive", "factorised"), ("scale", "factorised"), ("kmeans", "adaptive")],
)
def test_each_quantiser_has_an_entropy_model_that_fits(dataset, tmp_path, quantiser, entropy):
    assert train(dataset, tmp_path / "a.safetensors", *TINY, "--steps", 1, "--quantiser", quantiser, "-q") == 0
    assert checkpoints.load(tmp_path / "a.safetensors").entropy == {"name": entropy}


def test_existing_weights_stay_unless_told(dataset, tmp_path, capsys):
    output = tmp_path / "a.safetensors"
    assert train(dataset, output, *TINY, "--steps", 1, "-q") == 0
    before = output.read_bytes()
    assert train(dataset, output, *TINY, "--steps", 2, "-q") == 1
    assert "exists already; overwrite it with -y" in capsys.readouterr().err
    assert train(dataset, output, *TINY, "--steps", 2, "-q", "-n") == 0
    assert output.read_bytes() == before
    assert train(dataset, output, *TINY, "--steps", 2, "-q", "-y", "--seed", 9) == 0
    assert output.read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model NAME, --recipe NAME or --start-from FILE"),
        (["--model", "resnet"], "there is no model 'resnet' to train; choose from"),
        (["--model", "conv4", "--option", "wings=2"], "no option 'wings'"),
        (["--model", "conv4", "--option", "stages"], "--option is written KEY=VALUE"),
        (["--model", "conv4", "--quantiser", "floor"], "floor"),
        (["--model", "conv4", "--entropy", "huffman"], "huffman"),
        (["--model", "conv4", "--quantiser", "none", "--entropy", "adaptive"], "choose raw"),
        (["--model", "vae", "--quantiser", "round"], "noise"),
        (["--model", "conv4", "--epochs", "0"], "epochs must be"),
        (["--model", "conv4", "--device", "toaster"], "no device"),
        (["--recipe", "soup"], "no recipe 'soup'; choose from"),
        (["--model", "fc-vanilla", "--option", "rows=3"], "does not divide"),
        (["--model", "conv4", "--resume"], "no such weights file"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(dataset, tmp_path, capsys, arguments, message):
    assert train(dataset, tmp_path / "a.safetensors", *arguments) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.startswith("lvc train: ") and "\n" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_data_set(tmp_path, capsys):
    assert train(tmp_path, tmp_path / "a.safetensors", "--model", "conv4") == 1
    assert "lvc build-dataset" in capsys.readouterr().err
    assert train(tmp_path, tmp_path / "a.pt", "--model", "conv4") == 1
    assert ".safetensors was expected" in capsys.readouterr().err


def test_recipes_can_be_varied(dataset, tmp_path):
    assert (
        train(
            dataset,
            tmp_path / "a.safetensors",
            "--recipe",
            "pacman-conv4",
            "--option",
            "stages=2",
            "--option",
            "channels=4",
            "--steps",
            1,
            "-q",
        )
        == 0
    )
    checkpoint = checkpoints.load(tmp_path / "a.safetensors")
    assert checkpoint.quantiser["name"] == "round"
    assert checkpoint.model.config.stages == 2


def test_tensorboard_gets_the_curves(dataset, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert (
        train(dataset, tmp_path / "a.safetensors", *TINY, "--epochs", 2, "-q", "--tensorboard", tmp_path / "curves")
        == 0
    )
    events = accumulator.EventAccumulator(str(tmp_path / "curves")).Reload()
    assert len(events.Scalars("training/loss")) > 2
    assert len(events.Scalars("validation/psnr")) == 2


def test_without_tensorboard_the_option_says_so(dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert train(dataset, tmp_path / "a.safetensors", *TINY, "--tensorboard", tmp_path / "curves") == 1
    assert "pip install lvc[train]" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_with_resume(dataset, tmp_path, number):
    output = tmp_path / "a.safetensors"
    arguments = [
        sys.executable,
        "-m",
        "lvc",
        "train",
        str(dataset),
        "-o",
        str(output),
        *TINY,
        "--epochs",
        "100000",
        "--schedule",
        "constant",
    ]
    process = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "a.last.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with --resume" in errors and "Traceback" not in errors
    before = checkpoints.load(tmp_path / "a.last.safetensors").metadata.training["position"]
    assert (
        train(
            dataset,
            output,
            *TINY,
            "--steps",
            before["step"] + 2,
            "--epochs",
            100000,
            "--schedule",
            "constant",
            "--resume",
            "-q",
        )
        == 0
    )
    after = checkpoints.load(tmp_path / "a.last.safetensors").metadata.training["position"]
    assert after["step"] == before["step"] + 2
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.last.safetensors", "a.safetensors"]
