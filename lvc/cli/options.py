"""Options that several commands share, so that a habit learnt in one works in all."""

import argparse
import contextlib
import json
import os
import re
import sys
import traceback
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from lvc.errors import LvcError, OptionError, UnexpectedError
from lvc.frames import Geometry

if TYPE_CHECKING:
    from lvc.cli.progress_bar import ProgressBar

PARTLY_DONE = 3  # exit code: some inputs failed and were named, the others are done
DEFAULT_SIZE = "200x160"


def add_overwrite(parser: argparse.ArgumentParser):
    """-y and -n; gives the group of options of which there can be one."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-y", "--overwrite", action="store_true", help="overwrite an output that exists")
    group.add_argument(
        "-n",
        "--never-overwrite",
        action="store_true",
        help="leave an output that exists as it is (the default is to stop)",
    )
    return group


def add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, errors only")


def add_workers(parser: argparse.ArgumentParser, *, default: str) -> None:
    parser.add_argument(
        "-w", "--workers", type=int, metavar="N", help=f"processes that work at once (default: {default})"
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="work on a Ray cluster instead: HOST:PORT, or auto (needs lvc[ray]; its machines see the same files "
        "under the same paths)",
    )


def workers_of(options: argparse.Namespace, *, default: int | None) -> dict:
    """The workers and ray that --workers and --ray ask for, as `lvc.parallel.workers.run` takes them. default:
    processes here; None for one a core.
    """
    if options.workers is not None and options.workers < 1:
        raise OptionError(f"--workers must be a whole number from 1, not {options.workers}")
    here = default or os.cpu_count() or 1
    return {"workers": options.workers or (here if options.ray is None else None), "ray": options.ray}


@contextlib.contextmanager
def stdout_for_data(options: argparse.Namespace):
    """Gives stdout; with --ray what else is printed there meanwhile, as Ray does when it loses a node,
    goes to stderr.
    """
    data = sys.stdout
    with contextlib.redirect_stdout(sys.stderr) if options.ray else contextlib.nullcontext():
        yield data


def progress(
    *, quiet: bool, total: int | None = None, unit: str = "it", description: str | None = None
) -> "SilentBar | ProgressBar":
    """A progress bar on stderr; silent with `quiet`."""
    if quiet:
        return SilentBar(total)
    from lvc.cli.progress_bar import ProgressBar  # not above: it takes 45 ms, which the quiet need not wait for

    description = None if description is None else printable(description)
    return ProgressBar(total=total, unit=unit, desc=description, file=sys.stderr, dynamic_ncols=True)


class SilentBar:
    """Takes all that is told to a bar, and shows none of it but what is written."""

    def __init__(self, total: int | None):
        self.total = total
        self.n = self.initial = self.smoothing = 0
        self.leave = True

    def update(self, count: int = 1) -> None:
        self.n += count

    def write(self, text: str, file=None) -> None:
        print(text, file=file)

    def set_postfix(self, *_, **__) -> None: ...

    def set_postfix_str(self, *_, **__) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> "SilentBar":
        return self

    def __exit__(self, *_) -> None: ...


def show_frames(bar: "SilentBar | ProgressBar", frames: int) -> None:
    """Shows beside a bar of recordings how many of their frames are done."""
    bar.set_postfix(frames=frames, refresh=False)
    bar.update(0)  # draws, but no oftener than a bar should


def say(text: str, *, quiet: bool) -> None:
    """Tells a person something, in one line on stderr, so that stdout stays data."""
    if not quiet:
        print(printable(text), file=sys.stderr)


def failure(error: Exception, options: argparse.Namespace, *, name: str = "") -> str:
    """What a person is told of an error, in one line, and with --debug where it came from.

    name: of the input, for what does not name it.
    """
    foreseen = isinstance(error, LvcError)
    told = error if foreseen else UnexpectedError.of(error, name)
    if getattr(options, "debug", False):
        trace = getattr(told, "trace", "") or "".join(traceback.format_exception(error))
        return f"{printable(str(told))}\n{trace.rstrip()}"
    hint = "" if not isinstance(told, UnexpectedError) else " (a fault of lvc: --debug says where)"
    return printable(f"{told}{hint}")


def printable(text: str) -> str:
    """The text in one line: names of files may hold line ends, and codes that a terminal obeys."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="FILE", help="the weights, where the file's own are neither shipped nor in $LVC_MODELS"
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--every", type=int, metavar="N", help="keep every N-th frame (default 10)")
    parser.add_argument("--fps", metavar="RATE", help="keep frames by time instead, as 3 or 30000/1001 a second")
    parser.add_argument(
        "--size",
        metavar="WxH",
        help=f"width x height of the kept frames (default {DEFAULT_SIZE}; single pictures keep their own)",
    )
    add_stream(parser)


def add_stream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stream",
        type=int,
        metavar="N",
        help="which video stream of a recording, from 0 (default: the one marked as default, then the largest)",
    )


def sampling_of(options: argparse.Namespace):
    """The Sampling that --every, --fps, --size and --stream ask for."""
    from lvc.video.sample import Sampling

    geometry = Geometry.parse(options.size or DEFAULT_SIZE)
    if options.fps is None:
        return Sampling(every=10 if options.every is None else options.every, geometry=geometry, stream=options.stream)
    if options.every is not None:
        raise OptionError("--every and --fps are two ways to choose frames: give one")
    return Sampling(every=None, fps=rate_of(options.fps), geometry=geometry, stream=options.stream)


def rate_of(text: str) -> Fraction:
    """Reads frames a second: "3", "30000/1001", or a decimal number as `lvc.rates.rate_of` takes floats: "29.97",
    "33.3333".
    """
    from lvc import rates

    # Fraction alone would also take "1e999999999", and fill the memory with it.
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,17}|/[0-9]{1,6})?", text, re.ASCII):
        with contextlib.suppress(ZeroDivisionError):
            return rates.rate_of(float(text) if "." in text else Fraction(text))
    raise OptionError(f"--fps is a number of frames a second, as in 3, 2.5 or 30000/1001, not {text!r}")


def spec_of(text: str, option: str) -> dict:
    """Reads "round", "round,step=0.5" or "bits:2", which is short for "bits,bits=2"."""
    name, *settings = text.split(",")
    name, colon, value = name.partition(":")
    if colon:
        settings.insert(0, f"{name}={value}")
    return {"name": name, **dict(setting_of(setting, option) for setting in settings)}


def setting_of(text: str, option: str) -> tuple[str, object]:
    """Reads "code=500", "hidden=[300,200]" or "latents=rounded"."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise OptionError(f"{option} is written KEY=VALUE, as in code=500, not {text!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def left_alone(options: argparse.Namespace, *paths: Path) -> bool:
    """Whether -n leaves an output as it is, because it is there; says so."""
    there = next((path for path in paths if options.never_overwrite and path.exists()), None)
    if there is None:
        return False
    say(f"{there}: exists already, left as it is", quiet=options.quiet)
    return True
