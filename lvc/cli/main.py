"""The command `lvc`: one file a command; errors become one line and an exit code."""

import argparse
import importlib
import sys

from lvc.errors import LvcError

# name on the command line: module of lvc.cli that has SUMMARY, add_arguments(parser) and run(options) -> exit code
COMMANDS = {
    "build-dataset": "build_dataset",
    "train": "train",
    "encode": "encode",
    "decode": "decode",
    "info": "info",
    "verify": "verify",
    "play": "play",
    "report": "report",
    "models": "models",
}

FAILED = 1
INTERRUPTED = 130


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Only the chosen command's module is imported with its options, so that `lvc info` does not wait for torch."""
    parser = argparse.ArgumentParser(prog="lvc", description="A learned compressor for gameplay.")
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(f"lvc.cli.{module_name}") if chosen in (name, None) else None
        summary = module.SUMMARY if module else None
        command = commands.add_parser(name, help=summary, description=summary)
        if module:
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed_version

    try:
        return f"lvc {installed_version('lvc')}"
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "lvc, not installed"


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = arguments[0] if arguments and arguments[0] in COMMANDS else None
    options = build_parser(chosen).parse_args(arguments)
    try:
        return options.run(options)
    except LvcError as error:
        print(f"lvc {options.command}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"lvc {options.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, say) has gone: nothing to tell anybody.
        sys.stderr.close()
        return FAILED
