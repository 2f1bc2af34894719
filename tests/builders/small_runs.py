"""Trainings of tiny networks, from a few frames to a weights file."""

from lvc.codecs.learning.seeding import new_model
from lvc.codecs.learning.trainer import RunSettings
from lvc.codecs.networks.training.loop import train
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.codecs.neural import quantize
from lvc.frames import Geometry
from lvc.weights import checkpoints

GEOMETRY = Geometry(width=32, height=16)


def trained_in(
    folder,
    training_frames,
    validation_frames,
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
    """Runs a training of a tiny model in a folder and gives all its records."""
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
            folder / output,
            quantiser=quantize.build(**(quantiser or {"name": "naive"}), latent_range=network.latent_range),
            entropy={"name": entropy},
            options=options,
            settings=RunSettings(files=checkpoints, should_stop=should_stop, **more),
        )
    )
