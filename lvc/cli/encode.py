"""`lvc encode`: a recording, or a picture, becomes a `.lvc` file."""

import argparse
import json
import math
from pathlib import Path

from lvc.cli.options import (
    PARTLY_DONE,
    add_overwrite,
    add_quiet,
    add_sampling,
    left_alone,
    progress,
    sampling_of,
    say,
    spec_of,
)
from lvc.errors import LvcError, OptionError, OutputError
from lvc.output import check_output, part_of
from lvc.video.picture import is_picture

SUMMARY = "code recordings and pictures into .lvc files"


DEFAULT_CRF = 32  # as lvc.codec has it; its import takes a second
UNLIKE_PSNR = 30.0  # dB below which a game's picture is visibly another one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="recordings that FFmpeg reads, pictures (.png, .jpg), or folders of pictures")
    parser.add_argument("-i", "--input", action="append", default=[], metavar="INPUT", help="the same, as an option")
    parser.add_argument("-o", "--output", type=Path, help="the .lvc file, or for several inputs or a folder of them a folder (default: beside each, with .lvc)")
    parser.add_argument("--model", default="auto", help="a shipped model's name (see `lvc models`) or a weights file (default: the shipped one that serves the first frames best)")
    parser.add_argument("--crf", type=int, help=f"quality of models of many rates, 0 (best) to 63 (default {DEFAULT_CRF})")
    parser.add_argument("--min-psnr", type=float, metavar="DB", help="the smallest file whose frames have this PSNR on average, in place of --crf")
    parser.add_argument("--min-ssim", type=float, metavar="SSIM", help="the same by SSIM")
    parser.add_argument("--target-bytes-per-frame", type=float, metavar="BYTES", help="the best file of at most so many bytes a frame, in place of --crf")
    parser.add_argument("--effort", type=int, help="how hard the encoder looks for cheap symbols, 0 or 1 (default 1)")
    parser.add_argument("--quantiser", metavar="NAME[,KEY=VALUE]", help="none, naive, scale, kmeans, bits:B (default: what the weights were trained with)")
    parser.add_argument("--entropy", metavar="NAME[,KEY=VALUE]", help="raw, adaptive[,forget=1 to 8], factorised (default: what the weights were trained with)")
    parser.add_argument("--keyint", default="64", help="frames from keyframe to keyframe, or seconds as in 20s (default %(default)s)")
    add_sampling(parser)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default %(default)s); the file is the same")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also measure the result: .html, .json or .csv")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON, one line a file")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    given = [Path(name) for name in (*options.inputs, *options.input)]
    if not given:
        raise OptionError("a recording to encode was expected: lvc encode game.mp4 -o game.lvc")
    inputs, several = expanded(given), len(given) > 1 or given[0].is_dir()
    if options.report and any(is_picture(source) for source in inputs):
        raise OptionError("--report measures recordings, and a picture was given")
    if options.report and len(inputs) > 1:
        raise OptionError("--report takes one recording at a time")
    outputs = [output_of(source, options, several=several, made_for_folder=given[0].is_dir()) for source in inputs]
    check_names(inputs, outputs)
    if options.report:
        check_report(options, inputs)
    if given[0].is_dir() and options.output is not None:
        options.output.mkdir(exist_ok=True)
    failures = 0
    for source, output in zip(inputs, outputs):
        try:
            encode_one(source, output, options)
        except LvcError as error:
            if len(inputs) == 1:
                raise
            failures += 1
            say(f"lvc encode: {error}", quiet=False)
    if failures:
        kind = "inputs" if any(map(is_picture, inputs)) else "recordings"
        say(f"lvc encode: {failures} of {len(inputs)} {kind} failed", quiet=False)
        return PARTLY_DONE if failures < len(inputs) else 1
    return 0


def expanded(given: list[Path]) -> list[Path]:
    """The inputs, with the pictures of each folder in its place."""
    from lvc.video.picture import pictures_in

    return [path for one in given for path in (pictures_in(one) if one.is_dir() else [one])]


def check_names(inputs: list[Path], outputs: list[Path]) -> None:
    """Refuses outputs that are no .lvc files, and two recordings that would become one file."""
    sources = {}
    for source, output in zip(inputs, outputs):
        if output.suffix.lower() != ".lvc":
            raise OptionError(f"{output}: a name ending in .lvc was expected")
        if output in sources:
            raise OptionError(f"{output}: both {sources[output]} and {source} would become this file; encode them apart")
        sources[output] = source


def check_report(options: argparse.Namespace, inputs: list[Path]) -> None:
    """Refuses a report that could not be written before the long work, not after it."""
    from lvc.cli.report import WRITERS

    path = options.report
    if path.suffix.lower() not in WRITERS:
        raise OptionError(f"{path}: a report ends in {', '.join(WRITERS)}")
    if left_alone(options, path):
        options.report = None
        return
    check_output(path, overwrite=options.overwrite, inputs=tuple(inputs))


def output_of(source: Path, options: argparse.Namespace, *, several: bool, made_for_folder: bool = False) -> Path:
    if options.output is None:
        return source.with_suffix(".lvc")
    if several or options.output.is_dir():
        if not options.output.is_dir() and (options.output.exists() or not made_for_folder):
            raise OutputError(f"{options.output}: a folder that exists was expected, for several recordings")
        return options.output / (source.stem + ".lvc")
    return options.output


def encode_one(source: Path, output: Path, options: argparse.Namespace) -> None:
    if left_alone(options, output):
        return
    before = part_of(output).exists()
    try:
        made = picture_coded(source, output, options) if is_picture(source) else with_progress(source, output, options)
    except (LvcError, KeyboardInterrupt) as error:
        part = part_of(output)
        if before or not part.exists():
            raise
        left = f"what was coded can be recovered: lvc verify --repair {part}"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(left) from error
        raise LvcError(f"{error}; {left}") from error
    ratio = made.raw_bytes / made.file_bytes
    if options.json:
        print(json.dumps({"output": str(made.path), "frames": made.frames, "file_bytes": made.file_bytes, "raw_bytes": made.raw_bytes, "model": made.model, "crf": made.crf}))
    level = "" if made.crf is None else f", crf {made.crf}"
    say(
        f"{made.path}: {made.frames} frame{'s' * (made.frames != 1)} in {made.file_bytes:,} bytes ({made.file_bytes / made.frames:.1f} a frame, raw / {ratio:.0f}), "
        f"model {made.model}{level}",
        quiet=options.quiet,
    )
    for candidate in made.tried if len(made.tried) > 1 else ():
        trial = candidate.trial
        say(f"  tried {candidate.checkpoint.name}: {trial.bytes_per_frame:.0f} bytes a frame at {trial.psnr:.1f} dB on the first {trial.frames} frames", quiet=options.quiet)
    if made.sample_psnr is not None and made.sample_psnr < UNLIKE_PSNR:
        say(
            f"lvc encode: warning: {source}: its first frames come back at {made.sample_psnr:.1f} dB: unlike what {made.model} was trained on, or too coarse; "
            "lvc report shows it, lvc train makes a model of your own",
            quiet=options.quiet,
        )
    if options.report:
        from lvc.cli.report import headline, measure, write_reports

        model = options.model if Path(options.model).is_file() else None  # no shipped one
        report = measure(output, source, model=model, device=options.device, quiet=options.quiet)
        write_reports(report, [options.report], inputs=(source, output), overwrite=options.overwrite, quiet=options.quiet)
        say(headline(report.totals()), quiet=options.quiet)


def picture_coded(source: Path, output: Path, options: argparse.Namespace):
    from lvc.encoding import encode_picture
    from lvc.frames import Geometry

    if options.every is not None or options.fps is not None:
        raise OptionError(f"{source}: is a picture; --every and --fps are for recordings")
    geometry = None if options.size is None else Geometry.parse(options.size)
    return encode_picture(source, output, geometry=geometry, **coding_options(options))


def coding_options(options: argparse.Namespace) -> dict:
    """What recordings and pictures are coded with alike."""
    return {
        "model": options.model,
        "quantiser": None if options.quantiser is None else spec_of(options.quantiser, "--quantiser"),
        "entropy": None if options.entropy is None else spec_of(options.entropy, "--entropy"),
        "crf": options.crf,
        "target": target_of(options),
        "effort": options.effort,
        "device": options.device,
        "overwrite": options.overwrite,
    }


def with_progress(source: Path, output: Path, options: argparse.Namespace):
    from lvc.video.demux import probe
    from lvc.video.sample import sampled_ahead

    sampling, info = sampling_of(options), probe(source)
    with (
        sampled_ahead(source, sampling) as frames,  # before torch is loaded: that takes a second or more
        progress(quiet=options.quiet, total=sampling.expected_frames(info), unit="frame", description=source.name) as bar,
    ):
        from lvc.encoding import encode

        return encode(
            source,
            output,
            sampling=sampling,
            keyint=keyint_of(options.keyint, sampling, info),
            progress=bar.update,
            frames=frames,
            **coding_options(options),
        )


def target_of(options: argparse.Namespace):
    from lvc.search import Target

    given = {"min_psnr": options.min_psnr, "min_ssim": options.min_ssim, "bytes_per_frame": options.target_bytes_per_frame}
    return Target(**given) if any(value is not None for value in given.values()) else None


def keyint_of(text: str, sampling, info) -> int:
    """Reads a keyframe interval in frames ("64"), or in seconds ("20s") of sampled frames."""
    try:
        if not text.endswith("s"):
            return int(text)
        seconds = float(text[:-1])
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise OptionError(f"--keyint is a number of frames, or of seconds as in 20s, not {text!r}")
    period = float(sampling.nominal_ticks(info) * info.time_base)
    return max(1, round(seconds / period))
