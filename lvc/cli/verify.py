"""`lvc verify`: checks whole files as `flac -t` does, and recovers what holds of damaged ones."""

import argparse
import sys
from pathlib import Path

from lvc.cli.options import PARTLY_DONE, add_model, add_overwrite, add_quiet, failure, printable, progress, say
from lvc.container.recover import Repaired, VerifyReport, repair, verify
from lvc.output import repaired_name

SUMMARY = "check .lvc files byte by byte, and recover what holds of damaged ones"

FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a .lvc file, or the .part of an encoder that died"
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="write the groups that hold of each damaged FILE, and of each .part, to NAME.repaired.lvc beside it, "
        "with a new index; FILE stays as it is",
    )
    parser.add_argument(
        "--symbols",
        action="store_true",
        help="also decode every group and compare its symbols with the digest (needs the model)",
    )
    add_model(parser)
    add_overwrite(parser)
    add_quiet(parser)
    parser.epilog = (
        "One line a file on stdout; --quiet leaves out those that are whole. Exit code: 0 all are whole (or, with "
        "--repair, "
        "recovered without loss), 1 none is, 3 some are or some frames are lost."
    )


def run(options: argparse.Namespace) -> int:
    outcomes = [_verify_one(path, options) for path in options.files]
    if all(outcome == 0 for outcome in outcomes):
        return 0
    return FAILED if all(outcome == FAILED for outcome in outcomes) else PARTLY_DONE


def _verify_one(path: Path, options: argparse.Namespace) -> int:
    try:
        with progress(quiet=options.quiet, unit="group", description=path.name) as bar:
            bar.leave = False
            report = verify(path, check_symbols=_symbol_check(options), progress=_shown_on(bar))
    except Exception as error:  # one file's fault never ends a run over many
        print(f"lvc verify: {failure(error, options, name=str(path))}", file=sys.stderr)
        return FAILED
    if report.ok:
        if not options.quiet:
            print(
                f"{printable(str(path))}: ok, {report.frames} frames in {_counted(report.groups, 'group')}, "
                f"{report.file_bytes} bytes"
            )
        # An encoder may die when all is written but the name: whoever recovers a part wants a file.
        return _repair_one(path, options) if options.repair and path.suffix == ".part" else 0
    print(f"{printable(str(path))}: damaged, {_what_is_left(report)}; {_first_damage(report)}")
    return _repair_one(path, options) if options.repair else FAILED


def _symbol_check(options: argparse.Namespace):
    if not options.symbols:
        return None
    from lvc.weights.file_codec import check_group, codec_of

    codecs = {}

    def check(header, group) -> None:
        if "codec" not in codecs:
            codecs["codec"] = codec_of(header, model=options.model)
        check_group(codecs["codec"], group)

    return check


def _repair_one(path: Path, options: argparse.Namespace) -> int:
    output = repaired_name(path)
    if options.never_overwrite and output.exists():
        say(f"lvc verify: {output}: exists already, left as it is", quiet=options.quiet)
        return FAILED
    try:
        with progress(quiet=options.quiet, unit="group", description=output.name) as bar:
            bar.leave = False
            repaired = repair(path, output, overwrite=options.overwrite, progress=_shown_on(bar))
    except Exception as error:  # one file's fault never ends a run over many
        print(f"lvc verify: {failure(error, options, name=str(path))}", file=sys.stderr)
        return FAILED
    say(f"{output}: written, {repaired.frames} frames in {_counted(repaired.groups, 'group')}", quiet=options.quiet)
    return 0 if _nothing_lost(repaired) else PARTLY_DONE


def _what_is_left(report: VerifyReport) -> str:
    if report.header is None:
        return "nothing can be read"
    if report.lost_frames is None:
        lost = "an unknown number lost"
    elif report.lost_frames:
        lost = f"{report.lost_frames} lost"
    else:
        lost = "none lost"
    return f"{report.frames} frames in {_counted(report.groups, 'group')} hold, {lost}"


def _first_damage(report: VerifyReport) -> str:
    # The damage that costs frames tells more than the index that is missing for the same reason.
    first = next((damage for damage in report.damage if damage.lost_frames != 0), report.damage[0])
    more = f" (and {len(report.damage) - 1} more)" if len(report.damage) > 1 else ""
    return f"{first}{more}"


def _nothing_lost(repaired: Repaired) -> bool:
    return all(damage.lost_frames == 0 for damage in repaired.damage)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shown_on(bar):
    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show
