"""`lvc decode`: a `.lvc` file, or a folder of them, becomes pictures again."""

import argparse
import sys
from pathlib import Path

from lvc.cli.options import (
    PARTLY_DONE,
    add_model,
    add_overwrite,
    add_quiet,
    failure,
    left_alone,
    progress,
    say,
)
from lvc.errors import InputError, OptionError, OutputError

SUMMARY = "decode .lvc files into mp4, mkv, npy, png, jpg or a folder of png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", nargs="?", metavar="FILE.lvc", help="or a folder of them")
    parser.add_argument("-i", "--input", dest="input_option", metavar="FILE.lvc", help="the same, as an option")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="out.mp4, out.mkv, out.npy, a folder for png files, or out.png, out.jpg for one frame",
    )
    parser.add_argument("--keyframes-only", action="store_true", help="only the frames that need no other")
    add_model(parser)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default %(default)s)")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    source = options.input or options.input_option
    if not source:
        raise OptionError("a file to decode was expected: lvc decode game.lvc -o out.mp4")
    if Path(source).is_dir():
        return decode_folder(Path(source), options)
    return decode_one(Path(source), options.output, options)


def decode_folder(folder: Path, options: argparse.Namespace) -> int:
    """Each file of one frame becomes a png in the output folder, each longer one an mp4."""
    from lvc.container.reader import ContainerReader

    sources = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".lvc" and path.is_file())
    if not sources:
        raise InputError(f"{folder}: a regular file was expected, or a folder of .lvc files, and it holds none")
    if options.output.exists() and not options.output.is_dir():
        raise OutputError(f"{options.output}: a folder was expected, for a folder of files")
    options.output.mkdir(exist_ok=True)
    codes = []
    for source in sources:
        try:
            with ContainerReader(source) as container:
                suffix = ".png" if container.frame_count == 1 else ".mp4"
            codes.append(decode_one(source, options.output / (source.stem + suffix), options))
        except Exception as error:  # one file's fault never ends a run over many
            print(f"lvc decode: {failure(error, options, name=str(source))}", file=sys.stderr)
            codes.append(1)
    failures = sum(map(bool, codes))
    if failures:
        say(f"lvc decode: {failures} of {len(sources)} files failed or are damaged", quiet=False)
    return 0 if not failures else 1 if all(code == 1 for code in codes) else PARTLY_DONE


def decode_one(source: Path, output: Path, options: argparse.Namespace) -> int:
    from lvc.container.reader import ContainerReader
    from lvc.reading.decoding import decode

    if left_alone(options, output):
        return 0
    with ContainerReader(source) as container:
        total = len(container.index) if options.keyframes_only else container.frame_count
    damage: list = []
    notes: list = []
    with progress(quiet=options.quiet, total=total, unit="frame", description=source.name) as bar:
        frames = decode(
            source,
            output,
            model=options.model,
            device=options.device,
            keyframes_only=options.keyframes_only,
            overwrite=options.overwrite,
            progress=bar.update,
            on_damage=damage.append,
            on_note=notes.append,
        )
    for one in damage:
        say(f"lvc decode: {one}", quiet=False)
    for note in notes:
        say(f"lvc decode: {note}", quiet=options.quiet)
    say(f"{output}: {frames} frame{'s' * (frames != 1)}", quiet=options.quiet)
    return PARTLY_DONE if damage else 0
