"""What is measured of reading: single reads, epochs of shuffled reads, a very long file.
Times are seconds of the processor and of the clock.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from reading_formats import Format, Open
from torch.utils.data import DataLoader, Dataset

import lvc
from lvc.container.reader import ContainerReader
from lvc.container.writer import ContainerWriter
from lvc.output import written_whole
from lvc.quality.metrics import mean_of_psnr, mean_squared_error
from lvc.reading.recency import RecentlyUsed

BATCH = 32
OPEN_FILES = 64  # as FrameDataset
REPEATS = 9


@dataclass(frozen=True)
class Taken:
    """Seconds of the processor (of all threads), and of the clock."""

    processor: float
    clock: float


def taken(call: Callable) -> tuple[Taken, object]:
    processor, clock = time.process_time(), time.perf_counter()
    result = call()
    return Taken(time.process_time() - processor, time.perf_counter() - clock), result


def median(times: Sequence[Taken]) -> Taken:
    return Taken(statistics.median(one.processor for one in times), statistics.median(one.clock for one in times))


# Single reads


def read_once(opening: Open, path: Path, numbers: Sequence[int]) -> torch.Tensor:
    read, close = opening(path)
    frames = read(numbers)
    close()
    return frames


def single_reads(
    rows: dict[str, tuple[Open, list[Path]]], *, length: int, counts: Sequence[int], samples: int, seed: int = 0
) -> dict[str, dict[int, Taken]]:
    """The median time to open a clip and read so many consecutive frames at random; rows take turns, so that what else
    the machine does strikes all alike. rows: by name, what opens the clips and where they are. length: frames of a
    clip.
    """
    random = np.random.default_rng(seed)
    times: dict[str, dict[int, list[Taken]]] = {name: {count: [] for count in counts} for name in rows}
    clips = min(len(paths) for _, paths in rows.values())
    for opening, paths in rows.values():
        read_once(opening, paths[0], [0])  # what is loaded once does not count
    for _ in range(samples):
        for count in counts:
            clip, first = int(random.integers(clips)), int(random.integers(length - count + 1))
            for name, (opening, paths) in rows.items():
                found, frames = taken(partial(read_once, opening, paths[clip], range(first, first + count)))
                assert len(frames) == count
                times[name][count].append(found)
    return {name: {count: median(found) for count, found in by_count.items()} for name, by_count in times.items()}


def quality(opening: Open, path: Path, frames: np.ndarray) -> list[float]:
    """Mean squared error of each frame of a clip, frames uint8 [T, H, W, 3]."""
    read, close = opening(path)
    decoded = read(range(len(frames))).permute(0, 2, 3, 1).numpy()
    close()
    return [mean_squared_error(*pair) for pair in zip(frames, decoded, strict=True)]


def psnr_of(errors: Sequence[float]) -> float | None:
    """Mean of per-frame dB; None where all frames came back as they were."""
    return mean_of_psnr(errors) if any(errors) else None


# Epochs of shuffled reads


class ClipDataset(Dataset):
    """Single frames of clips of one length, through any format; keeps OPEN_FILES open."""

    def __init__(self, opening: Open, paths: Sequence[Path], length: int):
        self._open, self._paths, self._length = opening, paths, length
        self._opened = RecentlyUsed(OPEN_FILES)

    def __len__(self) -> int:
        return len(self._paths) * self._length

    def __getitem__(self, index: int) -> torch.Tensor:
        clip, number = divmod(index, self._length)
        opened = self._opened.get(clip)
        if opened is None:
            opened = self._open(self._paths[clip])
            for _, close in self._opened.put(clip, opened, 1):
                close()
        return opened[0]([number])[0]


# What lvc's data set is told in each way to read an epoch; other readers have the first alone.
WAYS = {"frames": {}, "kept frames": {"frame_cache_bytes": 8 << 30}, "latents": {"latents": True}}


def epochs(
    form: Format, reader: str, paths: Sequence[Path], *, length: int, way: str, count: int, most: int | None = None
) -> dict:
    """Reads all frames shuffled, `count` times, in a process of its own (a fork, in which all is loaded): seconds of
    each epoch, reads, and megabytes that it took.

    way: one of WAYS. most: of the frames in an epoch, where all would take too long.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as process:
        return process.submit(_epochs, form, reader, list(paths), length, way, count, most).result()


def _epochs(form: Format, reader: str, paths: list[Path], length: int, way: str, count: int, most: int | None) -> dict:
    torch.set_num_threads(1)
    read_once(form.readers[reader], paths[0], [0])
    dataset = (
        lvc.FrameDataset(paths, **WAYS[way]) if reader == "lvc" else ClipDataset(form.readers[reader], paths, length)
    )
    forget_peak()
    before = megabytes()
    random, found = torch.Generator().manual_seed(0), []

    def epoch() -> int:
        reads = 0
        for batch in DataLoader(dataset, batch_size=BATCH, shuffle=True, generator=random):
            reads += len(batch["index"] if isinstance(batch, dict) else batch)
            if most is not None and reads >= most:
                break
        return reads

    for _ in range(count):
        time_of, reads = taken(epoch)
        found.append({"processor": time_of.processor, "clock": time_of.clock, "reads": reads})
    return {"epochs": found, "megabytes": megabytes() - before}


def forget_peak() -> None:
    """From now on `megabytes` counts anew; a process's own figure starts with that of the one that made it."""
    Path("/proc/self/clear_refs").write_text("5")


def megabytes() -> float:
    """The most memory that this process has had."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


# A very long file


def make_long(clips: Sequence[Path], path: Path, frames: int) -> None:
    """A file of so many frames: the coded groups of clips, which share model and settings, again and again."""
    with ContainerReader(clips[0]) as first:
        header = first.header
    groups = []
    for clip in clips:
        with ContainerReader(clip) as reader:
            groups += list(reader.groups())
    with written_whole(path, overwrite=True) as part, open(part, "wb") as file:
        writer = ContainerWriter(file, header)
        while writer.frame_count < frames:
            for group in groups:
                if writer.frame_count < frames:
                    shift = (
                        header.frame_duration if writer.last_pts is None else writer.last_pts + header.frame_duration
                    ) - group.pts[0]
                    writer.write_group(
                        replace(group, first_frame=writer.frame_count, pts=tuple(one + shift for one in group.pts))
                    )
        writer.finish()


def long_file(path: Path) -> dict:
    """Times and memory of opening a long file and of reading its ends, in a process of its own (a fork,
    in which all is loaded).
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as process:
        return process.submit(_long_file, path).result()


def _long_file(path: Path) -> dict:
    torch.set_num_threads(1)
    with lvc.open(path) as reader:
        reader[0]  # the model is loaded
        frames, groups = len(reader), len(reader.container.index)
        last = reader.container.first_frame_of_group(groups - 1)
        end = reader.container.frames_in_group(0) - 1
    places = {"first": 0, "keyframe of the last group": last, "last of the first group": end, "last": frames - 1}
    forget_peak()
    start = megabytes()
    opening = [taken(lambda: lvc.open(path).close())[0] for _ in range(REPEATS)]
    opened = megabytes()
    reads: dict[str, list[Taken]] = {name: [] for name in places}
    for _ in range(REPEATS):
        for name, number in places.items():
            with lvc.open(path) as reader:
                reads[name].append(taken(partial(reader.__getitem__, number))[0])
    return {
        "frames": frames,
        "groups": groups,
        "bytes": path.stat().st_size,
        "open": vars(median(opening)),
        "reads": {name: vars(median(found)) for name, found in reads.items()},
        "megabytes_to_open": opened - start,
        "megabytes_to_read": megabytes() - opened,
    }
