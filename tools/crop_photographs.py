"""Cuts crops out of the photographs that packages ship, a recording without loss for each photograph, for `lvc
build-dataset`.

    apt-get install lomiri-wallpapers-16.04 mate-backgrounds plasma-workspace-wallpapers
    python tools/crop_photographs.py -o crops
    lvc build-dataset crops --every 1 --size 256x256 --validation grace_hopper.mkv -o photographs
    lvc train photographs --recipe gdn-hyperprior --lr 5e-5 -o photographs.safetensors

scikit-image, scikit-learn and matplotlib ship some, and three of Debian's packages of desktop backgrounds the rest. The
five that tools/compare_pictures.py shows results on (astronaut, coffee, chelsea, rocket, motorcycle_left) are not among
them, nor motorcycle_right, which shows the same. Colour photographs full of things are cut more often than plain ones,
textures, grey ones and what telescopes see. A crop is of a part up to two and a half times as large, averaged down, and
mirrored or not; of photographs of many pixels the part is larger, since no lens is as sharp.
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

SIDE = 256
SHARP_SIDE = 1200  # pixels on the shorter side, beyond which a photograph shows no more
OFTEN, SELDOM = 6, 1  # shares of the crops
# Python's package: the folder within it, and how often each picture is cut
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
# Debian's package: the folder that its pictures lie in, and the same
BACKGROUNDS = {
    "lomiri-wallpapers-16.04": (
        "backgrounds",
        {
            "Bridge_by_Sander_Klootwijk.jpg": SELDOM,
            "Dragonfly_by_Bolly.jpg": OFTEN,
            "Kleiber_by_Lukas_Baubkus.jpg": OFTEN,
            "Picture_0B_by_freespace.jpg": OFTEN,
            "Picture_1A_by_freespace.jpg": OFTEN,
            "Wine_by_Jakkub_Mede.jpg": OFTEN,
            "aitzgorri_by_Aitzol_Berasategi.jpg": OFTEN,
            "free_by_Peter_Nerlich.jpg": SELDOM,
            "friends_by_Aitzol_Berasategi.jpg": OFTEN,
            "greentock_by_Peter_Nerlich.jpg": SELDOM,
            "life_by_Aitzol_Berasategi.jpg": OFTEN,
            "picosdeeuropa_by_Aitzol_Berasategi.jpg": OFTEN,
            "seeding_by_Clements_Engelhardt.jpg": OFTEN,
            "sunset_by_Aitzol_Berasategi.jpg": OFTEN,
        },
    ),
    "mate-backgrounds": (
        "backgrounds/mate/nature",
        {
            "Aqua.jpg": SELDOM,
            "Blinds.jpg": SELDOM,
            "Dune.jpg": SELDOM,
            "FreshFlower.jpg": SELDOM,
            "Garden.jpg": SELDOM,
            "GreenMeadow.jpg": SELDOM,
            "LadyBird.jpg": OFTEN,
            "RainDrops.jpg": SELDOM,
            "Storm.jpg": SELDOM,
            "TwoWings.jpg": SELDOM,
            "Wood.jpg": SELDOM,
            "YellowFlower.jpg": SELDOM,
        },
    ),
    "plasma-workspace-wallpapers": (
        "wallpapers",
        {
            f"{name}/contents/images/2560x1600.jpg": share
            for name, share in {
                "BytheWater": OFTEN,
                "ColorfulCups": SELDOM,
                "EveningGlow": OFTEN,
                "FallenLeaf": OFTEN,
                "Grey": SELDOM,
                "Kite": SELDOM,
                "OneStandsOut": OFTEN,
                "Path": OFTEN,
                "summer_1am": SELDOM,
            }.items()
        },
    ),
}


def photographs(share: Path) -> Iterator[tuple[str, Path, int]]:
    """A name for the crops' recording, the file, and how often it is cut; a package that is not installed is left out.

    share: where Debian's packages put their data, /usr/share or where they were unpacked.
    """
    for package, (folder, names) in PHOTOGRAPHS.items():
        try:
            module = __import__(package)
        except ImportError:
            print(f"crop_photographs: {package} is not installed, its photographs are left out", file=sys.stderr)
            continue
        for name, often in names.items():
            yield stem(name), Path(module.__file__).parent / folder / name, often
    for package, (folder, names) in BACKGROUNDS.items():
        if not (share / folder / next(iter(names))).exists():
            print(
                f"crop_photographs: Debian's {package} is not installed, its photographs are left out", file=sys.stderr
            )
            continue
        for name, often in names.items():
            yield stem(name), share / folder / name, often


def stem(name: str) -> str:
    """What a photograph is called: by its file, or by the folder that has it in several sizes."""
    return Path(Path(name).parts[0]).stem


def crops(picture: np.ndarray, count: int, side: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Crops uint8 [side, side, 3] of a picture [H, W, 3] that is at least as large."""
    height, width = picture.shape[:2]
    sharp = max(1.0, min(height, width) / SHARP_SIDE)
    for _ in range(count):
        part = min(int(side * sharp * rng.uniform(1, 2.5)), height, width)
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
    parser.add_argument(
        "--share",
        type=Path,
        default=Path("/usr/share"),
        help="where Debian's packages are installed or unpacked (%(default)s)",
    )
    parser.add_argument(
        "--crops",
        type=int,
        default=50,
        help="crops of a photograph that is cut seldom (%(default)s), six times as many of one that is cut often",
    )
    parser.add_argument("--side", type=int, default=SIDE, help="of a crop (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for number, (name, path, often) in enumerate(
        tqdm(list(photographs(options.share)), unit="photograph", file=sys.stderr)
    ):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        rng = np.random.default_rng([options.seed, number])
        write(options.output / f"{name}.mkv", crops(pixels, options.crops * often, options.side, rng), options.side)
    return 0


if __name__ == "__main__":
    sys.exit(main())
