"""A family that only a test knows goes everywhere by its one line of registration: no other file is told of it."""

import json

import numpy as np
import pytest
import torch

import lvc
from lvc.cli.main import main
from lvc.codecs import family


@pytest.fixture(scope="module", autouse=True)
def toy():
    family.register("toy", "tests.codecs.toy_family", models=("toy",))
    yield
    family.forget("toy")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, make_recording, gameplay):
    folder = tmp_path_factory.mktemp("recordings")
    for number in range(3):
        make_recording(folder / f"{number}.mp4", gameplay(30, 96, 64, seed=number))
    return folder


@pytest.fixture(scope="module")
def weights(recordings, tmp_path_factory):
    """Trained by the command that users have."""
    folder = tmp_path_factory.mktemp("weights")
    assert (
        main(
            [
                "build-dataset",
                str(recordings),
                "-o",
                str(folder / "set"),
                "--every",
                "2",
                "--size",
                "48x32",
                "--split",
                "1:1:1",
                "-w",
                "1",
                "-q",
            ]
        )
        == 0
    )
    assert (
        main(
            [
                "train",
                str(folder / "set"),
                "--model",
                "toy",
                "--steps",
                "3",
                "-o",
                str(folder / "mine.safetensors"),
                "-q",
            ]
        )
        == 0
    )
    return folder / "mine.safetensors"


@pytest.fixture(scope="module")
def file(weights, recordings):
    path = weights.with_name("game.lvc")
    options = ["--model", str(weights), "--crf", "16", "--every", "2", "--size", "48x32", "--keyint", "6", "-q"]
    assert main(["encode", str(recordings / "0.mp4"), "-o", str(path), *options]) == 0
    return path


def test_it_is_trained_and_listed(weights, capsys):
    assert main(["models", str(weights), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["model"], facts["parameters"]) == ("mine", "toy", 3) and facts["validation_psnr"] > 5
    assert main(["models"]) == 0
    assert ", toy" in capsys.readouterr().out.splitlines()[-1]


def test_options_that_it_has_not_are_refused(tmp_path, capsys):
    assert main(["train", str(tmp_path), "--model", "toy", "--epochs", "3", "-o", str(tmp_path / "a.safetensors")]) == 1
    assert "toy has no training option epochs; it has seed, steps" in capsys.readouterr().err


def test_frames_come_back_in_any_order(file, weights):
    with lvc.open(file, model=weights) as reader:
        whole = reader[:]
        assert whole.shape == (15, 3, 32, 48) and reader.frame_types == ["key"] * 15 and reader.metadata.crf == 16
    with lvc.open(file, model=weights) as reader:
        order = [14, 0, 7, 7, 3]
        assert torch.equal(reader.get_frames_at(order).data, whole[order])
        latents = reader.latents_at(order)
        assert torch.equal(reader.synthesise(latents), whole[order])
    assert torch.equal(lvc.FrameDataset(file, model=weights)[9]["frames"][0], whole[9])


def test_it_is_decoded_verified_and_reported(file, weights, recordings, tmp_path, capsys):
    model = ["--model", str(weights)]
    assert main(["verify", "--symbols", *model, str(file)]) == 0
    assert "ok, 15 frames in 3 groups" in capsys.readouterr().out
    assert main(["report", str(file), str(recordings / "0.mp4"), "--json", "-q", *model]) == 0
    totals = json.loads(capsys.readouterr().out)["lvc"]["totals"]
    # Steps of three levels: errors of 0 and 1.
    assert totals["frames"] == 15 and totals["psnr_mean_of_frames"] > 45
    assert main(["decode", str(file), "-o", str(tmp_path / "out.npy"), "-q", *model]) == 0
    with lvc.open(file, model=weights) as reader:
        assert np.array_equal(np.load(tmp_path / "out.npy"), reader[:].numpy())


def test_a_level_is_searched_for_it(weights, recordings, tmp_path):
    sampling = lvc.Sampling(every=2, geometry=lvc.Geometry(48, 32))
    made = lvc.encode(
        recordings / "0.mp4", tmp_path / "a.lvc", sampling=sampling, model=weights, target=lvc.Target(min_psnr=45)
    )
    with lvc.open(made.path, model=weights) as reader:
        assert reader.metadata.crf == made.crf and 0 < made.crf < 63


def test_a_file_is_continued_and_a_damaged_group_is_named(file, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LVC_MODELS", str(weights.parent))
    copy = tmp_path / "copy.lvc"
    copy.write_bytes(file.read_bytes())
    with lvc.Writer(copy, append=True) as writer:
        writer.write(np.full((4, 32, 48, 3), 90, np.uint8))
    with lvc.open(copy) as reader:
        # As the file's header says, every other frame is kept.
        assert len(reader) == 17 and (reader[16].float() - 90).abs().max() <= 1
    from tests.codecs import toy_family

    monkeypatch.setattr(toy_family, "symbols_digest", lambda _symbols: 1)
    assert main(["verify", "--symbols", str(copy)]) == 1
    assert "decode to other symbols than were coded" in capsys.readouterr().out
