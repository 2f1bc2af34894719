"""The palette family's training: it learns, it goes on where it stopped, and its rate is the file's."""

import numpy as np
import pytest
import torch

from lvc import checkpoints
from lvc.codec import Codec
from lvc.errors import InputError, OptionError
from lvc.frames import Geometry
from lvc.models.config import build
from lvc.training.palette import PaletteOptions, collected, train_palette

GEOMETRY = Geometry(width=40, height=32)
OPTIONS = {"pixel_widths": (24, 12), "block_widths": (12, 8)}


class Play:
    """Two recordings of a square that runs over tiles."""

    geometry = GEOMETRY

    def __init__(self, count: int = 40):
        tiles = np.kron(np.random.default_rng(3).choice([30, 90, 200], (1, 4, 5)), np.ones((3, 8, 8))).astype(np.uint8)
        self.data = np.repeat(tiles[None], count, axis=0)
        for number in range(count):
            left = 2 * number % (GEOMETRY.width - 8)
            self.data[number, :, 10:18, left : left + 8] = np.array([250, 220, 10])[:, None, None]

    def __len__(self):
        return len(self.data)

    def frames(self, indices):
        return self.data[np.asarray(indices)]

    def clips(self, length):
        half = len(self) // 2
        return [start for start in range(len(self) - length + 1) if start // half == (start + length - 1) // half]


def trained(folder, *, steps=40, resume=False, stop_after=None, name="small", frames=None):
    torch.manual_seed(0)
    options = PaletteOptions(steps=steps, batch=256, rounds=2, clips=3, validation_clips=1)
    seen = []
    records = train_palette(
        build("temporal-palette", geometry=GEOMETRY, **OPTIONS),
        frames or Play(),
        Play(20),
        folder / f"{name}.safetensors",
        options=options,
        name=name,
        resume=resume,
        overwrite=True,
        should_stop=lambda: stop_after is not None and len(seen) >= stop_after,
    )
    for record in records:
        if record.learning_rate is not None:
            seen.append(record.terms["loss"])
    return seen


def test_training_lowers_the_loss_and_leaves_a_model_that_codes(tmp_path):
    losses = trained(tmp_path, steps=200)
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) / 2
    codec = Codec(checkpoints.load(tmp_path / "small.safetensors"), geometry=GEOMETRY)
    latents = codec.analyse(Play(12).data)
    packets, _ = codec.encode(latents)
    assert np.array_equal(codec.decode(packets).symbols, latents.symbols)
    # What the networks say the frames cost is what the file takes, but for the end of two streams.
    real = sum(len(packet.payload) for packet in packets)
    assert abs(codec.frame_bits(packets).sum() / 8 - real) <= 0.02 * real + len(packets)


def test_a_run_that_was_stopped_goes_on_to_the_same_curve(tmp_path):
    whole = trained(tmp_path, name="whole")
    first = trained(tmp_path, stop_after=27, name="parts")
    rest = trained(tmp_path, resume=True, name="parts")
    assert first + rest == whole
    assert (tmp_path / "parts.safetensors").exists()


def test_decisions_are_those_of_blocks_and_of_both_kinds_of_frames():
    torch.manual_seed(0)
    found = collected(build("temporal-palette", geometry=GEOMETRY, **OPTIONS), Play(), 3, np.random.default_rng(1))
    assert min(len(found.block), len(found.key), len(found.predicted)) > 100
    facts, answers, weights = found.key.drawn(np.random.default_rng(2), 64)
    assert facts.shape == (64, 135) and set(facts.unique().tolist()) == {0.0, 1.0}
    assert 0 < answers.mean() <= 1 and weights.min() >= 1


def test_what_cannot_be_trained_is_refused(tmp_path):
    with pytest.raises(OptionError, match="rounds"):
        PaletteOptions(rounds=0)
    with pytest.raises(InputError, match="no recording of 9 frames"):
        trained(tmp_path, frames=Play(8))
