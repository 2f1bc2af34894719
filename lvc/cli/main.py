"""The command `lvc`: one file a command; errors become one line and an exit code."""

import argparse
import importlib
import io
import os
import sys
import traceback

from lvc.cli.options import failure, printable
from lvc.errors import LvcError

# name on the command line: module of lvc.cli that has SUMMARY, add_arguments(parser) and run(options) -> exit code
COMMANDS = {
    "build-dataset": "build_dataset",
    "train": "train",
    "encode": "encode",
    "decode": "decode",
    "convert": "convert",
    "info": "info",
    "verify": "verify",
    "play": "play",
    "serve": "serve",
    "storyboard": "storyboard",
    "report": "report",
    "study": "study",
    "models": "models",
    "import-onnx": "import_onnx",
    "export-onnx": "export_onnx",
}

# Read when torch is loaded. Threads that spin while they wait make a busy machine ten times slower: each call of a
# small layer waits for a thread that another program has displaced.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

FAILED = 1
USAGE = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, as all other errors are told, instead of after all options."""

    def error(self, message: str):
        print(printable(f"{self.prog}: {message} (see {self.prog} --help)"), file=sys.stderr)
        raise SystemExit(USAGE)


class ShowVersion(argparse.Action):
    """Looks for the version when it is asked for: that takes 30 ms, which no other command should wait for."""

    def __call__(self, parser, namespace, values, option_string=None):
        print(version())
        parser.exit()


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Only the chosen command's module is imported with its options, so that `lvc info` does not wait for torch."""
    parser = Parser(prog="lvc", description="A learned compressor for gameplay.")
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="show the version of lvc, and end")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(f"lvc.cli.{module_name}") if chosen in (name, None) else None
        summary = module.SUMMARY if module else None
        command = commands.add_parser(name, help=summary, description=summary)
        if module:
            module.add_arguments(command)
            command.add_argument("--debug", action="store_true", help="show where an error comes from")
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
    command = f"lvc {chosen}" if chosen else "lvc"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text in anybody's encoding
            stream.reconfigure(errors="backslashreplace")
    options = argparse.Namespace()
    try:
        options = build_parser(chosen).parse_args(arguments)
        code = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where its errors can be told
        return code
    except LvcError as error:
        return complain(f"{command}: ", failure(error, options))
    except KeyboardInterrupt as interruption:
        hint = f"; {interruption}" if str(interruption) else ""
        complain(printable(f"{command}: interrupted{hint}"))
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, say) has gone: nothing to tell anybody, not at exit either.
        drop_output()
        return FAILED
    except OSError as error:
        # Of a file the library names itself; what is left is stdout, and memory or places that the system refuses.
        drop_output()
        place = f"{error.filename}: " if error.filename is not None else ""
        trace = f"\n{traceback.format_exc().rstrip()}" if getattr(options, "debug", False) else ""
        return complain(printable(f"{command}: {place}{error.strerror or error}"), trace)
    except Exception as error:  # told in one line, as all errors are
        drop_output()
        return complain(f"{command}: ", failure(error, options))


def complain(*text: str) -> int:
    print(*text, sep="", file=sys.stderr)
    return FAILED


def drop_output() -> None:
    """Lets what stdout still holds go nowhere, so that Python does not try, and fail, to write it at exit."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError):  # none, or one in memory
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
