"""Trains the small network of the perceptual distance: to name what was done to crops of photographs.

    python tools/train_perceptual.py -o lvc/codecs/networks/training/perceptual.safetensors

The photographs are those that scikit-image ships. Nothing is downloaded, and no label is needed but what was done.
Takes two minutes on one core. Prints how many crops of held-out photographs are named rightly.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tqdm import tqdm

from lvc.codecs.networks.training.perceptual import KINDS, DistortionNetwork
from lvc.output import written_whole

TRAINING = (
    "astronaut.png",
    "coffee.png",
    "motorcycle_left.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "retina.jpg",
    "color.png",
    "brick.png",
    "grass.png",
)
HELD_OUT = ("chelsea.png", "rocket.jpg")
CROP = 48


def photographs(names) -> list[np.ndarray]:
    folder = Path(skimage.data.__file__).parent
    return [cv2.imread(str(folder / name), cv2.IMREAD_COLOR)[:, :, ::-1].copy() for name in names]


def crop(pictures: list[np.ndarray], random: np.random.Generator) -> np.ndarray:
    picture = pictures[random.integers(len(pictures))]
    side = int(CROP * random.choice([1, 1, 2]))  # details of several sizes
    row, column = random.integers(picture.shape[0] - side + 1), random.integers(picture.shape[1] - side + 1)
    part = cv2.resize(picture[row : row + side, column : column + side], (CROP, CROP), interpolation=cv2.INTER_AREA)
    part = part[:, ::-1] if random.random() < 0.5 else part
    return np.ascontiguousarray(np.rot90(part, random.integers(4)))


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def distorted(picture: np.ndarray, kind: int, random: np.random.Generator) -> np.ndarray:
    """The picture [48, 48, 3] after distortion number `kind`, 0 to KINDS - 1; 0 leaves it as it is."""
    smooth = picture.astype(np.float32)
    match kind:
        case 1 | 2:
            smooth = cv2.GaussianBlur(smooth, (0, 0), (0.7, 1.6)[kind - 1])
        case 3 | 4:
            smooth = smooth + random.normal(0, (6, 18)[kind - 3], smooth.shape)
        case 5 | 6:
            smooth = jpeg(picture, (25, 6)[kind - 5]).astype(np.float32)
        case 7:  # blocks
            small = cv2.resize(smooth, (CROP // 4, CROP // 4), interpolation=cv2.INTER_AREA)
            smooth = cv2.resize(small, (CROP, CROP), interpolation=cv2.INTER_NEAREST)
        case 8:  # few levels
            smooth = np.round(smooth / 36) * 36
        case 9:  # ringing, as of sharpening
            smooth = smooth + 1.2 * (smooth - cv2.GaussianBlur(smooth, (0, 0), 1.2))
        case 10:  # colours smeared
            planes = cv2.cvtColor(np.clip(smooth, 0, 255).astype(np.uint8), cv2.COLOR_RGB2YCrCb)
            planes[:, :, 1:] = cv2.blur(planes[:, :, 1:], (9, 9))
            smooth = cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB).astype(np.float32)
        case 11:  # doubled edges
            smooth = (smooth + np.roll(smooth, 2, axis=1)) / 2
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)


def batch(pictures: list[np.ndarray], size: int, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    kinds = random.integers(0, KINDS, size)
    crops = np.stack([distorted(crop(pictures, random), kind, random) for kind in kinds])
    return torch.from_numpy(crops.transpose(0, 3, 1, 2)).float() / 255, torch.from_numpy(kinds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-y", "--overwrite", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    network, pictures = DistortionNetwork(), photographs(TRAINING)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    for _ in tqdm(range(options.steps), unit="step", file=sys.stderr):
        crops, kinds = batch(pictures, 48, random)
        loss = F.cross_entropy(network(crops), kinds)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.inference_mode():
        crops, kinds = batch(photographs(HELD_OUT), 1200, random)
        right = (network(crops).argmax(dim=1) == kinds).float().mean().item()
    with written_whole(options.output, overwrite=options.overwrite) as part:
        save_file({name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}, part)
        part.chmod(0o644)
    print(f"{right:.1%} of 1,200 held-out crops named rightly, by chance {1 / KINDS:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
