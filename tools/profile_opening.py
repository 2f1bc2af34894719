"""Says where the time goes from starting Python to the first frame of a file, and when files are opened after that.

    python tools/profile_opening.py game.lvc --frame 32

The frame is asked for as numpy, and then as a tensor. A file of a network needs torch for both: its import is a part of
the first "codec". Prints a table in markdown: milliseconds of the processor, of one thread; the first opening of a new
process, median of some, and later ones in the same process.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

LATER = 5
# What is timed: a name for people, the module, and the function in it.
# Inner ones are part of the outer ones above them.
STEPS = (
    ("header and index", "lvc.reading.reader", "ContainerReader"),
    ("codec", "lvc.reading.reader", "codec_of"),
    ("- SHA-256 of the weights", "lvc.weights.checkpoints", "file_digest"),
    ("- weights' header", "lvc.weights.checkpoints", "read_header"),
    ("- model without memory", "lvc.weights.checkpoints", "empty_model"),
    ("symbols", "lvc.codecs.symbols", "SymbolGroupDecoder.advance"),
    ("pixels", "lvc.reading.reader", "Reader._made"),
)


@contextmanager
def timed(found: dict, name: str):
    started = time.process_time()
    try:
        yield
    finally:
        found[name] = found.get(name, 0.0) + time.process_time() - started


def watch(found: dict) -> None:
    """Puts a clock around each of the steps."""
    for name, module, path in STEPS:
        holder, last = holder_of(module, path)
        setattr(holder, last, around(getattr(holder, last), found, name))


def holder_of(module: str, path: str):
    """The module or class that has a function, and the function's name in it."""
    holder = importlib.import_module(module)
    *outer, last = path.split(".")
    for part in outer:
        holder = getattr(holder, part)
    return holder, last


def around(function, found: dict, name: str):
    def called(*args, **kwargs):
        with timed(found, name):
            return function(*args, **kwargs)

    return called


def openings(path: str, frame: int) -> list[dict]:
    """Seconds of each step: of starting and the first opening, then of later ones."""
    first: dict = {"Python": time.process_time()}
    with timed(first, "import of lvc"):
        reader = importlib.import_module("lvc.reading.reader").Reader
    found: dict = {}
    watch(found)
    rows = []
    for _ in range(1 + LATER):
        found.clear()
        with timed(found, "open and frame"), reader(path) as opened:
            opened.frames_at([frame])
        row = dict(found)
        with reader(path) as opened:
            opened.frames_at([frame])
            with timed(row, "the same as a tensor"):
                opened[frame]
        rows.append(row)
    return [first | rows[0], *rows[1:]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--frame", type=int, default=0, help="number of the frame that is read (%(default)s)")
    parser.add_argument("--processes", type=int, default=5, help="how many are started (%(default)s)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(openings(str(options.file), options.frame)))
        return 0
    command = [sys.executable, __file__, str(options.file), "--frame", str(options.frame), "--child"]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(options.processes)
    ]
    print("| step | first in a process, ms | later, ms |\n|---|---|---|")
    for name in ("Python", "import of lvc", "open and frame", *(name for name, _, _ in STEPS), "the same as a tensor"):
        first = statistics.median(run[0].get(name, 0.0) for run in runs)
        later = statistics.median(one.get(name, 0.0) for run in runs for one in run[1:])
        print(f"| {name} | {1e3 * first:.1f} | {1e3 * later:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
