"""Makes the golden files of the entropy model `prediction`: python -m tests.golden.make_prediction FOLDER

prediction-v1.lvc must decode with prediction-v1.safetensors.gz to the symbols of prediction-v1.json for ever; so these
are made anew only with another version of the format, under another name.
"""

import gzip
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from lvc.codecs.codec import GroupCodec
from lvc.codecs.family import open_codec
from lvc.codecs.integer.scales import SCALE_LEVELS
from lvc.codecs.temporal.model import COPY_LEVELS, MEAN_FRACTIONS
from lvc.codecs.temporal.prediction import prediction_tables
from lvc.container.layout import Group, Header
from lvc.container.writer import ContainerWriter
from lvc.entropy.tables import from_counts
from lvc.frames import Geometry, Latents, symbols_digest
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint, Metadata
from tests.builders.temporal import random_model, random_symbols

NAME = "prediction-v1"
GEOMETRY = Geometry(width=52, height=36)
FRAMES = (9, 1, 4)  # of each group
SIZES = {
    "channels": 6,
    "groups": (2, 1, 3),
    "phases": (1, 4, 2),
    "features": 4,
    "detail": 2,
    "trunk": 12,
    "context": 6,
    "placed": 2,
}


def small_tables() -> dict:
    copies, _ = prediction_tables()
    counts = 1 + np.abs(np.random.default_rng(3).normal(0, 40, (SCALE_LEVELS * MEAN_FRACTIONS, 8))).astype(np.int64)
    assert len(copies) == COPY_LEVELS
    return {"copies": copies, "residuals": from_counts(counts, -3, escape=True)}


def main(folder: Path) -> None:
    model = random_model(seed=5, geometry=GEOMETRY, **SIZES)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("prior."):
                parameter.zero_()  # no pixel matters here, and zeros take no room
    metadata = Metadata(
        name="golden",
        model="temporal",
        config=checkpoints.dataclasses.asdict(model.config),
        geometry=GEOMETRY,
        quantiser={"name": "round"},
        entropy={"name": "prediction"},
    )
    weights = folder / f"{NAME}.safetensors"
    checkpoints.save(weights, Checkpoint(metadata, model, small_tables()), half=True)
    (folder / f"{NAME}.safetensors.gz").write_bytes(gzip.compress(weights.read_bytes(), mtime=0))
    checkpoint = checkpoints.load(weights)
    weights.unlink()
    write_golden(
        folder,
        NAME,
        open_codec(checkpoint, geometry=GEOMETRY, crf=24),
        FRAMES,
        lambda count, number: (random_symbols(count, checkpoint.model.latent_shape(), seed=number), ()),
    )


def write_golden(folder: Path, name: str, codec: GroupCodec, frames: tuple[int, ...], group_of) -> None:
    """Writes NAME.lvc and NAME.json; group_of(count, number) gives a group's symbols and plans."""
    header = Header(
        width=codec.geometry.width,
        height=codec.geometry.height,
        time_base=Fraction(1, 1000),
        frame_duration=333,
        keyint=max(frames),
        model={"name": codec.checkpoint.name, "sha256": codec.checkpoint.sha256},
        quantiser=codec.quantiser_spec,
        entropy=codec.entropy_spec,
        source={},
        encoder="",
        extra={"crf": codec.crf},
    )
    first, digests = 0, []
    with open(folder / f"{name}.lvc", "wb") as file:
        writer = ContainerWriter(file, header)
        for number, count in enumerate(frames):
            symbols, plans = group_of(count, number)
            coded = codec.encode(Latents(symbols, np.zeros((count, 0), np.float32), plans))
            assert coded.digest == symbols_digest(symbols)
            writer.write_group(
                Group(
                    first_frame=first,
                    pts=tuple(333 * (first + place) for place in range(count)),
                    packets=coded.packets,
                    digest=coded.digest,
                )
            )
            first += count
            digests.append(coded.digest)
        writer.finish()
    (folder / f"{name}.json").write_text(json.dumps({"frames": frames, "symbols_crc32": digests}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
