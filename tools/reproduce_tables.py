"""Train every model of the Pac-Man workshop on the same recordings and measure it, with each quantiser, on the test video.

    python tools/reproduce_tables.py DATASET -o results --minutes 4
    python tools/reproduce_tables.py DATASET -o results --full            # the epochs of the recipes

Resumable: a model whose weights are in the results folder is not trained again, a row that is measured is not measured
again. Without --full the multilayer models have hidden layers of 800 and 400 instead of 3000 and 2000: the workshop's 832 million
parameters learn next to nothing in minutes. Figures are of real `.lvc` files of the test split: bytes of the whole file, RGB PSNR as the mean of per-frame dB.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
from tqdm import tqdm

import lvc
from lvc import checkpoints
from lvc.dataset.read import FrameStore
from lvc.quality.metrics import psnr, ssim

KEYINT = 64
THIRD = Fraction(1, 3)  # seconds from sampled frame to sampled frame


@dataclass(frozen=True)
class Row:
    """A model to train: its label, the words after `lvc train DATASET`, and the quantisers to measure it with."""

    label: str
    training: tuple[str, ...]
    quantisers: tuple[str, ...] = ("none", "naive", "scale", "kmeans")


ROWS = (
    Row("conv4", ("--recipe", "conv4")),
    Row("conv5", ("--recipe", "conv5")),
    Row("conv4-round", ("--recipe", "pacman-conv4"), ("round",)),
    Row("vae", ("--recipe", "vae")),
    Row("fc-vanilla-1000", ("--recipe", "fc-vanilla", "--option", "code=1000")),
    Row("fc-vanilla-500", ("--recipe", "fc-vanilla", "--option", "code=500")),
    Row("fc-multilayer-1000", ("--recipe", "fc-multilayer", "--option", "code=1000")),
    Row("fc-multilayer-500", ("--recipe", "fc-multilayer", "--option", "code=500")),
)


def train(row: Row, options: argparse.Namespace, weights: Path) -> None:
    """Runs `lvc train`, and keeps how long it took beside the weights."""
    limit = [] if options.full else ["--limit-time", str(options.minutes * 60)]
    if not options.full and "fc-multilayer" in row.training:
        limit += ["--option", "hidden=[800,400]"]
    resume = ["--resume"] if weights.with_suffix(".last.safetensors").exists() else []
    started = time.monotonic()
    command = [sys.executable, "-m", "lvc", "train", str(options.dataset), *row.training, *limit, *resume, "--threads", str(options.threads)]
    subprocess.run([*command, "--name", row.label, "-o", str(weights), "-q"], check=True)
    weights.with_suffix(".json").write_text(json.dumps({"training_seconds": time.monotonic() - started, "command": " ".join(row.training + tuple(limit))}))


def measure(weights: Path, quantiser: str, source, folder: Path) -> dict:
    """Encodes and decodes the test frames for real; figures as JSON holds them."""
    geometry = source.geometry
    coded = folder / "test.lvc"
    checkpoint = checkpoints.load(weights)
    spec = None if checkpoint.quantiser["name"] == quantiser else {"name": quantiser}
    batches = [source.frames(list(range(at, min(at + KEYINT, len(source))))) for at in range(0, len(source), KEYINT)]
    pts = iter(range(len(source)))
    started = time.monotonic()
    with lvc.Writer(coded, geometry=geometry, time_base=THIRD, model=checkpoint, quantiser=spec, keyint=KEYINT, overwrite=True) as writer:
        for batch in batches:
            writer.write(lvc.FrameBatch(batch, tuple(next(pts) for _ in batch), THIRD))
    encoding = time.monotonic() - started
    with lvc.open(coded, model=weights) as reader:
        reader.latents(0, stop=1)  # loading the weights is not decoding
        started = time.monotonic()
        decoded = [batch.data for batch in reader.batches()]
        decoding = time.monotonic() - started
        entropy = reader.header.entropy["name"]
    pairs = [(one, other) for before, after in zip(batches, decoded) for one, other in zip(before, after)]
    return {
        "quantiser": quantiser,
        "entropy": entropy,
        "bytes_per_frame": coded.stat().st_size / len(source),
        "psnr": float(np.mean([psnr(*pair) for pair in pairs])),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
        "encode_fps": len(source) / encoding,
        "decode_fps": len(source) / decoding,
        "weights_bytes": weights.stat().st_size,
        "frames": len(source),
    }


def as_markdown(results: list[dict]) -> str:
    lines = [
        "| model | quantiser | entropy | bytes a frame (whole file) | ratio to raw | PSNR dB | SSIM | encode / decode frames a second | weights | trained for |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        lines.append(
            f"| {one['label']} | {one['quantiser']} | {one['entropy']} | {one['bytes_per_frame']:,.0f} | {96000 / one['bytes_per_frame']:.1f} "
            f"| {one['psnr']:.2f} | {one['ssim']:.4f} | {one['encode_fps']:.0f} / {one['decode_fps']:.0f} "
            f"| {one['weights_bytes'] / 1e6:.1f} MB | {one['training_seconds'] / 60:.1f} min |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="what lvc build-dataset made of the recordings of datasets/pacman.json")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for weights and rows")
    parser.add_argument("--minutes", type=float, default=4, help="training time of each model (default %(default)s)")
    parser.add_argument("--full", action="store_true", help="train as long as the recipes say instead")
    parser.add_argument("--only", nargs="+", metavar="LABEL", help="these rows alone")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    source = FrameStore(options.dataset).split("test")
    rows = [row for row in ROWS if not options.only or row.label in options.only]
    results = []
    for row in tqdm(rows, unit="model", file=sys.stderr):
        weights = options.output / f"{row.label}.safetensors"
        if not weights.with_suffix(".json").exists():
            train(row, options, weights)
        trained = json.loads(weights.with_suffix(".json").read_text())
        for quantiser in row.quantisers:
            kept = options.output / f"{row.label}.{quantiser}.json"
            if not kept.exists():
                kept.write_text(json.dumps({"label": row.label, **measure(weights, quantiser, source, options.output), **trained}, indent=1))
            results.append(json.loads(kept.read_text()))
    head = f"Measured {date.today()}, {platform.processor() or platform.machine()}, {source.videos[0][1]} frames of {source.videos[0][0]}.\n\n"
    (options.output / "results.md").write_text(head + as_markdown(results))
    print(as_markdown(results), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
