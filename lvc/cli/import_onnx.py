"""`lvc import-onnx`: an encoder and a decoder in ONNX become a weights file."""

import argparse
from pathlib import Path

from lvc.cli.options import add_overwrite, add_quiet, left_alone, say, spec_of
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.output import check_output

SUMMARY = "make weights of an encoder and decoder in ONNX"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "encoder",
        type=Path,
        metavar="ENCODER.onnx",
        help="frames [N, 3, H, W] in 0..1 to latents; may hold the decoder too",
    )
    parser.add_argument(
        "decoder",
        type=Path,
        nargs="?",
        metavar="DECODER.onnx",
        help="latents to frames (default: the encoder mirrored, with fresh weights to train)",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the weights file, .safetensors")
    parser.add_argument(
        "--size", metavar="WxH", help="of the frames (default: that of the encoder's input, else 200x160)"
    )
    parser.add_argument(
        "--quantiser",
        metavar="NAME[,KEY=VALUE]",
        help="as round,step=0.5 (default: round where the file rounds, naive for latents in 0..1, else scale)",
    )
    parser.add_argument("--name", help="what files coded with these weights call them (default: the output's name)")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    if left_alone(options, options.output):
        return 0
    if options.output.suffix != ".safetensors":
        raise OptionError(f"{options.output}: a name ending in .safetensors was expected")
    check_output(
        options.output, overwrite=options.overwrite, inputs=tuple(filter(None, (options.encoder, options.decoder)))
    )
    geometry = Geometry.parse(options.size) if options.size else None
    quantiser = spec_of(options.quantiser, "--quantiser") if options.quantiser else None

    from lvc.interchange.importing import import_onnx
    from lvc.weights import checkpoints

    made = import_onnx(
        options.encoder,
        options.decoder,
        name=options.name or options.output.stem,
        geometry=geometry,
        quantiser=quantiser,
    )
    checkpoints.save(options.output, made, overwrite=options.overwrite)
    count = sum(parameter.numel() for parameter in made.model.parameters())
    say(
        f"{options.output}: {made.metadata.model} at {made.geometry}, {count:,} parameters, quantiser "
        f"{made.quantiser['name']}: {made.metadata.description}",
        quiet=options.quiet,
    )
    return 0
