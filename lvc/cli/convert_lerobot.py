"""`lvc convert --from lerobot`: a dataset of LeRobot becomes one whose videos are `.lvc` files, and back."""

import argparse
import os
from pathlib import Path

from lvc.cli.options import left_alone
from lvc.errors import OptionError, OutputError
from lvc.output import claimed, part_of, sync_folder
from lvc.parallel.workers import Report

LVC, MP4 = ".lvc", ".mp4"


def check_options(options: argparse.Namespace) -> None:
    """Raises OptionError where an option has no meaning here."""
    if len(options.inputs) > 1 or options.output is None:
        raise OptionError("one dataset and a folder to write were expected: lvc convert pusht --from lerobot -o tiny")
    unfit = [name for name in ("list", "key", "episode_ends", "size") if getattr(options, name)]
    if unfit:
        raise OptionError(f"--{unfit[0].replace('_', '-')} does not go with --from lerobot")
    if options.to not in (None, "mp4"):
        raise OptionError(f"videos of LeRobot become .lvc files, and --to mp4 again, not {options.to}")


def check_folder(options: argparse.Namespace, source: Path, output: Path) -> None:
    """Raises OutputError where a folder cannot be written, or is there; what another run left needs -y or --resume."""
    real, inside = Path(os.path.realpath(output)), Path(os.path.realpath(source))
    if real == inside or inside in real.parents or real in inside.parents:
        raise OutputError(f"{output}: stands inside of {source}, or the other way round; choose another folder")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output}: exists already; a dataset is never overwritten: choose another name")
    if not output.parent.is_dir():
        raise OutputError(f"{output}: there is no folder {output.parent}")
    if part_of(output).exists() and not (options.resume or options.overwrite):
        raise OutputError(f"{output}: an earlier run ended before its end; go on with --resume, or begin again with -y")


def run(options: argparse.Namespace, workers: dict) -> int:
    """Converts all videos beside each other, then adds what else the dataset has; gives the exit code.

    The folder has its name when all of it is there; after a failure what was made stays as `NAME.part` for --resume.
    """
    from lvc.cli.convert import Task, convert_all, finish
    from lvc.interchange.lerobot import LeRobotFolder, finished

    check_options(options)
    dataset, output = LeRobotFolder.open(options.inputs[0]), options.output
    suffix = MP4 if options.to else LVC
    dataset.check_way(suffix)
    if left_alone(options, output) and not options.resume:
        return 0
    check_folder(options, dataset.root, output)
    part = part_of(output)
    try:
        with claimed(output, part, folder=True):
            tasks = [Task(video, part / video.changed(suffix), options) for video in dataset.videos()]
            waiting = [task for task in tasks if not (options.resume and task.output.is_file())]
            failures = convert_all(waiting, options, workers, back_again if options.to else to_lvc)
            if failures:
                return finish(failures, len(tasks), len(tasks))
            finished(dataset, part, suffix=suffix)
            if output.exists():
                output.rmdir()
            os.replace(part, output)
            sync_folder(output.parent)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror or error}") from error
    return 0


def to_lvc(task, report: Report) -> dict:
    """Codes one video, in whichever process."""
    from lvc.cli.convert import counted
    from lvc.interchange.lerobot import convert_video

    options = task.options
    made = convert_video(
        task.recording,
        task.output,
        model="lossless" if options.lossless else options.codec_model,
        crf=options.crf,
        keyint=options.keyint,
        device=options.device,
        progress=counted(report),
    )
    kept = "every pixel is kept" if options.lossless else f"crf {made.crf}" if made.crf is not None else "one rate"
    return told(task, made.frames, f", coded by {made.model}: {kept}", {"model": made.model, "crf": made.crf})


def back_again(task, report: Report) -> dict:
    """Decodes one video, in whichever process."""
    from lvc.cli.convert import counted
    from lvc.interchange.lerobot import convert_video_back

    options = task.options
    frames = convert_video_back(
        task.recording, task.output, model=options.model, device=options.device, progress=counted(report)
    )
    return told(task, frames, ", every decoded pixel kept (x264, RGB)", {})


def told(task, frames: int, how: str, facts: dict) -> dict:
    before, after = task.recording.source.stat().st_size, task.output.stat().st_size
    facts = {
        "source": str(task.recording.source),
        "camera": task.recording.camera,
        "output": str(task.output),
        "frames": frames,
        "source_bytes": before,
        "file_bytes": after,
        **facts,
    }
    line = f"{task.recording.path}: {frames:,} frames, {before:,} bytes became {after:,}{how}"
    return {"facts": facts, "line": line}
