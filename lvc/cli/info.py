"""`lvc info`: what a file says of itself, without decoding it."""

import argparse
import json
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from lvc.cli.options import PARTLY_DONE, failure, printable
from lvc.errors import FormatError, OptionError
from lvc.native.pixel_grid import PixelGrid

SUMMARY = "show header, model, frames, keyframes and bytes by part"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", type=Path, metavar="FILE.lvc")
    parser.add_argument("--json", action="store_true", help="one JSON object a file, a line each")


def run(options: argparse.Namespace) -> int:
    whole = failed = 0
    for path in options.inputs:
        try:
            facts = facts_of(path)
        except Exception as error:
            if len(options.inputs) == 1:
                raise
            failed += 1
            print(f"lvc info: {failure(error, options, name=str(path))}", file=sys.stderr)
            continue
        whole += not facts["damage"]
        print(json.dumps(facts) if options.json else as_text(facts))
    if whole == len(options.inputs):
        return 0
    return 1 if failed == len(options.inputs) else PARTLY_DONE


def facts_of(path: Path) -> dict:
    from lvc.container.reader import ContainerReader

    with ContainerReader(path) as container:
        header, index = container.header, container.index
        frames = container.frame_count
        payload, last_pts, damage = 0, 0, [str(one) for one in container.damage]
        for number, entry in enumerate(index):
            last_pts = entry.first_pts
            try:
                group = container.group(number)
                payload, last_pts = payload + group.payload_bytes, group.pts[-1]
            except FormatError as error:
                damage.append(str(error).removeprefix(f"{path}: "))
        records = int(sum(index.byte_sizes)) if len(index) else 0
        ticks = last_pts + header.frame_duration - index[0].first_pts if frames else 0
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
            **({} if (native := native_size(header)) is None else {"native": native}),
            "frames": frames,
            "duration_seconds": float(ticks * header.time_base),
            "time_base": str(Fraction(header.time_base)),
            "keyint": header.keyint,
            "keyframes": [entry.first_frame for entry in index],
            "bytes": {
                "header": container.header_bytes,
                "payload": payload,
                "group_overhead": records - payload,
                "index": container.file_bytes - container.header_bytes - records,
            },
            "bytes_per_frame": container.file_bytes / frames if frames else None,
            "ratio_to_raw": frames * header.width * header.height * 3 / container.file_bytes,
            "source": dict(header.source),
            "damage": damage,
        }


def native_size(header) -> str | None:
    """How many pixels the game drew itself, where the file holds those;
    None for a grid that cannot be, which decoding names.
    """
    with suppress(OptionError):
        return str(PixelGrid.from_json(header.extra["grid"])) if "grid" in header.extra else None
    return None


def as_text(facts: dict) -> str:
    keyframes = facts["keyframes"]
    shown = ", ".join(str(number) for number in keyframes[:8]) + (", …" if len(keyframes) > 8 else "")
    parts = facts["bytes"]
    model = facts["model"]
    lines = [
        facts["file"],
        (
            f"  model      {model['name']} (weights {model['sha256'][:12]}…), quantiser {facts['quantiser']['name']}, "
            f"entropy {facts['entropy']['name']}"
        )
        + (f", crf {facts['crf']}" if "crf" in facts else ""),
        (
            f"  frames     {facts['frames']} of {facts['width']}x{facts['height']}, {facts['duration_seconds']:.1f} s, "
            f"time base {facts['time_base']} s"
        ),
        *(
            []
            if "native" not in facts
            else [f"  native     {facts['native']} pixels that the game drew, shown enlarged in the recording"]
        ),
        f"  keyframes  {len(keyframes)}, every {facts['keyint']}: {shown}",
        (
            f"  bytes      {facts['file_bytes']:,}: header {parts['header']:,}, latents {parts['payload']:,}, groups "
            f"{parts['group_overhead']:,}, index {parts['index']:,}"
        ),
        f"  ratio      {facts['ratio_to_raw']:.1f} to raw"
        + (f", {facts['bytes_per_frame']:.1f} bytes a frame" if facts["frames"] else ""),
        "  source     " + ", ".join(f"{name} {value}" for name, value in facts["source"].items()),
        f"  encoder    {facts['encoder']}",
    ]
    lines += [f"  damage     {one}" for one in facts["damage"]]
    return "\n".join(map(printable, lines))
