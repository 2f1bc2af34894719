"""Cuts crops out of the photographs that packages ship, a recording without loss for each photograph, for `lvc build-dataset`.

    python tools/crop_photographs.py -o crops
    lvc build-dataset crops --every 1 --size 128x128 --validation grace_hopper.mkv -o photographs
    lvc train photographs --recipe gdn-hyperprior --batch 8 -o photographs.safetensors

scikit-image, scikit-learn and matplotlib ship them. The five that tools/compare_pictures.py shows results on (astronaut, coffee,
chelsea, rocket, motorcycle_left) are not among them, nor motorcycle_right, which shows the same. Colour photographs of things and people are cut more
often than textures, grey ones and what telescopes see. A crop is of a part up to twice as large, averaged down, and mirrored or not.
"""

import argparse
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

SIDE = 128
OFTEN, SELDOM = 6, 1  # shares of the crops
# package: the folder within it, and how often each picture is cut
PHOTOGRAPHS = {
    "sklearn": ("datasets/images", {"china.jpg": OFTEN, "flower.jpg": OFTEN}),
    "matplotlib": ("mpl-data/sample_data", {"grace_hopper.jpg": SELDOM}),
    "skimage": (
        "data",
        {
            "hubble_deep_field.jpg": SELDOM,
            "ihc.png": SELDOM,
            "retina.jpg": SELDOM,
            "moon.png": SELDOM,
            "camera.png": SELDOM,
            "coins.png": SELDOM,
            "brick.png": SELDOM,
            "grass.png": SELDOM,
            "gravel.png": SELDOM,
        },
    ),
}


def photographs() -> Iterator[tuple[Path, int]]:
    """Files, and how often each is cut; a package that is not installed is left out."""
    for package, (folder, names) in PHOTOGRAPHS.items():
        try:
            module = __import__(package)
        except ImportError:
            print(f"crop_photographs: {package} is not installed, its photographs are left out", file=sys.stderr)
            continue
        for name, share in names.items():
            yield Path(module.__file__).parent / folder / name, share


def crops(picture: np.ndarray, count: int, side: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Crops uint8 [side, side, 3] of a picture [H, W, 3] that is at least as large."""
    height, width = picture.shape[:2]
    for _ in range(count):
        part = int(side * rng.uniform(1, max(1, min(2, min(height, width) / side))))
        top, left = rng.integers(height - part + 1), rng.integers(width - part + 1)
        crop = cv2.resize(picture[top : top + part, left : left + part], (side, side), interpolation=cv2.INTER_AREA)
        yield crop[:, ::-1] if rng.integers(2) else crop


def write(path: Path, pictures: Iterator[np.ndarray], side: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(30))
        stream.width = stream.height = side
        stream.pix_fmt = "bgr0"  # RGB as it is
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the recordings")
    parser.add_argument("--crops", type=int, default=150, help="crops of a photograph that is cut seldom (%(default)s), six times as many of one that is cut often")
    parser.add_argument("--side", type=int, default=SIDE, help="of a crop (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for number, (path, share) in enumerate(tqdm(list(photographs()), unit="photograph", file=sys.stderr)):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        rng = np.random.default_rng([options.seed, number])
        write(options.output / f"{path.stem}.mkv", crops(pixels, options.crops * share, options.side, rng), options.side)
    return 0


if __name__ == "__main__":
    sys.exit(main())
