"""Two processes that train one model, over gloo on loopback, beside one process with the double batch."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from lvc.cli.main import main
from lvc.codecs.learning.clips import ClipSampler
from lvc.errors import InputError
from lvc.weights import checkpoints
from tests import ROOT

# Trains on what the fixtures of conftest.py give, as process RANK of WORLD_SIZE,
# and writes down what is to be compared.
PROGRAM = """
import json, sys
from pathlib import Path
import torch
from lvc.codecs.neural import quantize
from lvc.codecs.learning.seeding import new_model
from lvc.codecs.learning.team import joined
from lvc.codecs.learning.trainer import RunSettings
from lvc.codecs.networks.training.loop import train
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.weights import checkpoints
from tests.builders.recordings_in_memory import squares

output, arguments = Path(sys.argv[1]), json.loads(sys.argv[2])
torch.set_num_threads(1)
options = TrainingOptions(**{"epochs": 2, "precision": "float32", "seed": 3, **arguments["options"]})
with joined("cpu") as team:
    frames, validation = squares(2, 24, seed=1), squares(1, 10, seed=1)
    model = new_model(arguments["model"], geometry=frames.geometry, seed=options.seed, **arguments["model_options"])
    quantiser = quantize.build(**arguments["quantiser"], latent_range=model.latent_range)
    records = []
    entropy, resume = {"name": arguments["entropy"]}, arguments["resume"]
    chosen = {"quantiser": quantiser, "entropy": entropy, "options": options}
    settings = RunSettings(files=checkpoints, team=team, resume=resume)
    for record in train(model, frames, validation, output, settings=settings, **chosen):
        records.append([record.step, record.terms, record.validation and record.validation.psnr, record.ended])
        if record.learning_rate is not None:  # at the end the leader alone goes back to the best weights
            weights = [value for name, value in model.state_dict().items() if ".exact." not in name]
            state = torch.cat([value.double().flatten() for value in weights])
    Path(f"{output}.{team.rank}.json").write_text(json.dumps({"records": records, "state": state.tolist()}))
"""

CASES = {
    "conv": ("conv4", {"stages": 2, "channels": 4}, {"name": "naive"}, "adaptive", {"batch": 8}),
    "adversarial": (
        "conv4",
        {"stages": 2, "channels": 4},
        {"name": "naive"},
        "adaptive",
        {"batch": 8, "adversarial": 0.01, "distortion": "mae,ms-ssim=0.2"},
    ),
    "vae": ("vae", {"code": 6, "hidden": 12}, {"name": "naive"}, "adaptive", {"batch": 8}),
    "hyperprior": (
        "gdn-attention",
        {"channels": 4, "code": 6, "hyper": 3},
        {"name": "round"},
        "hyperprior",
        {"batch": 8, "lr": 1e-3},
    ),
}


@pytest.fixture
def trained_by(tmp_path):
    """`trained_by(processes, case, output)` trains; gives what each process has written down."""

    def run(processes, case, output, *, resume=False, **more):
        model, model_options, quantiser, entropy, options = CASES[case]
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        arguments = {
            "model": model,
            "model_options": model_options,
            "quantiser": quantiser,
            "entropy": entropy,
            "options": {**options, **more},
            "resume": resume,
        }
        command = [str(program), str(tmp_path / output), json.dumps(arguments)]
        finished = subprocess.run(
            [*launcher(processes), *command],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return [json.loads((tmp_path / f"{output}.{rank}.json").read_text()) for rank in range(processes)]

    return run


def launcher(processes):
    """One process of Python, or torchrun's several, which meet on loopback at a port that is free."""
    if processes == 1:
        return [sys.executable]
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nnodes",
        "1",
        "--nproc-per-node",
        str(processes),
        *meeting,
    ]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def losses(records):
    return [terms["loss"] for _, terms, _, _ in records["records"] if "loss" in terms]


@pytest.mark.slow
def test_two_processes_are_one_with_the_double_batch(trained_by, tmp_path):
    [one] = trained_by(1, "conv", "one.safetensors", batch=16, epochs=4, lr=0.02)
    two = trained_by(2, "conv", "two.safetensors", epochs=4, lr=0.02)
    # Sums of float32 in another order: 2e-7 apart where this was written.
    assert len(losses(two[0])) == 16 and losses(two[0]) == pytest.approx(losses(one), rel=1e-5)
    assert losses(two[0])[-1] < losses(two[0])[0]
    assert two[0]["records"] == two[1]["records"]
    assert two[0]["state"] == two[1]["state"]
    assert two[0]["records"][-1][2:] == [None, "all steps done"]
    # Adam divides by the gradients' size, so that weights whose gradients are small come apart further: 1e-4 there.
    assert np.allclose(two[0]["state"], one["state"], rtol=0, atol=1e-3)
    metadata = checkpoints.load(tmp_path / "two.safetensors").metadata
    assert metadata.training["processes"] == 2 and metadata.latents["frames"] == 10


@pytest.mark.slow
@pytest.mark.parametrize("case", ["adversarial", "vae", "hyperprior"])
def test_processes_stay_together(trained_by, case):
    first, second = trained_by(2, case, "two.safetensors")
    assert first["records"] == second["records"]
    assert first["state"] == second["state"]


@pytest.mark.slow
def test_a_run_of_two_goes_on_as_two(trained_by):
    whole = trained_by(2, "conv", "whole.safetensors", epochs=2, schedule="constant")
    before = trained_by(2, "conv", "parts.safetensors", epochs=1, schedule="constant")
    after = trained_by(2, "conv", "parts.safetensors", epochs=2, schedule="constant", resume=True)
    assert before[0]["records"][:-1] + after[0]["records"] == whole[0]["records"]
    assert after[0]["state"] == after[1]["state"] == whole[0]["state"]


def test_parts_of_batches_are_those_of_the_whole(training_frames):
    whole = ClipSampler(training_frames, batch=6, seed=1, length=3, lead=2)
    parts = [ClipSampler(training_frames, batch=2, seed=1, length=3, lead=2, part=part, parts=3) for part in range(3)]
    assert {len(part) for part in parts} == {len(whole)} and {part.batch for part in parts} == {6}
    assert np.array_equal(np.concatenate([part.indices(5) for part in parts], axis=1), whole.indices(5))
    assert np.array_equal(next(parts[1].batches(5)), training_frames.frames(whole.indices(5)[0, 8:16]))
    assert ClipSampler(training_frames, batch=100, seed=1, part=0, parts=5).batch == 45  # of 48 frames
    with pytest.raises(InputError, match="too few for 50 processes"):
        ClipSampler(training_frames, batch=1, seed=1, parts=50)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        ["conv4", "--option", "stages=2", "--option", "channels=4", "--epochs", "2"],
        [
            "temporal",
            "--option",
            "features=16",
            "--option",
            "detail=8",
            "--option",
            "trunk=16",
            "--option",
            "context=8",
            "--steps",
            "8",
        ],
    ],
    ids=["conv4", "temporal"],
)
def test_the_command_under_torchrun(tmp_path, make_recording, gameplay, model):
    for number in range(3):
        make_recording(tmp_path / "in" / f"{number}.mp4", gameplay(60, seed=number))
    assert (
        main(
            [
                "build-dataset",
                str(tmp_path / "in"),
                "-o",
                str(tmp_path / "set"),
                "--every",
                "2",
                "--size",
                "48x32",
                "-w",
                "1",
                "-q",
            ]
        )
        == 0
    )
    output = tmp_path / "model.safetensors"
    command = [
        *launcher(2),
        "-m",
        "lvc",
        "train",
        str(tmp_path / "set"),
        "-o",
        str(output),
        "--batch",
        "4",
        "--model",
        *model,
    ]
    finished = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stderr
    told = [line for line in finished.stderr.splitlines() if "validation" in line]
    assert told and len(set(told)) == len(told)  # by one of them
    assert finished.stderr.count("trained for") == 1 and finished.stdout == ""
    assert checkpoints.load(output).metadata.training["processes"] == 2
    assert sorted(path.name for path in tmp_path.glob("model*")) == ["model.last.safetensors", "model.safetensors"]
