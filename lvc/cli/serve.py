"""`lvc serve`: a `.lvc` file in a page of this machine's browser, with mpv's keys; for machines without a display."""

import argparse
import webbrowser
from pathlib import Path

from lvc.cli.options import add_model, add_quiet, say
from lvc.errors import OptionError

SUMMARY = "play a .lvc file in a page, on this machine's loopback address, with mpv's keys (? shows them)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the .lvc file")
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="of the loopback address (default: one that is free); through ssh: ssh -L N:127.0.0.1:N machine",
    )
    parser.add_argument("--open", action="store_true", help="open the page in this machine's browser")
    add_model(parser)
    parser.add_argument("--device", default="cpu", help="where the model runs: cpu, cuda (cpu)")
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    import lvc
    from lvc.player.serving import PageServer

    if not 0 <= options.port <= 65535:
        raise OptionError(f"--port is a whole number from 0 to 65535, not {options.port}")
    with lvc.open(options.file, model=options.model, device=options.device, cache_bytes=64 << 20) as reader:
        reader.frames(0, min(1, len(reader)))  # wrong weights are told here, not in the page
        with PageServer(reader, name=options.file.name, port=options.port) as server:
            print(server.address, flush=True)
            say("press q in the page, or Ctrl-C here, to end", quiet=options.quiet)
            if options.open:
                webbrowser.open(server.address)
            server.wait()
    return 0
