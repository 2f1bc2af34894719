"""lvc build-dataset: recordings to a data set that training reads."""

import argparse
import dataclasses
import sys
from pathlib import Path

from lvc.cli.options import (
    PARTLY_DONE,
    add_overwrite,
    add_quiet,
    add_stream,
    add_workers,
    failure,
    printable,
    progress,
    sampling_of,
    say,
    show_frames,
    stdout_for_data,
    workers_of,
)
from lvc.dataset.build import DatasetDone, VideoDone, VideoFailed, VideoLost, build_dataset, find_videos
from lvc.dataset.manifest import FILE_NAME, SPLITS, Manifest
from lvc.dataset.split import NamedSplit, RatioSplit, RecipeSplit
from lvc.errors import InputError, OptionError, UnexpectedError
from lvc.video.sample import DEFAULT_GEOMETRY

SUMMARY = "sample frames of recordings into a data set to train on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="VIDEO|FOLDER",
        help="recordings, and folders of them, searched to any depth",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the data set; built again, it keeps what is done",
    )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("--every", type=int, metavar="N", help="take every N-th frame (default 10)")
    rate.add_argument(
        "--fps", metavar="RATE", help="take RATE frames a second by their timestamps, as in 3 or 30000/1001"
    )
    parser.add_argument(
        "--size",
        type=str,
        default=str(DEFAULT_GEOMETRY),
        metavar="WIDTHxHEIGHT",
        help="size of the frames (default %(default)s)",
    )
    add_stream(parser)
    parser.add_argument(
        "--native",
        action="store_true",
        help="take the game's own pixels, of which --size says how many, and leave out recordings that do not show "
        "these enlarged",
    )
    parser.add_argument(
        "--split",
        metavar="TRAIN:VALIDATION:TEST",
        help="split the recordings by number, drawn from --seed (default 8:1:1)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of --split (default %(default)s)")
    parser.add_argument(
        "--validation",
        nargs="+",
        default=[],
        metavar="NAME",
        help="recordings to validate on: names, paths or globs; the others train",
    )
    parser.add_argument(
        "--test", nargs="+", default=[], metavar="NAME", help="recordings to test on: names, paths or globs"
    )
    parser.add_argument("--recipe", type=Path, metavar="JSON", help="split as this recipe says (datasets/pacman.json)")
    add_workers(parser, default="one a core")
    add_overwrite(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    sampling = dataclasses.replace(sampling_of(options), native=options.native)
    split = split_of(options)
    if options.never_overwrite and (options.output / FILE_NAME).exists():
        say(f"{options.output}: is there already, left as it is", quiet=options.quiet)
        return 0
    workers = workers_of(options, default=None)
    sources = find_videos(options.inputs)
    failures = []
    with stdout_for_data(options), progress(quiet=options.quiet, total=len(sources), unit="video") as bar:
        events = build_dataset(
            sources,
            options.output,
            sampling=sampling,
            split=split,
            **workers,
            overwrite=options.overwrite,
            progress=lambda frames: show_frames(bar, frames),
        )
        for event in events:
            match event:
                case VideoDone(name, notes=notes):
                    for note in () if options.quiet else notes:
                        bar.write(printable(f"lvc build-dataset: {name}: {note}"), file=sys.stderr)
                    bar.update()
                case VideoFailed(_, reason, trace):
                    failures.append(reason)
                    error = UnexpectedError(reason, trace) if trace else InputError(reason)
                    bar.write(f"lvc build-dataset: left out: {failure(error, options)}", file=sys.stderr)
                    bar.update()
                case VideoLost(name):
                    bar.write(
                        printable(f"lvc build-dataset: {name}: its worker died; another one begins it again"),
                        file=sys.stderr,
                    )
                case DatasetDone(manifest):
                    bar.close()
                    say(f"{options.output}: {counted(manifest)}", quiet=options.quiet)
    return PARTLY_DONE if failures else 0


def split_of(options: argparse.Namespace) -> RatioSplit | NamedSplit | RecipeSplit:
    ways = [options.split, options.recipe, options.validation or options.test]
    if sum(bool(way) for way in ways) > 1:
        raise OptionError(
            "split by ratio (--split), by name (--validation, --test) or by recipe (--recipe): choose one"
        )
    if options.recipe:
        return RecipeSplit.read(options.recipe)
    if options.validation or options.test:
        return NamedSplit(tuple(options.validation), tuple(options.test))
    return RatioSplit.parse(options.split or "8:1:1", seed=options.seed)


def counted(manifest: Manifest) -> str:
    def part(split: str) -> str:
        videos = [video for video in manifest.videos if video.split == split]
        frames = sum(len(video.pts) for video in videos)
        return f"{frames:,} {split} frames of {len(videos)} recordings"

    return ", ".join(part(split) for split in SPLITS)
