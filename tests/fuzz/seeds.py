"""Seed corpora for the fuzz targets, and the tiny weights that their files need: python -m tests.fuzz.seeds FOLDER

Makes FOLDER/weights (one file an entropy model) and FOLDER/corpus/container, /reader and /weights.
"""

import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

import lvc
from lvc.codecs.family import build
from lvc.codecs.networks.hyperprior_coding import scale_tables
from lvc.codecs.temporal.prediction import prediction_tables
from lvc.container.reader import ContainerReader
from lvc.entropy.priors import learned, learned_by_channel
from lvc.frames import Geometry
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint, Metadata
from tests import GOLDEN
from tests.builders.palette import random_palette

GEOMETRY = Geometry(40, 24)
CONV = {"stages": 2, "channels": 2}
TEMPORAL = {
    "channels": 4,
    "groups": (2, 2),
    "phases": (1, 2),
    "features": 4,
    "detail": 2,
    "trunk": 8,
    "context": 4,
    "placed": 2,
}
ATTENTION = {"channels": 2, "code": 2, "hyper": 2}

# name of the weights: family, its options, quantiser, entropy
WEIGHTS = {
    "conv": ("conv4", CONV, {"name": "scale"}, {"name": "adaptive"}),
    "learned": ("conv4", CONV, {"name": "naive"}, {"name": "factorised"}),
    "moving": ("temporal", TEMPORAL, {"name": "round"}, {"name": "prediction"}),
    "hyper": ("gdn-attention", ATTENTION, {"name": "round"}, {"name": "hyperprior"}),
    "colours": ("temporal-palette", {}, {"name": "round"}, {"name": "mixing"}),
    "game": ("temporal-palette", {"colours": 9, "sprites": 12, "scenes": 2}, {"name": "round"}, {"name": "mixing"}),
}
LARGE = {"colours", "game"}  # weights of megabytes, which as seeds would take all the time
# weights, then what a file is coded with
FILES = (
    ("moving", {}),
    ("colours", {}),
    ("game", {}),
    ("moving", {"entropy": {"name": "raw"}}),
    ("moving", {"entropy": {"name": "adaptive", "forget": 2}}),
    ("hyper", {}),
    ("learned", {}),
    ("conv", {}),
    ("conv", {"quantiser": {"name": "none"}, "entropy": {"name": "raw"}}),
    ("conv", {"quantiser": {"name": "kmeans"}, "entropy": {"name": "raw"}}),
    ("conv", {"quantiser": {"name": "bits", "bits": 3}, "entropy": {"name": "adaptive"}}),
)


def make_weights(folder: Path, name: str) -> Path:
    family, options, quantiser, entropy = WEIGHTS[name]
    path = folder / f"{name}.safetensors"
    if family == "temporal-palette":
        checkpoint = random_palette(GEOMETRY, **options)
        checkpoints.save(path, replace(checkpoint, metadata=replace(checkpoint.metadata, name=name)), overwrite=True)
        return path
    torch.manual_seed(3)
    model, tables = build(family, geometry=GEOMETRY, **options), {}
    if family == "temporal":
        model, tables = model.exact(), dict(zip(("copies", "residuals"), prediction_tables()))
    elif entropy["name"] == "hyperprior":
        model.hyper.settle()
        side = np.random.default_rng(2).integers(-3, 4, (50, model.hyper.channels, 2, 2))
        tables = {"side": learned_by_channel(side, None), "scales": scale_tables()}
    elif entropy["name"] == "factorised":
        shape = model.latent_shape(GEOMETRY)
        tables = {"factorised": learned(np.random.default_rng(1).integers(0, 256, (20, *shape)), (0, 255), tables=4)}
    metadata = Metadata(
        name=name,
        model=family,
        config={key: value for key, value in asdict(model.config).items() if key not in ("width", "height")},
        geometry=GEOMETRY,
        quantiser=quantiser,
        entropy=entropy,
    )
    checkpoints.save(path, Checkpoint(metadata, model.eval(), tables), overwrite=True)
    return path


def make_file(path: Path, weights: Path, options: dict) -> None:
    frames = np.random.default_rng(5).integers(0, 256, (6, GEOMETRY.height, GEOMETRY.width, 3), np.uint8)
    frames[1:3] = frames[0]
    with lvc.Writer(path, fps=30, geometry=GEOMETRY, model=weights, keyint=4, overwrite=True, **options) as writer:
        writer.write(frames)


def main(folder: Path) -> None:
    corpora = {name: folder / "corpus" / name for name in ("container", "reader", "weights")}
    for one in (folder / "weights", *corpora.values()):
        one.mkdir(parents=True, exist_ok=True)
    weights = {name: make_weights(folder / "weights", name) for name in WEIGHTS}
    for path in (path for name, path in weights.items() if name not in LARGE):
        shutil.copy(path, corpora["weights"])
    for number, (name, options) in enumerate(FILES):
        path = corpora["reader"] / f"{number}_{name}.lvc"
        make_file(path, weights[name], options)
        with lvc.open(path, model=weights[name]) as reader:
            assert len(reader) == 6 and reader[5].shape == (3, GEOMETRY.height, GEOMETRY.width)
    for path in (*GOLDEN.glob("*.lvc"), corpora["reader"] / "0_moving.lvc"):
        shutil.copy(path, corpora["container"])
    with ContainerReader(GOLDEN / "container-v1.lvc") as reader:
        index = reader.index[-1]
    whole = (GOLDEN / "container-v1.lvc").read_bytes()
    for size in (index.offset, index.offset + index.byte_size, len(whole) - 1):
        (corpora["container"] / f"cut_{size}.lvc").write_bytes(whole[:size])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
