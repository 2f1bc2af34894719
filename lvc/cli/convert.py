"""`lvc convert`: frames in other programs' files become `.lvc` files, and back."""

import argparse
import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lvc.cli.options import (
    PARTLY_DONE,
    add_model,
    add_overwrite,
    add_quiet,
    add_workers,
    left_alone,
    printable,
    progress,
    rate_of,
    say,
    show_frames,
    stdout_for_data,
    workers_of,
)
from lvc.errors import InputError, LvcError, OptionError, OutputError
from lvc.frames import Geometry
from lvc.output import part_of
from lvc.parallel.workers import Done, Lost, Report
from lvc.parallel.workers import run as run_tasks

SUMMARY = (
    "convert HDF5, zarr, npz, npy, Minari, folders and tars of pictures, GIF and WebP into .lvc files, and .lvc "
    "into HDF5, npy or mp4; datasets of LeRobot both ways"
)
BACK = (".h5", ".hdf5", ".npy", ".mp4", ".mkv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="INPUT",
        help="files or folders, each with one recording or many; or .lvc files",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="a folder for .lvc files, one a recording; or for one recording its file. From .lvc: out.h5, out.npy, "
        "out.mp4, or a folder with --to",
    )
    parser.add_argument("--list", action="store_true", help="only show what recordings the inputs hold")
    parser.add_argument(
        "--key",
        metavar="PATTERN",
        help='the arrays or folders that are wanted, as in "data/*/obs/agentview_image" (default: all that hold '
        "pictures)",
    )
    parser.add_argument(
        "--episode-ends",
        metavar="KEY",
        help="the array of frame numbers at which episodes end, each of which becomes a file",
    )
    parser.add_argument(
        "--fps", default="30", metavar="RATE", help="frames a second of sources that do not say (default %(default)s)"
    )
    parser.add_argument("--size", metavar="WxH", help="width x height of the kept frames (default: their own)")
    parser.add_argument(
        "--codec-model",
        default="auto",
        metavar="NAME",
        help="the model to code with: a shipped one or a weights file (default: what serves the first frames best)",
    )
    parser.add_argument("--lossless", action="store_true", help="keep every pixel as it is, in larger files")
    parser.add_argument("--crf", type=int, help="quality of models of variable rate, 0 (best) to 63")
    parser.add_argument(
        "--keyint",
        type=int,
        default=8,
        metavar="N",
        help="frames from keyframe to keyframe (default %(default)s: for reading at random)",
    )
    parser.add_argument("--to", choices=[suffix[1:] for suffix in BACK], help="what .lvc files become in a folder")
    add_model(parser)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default %(default)s)")
    parser.add_argument(
        "--json", action="store_true", help="print what was made, or found, as JSON, one line a recording"
    )
    parser.add_argument(
        "--from",
        dest="form",
        choices=["lerobot"],
        help="INPUT is a dataset of LeRobot, v2.1 or v3: it becomes one whose videos are .lvc files (which `import "
        "lvc.lerobot` lets its loader read), or with --to mp4 such a one becomes an ordinary one",
    )
    add_workers(parser, default="1")
    add_overwrite(parser).add_argument(
        "--resume", action="store_true", help="go on after an interruption: leave what is done, begin again what is not"
    )
    add_quiet(parser)


@dataclass(frozen=True)
class Task:
    """A recording (or a .lvc file) and what it becomes."""

    recording: Any  # a Recording, or the path of a .lvc file
    output: Path
    options: argparse.Namespace

    def __str__(self) -> str:
        return str(self.output)


def run(options: argparse.Namespace) -> int:
    workers = workers_of(options, default=1)
    rate_of(options.fps)  # refused before the work begins
    options.never_overwrite |= options.resume
    if options.lossless and (options.crf is not None or options.codec_model != "auto"):
        raise OptionError("--lossless chooses the codec, which has no crf: leave out --crf and --codec-model")
    if options.form == "lerobot":
        from lvc.cli.convert_lerobot import run as run_lerobot

        return run_lerobot(options, workers)
    backwards = [path.suffix.lower() == ".lvc" for path in options.inputs]
    if any(backwards) != all(backwards):
        raise OptionError(".lvc files become other files, and others .lvc: give one kind at a time")
    if not options.list and options.output is None:
        raise OptionError("a folder or a file to write was expected: lvc convert demos.hdf5 -o demos")
    tasks, failures = back_tasks(options) if backwards[0] else tasks_of(options)
    if options.list:
        for task in tasks:
            found = task.recording
            facts = {
                "source": str(found.source),
                "key": found.key,
                "name": found.name,
                "frames": found.count,
                "width": found.width,
                "height": found.height,
            }
            print(
                json.dumps(facts)
                if options.json
                else printable(
                    f"{found.source}: {found.key or 'frames'}: {found.count:,} frames of {found.width}x{found.height}"
                )
            )
        return finish(failures, len(tasks), len(options.inputs))
    check_names(tasks)
    waiting = [task for task in tasks if not left_alone(options, task.output)]
    if len(tasks) > 1 or options.output.is_dir():
        options.output.mkdir(exist_ok=True, parents=True)
    failures += convert_all(waiting, options, workers, convert_back if backwards[0] else convert_one)
    return finish(failures, len(tasks), len(options.inputs))


def finish(failures: int, tasks: int, inputs: int) -> int:
    if failures:
        say(f"lvc convert: {failures} of {max(tasks, inputs)} failed", quiet=False)
    return 0 if not failures else PARTLY_DONE if failures < max(tasks, inputs) else 1


def tasks_of(options: argparse.Namespace) -> tuple[list[Task], int]:
    """A task for each recording of all inputs; an input that cannot be looked through is told, and counted,
    where there are others.
    """
    from lvc.interchange.frame_sources import recordings_in

    found, failures = [], 0
    for source in options.inputs:
        try:
            found += recordings_in(source, key=options.key, episode_ends=options.episode_ends)
        except LvcError as error:
            if len(options.inputs) == 1:
                raise
            say(f"lvc convert: {error}", quiet=False)
            failures += 1
    alone = (
        len(found) == 1
        and len(options.inputs) == 1
        and options.output is not None
        and options.output.suffix.lower() == ".lvc"
    )
    if not alone and not options.list and options.output.suffix.lower() == ".lvc":
        raise OptionError(
            f"{options.output}: a folder was expected for {len(found)} recordings; choose one of them with --key (see "
            "--list)"
        )
    return [
        Task(one, options.output if alone or options.list else options.output / f"{one.name}.lvc", options)
        for one in found
    ], failures


def back_tasks(options: argparse.Namespace) -> tuple[list[Task], int]:
    if options.list:
        raise OptionError("--list shows what other programs' files hold; lvc info shows .lvc files")
    if options.to is None:
        if len(options.inputs) > 1:
            raise OptionError("--to says what several .lvc files become: h5, npy, mp4 or mkv")
        if options.output.suffix.lower() not in BACK:
            raise OptionError(
                f"{options.output}: a name ending in {', '.join(BACK)} was expected, or --to and a folder"
            )
        return [Task(options.inputs[0], options.output, options)], 0
    options.output.mkdir(exist_ok=True, parents=True)
    return [Task(path, options.output / f"{path.stem}.{options.to}", options) for path in options.inputs], 0


def check_names(tasks: list[Task]) -> None:
    sources = {}
    for task in tasks:
        if task.output in sources:
            raise OptionError(
                f"{task.output}: two recordings would become this file; convert them into folders of their own"
            )
        sources[task.output] = task.recording


def convert_all(tasks: list[Task], options: argparse.Namespace, workers: dict, function) -> int:
    """Converts, tells of each, and gives the number of those that failed;
    where there is but one, its error is raised.
    """
    failures, alone = 0, len(tasks) == 1
    work = {**workers, "gpus": int(options.device.startswith("cuda")), "name": str}
    with stdout_for_data(options) as data, progress(quiet=options.quiet, total=len(tasks), unit="recording") as bar:
        try:
            with contextlib.closing(
                run_tasks(function, tasks, progress=lambda frames: show_frames(bar, frames), **work)
            ) as outcomes:
                for outcome in outcomes:
                    task = tasks[outcome.place]
                    if isinstance(outcome, Lost):
                        bar.write(
                            printable(f"lvc convert: {task}: its worker died; another one begins it again"),
                            file=sys.stderr,
                        )
                        part_of(task.output).unlink(missing_ok=True)
                        continue
                    bar.update()
                    if isinstance(outcome, Done):
                        if options.json:
                            bar.write(json.dumps(outcome.result["facts"]), file=data)
                        if not options.quiet:
                            bar.write(printable(outcome.result["line"]), file=sys.stderr)
                    elif alone:
                        raise outcome.error
                    else:
                        failures += 1
                        bar.write(printable(f"lvc convert: {outcome.error}"), file=sys.stderr)
        except KeyboardInterrupt as interruption:
            raise KeyboardInterrupt("go on with --resume") from interruption
    return failures


def counted(report: Report):
    """A function that is told of new frames, for a report that is told of all."""
    total = 0

    def count(frames: int) -> None:
        nonlocal total
        total += frames
        report(total)

    return count


def convert_one(task: Task, report: Report) -> dict:
    """Codes one recording, in whichever process."""
    from lvc.interchange.convert import convert

    options, recording = task.options, task.recording
    if options.resume:
        part_of(task.output).unlink(missing_ok=True)
    converted = convert(
        recording,
        task.output,
        fps=rate_of(options.fps),
        geometry=None if options.size is None else Geometry.parse(options.size),
        model="lossless" if options.lossless else options.codec_model,
        crf=options.crf,
        keyint=options.keyint,
        device=options.device,
        overwrite=options.overwrite,
        progress=counted(report),
    )
    made = converted.encoded
    level = "" if made.crf is None else f" at crf {made.crf}"
    quality = (
        "every pixel is kept"
        if options.lossless
        else "the first frames came back identical"
        if made.sample_psnr is None
        else f"the first frames came back at {made.sample_psnr:.1f} dB"
    )
    lost = "".join(f"; lost: {what}" for what in converted.lost)
    facts = {
        "source": str(recording.source),
        "key": recording.key,
        "output": str(made.path),
        "frames": made.frames,
        "expected_frames": recording.count,
        "file_bytes": made.file_bytes,
        "raw_bytes": made.raw_bytes,
        "model": made.model,
        "crf": made.crf,
        "sample_psnr": made.sample_psnr,
        "lost": list(converted.lost),
    }
    line = (
        f"{made.path}: {made.frames} of {recording.count} frames in {made.file_bytes:,} bytes (raw / "
        f"{made.raw_bytes / made.file_bytes:.0f}), coded by {made.model}{level}: {quality}{lost}"
    )
    return {"facts": facts, "line": line}


def convert_back(task: Task, report: Report) -> dict:
    """Decodes one .lvc file, in whichever process."""
    from lvc.container.reader import ContainerReader
    from lvc.interchange.convert import HDF5, to_hdf5
    from lvc.reading.decoding import decode

    options, source = task.options, task.recording
    with ContainerReader(source) as container:
        expected = container.frame_count
    if task.output.suffix.lower() not in BACK:
        raise OutputError(f"{task.output}: a name ending in {', '.join(BACK)} was expected")
    write = to_hdf5 if task.output.suffix.lower() in HDF5 else decode
    frames = write(
        source,
        task.output,
        model=options.model,
        device=options.device,
        overwrite=options.overwrite,
        progress=counted(report),
    )
    if frames != expected:
        raise InputError(f"{task.output}: holds {frames} frames, and {source} {expected}")
    note = "; lost: fractions of a millisecond of the times" if task.output.suffix.lower() == ".mkv" else ""
    facts = {
        "source": str(source),
        "output": str(task.output),
        "frames": frames,
        "expected_frames": expected,
        "file_bytes": task.output.stat().st_size,
    }
    return {"facts": facts, "line": f"{task.output}: {frames} of {expected} frames{note}"}
