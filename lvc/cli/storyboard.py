"""`lvc storyboard`: a whole `.lvc` file on one picture."""

import argparse
from pathlib import Path

from lvc.cli.options import PARTLY_DONE, add_model, add_overwrite, add_quiet, left_alone, progress, say

SUMMARY = "draw frames spread over a .lvc file, with their times, on one png or jpg"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the .lvc file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="sheet.png or sheet.jpg")
    parser.add_argument("--columns", type=int, default=5, metavar="N", help="frames side by side (default %(default)s)")
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--rows", type=int, metavar="N", help="rows of frames (default 6)")
    number.add_argument("--count", type=int, metavar="N", help="how many frames instead")
    parser.add_argument(
        "--width",
        type=int,
        metavar="PIXELS",
        help="width of the picture (default: the frames' own size, up to 1920 in all)",
    )
    parser.add_argument(
        "--keyframes-only", action="store_true", help="only the frames that need no other, which is faster"
    )
    add_model(parser)
    parser.add_argument("--device", default="cpu", help="where the model runs: cpu, cuda (default %(default)s)")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    from lvc.container.reader import ContainerReader
    from lvc.reading.contact_sheet import storyboard

    if left_alone(options, options.output):
        return 0
    damage: list = []
    with ContainerReader(options.file) as container:
        frames = len(container.index) if options.keyframes_only else container.frame_count
    asked = options.count or options.columns * (options.rows or 6)
    with progress(quiet=options.quiet, total=min(asked, frames), unit="frame", description=options.file.name) as bar:
        drawn = storyboard(
            options.file,
            options.output,
            columns=options.columns,
            rows=options.rows,
            count=options.count,
            width=options.width,
            keyframes_only=options.keyframes_only,
            model=options.model,
            device=options.device,
            overwrite=options.overwrite,
            progress=bar.update,
            on_damage=damage.append,
        )
    for one in damage:
        say(f"lvc storyboard: {one}", quiet=False)
    say(f"{options.output}: {drawn} frames", quiet=options.quiet)
    return PARTLY_DONE if damage else 0
