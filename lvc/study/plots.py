"""The plots of a study, drawn with matplotlib."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from lvc.errors import OptionError
from lvc.study.systems import SYSTEMS

DPI = 80
PALETTE = 48
COLOURS = dict(zip(SYSTEMS, ("tab:blue", "tab:cyan", "tab:orange", "tab:red")))
SET_COLOURS = ("tab:green", "tab:purple", "tab:brown", "tab:pink", "tab:olive")


def pyplot():
    """matplotlib without a display; OptionError where it is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise OptionError("plots need the package matplotlib: pip install lvc[study]") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot as plots

    return plots


def draw_sweep(points: Sequence[dict], path: Path) -> None:
    """Against code size: test loss, real compression, PSNR against real bits, and the processor's time to train."""
    rows = of_sources(points)
    figure, axes = grid(len(rows), 4)
    for row, (source, mine) in zip(axes, rows.items()):
        for system, line in lines(mine):
            style = {"color": COLOURS[system], "marker": ".", "label": system}
            plot(row[0], line, "code", "test_loss", **style)
            plot(row[1], line, "code", "packet_ratio", **style)
            plot(row[1], line, "code", "file_ratio", color=COLOURS[system], linestyle=":", label=None)
            row[2].plot(
                [8 * one["packet_bytes"] / (one["width"] * one["height"]) for one in line],
                [one["psnr"] for one in line],
                **style,
            )
            plot(row[3], line, "code", "training_seconds", **style)
        dimensions = sorted((one["code"], one["ratio_of_dimensions"]) for one in mine)
        row[1].plot(*zip(*dimensions), color="black", linewidth=0.8, linestyle="--", label="of dimensions")
        labels(row[0], f"{source}: test loss (MSE)", "code size", y="log")
        labels(row[1], "compression: packets, file dotted", "code size", y="log")
        labels(row[2], "PSNR dB", "bits a pixel in packets")
        labels(row[3], "processor seconds to train", "code size", y="log")
        row[1].legend(fontsize=7, frameon=False)
    save(figure, path, axes[0][0])


def draw_curves(points: Sequence[dict], path: Path) -> None:
    """Training loss by step, dashed the validation's: a panel for each set and system, a line for each code size."""
    plots = pyplot()
    rows = of_sources(points)
    systems = list(dict.fromkeys(system for mine in rows.values() for system, _ in lines(mine)))
    codes = sorted({one["code"] for mine in rows.values() for one in mine})
    colours = {code: plots.get_cmap("viridis")(place / max(1, len(codes) - 1)) for place, code in enumerate(codes)}
    figure, axes = grid(len(rows), len(systems))
    for row, (source, mine) in zip(axes, rows.items()):
        for panel, system in zip(row, systems):
            line = [one for one in mine if one["system"] == system]
            panel.set_visible(bool(line))
            for one in line:
                panel.plot(*zip(*one["loss_curve"]), color=colours[one["code"]], linewidth=1)
                panel.plot(*zip(*one["validation_curve"]), color=colours[one["code"]], linewidth=0.8, linestyle="--")
            labels(panel, f"{source}, {system}", "step", x="linear", y="log")
    for code in codes:
        axes[0][0].plot([], [], color=colours[code], label=f"{code}")
    save(figure, path, axes[0][0])


def draw_denoising(points: Sequence[dict], path: Path) -> None:
    """dB gained over the noisy picture, against code size: trained on clean pictures, and dashed to take noise away."""
    rows = of_sources(points, denoising=None)
    figure, axes = grid(1, len(rows))
    for panel, (source, mine) in zip(axes[0], rows.items()):
        for denoising, style in ((False, "-"), (True, "--")):
            for system, line in lines([one for one in mine if one["denoising"] == denoising]):
                label = None if denoising else system
                plot(panel, line, "code", "gained_db", color=COLOURS[system], marker=".", linestyle=style, label=label)
        panel.axhline(0, color="black", linewidth=0.6)
        labels(panel, f"{source}: dB gained over the noisy picture", "code size")
    save(figure, path, axes[0][0])


def draw_elsewhere(points: Sequence[dict], path: Path) -> None:
    """PSNR on the set that a model was trained on, and dashed on the others, against code size."""
    rows = of_sources(points)
    systems = list(dict.fromkeys(system for mine in rows.values() for system, _ in lines(mine)))
    colours = {
        name: SET_COLOURS[place % len(SET_COLOURS)]
        for place, name in enumerate(sorted(set(rows) | {name for one in points for name in one["elsewhere"]}))
    }
    figure, axes = grid(len(rows), len(systems))
    for row, (source, mine) in zip(axes, rows.items()):
        for panel, system in zip(row, systems):
            line = [one for one in mine if one["system"] == system]
            panel.set_visible(bool(line))
            plot(panel, line, "code", "psnr", color=colours[source], marker=".", label=source)
            for name in dict.fromkeys(name for one in line for name in one["elsewhere"]):
                there = [
                    {"code": one["code"], "psnr": one["elsewhere"][name]["psnr"]}
                    for one in line
                    if name in one["elsewhere"]
                ]
                plot(panel, there, "code", "psnr", color=colours[name], marker=".", linestyle="--", label=f"on {name}")
            labels(panel, f"trained on {source}, {system}: PSNR dB", "code size")
            if panel.lines:
                panel.legend(fontsize=7, frameon=False)
    save(figure, path)


# name of the file: what draws it
PLOTS: dict[str, Callable[[Sequence[dict], Path], None]] = {
    "sweep.png": draw_sweep,
    "curves.png": draw_curves,
    "denoising.png": draw_denoising,
    "elsewhere.png": draw_elsewhere,
}


def of_sources(points: Sequence[dict], denoising: bool | None = False) -> dict[str, list[dict]]:
    """The points of each set, by its name; of models that denoise too where `denoising` is None."""
    chosen = [one for one in points if denoising is None or one["denoising"] == denoising] or list(points)
    return {
        name: [one for one in chosen if one["source"] == name]
        for name in dict.fromkeys(one["source"] for one in chosen)
    }


def lines(points: Sequence[dict]):
    """Yields (system, its points by code size)."""
    for system in SYSTEMS:
        line = sorted((one for one in points if one["system"] == system), key=lambda one: one["code"])
        if line:
            yield system, line


def plot(axes, line: Sequence[dict], x: str, y: str, **style) -> None:
    known = [(one[x], one[y]) for one in line if one[y] is not None]
    if known:
        axes.plot(*zip(*known), **style)


def grid(rows: int, columns: int):
    return pyplot().subplots(rows, columns, figsize=(3.3 * columns, 2.6 * rows), squeeze=False, layout="constrained")


def labels(axes, title: str, xlabel: str, *, x: str = "code", y: str = "linear") -> None:
    from matplotlib.ticker import LogLocator

    axes.set_title(title, fontsize=8)
    axes.set_xlabel(xlabel, fontsize=8)
    if x == "code":
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(LogLocator(base=2, numticks=7))
        axes.xaxis.set_major_formatter(lambda value, _place: f"{value:.2g}" if value < 1 else f"{value:g}")
    axes.set_yscale(y)
    axes.tick_params(labelsize=7, which="both")
    axes.grid(alpha=0.3)


def save(figure, path: Path, first=None) -> None:
    """first: the panel whose lines' names stand below all."""
    plots = pyplot()
    if first is not None:
        figure.legend(
            *first.get_legend_handles_labels(), loc="outside lower center", ncols=11, fontsize=8, frameon=False
        )
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DPI, format="png")
    plots.close(figure)
    # A palette takes a third of the bytes, and lines and letters need no more colours.
    Image.open(drawn).convert("RGB").quantize(PALETTE).save(path, "PNG", optimize=True)
