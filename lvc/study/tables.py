"""The figures of a study as tables: CSV and JSON for programs, Markdown for people."""

import csv
import json
from collections.abc import Sequence

from lvc.study.point import CURVES

# column of the Markdown table: what it holds, of a point
COLUMNS = {
    "trained on": lambda one: one["source"],
    "system": lambda one: one["system"] + (", denoising" if one["denoising"] else ""),
    "code": lambda one: f"{one['code']}",
    "test loss": lambda one: f"{one['test_loss']:.5f}",
    "PSNR dB": lambda one: number(one["psnr"], 2),
    "bytes a picture": lambda one: f"{one['file_bytes']:,.1f}",
    "packets alone": lambda one: f"{one['packet_bytes']:,.1f}",
    "raw": lambda one: f"{one['raw_bytes']:,}",
    "ratio, file": lambda one: f"{one['file_ratio']:.2f}",
    "ratio, packets": lambda one: number(one["packet_ratio"], 2),
    "ratio of dimensions": lambda one: f"{one['ratio_of_dimensions']:.2f}",
    "training s": lambda one: number(one["training_seconds"], 1),
    "denoising dB gained": lambda one: number(one["gained_db"], 2),
    "PSNR elsewhere": lambda one: ", ".join(
        f"{name} {number(other['psnr'], 2)}" for name, other in one["elsewhere"].items()
    ),
}


def number(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"


def as_markdown(points: Sequence[dict]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(show(one) for show in COLUMNS.values()) + " |" for one in points]
    return "\n".join(lines) + "\n"


def as_json(points: Sequence[dict]) -> str:
    return json.dumps(points, indent=1) + "\n"


def write_csv(points: Sequence[dict], file) -> None:
    """A row a point, without the curves; figures on other sets are `psnr_on_NAME` and `packet_bytes_on_NAME`."""
    rows = []
    for one in points:
        row = {name: value for name, value in one.items() if name not in (*CURVES, "elsewhere")}
        for name, other in one["elsewhere"].items():
            row |= {f"{figure}_on_{name}": other[figure] for figure in ("psnr", "packet_bytes")}
        rows.append(row)
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
