"""Sums up the curves that tools/compare_codecs.py made of several recordings: BD-rates by recording and on average, and
one picture.

    python tools/summarise_curves.py curves/frogger curves/qbert -o summary --codec lvc-arcade --anchors x265,libaom

Writes summary/table.md and summary/rd.png. A recording's name is its folder's. BD-rates are of PSNR (PCHIP) over the
qualities that both curves reach, with --between over those of them in a range. Where even the smallest file of --codec
is better than that, it counts for the qualities below it too: who asks for less is served by the same bytes.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from lvc.errors import LvcError, OptionError
from lvc.quality.bdrate import bd_rate


def curve(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Bytes a frame and PSNR of one codec, the smallest first, without points that a smaller one beats."""
    results = json.loads((folder / f"{name}.json").read_text())["results"]
    points = []
    for rate, quality in sorted(
        (rate, -quality)
        for rate, quality in zip(results["bytes_per_frame"], results["psnr-rgb"])
        if quality is not None
    ):
        if not points or -quality > points[-1][1]:
            points.append((rate, -quality))
    return np.array([rate for rate, _ in points]), np.array([quality for _, quality in points])


def continued(rates: np.ndarray, qualities: np.ndarray, low: float) -> tuple[np.ndarray, np.ndarray]:
    """A curve down to `low` dB at the bytes of its smallest point."""
    return (
        (rates, qualities)
        if qualities[0] <= low
        else (np.insert(rates, 0, rates[0] * (1 - 1e-6)), np.insert(qualities, 0, low))
    )


def between(rates: np.ndarray, qualities: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """The part of a curve from `low` to `high` dB, its ends interpolated."""
    low, high = max(low, qualities[0]), min(high, qualities[-1])
    if low >= high:
        raise OptionError("a curve has no part in the range")
    inside = (qualities > low) & (qualities < high)
    kept = np.concatenate(([low], qualities[inside], [high]))
    return np.exp(PchipInterpolator(qualities, np.log(rates))(kept)), kept


def saving(folder: Path, codec: str, anchor: str, limits: tuple[float, float]) -> float:
    """BD-rate in per cent; not a number where the curves share no quality."""
    other = curve(folder, anchor)
    ours = continued(*curve(folder, codec), max(limits[0], other[1][0]))
    try:
        return bd_rate(*between(*other, *limits), *between(*ours, *limits))
    except OptionError:
        return math.nan


def table(folders: list[Path], codec: str, anchors: list[str], limits: tuple[float, float]) -> str:
    lines = [
        f"| recording | {' | '.join(f'BD-rate against {anchor}' for anchor in anchors)} |",
        "|---" * (len(anchors) + 1) + "|",
    ]
    found = np.array([[saving(folder, codec, anchor, limits) for anchor in anchors] for folder in folders])

    def cell(value: float) -> str:
        return "no common quality" if math.isnan(value) else f"{value:+.1f} %"

    for folder, row in zip(folders, found):
        lines.append(f"| {folder.name} | {' | '.join(map(cell, row))} |")
    lines.append(f"| **mean** | {' | '.join(f'**{cell(value)}**' for value in np.nanmean(found, axis=0))} |")
    return "\n".join(lines) + "\n"


def draw(folders: list[Path], names: list[str], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    columns = min(4, len(folders))
    figure, panels = pyplot.subplots(
        -(-len(folders) // columns),
        columns,
        figsize=(3.2 * columns, 2.7 * -(-len(folders) // columns)),
        layout="constrained",
        squeeze=False,
    )
    for axes in panels.flat[len(folders) :]:
        axes.axis("off")
    for axes, folder in zip(panels.flat, folders):
        for name in names:
            rates, qualities = curve(folder, name)
            axes.plot(
                rates, qualities, marker="o", markersize=3, linewidth=2.5 if name.startswith("lvc") else 1.3, label=name
            )
        axes.set_title(folder.name, fontsize=9)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ticker.ScalarFormatter())
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
        axes.grid(alpha=0.3, which="both")
        axes.tick_params(labelsize=7)
    figure.supxlabel("bytes a frame", fontsize=9)
    figure.supylabel("PSNR RGB, dB", fontsize=9)
    figure.legend(
        *panels.flat[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=len(names),
        frameon=False,
        fontsize=9,
    )
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders of compare_codecs.py, one a recording")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for table.md and rd.png")
    parser.add_argument("--codec", default="lvc-arcade", help="whose savings are told (lvc-arcade)")
    parser.add_argument("--anchors", default="x265,libaom", help="what it is compared with (x265,libaom)")
    parser.add_argument("--between", default="34,44", metavar="LOW,HIGH", help="dB (34,44)")
    options = parser.parse_args()
    anchors = options.anchors.split(",")
    low, high = map(float, options.between.split(","))
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        text = table(options.folders, options.codec, anchors, (low, high))
        (options.output / "table.md").write_text(text)
        draw(options.folders, [options.codec, *anchors], options.output / "rd.png")
    except (LvcError, OSError, KeyError, ValueError) as error:
        print(f"summarise_curves: {error}", file=sys.stderr)
        return 1
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
