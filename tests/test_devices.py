"""The CPU by its other name, cpu:0, wherever a device can be named."""

import numpy as np
import pytest
import torch

import lvc
from lvc.cli.main import main
from tests.builders import all_families
from tests.builders.all_families import SIZE, frames_of

CPU = "cpu:0"


@pytest.fixture(scope="module", autouse=True)
def toy():
    with all_families.toy():
        yield


@pytest.mark.parametrize("model", all_families.models())
@pytest.mark.parametrize("device", [CPU, torch.device(CPU)], ids=["name", "torch.device"])
def test_files_of_every_family_are_written_and_read(tmp_path, save_small, model, device):
    checkpoint, weights = all_families.small_model(model, tmp_path, save_small)
    files = [tmp_path / "cpu.lvc", tmp_path / "cpu0.lvc"]
    for path, on in zip(files, ("cpu", device)):
        with lvc.Writer(path, fps=30, geometry=SIZE, model=weights or checkpoint, keyint=4, device=on) as writer:
            writer.write(frames_of(6))
    assert files[0].read_bytes() == files[1].read_bytes()
    with lvc.open(files[0], model=weights) as wanted, lvc.open(files[1], model=weights, device=device) as reader:
        assert torch.equal(reader[:], wanted[:]) and reader[2].device.type == "cpu"
    item = lvc.FrameDataset(files[1], model=weights, device=device)[3]["frames"]
    assert item.device.type == "cpu" and torch.equal(item[0], lvc.FrameDataset(files[0], model=weights)[3]["frames"][0])


def test_training_and_the_command_line(tmp_path, make_recording, gameplay, capsys):
    for number in range(3):
        make_recording(tmp_path / f"{number}.mp4", gameplay(20, seed=number))
    names = [str(tmp_path / f"{number}.mp4") for number in range(3)]
    sampling = ["--every", "2", "--size", "48x32", "-q"]
    assert main(["build-dataset", *names, "-o", str(tmp_path / "set"), "-w", "1", *sampling]) == 0
    weights, coded = tmp_path / "weights.safetensors", str(tmp_path / "x.lvc")
    small = ["--model", "conv4", "--option", "stages=2", "--option", "channels=4", "--batch", "8", "--steps", "2"]
    assert main(["train", str(tmp_path / "set"), "-o", str(weights), *small, "--device", CPU, "-q"]) == 0
    on = ["--model", str(weights), "--device", CPU, "-q"]
    assert main(["encode", names[0], "-o", coded, *sampling[:-1], *on]) == 0
    assert main(["decode", coded, "-o", str(tmp_path / "x.npy"), *on]) == 0
    assert main(["report", coded, names[0], "-o", str(tmp_path / "x.html"), *on]) == 0
    assert np.load(tmp_path / "x.npy").shape[0] == 10 and capsys.readouterr().err == ""


@pytest.mark.parametrize("device", ["cuda:99", "none such"])
def test_devices_that_are_not_there_are_refused(tmp_path, device):
    with pytest.raises(lvc.OptionError, match="device"):
        lvc.Writer(tmp_path / "x.lvc", fps=30, model="arcade", device=device)
