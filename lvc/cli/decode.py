"""`lvc decode`: a `.lvc` file becomes pictures again."""

import argparse
from pathlib import Path

from lvc.cli.options import PARTLY_DONE, add_model, add_overwrite, add_quiet, progress, say
from lvc.errors import OptionError

SUMMARY = "decode a .lvc file into mp4, mkv, npy or a folder of png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", nargs="?", metavar="FILE.lvc")
    parser.add_argument("-i", "--input", dest="input_option", metavar="FILE.lvc", help="the same, as an option")
    parser.add_argument("-o", "--output", type=Path, required=True, help="out.mp4, out.mkv, out.npy, or a folder for png files")
    parser.add_argument("--keyframes-only", action="store_true", help="only the frames that need no other")
    add_model(parser)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default %(default)s)")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    from lvc.container.reader import ContainerReader
    from lvc.decoding import decode

    source = options.input or options.input_option
    if not source:
        raise OptionError("a file to decode was expected: lvc decode game.lvc -o out.mp4")
    if options.never_overwrite and options.output.exists():
        say(f"{options.output}: exists already, left as it is", quiet=options.quiet)
        return 0
    with ContainerReader(Path(source)) as container:
        total = len(container.index) if options.keyframes_only else container.frame_count
    damage = []
    with progress(quiet=options.quiet, total=total, unit="frame", description=Path(source).name) as bar:
        frames = decode(
            source,
            options.output,
            model=options.model,
            device=options.device,
            keyframes_only=options.keyframes_only,
            overwrite=options.overwrite,
            progress=bar.update,
            on_damage=damage.append,
        )
    for one in damage:
        say(f"lvc decode: {one}", quiet=False)
    say(f"{options.output}: {frames} frames", quiet=options.quiet)
    return PARTLY_DONE if damage else 0
