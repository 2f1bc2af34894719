"""A recording, a data set and two models, small enough to try every command on."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lvc.cli.main import main
from lvc.codecs.family import build
from lvc.codecs.temporal.prediction import prediction_tables
from lvc.frames import Geometry
from lvc.weights import checkpoints

SIZE = Geometry(48, 32)
SAMPLING = ("--every", "2", "--size", str(SIZE))  # of all files that these tests make: 30 frames of 60


@pytest.fixture(scope="session")
def recordings(tmp_path_factory, make_recording, gameplay):
    """A folder with three recordings of 60 frames, 30 a second, 96x64."""
    folder = tmp_path_factory.mktemp("recordings")
    for number in range(3):
        make_recording(folder / f"game_{number}.mp4", gameplay(60, seed=number))
    return folder


@pytest.fixture(scope="session")
def dataset(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    assert (
        main(
            [
                "build-dataset",
                str(recordings),
                "-o",
                str(folder),
                *SAMPLING,
                "--validation",
                "game_2.mp4",
                "-w",
                "1",
                "-q",
            ]
        )
        == 0
    )
    return folder


@pytest.fixture(scope="session")
def tiny_model(dataset, tmp_path_factory):
    """conv4 for naive and factorised, trained for a few steps."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    small = [
        "--model",
        "conv4",
        "--option",
        "stages=2",
        "--option",
        "channels=4",
        "--batch",
        "8",
        "--steps",
        "8",
        "--threads",
        "1",
    ]
    assert main(["train", str(dataset), "-o", str(path), *small, "-q"]) == 0
    return path


@pytest.fixture(scope="session")
def temporal_model(tmp_path_factory):
    """An exact temporal model as it comes from its random start."""
    torch.manual_seed(1)
    model = build(
        "temporal",
        geometry=SIZE,
        features=16,
        detail=8,
        trunk=16,
        context=8,
        channels=16,
        groups=(4, 4, 8),
        phases=(1, 4, 2),
        placed=4,
    ).exact()
    metadata = checkpoints.Metadata(
        name="moving",
        model="temporal",
        config=dataclasses.asdict(model.config),
        geometry=SIZE,
        quantiser={"name": "round"},
        entropy={"name": "prediction"},
    )
    path = tmp_path_factory.mktemp("models") / "moving.safetensors"
    tables = dict(zip(("copies", "residuals"), prediction_tables()))
    checkpoints.save(path, checkpoints.Checkpoint(metadata, model.eval(), tables))
    return path


@pytest.fixture
def lvc(capsys):
    """`lvc("encode", ...)` runs a command here: its exit code, what it printed on stdout, and the lines on stderr."""

    def run(*arguments):
        capsys.readouterr()
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as end:
            code = end.code
        shown = capsys.readouterr()
        # A bar is drawn over and over from the line's start; what is left of it is what comes after the last return.
        lines = [line.rpartition("\r")[2] for line in shown.err.split("\n")]
        return SimpleNamespace(code=code, out=shown.out, err=[line for line in lines if line.strip()])

    return run


@pytest.fixture
def game(recordings, tmp_path, monkeypatch):
    """The working folder is empty but for game.mp4."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "game.mp4"
    path.write_bytes((recordings / "game_0.mp4").read_bytes())
    return path


@pytest.fixture(scope="session")
def coded_bytes(recordings, tiny_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("coded") / "game.lvc"
    arguments = [
        str(recordings / "game_0.mp4"),
        "-o",
        str(path),
        "--model",
        str(tiny_model),
        *SAMPLING,
        "--keyint",
        "8",
        "-q",
    ]
    assert main(["encode", *arguments]) == 0
    return path.read_bytes()


@pytest.fixture
def coded(game, coded_bytes):
    """game.lvc in the working folder: 30 frames in groups of 8."""
    path = game.with_suffix(".lvc")
    path.write_bytes(coded_bytes)
    return path


@pytest.fixture
def source_frames(recordings):
    """The sampled frames [T, H, W, 3] and timestamps of game_0.mp4."""
    from lvc.video.sample import Sampling, sampled_frames

    batches = list(sampled_frames(recordings / "game_0.mp4", Sampling(every=2, geometry=SIZE)))
    return (
        np.concatenate([batch.data for batch in batches]),
        [pts for batch in batches for pts in batch.pts],
        batches[0].time_base,
    )
