"""`lvc encode`: a recording, or a picture, becomes a `.lvc` file."""

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lvc.cli.options import (
    PARTLY_DONE,
    add_overwrite,
    add_quiet,
    add_sampling,
    add_workers,
    failure,
    left_alone,
    printable,
    progress,
    sampling_of,
    say,
    show_frames,
    spec_of,
    stdout_for_data,
    workers_of,
)
from lvc.codecs.crf import DEFAULT_CRF, psnr_of_crf
from lvc.errors import InputError, LvcError, OptionError, OutputError, UnexpectedError
from lvc.output import check_output, part_of
from lvc.parallel.workers import Done, Failed, Lost, Report, threads_of
from lvc.parallel.workers import run as run_tasks
from lvc.video.demux import SUFFIXES as RECORDINGS
from lvc.video.demux import probe
from lvc.video.find import files_in
from lvc.video.picture import SUFFIXES as PICTURES
from lvc.video.picture import is_picture

SUMMARY = "code recordings and pictures into .lvc files"

UNLIKE_PSNR = 30.0  # dB below which a game's picture is visibly another one
FALLEN_SHORT = 3.0  # dB below what the level means


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="recordings that FFmpeg reads, pictures (.png, .jpg), or folders of either, searched to any depth",
    )
    parser.add_argument("-i", "--input", action="append", default=[], metavar="INPUT", help="the same, as an option")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="the .lvc file, or for several inputs or a folder of them a folder, with the folders in it (default: "
        "beside each, with .lvc)",
    )
    parser.add_argument(
        "--model",
        default="auto",
        help="a shipped model's name (see `lvc models`) or a weights file (default: auto, the one that is cheapest at "
        "the wanted quality)",
    )
    parser.add_argument(
        "--crf", type=int, help=f"quality of models of variable rate, 0 (best) to 63 (default {DEFAULT_CRF})"
    )
    parser.add_argument(
        "--min-psnr",
        type=float,
        metavar="DB",
        help="the smallest file whose frames have this PSNR on average, in place of --crf",
    )
    parser.add_argument("--min-ssim", type=float, metavar="SSIM", help="the same by SSIM")
    parser.add_argument(
        "--target-bytes-per-frame",
        type=float,
        metavar="BYTES",
        help="the best file of at most so many bytes a frame, in place of --crf",
    )
    parser.add_argument("--lossless", action="store_true", help="the sampled frames come back exactly as they were")
    parser.add_argument(
        "--effort", type=int, help="how long the encoder may look for a smaller file, 0, 1 or 2 (default 1)"
    )
    parser.add_argument(
        "--no-restoration",
        action="store_false",
        dest="restoration",
        help="without the learned filters that follow a standard codec's decoder: 1 to 8 %% more bytes at the same "
        "quality, decoded in half the time",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="TOOL",
        help="leave out a tool of the model, to see what it is worth; may be given again (a wrong name lists them)",
    )
    parser.add_argument(
        "--quantiser",
        metavar="NAME[,KEY=VALUE]",
        help="none, naive, scale, kmeans, bits:B (default: what the weights were trained with)",
    )
    parser.add_argument(
        "--entropy",
        metavar="NAME[,KEY=VALUE]",
        help="raw, adaptive[,forget=1 to 8], factorised (default: what the weights were trained with)",
    )
    parser.add_argument(
        "--keyint", help="frames from keyframe to keyframe, or seconds as in 20s (default: 64, of standard codecs 256)"
    )
    add_sampling(parser)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default %(default)s); the file is the same")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also measure the result: .html, .json or .csv")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON, one line a file")
    add_workers(parser, default="1, with all cores")
    add_overwrite(parser).add_argument(
        "--resume", action="store_true", help="go on after an interruption: leave what is done, begin again what is not"
    )
    add_quiet(parser)


@dataclass(frozen=True)
class Task:
    """One recording or picture to code. threads: of the video decoder."""

    source: Path
    output: Path
    options: argparse.Namespace
    threads: int = 0


@dataclass(frozen=True)
class Made:
    """What a task made: as JSON, and as lines for a person."""

    facts: dict
    lines: list[str]
    choice_notes: tuple[str, ...]


def run(options: argparse.Namespace) -> int:
    given = [Path(name) for name in (*options.inputs, *options.input)]
    if not given:
        raise OptionError("a recording to encode was expected: lvc encode game.mp4 -o game.lvc")
    workers = workers_of(options, default=1)
    options.never_overwrite |= options.resume
    found, several = expanded(given), len(given) > 1 or given[0].is_dir()
    inputs = [source for source, _ in found]
    if options.report and any(is_picture(source) for source in inputs):
        raise OptionError("--report measures recordings, and a picture was given")
    if options.report and len(inputs) > 1:
        raise OptionError("--report takes one recording at a time")
    outputs = [
        output_of(source, inside, options, several=several, made_for_folder=given[0].is_dir())
        for source, inside in found
    ]
    check_names(inputs, outputs)
    if options.report:
        check_report(options, inputs)
    threads = threads_of(**workers, tasks=len(inputs))
    tasks = [
        Task(source, output, options, threads)
        for source, output in zip(inputs, outputs)
        if not left_alone(options, output)
    ]
    if options.output is not None and several:
        for task in tasks:
            task.output.parent.mkdir(parents=True, exist_ok=True)
    failures = code_all(tasks, options, workers, alone=len(inputs) == 1)
    if options.report and tasks:
        write_report(tasks[0].source, tasks[0].output, options)
    if failures:
        kind = "inputs" if any(map(is_picture, inputs)) else "recordings"
        say(f"lvc encode: {failures} of {len(inputs)} {kind} failed", quiet=False)
        return PARTLY_DONE if failures < len(inputs) else 1
    return 0


def expanded(given: list[Path]) -> list[tuple[Path, Path]]:
    """The inputs, with the recordings and pictures of each folder in its place,
    and their paths inside what was given.
    """
    found = []
    for one in given:
        if not one.is_dir():
            found.append((one, Path(one.name)))
            continue
        inside = files_in(one, {*RECORDINGS, *PICTURES})
        if not inside:
            raise InputError(
                f"{one}: is a folder; a video was expected, or videos or pictures in it "
                f"({', '.join(sorted((*RECORDINGS, *PICTURES)))})"
            )
        found += [(path, path.relative_to(one)) for path in inside]
    return found


def code_all(tasks: list[Task], options: argparse.Namespace, workers: dict, *, alone: bool) -> int:
    """Codes recordings and pictures, tells of each, and gives the number of those that failed;
    where there is but one, its error is raised.
    """
    failures = 0
    ours = {task.output for task in tasks if not part_of(task.output).exists()}
    work = {**workers, "gpus": int(options.device.startswith("cuda")), "name": lambda task: str(task.source)}
    with stdout_for_data(options) as data, bar_of(tasks, options, alone=alone) as bar:

        def show(frames: int) -> None:
            if alone:
                bar.update(frames - bar.n)
            else:
                show_frames(bar, frames)

        def tell(text: str, stream=sys.stderr) -> None:
            bar.write(printable(text), file=stream)

        said: set[str] = set()  # of notes that hold for all files
        try:
            with contextlib.closing(run_tasks(encode_one, tasks, progress=show, **work)) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, Lost):
                        task = tasks[outcome.place]
                        tell(f"lvc encode: {task.source}: its worker died; another one begins it again")
                        if task.output in ours:
                            part_of(task.output).unlink(missing_ok=True)
                        continue
                    if isinstance(outcome, Failed):
                        if alone:
                            raise outcome.error
                        failures += 1
                        bar.write(f"lvc encode: {failure(outcome.error, options)}", file=sys.stderr)
                    if alone:
                        bar.close()
                    else:
                        bar.update()
                    if isinstance(outcome, Done):
                        if options.json:
                            tell(json.dumps(outcome.result.facts), data)
                        fresh = [note for note in outcome.result.choice_notes if note not in said]
                        said.update(fresh)
                        notes = [f"lvc encode: {note}" for note in fresh]
                        for line in () if options.quiet else (*outcome.result.lines, *notes):
                            tell(line)
        except KeyboardInterrupt as interruption:
            if alone:
                raise
            raise KeyboardInterrupt("go on with --resume") from interruption
    return failures


def bar_of(tasks: list[Task], options: argparse.Namespace, *, alone: bool):
    """A bar of a recording's frames, or of recordings where there are several."""
    if not alone:
        return progress(quiet=options.quiet, total=len(tasks), unit="file")
    total = None
    if tasks and not is_picture(tasks[0].source):
        total = sampling_of(options).expected_frames(probe(tasks[0].source, stream=options.stream))
    return progress(
        quiet=options.quiet or total is None,
        total=total,
        unit="frame",
        description=tasks[0].source.name if tasks else None,
    )


def check_names(inputs: list[Path], outputs: list[Path]) -> None:
    """Refuses outputs that are no .lvc files, and two recordings that would become one file."""
    sources: dict[Path, Path] = {}
    for source, output in zip(inputs, outputs):
        if output.suffix.lower() != ".lvc":
            raise OptionError(f"{output}: a name ending in .lvc was expected")
        if output in sources:
            raise OptionError(
                f"{output}: both {sources[output]} and {source} would become this file; encode them apart"
            )
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


def output_of(source: Path, inside: Path, options: argparse.Namespace, *, several: bool, made_for_folder: bool) -> Path:
    """The file that a source becomes. inside: its path inside the folder that was given."""
    if options.output is None:
        return source.with_suffix(".lvc")
    if several or options.output.is_dir():
        if not options.output.is_dir() and (options.output.exists() or not made_for_folder):
            raise OutputError(f"{options.output}: a folder that exists was expected, for several recordings")
        return options.output / inside.with_suffix(".lvc")
    return options.output


def encode_one(task: Task, report: Report) -> Made:
    """Codes one recording or picture, in whichever process."""
    part = part_of(task.output)
    if task.options.resume:
        check_output(task.output, inputs=(task.source,))  # so that what goes is no input
        part.unlink(missing_ok=True)
    before = part.exists()
    try:
        made = picture_coded(task) if is_picture(task.source) else recording_coded(task, report)
    except (Exception, KeyboardInterrupt) as error:
        if before or not part.exists():
            raise
        left = f"what was coded can be recovered: lvc verify --repair {part}"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(left) from error
        if not isinstance(error, LvcError):
            found = UnexpectedError.of(error)
            raise UnexpectedError(f"{found}; {left}", found.trace) from error
        raise LvcError(f"{error}; {left}") from error
    facts = {
        "output": str(made.path),
        "frames": made.frames,
        "file_bytes": made.file_bytes,
        "raw_bytes": made.raw_bytes,
        "model": made.model,
        "crf": made.crf,
    }
    return Made(facts, list(lines_of(made, task.source)), made.choice_notes)


def lines_of(made, source: Path) -> Iterator[str]:
    """What a person is told of a file that was made."""
    ratio = made.raw_bytes / made.file_bytes
    level = "" if made.crf is None else f", crf {made.crf}"
    yield (
        f"{made.path}: {made.frames} frame{'s' * (made.frames != 1)} in {made.file_bytes:,} bytes "
        f"({made.file_bytes / made.frames:.1f} a frame, raw / {ratio:.0f}), "
        f"model {made.model}{level}"
    )
    for candidate in made.tried if len(made.tried) > 1 else ():
        fit = candidate.fit
        yield (
            f"  tried {candidate.checkpoint.name}: {fit.bytes_per_frame:.0f} bytes a frame at {fit.psnr:.1f} dB on "
            f"{fit.frames} frames"
        )
    for note in made.notes:
        yield f"lvc encode: {source}: {note}"
    asked = UNLIKE_PSNR if made.crf is None else min(UNLIKE_PSNR, psnr_of_crf(made.crf) - FALLEN_SHORT)
    if made.sample_psnr is not None and made.sample_psnr < asked:
        yield (
            f"lvc encode: warning: {source}: its first frames come back at {made.sample_psnr:.1f} dB: unlike what "
            f"{made.model} was trained on, or too coarse; "
            "lvc report shows it, lvc train makes a model of your own"
        )


def write_report(source: Path, output: Path, options: argparse.Namespace) -> None:
    from lvc.cli.report import headline, measure, write_reports

    model = options.model if Path(options.model).is_file() else None  # no shipped one
    report = measure(output, source, model=model, device=options.device, quiet=options.quiet)
    write_reports(report, [options.report], inputs=(source, output), overwrite=options.overwrite, quiet=options.quiet)
    say(headline(report.totals()), quiet=options.quiet)


def picture_coded(task: Task):
    from lvc.encoding.encode import encode_picture
    from lvc.frames import Geometry

    options = task.options
    if options.every is not None or options.fps is not None or options.stream is not None:
        raise OptionError(f"{task.source}: is a picture; --every, --fps and --stream are for recordings")
    geometry = None if options.size is None else Geometry.parse(options.size)
    return encode_picture(task.source, task.output, geometry=geometry, **coding_options(options))


def coding_options(options: argparse.Namespace) -> dict:
    """What recordings and pictures are coded with alike."""
    return {
        "model": model_of(options),
        "quantiser": None if options.quantiser is None else spec_of(options.quantiser, "--quantiser"),
        "entropy": None if options.entropy is None else spec_of(options.entropy, "--entropy"),
        "crf": options.crf,
        "target": target_of(options),
        "effort": options.effort,
        "restoration": options.restoration,
        "without": options.without,
        "device": options.device,
        "overwrite": options.overwrite,
    }


def recording_coded(task: Task, report: Report):
    from lvc.native.sample import frames_with_native_ahead

    sampling = sampling_of(task.options)
    info = probe(task.source, stream=sampling.stream)
    keyint = keyint_of(task.options.keyint, sampling, info)
    total = 0

    def count(frames: int) -> None:
        nonlocal total
        total += frames
        report(total)

    with frames_with_native_ahead(
        task.source, sampling, threads=task.threads
    ) as frames:  # before torch is loaded: that takes a second or more
        from lvc.encoding.encode import encode

        return encode(
            task.source,
            task.output,
            sampling=sampling,
            keyint=keyint,
            threads=task.threads,
            progress=count,
            frames=frames,
            **coding_options(task.options),
        )


def model_of(options: argparse.Namespace) -> str:
    """The model's name or file; raises OptionError for a quality beside --lossless."""
    if not options.lossless:
        return options.model
    if options.model != "auto" or options.crf is not None or target_of(options) is not None:
        raise OptionError(
            "--lossless chooses the model, and has one quality: --model, --crf and targets do not go with it"
        )
    return "lossless"


def target_of(options: argparse.Namespace):
    from lvc.encoding.search import Target

    given = {
        "min_psnr": options.min_psnr,
        "min_ssim": options.min_ssim,
        "bytes_per_frame": options.target_bytes_per_frame,
    }
    return Target(**given) if any(value is not None for value in given.values()) else None


def keyint_of(text: str | None, sampling, info) -> int | None:
    """Reads a keyframe interval in frames ("64"), or in seconds ("20s") of sampled frames."""
    if text is None:
        return None
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
