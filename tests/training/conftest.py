import numpy as np
import pytest
import torch

from lvc.codecs.networks import quantize
from lvc.frames import Geometry
from lvc.training.loop import TrainingOptions, new_model, train

GEOMETRY = Geometry(width=32, height=16)


class MemoryFrames:
    """Frames of some recordings held in memory: squares that move over a background of their own recording."""

    def __init__(self, recordings: int, length: int, *, seed: int):
        self.geometry = GEOMETRY
        random = np.random.default_rng(seed)
        self.lengths = [length] * recordings
        pictures = []
        for _ in range(recordings):
            background = np.kron(random.integers(0, 200, (3, 4, 8)), np.ones((1, 4, 4))).astype(np.uint8)
            for number in range(length):
                picture = background.copy()
                row, column = (3 * number) % 12, (5 * number) % 28
                picture[:, row : row + 4, column : column + 4] = 255
                pictures.append(picture)
        self.data = np.stack(pictures)

    def __len__(self):
        return len(self.data)

    def frames(self, indices):
        return self.data[np.asarray(indices)]

    def clips(self, length):
        starts, first = [], 0
        for count in self.lengths:
            starts += range(first, first + count - length + 1)
            first += count
        return starts


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def training_frames():
    return MemoryFrames(2, 24, seed=1)


@pytest.fixture
def validation_frames():
    return MemoryFrames(1, 10, seed=1)


@pytest.fixture
def trained(training_frames, validation_frames, tmp_path):
    """Runs a training of a tiny model and gives all its records."""

    def run(output="model.safetensors", *, model="conv4", model_options=None, quantiser=None, entropy="adaptive", options=None, stop_at=None, **more):
        options = TrainingOptions(**{"epochs": 3, "batch": 8, "lr": 3e-3, "precision": "float32", **(options or {})})
        defaults = {"stages": 2, "channels": 4} if model == "conv4" else {}
        network = new_model(model, geometry=GEOMETRY, seed=options.seed, **{**defaults, **(model_options or {})})
        steps = 0

        def should_stop():
            nonlocal steps
            steps += 1
            return steps == stop_at

        return list(
            train(
                network,
                training_frames,
                validation_frames,
                tmp_path / output,
                quantiser=quantize.build(**(quantiser or {"name": "naive"}), latent_range=network.latent_range),
                entropy={"name": entropy},
                options=options,
                should_stop=should_stop,
                **more,
            )
        )

    return run
