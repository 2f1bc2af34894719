"""Temporal models of chance content, and latents to code with them."""

import numpy as np
import torch

from lvc.codecs.family import build
from lvc.codecs.learning.trainer import RunSettings
from lvc.codecs.temporal.training import TemporalOptions, train_temporal
from lvc.frames import Geometry
from lvc.weights import checkpoints
from tests.builders.recordings_in_memory import small_maze

SMALL = Geometry(width=40, height=32)
SMALL_SIZES = {
    "features": 16,
    "detail": 8,
    "trunk": 16,
    "context": 8,
    "channels": 16,
    "groups": (4, 4, 8),
    "phases": (1, 4, 2),
    "placed": 4,
    "finest": 9,
}


def train_small(folder, *, steps=12, resume=False, stop_after=None, name="small") -> list[float]:
    """Trains a tiny temporal model on `small_maze` into folder/NAME.safetensors; the losses of its steps."""
    torch.manual_seed(0)
    model = build("temporal", geometry=SMALL, **SMALL_SIZES)
    options = TemporalOptions(steps=steps, batch=2, joint_share=0.5, validation_clips=2)
    seen = []
    records = train_temporal(
        model,
        small_maze(),
        small_maze(20),
        folder / f"{name}.safetensors",
        options=options,
        settings=RunSettings(
            files=checkpoints,
            name=name,
            resume=resume,
            overwrite=True,
            workers=0,
            should_stop=lambda: stop_after is not None and len(seen) >= stop_after,
        ),
    )
    for record in records:
        if record.learning_rate is not None:
            seen.append(record.terms["loss"])
    return seen


def random_model(*, seed: int, geometry: Geometry, **sizes):
    """A temporal model whose prior, in integers, reaches far: every activation and table comes up."""
    torch.manual_seed(seed)
    model = build("temporal", geometry=geometry, **sizes)
    with torch.no_grad():
        for parameter in (model.prior.relation, model.prior.quality, model.prior.position):
            if parameter is not None:
                parameter.normal_(0, 1)
        for head in (*model.prior.last, *model.prior.mode_last):
            head.weight.mul_(4)
    return model.exact().eval()


def random_symbols(count: int, shape, *, seed: int) -> np.ndarray:
    """Latents of which most positions stay, some go back and some are new, with a few that the prior cannot see and a
    few beyond every table.
    """
    generator = np.random.default_rng(seed)
    symbols = np.rint(generator.laplace(0, 3, (count, *shape))).astype(np.int32)
    for number in range(1, count):
        chance = generator.random(shape[1:])
        alone = generator.random(shape) < 0.5
        back, stays = chance < 0.2, (chance >= 0.2) & (chance < 0.8)
        symbols[number] = np.where(back, symbols[0], np.where(stays | alone, symbols[number - 1], symbols[number]))
    symbols[count // 2].flat[::41] = 150
    symbols[-1].flat[::97] = -70_000
    return symbols
