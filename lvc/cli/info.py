"""`lvc info`: what a file says of itself, without decoding it."""

import argparse
import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from lvc.errors import InputError

SUMMARY = "show header, model, frames, keyframes and bytes by part"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", type=Path, metavar="FILE.lvc")
    parser.add_argument("--json", action="store_true", help="one JSON object a file, a line each")


def run(options: argparse.Namespace) -> int:
    for path in options.inputs:
        facts = facts_of(path)
        print(json.dumps(facts) if options.json else as_text(facts))
    return 0


def facts_of(path: Path) -> dict:
    from lvc.container.reader import ContainerReader

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with ContainerReader(path) as container:
        header, index = container.header, container.index
        frames = container.frame_count
        payload = sum(container.group(number).payload_bytes for number in range(len(index)))
        records = int(sum(index.byte_sizes)) if len(index) else 0
        header_bytes = int(index.offsets[0]) if len(index) else container.file_bytes
        seconds = 0.0
        if frames:
            last = container.pts_of(frames - 1) + header.frame_duration
            seconds = float((last - container.pts_of(0)) * header.time_base)
        return {
            "file": str(path),
            "file_bytes": container.file_bytes,
            "encoder": header.encoder,
            "model": dict(header.model),
            "quantiser": dict(header.quantiser),
            "entropy": dict(header.entropy),
            **{name: header.extra[name] for name in ("crf",) if name in header.extra},
            "width": header.width,
            "height": header.height,
            "frames": frames,
            "duration_seconds": seconds,
            "time_base": str(Fraction(header.time_base)),
            "keyint": header.keyint,
            "keyframes": [entry.first_frame for entry in index],
            "bytes": {
                "header": header_bytes,
                "payload": payload,
                "group_overhead": records - payload,
                "index": container.file_bytes - header_bytes - records,
            },
            "bytes_per_frame": container.file_bytes / frames if frames else None,
            "ratio_to_raw": frames * header.width * header.height * 3 / container.file_bytes,
            "source": dict(header.source),
            "damage": [asdict(one) for one in container.damage],
        }


def as_text(facts: dict) -> str:
    keyframes = facts["keyframes"]
    shown = ", ".join(str(number) for number in keyframes[:8]) + (", …" if len(keyframes) > 8 else "")
    parts = facts["bytes"]
    model = facts["model"]
    lines = [
        facts["file"],
        f"  model      {model['name']} (weights {model['sha256'][:12]}…), quantiser {facts['quantiser']['name']}, entropy {facts['entropy']['name']}"
        + (f", crf {facts['crf']}" if "crf" in facts else ""),
        f"  frames     {facts['frames']} of {facts['width']}x{facts['height']}, {facts['duration_seconds']:.1f} s, time base {facts['time_base']} s",
        f"  keyframes  {len(keyframes)}, every {facts['keyint']}: {shown}",
        f"  bytes      {facts['file_bytes']:,}: header {parts['header']:,}, latents {parts['payload']:,}, groups {parts['group_overhead']:,}, index {parts['index']:,}",
        f"  ratio      {facts['ratio_to_raw']:.1f} to raw" + (f", {facts['bytes_per_frame']:.1f} bytes a frame" if facts["frames"] else ""),
        "  source     " + ", ".join(f"{name} {value}" for name, value in facts["source"].items()),
        f"  encoder    {facts['encoder']}",
    ]
    lines += [f"  damage     {one}" for one in facts["damage"]]
    return "\n".join(lines)
