"""Options that several commands share, so that a habit learnt in one works in all."""

import argparse
import sys

from tqdm import tqdm

PARTLY_DONE = 3  # exit code: some inputs failed and were named, the others are done


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-y", "--overwrite", action="store_true", help="overwrite an output that exists")
    group.add_argument("-n", "--never-overwrite", action="store_true", help="leave an output that exists as it is (the default is to stop)")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, errors only")


def progress(iterable=None, *, quiet: bool, total: int | None = None, unit: str = "it", description: str | None = None) -> tqdm:
    """A progress bar on stderr; silent with `quiet`."""
    return tqdm(iterable, total=total, unit=unit, desc=description, file=sys.stderr, disable=quiet, dynamic_ncols=True)


def say(text: str, *, quiet: bool) -> None:
    """Tells a person something, on stderr, so that stdout stays data."""
    if not quiet:
        print(text, file=sys.stderr)
