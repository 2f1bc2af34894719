"""Makes the golden files of the entropy model `mixing`: python -m tests.golden.make_mixing FOLDER

mixing-v1.lvc must decode with mixing-v1.safetensors.gz to the colours of mixing-v1.json for ever; so these are made
anew only with another version of the format, under another name.
"""

import gzip
import sys
from pathlib import Path

from lvc.codecs.family import open_codec
from lvc.frames import Geometry
from lvc.weights import checkpoints
from tests.builders.palette import golden_motion, random_palette, random_pictures
from tests.golden.make_prediction import write_golden

NAME = "mixing-v1"
GEOMETRY = Geometry(width=53, height=37)
FRAMES = (9, 1, 4)  # of each group


def main(folder: Path) -> None:
    weights = folder / f"{NAME}.safetensors"
    checkpoints.save(weights, random_palette(GEOMETRY))
    (folder / f"{NAME}.safetensors.gz").write_bytes(gzip.compress(weights.read_bytes(), mtime=0))
    checkpoint = checkpoints.load(weights)
    weights.unlink()

    def group_of(count: int, number: int):
        symbols = random_pictures(count, GEOMETRY, seed=number)
        return symbols, tuple(golden_motion(symbols.shape))

    write_golden(folder, NAME, open_codec(checkpoint, geometry=GEOMETRY, crf=24), FRAMES, group_of)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
