"""`lvc export-onnx`: weights become an encoder and a decoder in ONNX."""

import argparse
import contextlib
from pathlib import Path

from lvc.cli.options import add_overwrite, add_quiet, left_alone, say
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.output import check_output, written_whole

SUMMARY = "write a model's encoder and decoder as ONNX files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a shipped model's name (see `lvc models`) or a weights file")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="NAME.onnx",
        help="written are NAME.encoder.onnx and NAME.decoder.onnx",
    )
    parser.add_argument("--size", metavar="WxH", help="of the frames (default: that of the weights)")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    if options.output.suffix != ".onnx":
        raise OptionError(f"{options.output}: a name ending in .onnx was expected")
    paths = [options.output.with_suffix(f".{part}.onnx") for part in ("encoder", "decoder")]
    if left_alone(options, *paths):
        return 0
    for path in paths:
        check_output(path, overwrite=options.overwrite, inputs=(Path(options.model),))
    geometry = Geometry.parse(options.size) if options.size else None

    from lvc.interchange.exporting import export_onnx
    from lvc.weights import checkpoints

    made = export_onnx(checkpoints.load(options.model), geometry=geometry)
    with contextlib.ExitStack() as both:
        for path, data in zip(paths, (made.encoder, made.decoder)):
            both.enter_context(written_whole(path, overwrite=options.overwrite)).write_bytes(data)
    for path, data in zip(paths, (made.encoder, made.decoder)):
        say(f"{path}: {len(data):,} bytes", quiet=options.quiet)
    return 0
