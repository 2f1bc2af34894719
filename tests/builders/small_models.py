"""A small checkpoint of each kind of model that can code, with random weights."""

import numpy as np
import torch

from lvc.codecs.family import build
from lvc.codecs.networks.hyperprior_coding import scale_tables
from lvc.codecs.temporal.prediction import prediction_tables
from lvc.entropy.priors import learned, learned_by_channel
from lvc.frames import Geometry
from lvc.weights.checkpoints import Checkpoint, Metadata

SMALL = Geometry(width=40, height=32)
OPTIONS = {
    "fc-vanilla": {"code": 8},
    "fc-multilayer": {"code": 8, "hidden": (12, 10)},
    "conv4": {},
    "vae": {},
    "resnet18": {"channels": 4, "code": 12},
    "gdn-attention": {"channels": 8, "code": 12},
    "gdn-attention+hyper": {"channels": 8, "code": 12, "hyper": 4},
    "temporal-palette": {},
    "temporal": {
        "features": 16,
        "detail": 8,
        "trunk": 16,
        "context": 8,
        "channels": 16,
        "groups": (4, 4, 8),
        "phases": (1, 4, 2),
        "placed": 4,
    },
}


def moving_square(count: int, geometry: Geometry = SMALL) -> np.ndarray:
    frames = np.full((count, geometry.height, geometry.width, 3), 40, np.uint8)
    for number in range(count):
        frames[number, 8:16, number : number + 8] = [250, 120, 10]
    return frames


def checkpoint(name: str, geometry: Geometry = SMALL) -> Checkpoint:
    torch.manual_seed(1)
    family = name.removesuffix("+hyper")
    model = build(family, geometry=geometry, **OPTIONS[name])
    tables = {}
    quantiser, entropy = {"name": "scale"}, {"name": "adaptive"}
    if name == "temporal":
        model = model.exact()
        tables = dict(zip(("copies", "residuals"), prediction_tables()))
        quantiser, entropy = {"name": "round"}, {"name": "prediction"}
    if name == "temporal-palette":
        quantiser, entropy = {"name": "round"}, {"name": "mixing"}
    if family == "gdn-attention":
        quantiser = {"name": "round"}
        model.initialise(torch.rand(2, 3, geometry.height, geometry.width))
    if name.endswith("+hyper"):
        entropy = {"name": "hyperprior"}
        model.settle()
        side = np.random.default_rng(3).integers(-9, 10, (20, 4, 2, 2))
        tables = {"side": learned_by_channel(side, None), "scales": scale_tables()}
    metadata = Metadata(
        name="weights", model=family, config={}, geometry=geometry, quantiser=quantiser, entropy=entropy
    )
    if not name.startswith("temporal"):  # tables as a training leaves them, for whoever asks for this entropy model
        alphabet = None if quantiser["name"] == "round" else (0, 255)
        symbols = np.random.default_rng(1).integers(*(alphabet or (-9, 10)), (20, *model.latent_shape(geometry)))
        tables["factorised"] = learned(symbols, alphabet, tables=4)
    return Checkpoint(metadata, model if name == "temporal-palette" else model.eval(), tables, "0" * 64)
