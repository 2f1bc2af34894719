"""The temporal family's training: both stages, resuming, and a rate estimate that real files bear out."""

import numpy as np
import pytest
import torch

from lvc.codecs.family import open_codec
from lvc.codecs.temporal.model import KEY, PREDICTED
from lvc.codecs.temporal.training import TemporalOptions, chains_of
from lvc.errors import OptionError
from lvc.weights import checkpoints
from tests.builders.recordings_in_memory import small_maze
from tests.builders.temporal import SMALL, train_small


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of 120 steps, small.safetensors."""
    folder = tmp_path_factory.mktemp("trained")
    train_small(folder, steps=120)
    return folder


def test_training_lowers_the_loss_and_leaves_a_model_that_codes(folder):
    train_small(folder, steps=2, name="fresh")
    fresh, later = (
        checkpoints.load(folder / f"{name}.last.safetensors").metadata.training["position"]["figures"]
        for name in ("fresh", "small")
    )
    assert later["psnr"] > fresh["psnr"] + 1  # 120 steps of a tiny network; 2.1 dB when written
    checkpoint = checkpoints.load(folder / "small.safetensors")
    assert checkpoint.model.config.exact
    codec = open_codec(checkpoint, geometry=SMALL)
    latents = codec.analyse(small_maze(8).data.transpose(0, 2, 3, 1))
    packets = codec.encode(latents).packets
    assert np.array_equal(codec.decode(packets).symbols, latents.symbols)


def test_a_resumed_run_gives_the_same_curve_through_both_stages(tmp_path):
    whole = train_small(tmp_path, name="whole")
    for stop in (4, 9):  # within the joint stage, and within the prior's
        first = train_small(tmp_path, name="parts", stop_after=stop)
        rest = train_small(tmp_path, name="parts", resume=True)
        assert first + rest == whole


@pytest.mark.parametrize("crf", [0, 12, 24])
def test_the_estimated_rate_is_within_two_percent_of_the_bytes(folder, crf):
    tensors = checkpoints.load(folder / "small.safetensors")
    codec = open_codec(tensors, geometry=SMALL, crf=crf)
    latents = codec.analyse(small_maze(40).data.transpose(0, 2, 3, 1))
    packets = codec.encode(latents).packets
    symbols = torch.from_numpy(latents.symbols).float()
    relation = torch.tensor([KEY, *[PREDICTED] * (len(symbols) - 1)])
    estimate = (
        codec.model.prior.rate(symbols, chains_of(symbols[None]), relation, torch.full((len(symbols),), float(crf)))
        .sum()
        .item()
        / 8
    )
    real = sum(len(packet.payload) for packet in packets)
    # Beside the 2 % there are up to 2 bytes for each of the two streams' ends.
    assert abs(real - estimate) <= 0.02 * estimate + 4


def test_options_are_checked():
    for wrong in ({"steps": 0}, {"batch": 1.5}, {"joint_share": 2}):
        with pytest.raises(OptionError):
            TemporalOptions(**wrong)
