"""`lvc study`: what an autoencoder's code size does to loss, real bytes and time, as tables and plots."""

import argparse
import signal
import threading
from contextlib import contextmanager
from pathlib import Path

from lvc.cli.options import add_overwrite, add_quiet, left_alone, progress, say, spec_of
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.output import written_whole

SUMMARY = "train small autoencoders with codes of many sizes, and draw what each costs and gives"
# option: what it is without --quick, and with
DEFAULTS = {
    "sizes": ("1,2,4,8,16,32,64,128,256,512,1024", "4,64"),
    "systems": ("mlp1,mlp2,conv1,conv2", "mlp1,conv1"),
    "steps": (600, 60),
    "pictures": (4096, 256),
    "test_pictures": (512, 64),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="digits (scikit-learn's), photographs (crops of scikit-image's), a .npy or .npz of uint8 pictures, a "
        "folder of pictures, or one that lvc build-dataset made",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of tables, plots and points; run again, it measures what is missing",
    )
    parser.add_argument("--sizes", metavar="N,N", help=f"sizes of the code (default {DEFAULTS['sizes'][0]})")
    parser.add_argument(
        "--systems",
        metavar="NAME,NAME",
        help=f"fully connected or convolutional, of one or two layers (default {DEFAULTS['systems'][0]})",
    )
    parser.add_argument(
        "--denoise", action="store_true", help="train each on noisy pictures too, to give the clean ones"
    )
    parser.add_argument(
        "--noise", type=float, default=0.1, help="deviation of that noise, for pixels in 0..1 (default %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a try: two sizes, two systems, a tenth of the steps and pictures"
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help=f"steps of training for each point (default {DEFAULTS['steps'][0]})"
    )
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="pictures to a step (default %(default)s)")
    parser.add_argument(
        "--lr", type=float, metavar="RATE", help="the highest learning rate of Adam (default: each system's own)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of pictures, weights and noise (default %(default)s)"
    )
    parser.add_argument(
        "--pictures",
        type=int,
        metavar="N",
        help=f"pictures of each source to train on, at most (default {DEFAULTS['pictures'][0]})",
    )
    parser.add_argument(
        "--test-pictures",
        type=int,
        metavar="N",
        help=f"to validate and to test on, at most (default {DEFAULTS['test_pictures'][0]})",
    )
    parser.add_argument(
        "--size", metavar="WxH", help="of the blocks that are cut out of larger pictures (default 32x32)"
    )
    parser.add_argument(
        "--quantiser",
        default="naive",
        metavar="NAME[,KEY=VALUE]",
        help="of the codes, as for lvc train (default %(default)s)",
    )
    parser.add_argument("--threads", type=int, help="processor threads (default: all cores)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default %(default)s)")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    from lvc.study.sweep import FILE_NAME

    if left_alone(options, options.output / FILE_NAME):
        return 0
    import torch

    from lvc.codecs.networks.training.recipes import entropy_for
    from lvc.study.pictures import Amounts, read_set
    from lvc.study.plots import pyplot
    from lvc.study.point import Case, Settings
    from lvc.study.sweep import read_points, study

    for name, choice in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, choice[options.quick])
    pyplot()  # a missing package is told now, not after hours
    if options.threads:
        torch.set_num_threads(options.threads)
    quantiser = spec_of(options.quantiser, "--quantiser")
    settings = Settings(
        steps=options.steps,
        batch=options.batch,
        lr=options.lr,
        seed=options.seed,
        noise=options.noise,
        quantiser=quantiser,
        entropy=entropy_for(quantiser),
    )
    amounts = Amounts(options.pictures, options.test_pictures, Geometry.parse(options.size) if options.size else None)
    codes, systems = sizes_of(options.sizes), list(dict.fromkeys(options.systems.split(",")))
    sets = {}
    for source in options.sources:
        one = read_set(source, amounts=amounts, seed=options.seed)
        if one.name in sets:
            raise OptionError(f"two sources are called {one.name}; rename one of them")
        sets[one.name] = one
    goals = (False, True) if options.denoise else (False,)
    cases = [Case(name, system, code, goal) for name in sets for goal in goals for system in systems for code in codes]
    with progress(quiet=options.quiet, total=len(cases), unit="point", description=options.output.name) as bar:

        def on_step(case, step: int) -> None:
            bar.set_postfix_str(f"{case}, step {step} of {settings.steps}", refresh=False)
            bar.update(0)

        done = study(
            cases,
            sets,
            options.output,
            settings=settings,
            amounts=amounts,
            device=options.device,
            overwrite=options.overwrite,
            on_step=on_step,
        )
        try:
            with interrupted_by_termination():
                for _ in done:
                    bar.update()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{options.output} keeps what is measured; the same command goes on") from None
    for path in write_report(read_points(options.output), options.output):
        say(f"wrote {path}", quiet=options.quiet)
    return 0


@contextmanager
def interrupted_by_termination():
    """Takes SIGTERM for Ctrl-C, so that what is unfinished is cleared away then too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def sizes_of(text: str) -> list[int]:
    """Reads "1,2,4"."""
    if not all(part.isascii() and part.isdigit() and len(part) < 6 for part in text.split(",")):
        raise OptionError(f"--sizes are whole numbers, as in 1,2,4, not {text!r}")
    return list(dict.fromkeys(int(part) for part in text.split(",")))


def write_report(points: list[dict], folder: Path) -> list[Path]:
    """Writes all tables and plots of a study's folder, whose own they are; gives their paths."""
    from lvc.study import tables
    from lvc.study.plots import PLOTS

    def write_table(part: Path, name: str) -> None:
        with open(part, "w", encoding="utf-8", newline="") as file:
            if name.endswith(".csv"):
                tables.write_csv(points, file)
            else:
                file.write(tables.as_json(points) if name.endswith(".json") else tables.as_markdown(points))

    written = []
    for name in ("points.csv", "points.json", "table.md", *PLOTS):
        with written_whole(folder / name, overwrite=True) as part:
            if name in PLOTS:
                PLOTS[name](points, part)
            else:
                write_table(part, name)
        written.append(folder / name)
    return written
