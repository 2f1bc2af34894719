import pytest

from lvc.codecs.learning.seeding import new_model
from lvc.codecs.networks.training.loop import train
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.codecs.neural import quantize
from lvc.frames import Geometry
from lvc.weights import checkpoints
from tests.builders.recordings_in_memory import squares

GEOMETRY = Geometry(width=32, height=16)


@pytest.fixture
def training_frames():
    return squares(2, 24, seed=1)


@pytest.fixture
def validation_frames():
    return squares(1, 10, seed=1)


@pytest.fixture
def trained(training_frames, validation_frames, tmp_path):
    """Runs a training of a tiny model and gives all its records."""

    def run(
        output="model.safetensors",
        *,
        model="conv4",
        model_options=None,
        quantiser=None,
        entropy="adaptive",
        options=None,
        stop_at=None,
        **more,
    ):
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
                files=checkpoints,
                should_stop=should_stop,
                **more,
            )
        )

    return run
