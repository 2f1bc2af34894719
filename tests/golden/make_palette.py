"""Makes the golden files of the entropy model `palette`: python make_palette.py FOLDER

palette-v1.lvc must decode with palette-v1.safetensors.gz to the colours of palette-v1.json for ever; so these are made anew
only with another version of the format, under another name.
"""

import gzip
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from lvc import checkpoints
from lvc.checkpoints import Checkpoint, Metadata
from lvc.codec import Codec
from lvc.flags import flag_tables
from lvc.frames import Geometry
from lvc.models.config import build
from lvc.palette.moves import Move

sys.path.insert(0, str(Path(__file__).parent))
from make_prediction import write_golden

NAME = "palette-v1"
GEOMETRY = Geometry(width=53, height=37)
FRAMES = (9, 1, 4)  # of each group


def random_palette(geometry: Geometry) -> Checkpoint:
    """Networks as random as their start, with odds that reach far."""
    torch.manual_seed(5)
    model = build("temporal-palette", geometry=geometry)
    with torch.no_grad():
        for network in (model.pixels, model.blocks):
            network.last.weight.mul_(6)
    model = model.exact().eval()
    metadata = Metadata(
        name="golden", model="temporal-palette", config=asdict(model.config), geometry=geometry, quantiser={"name": "round"}, entropy={"name": "palette"}
    )
    return Checkpoint(metadata, model, {"flags": flag_tables()})


def random_pictures(count: int, geometry: Geometry, *, seed: int) -> np.ndarray:
    """Colours int32 [T, 1, h, w] of some boxes on a ground with a little noise; boxes and noise change from frame to frame."""
    generator = np.random.default_rng(seed)
    height, width = (4 * -(-side // 4) for side in (geometry.height, geometry.width))
    colours = generator.integers(0, 1 << 24, 30)
    picture = np.full((height, width), colours[0])
    found = []
    for _ in range(count):
        picture = picture.copy()
        for _ in range(3):
            top, left = generator.integers(0, height), generator.integers(0, width)
            picture[top : top + generator.integers(1, 12), left : left + generator.integers(1, 12)] = generator.choice(colours)
        noise = generator.random((height, width)) < 0.01
        picture[noise] = generator.choice(colours, noise.sum())
        found.append(picture[None])
    return np.stack(found).astype(np.int32)


def golden_moves(shape: tuple[int, ...]) -> list[list[Move]]:
    """Moves of the frames of a group whose symbols have this shape [T, 1, h, w]: none in the keyframe, then some that help and some that do not."""
    rows, columns = shape[2] // 4, shape[3] // 4
    moves = [[], [Move(0, 5, -3, 2, 1, 3, columns - 4)], [Move(1, 0, 0, 0, 0, rows, columns), Move(0, -7, 2, 1, 3, 2, 2)]]
    return [moves[number % 3 if number > 1 else number] for number in range(shape[0])]


def main(folder: Path) -> None:
    weights = folder / f"{NAME}.safetensors"
    checkpoints.save(weights, random_palette(GEOMETRY))
    (folder / f"{NAME}.safetensors.gz").write_bytes(gzip.compress(weights.read_bytes(), mtime=0))
    checkpoint = checkpoints.load(weights)
    weights.unlink()

    def group_of(count: int, number: int):
        symbols = random_pictures(count, GEOMETRY, seed=number)
        return symbols, tuple(golden_moves(symbols.shape))

    write_golden(folder, NAME, Codec(checkpoint, geometry=GEOMETRY, crf=24), FRAMES, group_of)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
