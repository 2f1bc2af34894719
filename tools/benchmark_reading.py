"""Measures how fast frames are read from lvc files and from their peers, and writes the tables of docs/benchmarks.md.

    python tools/benchmark_reading.py frames -o docs/benchmarks.md                      # 1,000 clips of 64 frames:
    hours python tools/benchmark_reading.py frames -o page.md --clips 50 --long-frames 100000  # minutes

The clips are windows of the recordings of a data set that `lvc build-dataset` made. With --recordings lvc codes them
from these, as `lvc encode`
does: from the game's own pixels where a recording shows such; all others, and all figures of quality, are of the data
set's frames in either case. They are coded in each format into --folder, where those of an earlier run are taken as
they are. All runs on one core; files are in the system's cache. What stands in the page outside of the two marks is
kept. --data keeps the figures as JSON.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import numpy as np
import reading_formats as kept
import reading_measures as measures
import torch
from reading_formats import Format
from tqdm import tqdm

import lvc
from lvc.dataset.read import FrameSource
from lvc.errors import InputError, LvcError
from lvc.frames import FrameBatch
from lvc.native.sample import frames_with_native
from lvc.video.sample import Sampling

BEGIN, END = "<!-- measured -->", "<!-- end of what is measured -->"
COUNTS = 1, 2, 6  # frames of a read, as LeRobot's benchmark has them
KEYINTS = 64, 8, 2
QUALITY_CLIPS = 5


@dataclass(frozen=True)
class Clip:
    """A window of a recording of a data set: its frames from `first` to `stop` - 1."""

    source: FrameSource
    every: int
    video: str
    first: int
    stop: int

    def batch(self, recordings: Path | None) -> FrameBatch:
        """Its frames, with the game's own pixels where the recording is given and shows such;
        InputError where that is another recording.
        """
        frames = self.source.video(self.video, self.first, self.stop)
        if recordings is None:
            return frames
        found = sampled(recordings / self.video, Sampling(every=self.every, geometry=frames.geometry))
        here = slice(self.first, self.stop)
        if not np.array_equal(found.data[here], frames.data):
            raise InputError(f"{recordings / self.video}: is not what the data set's frames are of")
        return FrameBatch(
            frames.data, frames.pts, frames.time_base, None if found.grid is None else found.native[here], found.grid
        )


@lru_cache(maxsize=1)
def sampled(path: Path, sampling: Sampling) -> FrameBatch:
    """All sampled frames of a recording: clips come recording by recording."""
    batches = list(frames_with_native(path, sampling))
    native = None if batches[0].grid is None else np.concatenate([batch.native for batch in batches])
    times = tuple(time for batch in batches for time in batch.pts)
    return FrameBatch(
        np.concatenate([batch.data for batch in batches]), times, batches[0].time_base, native, batches[0].grid
    )


def clips_of(dataset: Path, splits: Sequence[str], *, clips: int, length: int) -> list[Clip]:
    """Windows of `length` frames, spread evenly over all that the splits have."""
    store = lvc.FrameStore(dataset)
    sources = [store.split(name) for name in splits]
    found = [
        Clip(source, store.manifest.sampling.every, video, first, first + length)
        for source in sources
        for video, count in source.videos
        for first in range(count - length + 1)
    ]
    if len(found) < clips:
        raise InputError(
            f"{dataset}: {len(found)} windows of {length} frames in {', '.join(splits)}, fewer than {clips}"
        )
    return [found[number * len(found) // clips] for number in range(clips)]


def coded(form: Format, folder: Path, clips: Sequence[Clip], recordings: Path | None) -> list[Path]:
    """The clips in one format, written where they are missing."""
    folder = folder / form.name.replace(" ", "_").replace("=", "")
    folder.mkdir(parents=True, exist_ok=True)
    names = folder / "names.json"  # of the clips that are whole
    known = json.loads(names.read_text()) if names.exists() else []
    for number in tqdm(range(len(known), len(clips)), desc=form.name, file=sys.stderr, leave=False):
        known.append(
            form.write(
                clips[number].batch(recordings if "lvc" in form.readers else None), folder / f"clip_{number:04d}"
            ).name
        )
        names.write_text(json.dumps(known))
    return [folder / name for name in known[: len(clips)]]


def linked(paths: Sequence[Path], clips: int, folder: Path) -> list[Path]:
    """As many clips as asked for: those that there are, and links to them,
    which are other files to all that read them.
    """
    folder.mkdir(exist_ok=True)
    found = list(paths)
    for number in range(len(paths), clips):
        source = paths[number % len(paths)]
        link = folder / f"{number:05d}-{source.name}"
        if not link.exists():
            link.symlink_to(source.resolve(), target_is_directory=source.is_dir())
        found.append(link)
    return found[:clips]


def measured(options: argparse.Namespace, folder: Path) -> dict:
    found = kept.formats(model=options.model, crf=options.crf, keyints=options.keyint)
    forms = kept.chosen(found, options.formats.split(",") if options.formats else None)
    clips = clips_of(
        options.dataset, options.splits.split(","), clips=options.distinct or options.clips, length=options.frames
    )
    # Told apart by what they are made of, so that a folder serves several runs.
    own = "" if options.recordings is None else "-own"
    folder = folder / f"{len(clips)}x{options.frames}-{Path(options.model).stem}-crf{options.crf}{own}"
    distinct = {form.name: coded(form, folder, clips, options.recordings) for form in forms}
    paths = {name: linked(found, options.clips, found[0].parent / "links") for name, found in distinct.items()}
    rows = {f"{form.name}, {reader}": (form, reader) for form in forms for reader in form.readers}
    result = {
        "own_pixels": options.recordings is not None,
        "clips": options.clips,
        "distinct": len(clips),
        "frames": options.frames,
        "samples": options.samples,
        "machine": machine(),
        "rows": {},
    }
    chosen = np.linspace(0, len(clips) - 1, min(QUALITY_CLIPS, len(clips))).astype(int)
    for name, (form, reader) in rows.items():
        errors = [
            error
            for number in chosen
            for error in measures.quality(
                form.readers[reader], distinct[form.name][number], clips[number].batch(None).data
            )
        ]
        size = sum(map(kept.bytes_of, distinct[form.name])) / len(clips) / options.frames
        result["rows"][name] = {"what": form.description, "bytes_per_frame": size, "psnr": measures.psnr_of(errors)}
    openings = {name: (form.readers[reader], paths[form.name]) for name, (form, reader) in rows.items()}
    single = measures.single_reads(openings, length=options.frames, counts=COUNTS, samples=options.samples)
    for name, by_count in single.items():
        result["rows"][name]["reads"] = {count: asdict(time) for count, time in by_count.items()}
    for name, (form, reader) in tqdm(rows.items(), desc="epochs", file=sys.stderr, leave=False):
        ways = measures.WAYS if reader == "lvc" else ["frames"]
        result["rows"][name]["epochs"] = {
            way: measures.epochs(
                form,
                reader,
                paths[form.name],
                length=options.frames,
                way=way,
                count=2 if reader == "lvc" else 1,
                most=options.epoch_reads,
            )
            for way in ways
        }
    result["long"] = {}
    ours = [form for form in forms if "lvc" in form.readers]
    if ours and options.long_frames:
        path = folder / "long.lvc"
        measures.make_long(distinct[ours[0].name], path, options.long_frames)
        result["long"][ours[0].name] = measures.long_file(path)
        path.unlink()
    return result


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return (
        f"{model}, {os.cpu_count()} cores, of which one is used; load {os.getloadavg()[0]:.1f}; torch "
        f"{torch.__version__}"
    )


# The page


def page(result: dict) -> str:
    rows = result["rows"]
    links = f", links to {result['distinct']} files" if result["clips"] > result["distinct"] else ""
    own = (
        "lvc codes from the recordings, with the game's own pixels where they show such. "
        if result["own_pixels"]
        else ""
    )
    pictures = next((row for name, row in rows.items() if name.startswith("PNG")), None)
    lines = [
        (
            f"{result['clips']:,} clips of {result['frames']} frames of 200x160{links}; {result['machine']}. "
            "Milliseconds are of the processor, in brackets of the clock on a machine "
            f"that had other work. {own}A read opens its file, gives consecutive frames as uint8 [N, 3, H, W], and "
            f"closes it: medians of {result['samples']} reads, rows taking turns."
        ),
        "",
        (
            "| format, reader | bytes a frame | size ratio | PSNR dB | 1 frame, ms | 2 frames | 6 frames | load time "
            "ratio, 1 / 2 / 6 |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        reads = row["reads"]
        size = f"{row['bytes_per_frame'] / pictures['bytes_per_frame']:.4f}" if pictures else ""
        ratios = (
            " / ".join(f"{reads[count]['processor'] / pictures['reads'][count]['processor']:.1f}" for count in COUNTS)
            if pictures
            else ""
        )
        cells = [
            f"{row['bytes_per_frame']:,.0f}",
            size,
            "lossless" if row["psnr"] is None else f"{row['psnr']:.2f}",
            *(milliseconds(reads[count]) for count in COUNTS),
            ratios,
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "Ratios are to PNG files. "
        + " ".join(f"*{name.rsplit(', ', 1)[0]}*: {row['what']}." for name, row in unique(rows)),
        "",
    ]
    lines += ["## Epochs of shuffled reads", ""]
    lines += [
        (
            "One frame at a time through a `DataLoader` without workers, in batches of 32, 64 files open; "
            "milliseconds a "
            "frame, and megabytes by which the process grew."
        ),
        "",
    ]
    lines += ["| format, reader | items | reads | first epoch, ms a frame | second | MB |", "|---|---|---|---|---|---|"]
    for name, row in rows.items():
        for way, one in row["epochs"].items():
            first, second = (*(milliseconds(each, each["reads"]) for each in one["epochs"]), "")[:2]
            lines.append(
                f"| {name} | {way} | {one['epochs'][0]['reads']:,} | {first} | {second} | {one['megabytes']:,.0f} |"
            )
    if result["long"]:
        lines += [
            "",
            "## A very long file",
            "",
            (
                "| format | frames | groups | MB | open, ms | first frame | keyframe of the last group | last of the "
                "first group | last frame | MB to open | MB to read |"
            ),
        ]
        lines += ["|---|---|---|---|---|---|---|---|---|---|---|"]
        for name, one in result["long"].items():
            cells = [
                f"{one['frames']:,}",
                f"{one['groups']:,}",
                f"{one['bytes'] / 1e6:.1f}",
                milliseconds(one["open"]),
                *map(milliseconds, one["reads"].values()),
            ]
            lines.append(
                f"| {name} | {' | '.join(cells)} | {one['megabytes_to_open']:.1f} | {one['megabytes_to_read']:.1f} |"
            )
    return "\n".join([*lines, "", *goals(rows)])


def milliseconds(times: dict, count: int = 1) -> str:
    return f"{1e3 * times['processor'] / count:.2f} ({1e3 * times['clock'] / count:.2f})"


def unique(rows: dict) -> list:
    """The rows, one a format."""
    return list({row["what"]: (name, row) for name, row in rows.items()}.values())


def goals(rows: dict) -> list[str]:
    """Our files beside AV1 with g=2, as read through torchcodec: sizes, quality and times."""
    heads = [
        "lvc",
        "beside",
        "times smaller",
        "dB better",
        "time of 1 / 2 / 6 frames",
        "first epoch",
        "second",
        "second, kept frames",
        "second, latents",
    ]
    lines = ["## Beside AV1 with g=2", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for ours, row in rows.items():
        for theirs, other in rows.items():
            if ours.startswith("lvc") and "AV1" in theirs and theirs.endswith("torchcodec"):
                reads = " / ".join(
                    f"{row['reads'][count]['processor'] / other['reads'][count]['processor']:.2f}" for count in COUNTS
                )
                base = per_read(other["epochs"]["frames"]["epochs"][0])
                passes = [
                    row["epochs"][way]["epochs"][number]
                    for way, number in (("frames", 0), ("frames", 1), ("kept frames", 1), ("latents", 1))
                ]
                times = " | ".join(f"{per_read(one) / base:.2f}" for one in passes)
                lines.append(
                    f"| {ours} | {theirs} | {other['bytes_per_frame'] / row['bytes_per_frame']:.1f} | "
                    f"{row['psnr'] - other['psnr']:+.1f} | {reads} | {times} |"
                )
    return [*lines, "", "Times are ratios: below 1 is faster than AV1."]


def per_read(epoch: dict) -> float:
    return epoch["processor"] / epoch["reads"]


def write_page(path: Path, tables: str) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else f"# Benchmarks of reading\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise InputError(f"{path}: has no marks {BEGIN} and {END}, between which the tables go")
    path.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, help="data set made by lvc build-dataset, of 200x160")
    parser.add_argument(
        "--recordings", type=Path, help="folder of the data set's recordings, which lvc then codes from"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the page, whose tables are written anew")
    parser.add_argument("--data", type=Path, help="file for the figures (.json)")
    parser.add_argument("--clips", type=int, default=1000, help="how many windows of the recordings (%(default)s)")
    parser.add_argument(
        "--distinct", type=int, help="code only so many windows; the other clips are links to them (all)"
    )
    parser.add_argument("--frames", type=int, default=64, help="frames of each (%(default)s)")
    parser.add_argument("--splits", default="validation,test", help="splits that windows are taken from (%(default)s)")
    parser.add_argument("--samples", type=int, default=200, help="reads that a median is of (%(default)s)")
    parser.add_argument("--epoch-reads", type=int, help="at most so many reads in an epoch (all)")
    parser.add_argument(
        "--long-frames",
        type=int,
        default=1_000_000,
        help="frames of a very long file at the first keyframe interval, 0 for none (%(default)s)",
    )
    parser.add_argument("--model", default="pacman", help="shipped model or weights file (%(default)s)")
    parser.add_argument("--crf", type=int, default=32, help="quality of lvc's files (%(default)s)")
    parser.add_argument(
        "--keyint",
        type=lambda text: [int(one) for one in text.split(",")],
        default=list(KEYINTS),
        help="keyframe intervals of lvc's files (64,8,2)",
    )
    parser.add_argument("--formats", help="some of the formats, by name with commas (all)")
    parser.add_argument("--folder", type=Path, help="where the coded clips stay for a later run (a temporary folder)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            result = measured(options, options.folder or Path(temporary))
        if options.data:
            options.data.parent.mkdir(parents=True, exist_ok=True)
            options.data.write_text(json.dumps(result, indent=1) + "\n")
        write_page(options.output, page(result))
    except LvcError as error:
        print(f"benchmark_reading: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
