"""Export models as ONNX and print a table: size of each part, time for a frame on one core beside torch, and how far
the two agree.

    python tools/measure_onnx.py edge3.safetensors edge5.safetensors --dataset frames
    python tools/measure_onnx.py --fresh edge3 edge5 conv4 --size 1024x768

Sizes and times do not depend on what weights have learned, so --fresh takes models as they start. With a data set the
frames are of its test split, else noise; times are of one frame at a call, the median of the runs.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lvc.codecs.family import build, model_names
from lvc.codecs.neural.quantize import build as build_quantiser
from lvc.dataset.read import FrameStore
from lvc.errors import LvcError
from lvc.frames import Geometry
from lvc.interchange.exporting import export_onnx, run_graph, session
from lvc.quality.metrics import psnr
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint, Metadata

FRAMES = 16


def fresh(name: str, geometry: Geometry) -> Checkpoint:
    torch.manual_seed(0)
    model = build(name, geometry=geometry).eval()
    config = json.loads(json.dumps(asdict(model.config)))
    return Checkpoint(Metadata(name, name, config, geometry, {"name": "naive"}, {"name": "adaptive"}), model)


def milliseconds(call: Callable, runs: int) -> float:
    """The median time of a call, after one that does not count."""
    call()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


@torch.inference_mode()
def measure(checkpoint: Checkpoint, geometry: Geometry, frames: np.ndarray, runs: int) -> dict:
    """Figures of one model. frames: uint8 [T, 3, H, W]."""
    with torch.inference_mode(False):
        exported = export_onnx(checkpoint, geometry=geometry)
    model = checkpoint.model.eval().for_coding()
    quantiser = build_quantiser(**checkpoint.quantiser, latent_range=model.latent_range)
    encoder, decoder = session(exported.encoder), session(exported.decoder)
    x = torch.from_numpy(frames).float().div_(255)
    expected, found = model.analyse(x), torch.from_numpy(run_graph(encoder, x))
    symbols, theirs = quantiser.quantise(expected), quantiser.quantise(found)
    latents = quantiser.dequantise(symbols.symbols, symbols.parameters)
    decoded = [
        (one * 255).round().astype(np.uint8)
        for one in (model.synthesise(latents, geometry=geometry).numpy(), run_graph(decoder, latents))
    ]
    quality = [[psnr(source, one) or np.inf for source, one in zip(frames, each)] for each in decoded]
    return {
        "encoder_bytes": len(exported.encoder),
        "decoder_bytes": len(exported.decoder),
        "encode_ms": milliseconds(lambda: run_graph(encoder, x[:1]), runs),
        "encode_torch_ms": milliseconds(lambda: model.analyse(x[:1]), runs),
        "decode_ms": milliseconds(lambda: run_graph(decoder, latents[:1]), runs),
        "decode_torch_ms": milliseconds(lambda: model.synthesise(latents[:1], geometry=geometry), runs),
        "symbols": symbols.symbols.numel(),
        "symbols_differing": int((symbols.symbols != theirs.symbols).sum()),
        "psnr_apart": float(np.abs(np.subtract(*quality)).max()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", help="weights files, or names of shipped models")
    parser.add_argument(
        "--fresh",
        nargs="+",
        default=[],
        choices=model_names(weights=True),
        metavar="MODEL",
        help="models with weights as they start",
    )
    parser.add_argument("--size", help="of the frames (default: that of the weights, 200x160 for fresh ones)")
    parser.add_argument("--dataset", type=Path, help="a data set of that size, for frames to compare with")
    parser.add_argument("--runs", type=int, default=15, help="calls that are timed (default %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = Geometry.parse(options.size) if options.size else None
    models = [(name, lambda name=name: checkpoints.load(name)) for name in options.weights]
    models += [(name, lambda name=name: fresh(name, size or Geometry(200, 160))) for name in options.fresh]
    print(
        "| model | frame | encoder MB | decoder MB | encode ms (torch) | decode ms (torch) | symbols that differ | "
        "PSNR apart, dB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    failed = 0
    for name, load in tqdm(models, unit="model", file=sys.stderr):
        try:
            checkpoint = load()
            geometry = size or checkpoint.geometry
            if options.dataset:
                source = FrameStore(options.dataset).split("test")
                frames = source.frames(np.linspace(0, len(source) - 1, FRAMES).astype(int).tolist())
            else:
                frames = np.random.default_rng(0).integers(
                    0, 256, (2, 3, geometry.height, geometry.width), dtype=np.uint8
                )
            one = measure(checkpoint, geometry, frames, options.runs)
        except LvcError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(
            f"| {Path(name).stem} | {geometry} | {one['encoder_bytes'] / 1e6:.2f} | {one['decoder_bytes'] / 1e6:.2f} "
            f"| {one['encode_ms']:.1f} ({one['encode_torch_ms']:.1f}) | {one['decode_ms']:.1f} "
            f"({one['decode_torch_ms']:.1f}) "
            f"| {one['symbols_differing']} of {one['symbols']:,} | {one['psnr_apart']:.4f} |"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
