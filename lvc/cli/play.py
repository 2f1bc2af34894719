"""`lvc play`: a `.lvc` file in a window, with mpv's keys."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from lvc.cli.options import add_model, add_quiet, say
from lvc.errors import OptionError, OutputError

SUMMARY = "play a .lvc file in a window, with mpv's keys (? shows them)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the .lvc file")
    parser.add_argument(
        "--compare", type=Path, metavar="SOURCE", help="the recording it was made from, beside it at the same time"
    )
    parser.add_argument("--start", type=float, metavar="SECONDS", help="begin at this time")
    parser.add_argument("--loop", action="store_true", help="begin again at the end (key L)")
    parser.add_argument("--pause", action="store_true", help="begin paused (key space)")
    parser.add_argument("--full-screen", action="store_true", help="fill the screen (key f)")
    parser.add_argument(
        "--screenshots", type=Path, default=Path("."), metavar="FOLDER", help="where key s saves frames (this folder)"
    )
    add_model(parser)
    parser.add_argument("--device", default="cpu", help="where the model runs: cpu, cuda (cpu)")
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    import lvc
    from lvc.cli.report import stated_stream
    from lvc.player.display import Display
    from lvc.player.side_by_side import PANES, SideBySide
    from lvc.player.window import play
    from lvc.video.seek import SeekableVideo

    if options.start is not None and not 0 <= options.start < float("inf"):
        raise OptionError(f"--start is a time in seconds from 0, not {options.start}")
    if not options.screenshots.is_dir():
        raise OutputError(f"{options.screenshots}: is no folder; screenshots were to be saved there")
    with ExitStack() as stack:
        display = stack.enter_context(Display())  # a missing display is told at once, not after a model has been loaded
        shown = reader = stack.enter_context(lvc.open(options.file, model=options.model, device=options.device))
        if options.compare is not None:
            shown = SideBySide(
                reader,
                stack.enter_context(
                    SeekableVideo(options.compare, reader.geometry, stream=stated_stream(reader.metadata.source))
                ),
            )
        saved = play(
            shown,
            display,
            name=options.file.name,
            screenshots=options.screenshots,
            loop=options.loop,
            paused=options.pause,
            full_screen=options.full_screen,
            start_seconds=options.start,
            panes=() if options.compare is None else PANES,
        )
    for path in saved:
        say(f"saved {path}", quiet=options.quiet)
    return 0
