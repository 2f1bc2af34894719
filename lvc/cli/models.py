"""`lvc models`: the weights that are at hand, and the families that can be trained."""

import argparse
import json
from pathlib import Path

from lvc.errors import ModelError

SUMMARY = "list shipped models, those in $LVC_MODELS, or weights files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="weights files to describe instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a model, a line each")


def run(options: argparse.Namespace) -> int:
    from lvc.weights import checkpoints

    paths = options.files or [
        path for folder in checkpoints.folders() for path in sorted(folder.glob(f"*{checkpoints.SUFFIX}"))
    ]
    described = []
    for path in paths:
        try:
            described.append(facts_of(path))
        except ModelError as error:
            if options.files:
                raise
            # One bad file in a folder must not hide the others.
            described.append({"file": str(path), "name": path.stem, "error": str(error)})
    for facts in described:
        print(json.dumps(facts) if options.json else as_text(facts))
    if not options.json:
        from lvc.training.recipes import trained_models

        if not described:
            print(f"no weights are shipped or in ${checkpoints.FOLDERS_VARIABLE}")
        print(f"\nfamilies for lvc train: {', '.join(trained_models())}")
    return 0


def facts_of(path: Path) -> dict:
    from lvc.weights import checkpoints

    header = checkpoints.read_header(path)
    metadata = header.metadata
    return {
        "name": metadata.name,
        "file": str(path),
        "file_bytes": header.file_bytes,
        "sha256": checkpoints.file_digest(path),
        "model": metadata.model,
        "config": metadata.config,
        "parameters": header.parameters,
        "width": metadata.geometry.width,
        "height": metadata.geometry.height,
        "quantiser": metadata.quantiser,
        "entropy": metadata.entropy,
        "description": metadata.description,
        "dataset": inside(metadata.training, "dataset", "name", kind=str),
        "validation_psnr": inside(metadata.training, "position", "figures", "psnr", kind=float),
    }


def inside(value, *names: str, kind: type):
    """What is found under these names in nested objects, or None where it is anything else than a `kind`."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, kind) else None


def as_text(facts: dict) -> str:
    if "error" in facts:
        return f"{facts['name']}: cannot be used: {facts['error']}"
    psnr = facts["validation_psnr"]
    quality = f", {psnr:.2f} dB on validation" if psnr else ""
    numbers = (
        f"{facts['parameters']:,} parameters, {facts['file_bytes'] / 1e6:.1f} MB, {facts['width']}x{facts['height']}"
    )
    coding = f"quantiser {facts['quantiser']['name']}, entropy {facts['entropy']['name']}"
    return "\n".join(
        [
            f"{facts['name']}: {facts['description'] or facts['model']}",
            f"  {facts['model']}, {numbers}, {coding}{quality}",
            f"  {facts['file']}, sha256 {facts['sha256'][:16]}",
        ]
    )
