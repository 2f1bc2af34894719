"""Train every model of the Pac-Man workshop on the same recordings and measure it, with each quantiser, on the test
video.

    python tools/reproduce_tables.py DATASET -o results --only conv4 --minutes 9 --threads 1 --train    # a row at a
    time python tools/reproduce_tables.py DATASET -o results --measure --page docs/results.md                # those
    that are trained python tools/reproduce_tables.py DATASET -o results --full
    # the epochs of the recipes

Resumable: a model that is trained, as its .json in the results folder says, is not trained again, one that was
interrupted goes on from its last state, and a row that is measured is not measured again; delete its .json to do so.
The rows "narrow" have hidden layers of 800 and 400 instead of 3000 and 2000: the workshop's 832 million parameters take
13 GB to train and seconds a step. Figures are of real `.lvc` files of the test split: bytes of the whole file, once
with every symbol at its full width ("raw") and once entropy-coded; RGB PSNR as the mean of per-frame dB. Writes
results.md, results.json and, with --page, the tables between the marks of that page.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import lvc
from lvc.cli.options import spec_of
from lvc.dataset.read import FrameStore
from lvc.errors import InputError, LvcError
from lvc.quality.metrics import mean_of_psnr, mean_squared_error, ssim
from lvc.weights import checkpoints

KEYINT = 64
THIRD = Fraction(1, 3)  # seconds from sampled frame to sampled frame
MARKS = "<!-- the workshop's models, measured -->", "<!-- end of the workshop's models -->"


@dataclass(frozen=True)
class Row:
    """A model to train: its label, the words after `lvc train DATASET`, the quantisers to measure it with, the
    workshop's name for it and its epochs there, and the batch of its recipe.
    """

    label: str
    training: tuple[str, ...]
    theirs: str | None
    epochs: int | None = None
    quantisers: tuple[str, ...] = ("none", "naive", "scale", "kmeans", "bits:3")


NARROW = ("--option", "hidden=[800,400]")
ROWS = (
    Row("conv4", ("--recipe", "conv4"), "conv4", 320),
    Row("conv5", ("--recipe", "conv5"), "conv5", 320),
    Row("conv4-round", ("--recipe", "pacman-conv4"), None, quantisers=("round",)),
    Row("vae", ("--recipe", "vae"), "VAE", 220),
    Row("fc-vanilla-1000", ("--recipe", "fc-vanilla", "--option", "code=1000"), "vanilla FC, 1000", 60),
    Row("fc-vanilla-500", ("--recipe", "fc-vanilla", "--option", "code=500"), "vanilla FC, 500", 60),
    Row("fc-multilayer-1000", ("--recipe", "fc-multilayer", "--option", "code=1000"), "multilayer FC, 1000", 30),
    Row("fc-multilayer-500", ("--recipe", "fc-multilayer", "--option", "code=500"), "multilayer FC, 500", 30),
    Row(
        "fc-multilayer-1000-narrow",
        ("--recipe", "fc-multilayer", "--option", "code=1000", *NARROW),
        "multilayer FC, 1000",
        30,
    ),
    Row(
        "fc-multilayer-500-narrow",
        ("--recipe", "fc-multilayer", "--option", "code=500", *NARROW),
        "multilayer FC, 500",
        30,
    ),
)

# What the workshop reported on its own test video: PSNR dB and SSIM.
PUBLISHED = {
    ("vanilla FC, 1000", "none"): (34.248, 0.947),
    ("vanilla FC, 1000", "naive"): (36.013, 0.9442),
    ("vanilla FC, 1000", "scale"): (24.751, 0.790),
    ("vanilla FC, 500", "none"): (33.714, 0.945),
    ("multilayer FC, 1000", "none"): (32.230, 0.947),
    ("multilayer FC, 1000", "naive"): (32.251, 0.943),
    ("multilayer FC, 1000", "scale"): (24.369, 0.790),
    ("multilayer FC, 500", "none"): (32.359, 0.949),
    ("conv4", "none"): (30.364, 0.874),
    ("conv5", "none"): (29.022, 0.867),
    ("VAE", "none"): (27.436, 0.908),
}
# quantiser: the entropy model that its symbols are coded with beside "raw"; "naive" has a learned prior where the
# weights were trained for it The last but one is not the workshop's: it shows how many bits its codes need.
CODED = {
    "none": None,
    "naive": "factorised",
    "scale": "adaptive",
    "kmeans": "adaptive",
    "bits:3": "adaptive",
    "round": "factorised",
}


def train(row: Row, options: argparse.Namespace, weights: Path) -> None:
    """Runs `lvc train`, and keeps what it took beside the weights; raises InputError where it ends otherwise than
    well.
    """
    limit = [] if options.full else ["--limit-time", f"{options.minutes * 60:g}"]
    resume = ["--resume"] if weights.with_suffix(".last.safetensors").exists() else []
    words = [*row.training, *limit, "--threads", str(options.threads)]
    command = [
        sys.executable,
        "-m",
        "lvc",
        "train",
        str(options.dataset),
        *words,
        *resume,
        "--name",
        row.label,
        "-o",
        str(weights),
        *options.more,
    ]
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if process_ended := os.waitstatus_to_exitcode(status):
        raise InputError(
            f"{row.label}: lvc train ended with {process_ended}; called again, this goes on from where it was"
        )
    write_facts(
        weights,
        words,
        seconds=time.monotonic() - started,
        processor=usage.ru_utime + usage.ru_stime,
        peak=1024 * usage.ru_maxrss,
    )


def write_facts(weights: Path, words: list[str], *, seconds: float, processor: float | None, peak: int | None) -> None:
    """The .json beside the weights, of which the table is made. peak: bytes of memory."""
    training = checkpoints.read_header(weights).metadata.training
    facts = {
        "command": " ".join(words),
        "training_seconds": training["position"]["seconds"],
        "seconds": seconds,
        "processor_seconds": processor,
        "peak_memory": peak,
        "steps": training["position"]["step"],
        "batch": training["options"]["batch"],
        "trained": f"{date.today()}, {commit()}",
    }
    weights.with_suffix(".json").write_text(json.dumps(facts, indent=1))


def commit() -> str:
    """The commit of this file's repository, or "no repository"."""
    ran = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() or "no repository"


def measure(weights: Path, quantiser: str, source, folder: Path) -> dict:
    """Encodes the test frames for real, raw and coded, and decodes the last of the two; figures as JSON holds them."""
    checkpoint = checkpoints.load(weights)
    spec = None if checkpoint.quantiser["name"] == quantiser else spec_of(quantiser, "quantiser")
    batches = [
        source.frames(list(range(at, min(at + KEYINT, len(source))))).transpose(0, 2, 3, 1)
        for at in range(0, len(source), KEYINT)
    ]
    result = {"quantiser": quantiser, "entropy": "raw", "coded_bytes_per_frame": None}
    for entropy in filter(None, ("raw", CODED[quantiser])):
        coded = folder / f"{weights.stem}.{file_name(quantiser)}.lvc"
        if entropy == "factorised" and not checkpoint.tables:
            entropy = "adaptive"
        pts = iter(range(len(source)))
        started = time.monotonic()
        with lvc.Writer(
            coded,
            geometry=source.geometry,
            time_base=THIRD,
            model=checkpoint,
            quantiser=spec,
            entropy={"name": entropy},
            keyint=KEYINT,
            overwrite=True,
        ) as writer:
            for batch in batches:
                writer.write(lvc.FrameBatch(batch, tuple(next(pts) for _ in batch), THIRD))
        encoding = time.monotonic() - started
        result |= {
            "entropy": entropy,
            "raw_bytes_per_frame" if entropy == "raw" else "coded_bytes_per_frame": coded.stat().st_size / len(source),
        }
    with lvc.open(coded, model=weights) as reader:
        reader.latents(0, stop=1)  # loading the weights is not decoding
        started = time.monotonic()
        decoded = [batch.data for batch in reader.batches()]
        decoding = time.monotonic() - started
    coded.unlink()
    pairs = [(one, other) for before, after in zip(batches, decoded) for one, other in zip(before, after)]
    return {
        **result,
        "psnr": mean_of_psnr(mean_squared_error(*pair) for pair in pairs),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
        "encode_fps": len(source) / encoding,
        "decode_fps": len(source) / decoding,
        "weights_bytes": weights.stat().st_size,
        "frames": len(source),
        "measured": f"{date.today()}, {commit()}",
    }


def file_name(quantiser: str) -> str:
    return quantiser.replace(":", "")


def memorised(training, test) -> dict:
    """What knowing the training frames by heart would give on the test frames: mean dB of their mean frame, and of the
    nearest of every tenth of them, nearest at a quarter of the size. A frame that is the same is left out.
    """
    chosen = np.concatenate(
        [training.frames(range(start, min(start + 640, len(training)), 10)) for start in range(0, len(training), 640)]
    )
    frames = test.frames(range(len(test)))
    mean = chosen.mean(axis=0).round().astype(np.uint8)
    small = [torch.nn.functional.avg_pool2d(torch.from_numpy(one).float(), 4).flatten(1) for one in (frames, chosen)]
    nearest = torch.cdist(*small).argmin(dim=1).numpy()
    return {
        "mean_psnr": mean_of_psnr(mean_squared_error(frame, mean) for frame in frames),
        "nearest_psnr": mean_of_psnr(mean_squared_error(frame, chosen[place]) for frame, place in zip(frames, nearest)),
        "chosen": len(chosen),
    }


def as_markdown(results: list[dict], training_frames: int) -> str:
    """Two tables: of the models as trained, and of the models with each quantiser."""
    rows = {row.label: row for row in ROWS}
    lines = [
        "| model | weights | epochs: theirs | ours | steps | trained for | processor time | peak memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in {result["label"]: result for result in results}.values():
        epochs = one["steps"] * one["batch"] / training_frames
        lines.append(
            f"| {one['label']} | {one['weights_bytes'] / 1e6:,.1f} MB | {rows[one['label']].epochs or '-'} | "
            f"{epochs:.2g} | {one['steps']:,} of {one['batch']} "
            f"| {one['training_seconds'] / 60:.1f} min | {amount(one['processor_seconds'], 60, 'min')} | "
            f"{amount(one['peak_memory'], 1e9, 'GB')} |"
        )
    lines += [
        "",
        (
            "| model | quantiser | PSNR dB, SSIM: theirs | ours | bytes a frame: raw symbols | coded | by | pixels' "
            "bytes "
            "to coded ones | encode / decode frames a second |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        theirs = PUBLISHED.get((rows[one["label"]].theirs, one["quantiser"]))
        coded = one["coded_bytes_per_frame"]
        lines.append(
            f"| {one['label']} | {one['quantiser']} | "
            f"{'-' if theirs is None else f'{theirs[0]:.2f}, {theirs[1]:.3f}'} | {one['psnr']:.2f}, {one['ssim']:.4f} "
            f"| {one['raw_bytes_per_frame']:,.0f} | {'-' if coded is None else f'{coded:,.0f}'} | "
            f"{'-' if coded is None else one['entropy']} "
            f"| {96000 / (coded or one['raw_bytes_per_frame']):.1f} | {one['encode_fps']:.0f} / "
            f"{one['decode_fps']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def when(stamps: list[str]) -> str:
    """ "2026-11-28 at commits 1234567, 89abcde" of what `train` and `measure` noted."""
    days, commits = (sorted(set(parts)) for parts in zip(*(stamp.split(", ") for stamp in stamps)))
    return f"{', '.join(days)} at commit{'s' if len(commits) > 1 else ''} {', '.join(commits)}"


def amount(value: float | None, unit: float, name: str) -> str:
    """In that unit, or a dash for what was not measured because `lvc train` was run by hand."""
    return "-" if value is None else f"{value / unit:.1f} {name}"


def write_between_marks(page: Path, text: str) -> None:
    """Puts the text in the place of what stands between the page's marks; raises InputError where it has none."""
    before, first, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    _, last, after = rest.partition(MARKS[1])
    if not (first and last):
        raise InputError(f"{page}: has no lines {MARKS[0]} and {MARKS[1]}")
    page.write_text(f"{before}{first}\n{text}{last}{after}", encoding="utf-8")


def run(options: argparse.Namespace) -> int:
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    store = FrameStore(options.dataset)
    source, training_frames = store.split("test"), len(store.split("train"))
    results = []
    for row in tqdm(
        [row for row in ROWS if not options.only or row.label in options.only], unit="model", file=sys.stderr
    ):
        weights = options.output / f"{row.label}.safetensors"
        facts = weights.with_suffix(".json")
        if not facts.exists():
            if options.measure:
                continue
            train(row, options, weights)
        if options.train:
            continue
        for quantiser in row.quantisers:
            kept = options.output / f"{row.label}.{file_name(quantiser)}.json"
            if not kept.exists():
                kept.write_text(
                    json.dumps({"label": row.label, **measure(weights, quantiser, source, options.output)}, indent=1)
                )
            results.append(json.loads(kept.read_text()) | json.loads(facts.read_text()))
    if options.train:
        return 0
    if not results:
        raise InputError(f"{options.output}: none of these rows is trained yet")
    tables = as_markdown(results, training_frames)
    kept = options.output / "memorised.json"
    if not kept.exists():
        kept.write_text(json.dumps(memorised(store.split("train"), source)))
    known = json.loads(kept.read_text())
    measured, trained = (when([one[what] for one in results]) for what in ("measured", "trained"))
    head = (
        f"Measured {measured} on {platform.machine()}, {source.videos[0][1]} frames of {source.videos[0][0]}; "
        f"trained {trained}.\n\n"
    )
    head += (
        f"For comparison: the mean of {known['chosen']:,} training frames alone is {known['mean_psnr']:.2f} dB "
        f"from the test frames, the nearest of them {known['nearest_psnr']:.2f} dB.\n\n"
    )
    (options.output / "results.md").write_text(head + tables)
    (options.output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.page:
        write_between_marks(options.page, "\n" + head + tables + "\n")
    print(tables, end="")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "dataset", type=Path, help="what lvc build-dataset made of the recordings of datasets/pacman.json"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for weights and rows")
    parser.add_argument("--minutes", type=float, default=4, help="training time of each model (default %(default)s)")
    parser.add_argument("--full", action="store_true", help="train as long as the recipes say instead")
    parser.add_argument(
        "--only", nargs="+", metavar="LABEL", choices=[row.label for row in ROWS], help="these rows alone"
    )
    halves = parser.add_mutually_exclusive_group()
    halves.add_argument("--train", action="store_true", help="measure nothing, and write no tables")
    halves.add_argument("--measure", action="store_true", help="train nothing: leave out the rows that are not trained")
    parser.add_argument("--page", type=Path, help="a page of markdown whose marked part the tables replace")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--more",
        nargs=argparse.REMAINDER,
        default=[],
        help="further words for lvc train, the last here: --more --batch 32",
    )
    options = parser.parse_args()
    try:
        return run(options)
    except LvcError as error:
        print(f"reproduce_tables: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
