"""Recordings of other programs become `.lvc` files, and `.lvc` files become HDF5."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from lvc.encoding.encode import AUTO, Encoded, coded, shown_name
from lvc.errors import InputError, OptionError
from lvc.frames import FrameBatch, Geometry
from lvc.interchange.frame_sources import Recording
from lvc.output import check_output, written_whole
from lvc.reading.decoding import sound_batches
from lvc.reading.reader import Reader
from lvc.video.resize import resize

HDF5 = (".h5", ".hdf5")
DEFAULT_FPS = Fraction(30)


@dataclass(frozen=True)
class Converted:
    """A file that was made of a recording. lost: what else than the codec's own error its frames have lost,
    in words.
    """

    encoded: Encoded
    lost: tuple[str, ...]


def convert(
    recording: Recording,
    output: str | os.PathLike,
    *,
    fps: Fraction = DEFAULT_FPS,
    geometry: Geometry | None = None,
    model: str | os.PathLike = AUTO,
    crf: int | None = None,
    keyint: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Converted:
    """Codes all frames of a recording into a file, at their own size unless `geometry` says otherwise; memory does not
    grow with them.

    fps: frames a second, where the source has no timestamps. model, crf, keyint, device: as for `lvc.encode`.
    Raises InputError, also where other than the expected number of frames came, OptionError, ModelError or OutputError.
    """
    output = Path(output)
    check_output(
        output, overwrite=overwrite, inputs=(recording.source,) if recording.source.is_file() else (), recoverable=True
    )
    time_base = 1 / fps if recording.time_base is None else recording.time_base
    size, lost = Geometry(recording.width, recording.height) if geometry is None else geometry, set()
    if size != Geometry(recording.width, recording.height):
        lost.add(f"size: {recording.width}x{recording.height} became {size}")
    batches = batches_of(recording, size, time_base, lost)
    made = coded(
        batches,
        recording.source,
        output,
        geometry=size,
        time_base=time_base,
        facts={
            "name": shown_name(recording.source),
            "key": recording.key,
            "width": recording.width,
            "height": recording.height,
            "every": 1,
        },
        model=model,
        frame_duration=recording.frame_duration,
        crf=crf,
        keyint=keyint,
        device=device,
        overwrite=overwrite,
        progress=progress,
    )
    if made.frames != recording.count:
        raise InputError(f"{output}: holds {made.frames} frames, and {recording.source} {recording.count}")
    return Converted(made, tuple(sorted(lost)))


def batches_of(recording: Recording, size: Geometry, time_base: Fraction, lost: set[str]) -> Iterator[FrameBatch]:
    """The frames of a recording at a size, with timestamps."""
    number = 0
    for pictures, ticks in recording.frames(lost):
        if pictures.shape[1:3] != (size.height, size.width):
            pictures = resize(pictures, size)
        pts = tuple(range(number, number + len(pictures))) if ticks is None else tuple(ticks)
        number += len(pictures)
        yield FrameBatch(pictures, pts, time_base)


def to_hdf5(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    model: str | os.PathLike | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Decodes a file into HDF5: `frames` uint8 [T, H, W, 3], a chunk a frame, and `pts_seconds` float64 [T]; gives the
    number of frames.

    Raises FormatError for damage, ModelError, OptionError where h5py is missing, OutputError.
    """
    try:
        import h5py
    except ImportError as error:
        raise OptionError(f"{output}: needs the package h5py: pip install lvc[convert]") from error
    output = Path(output)

    def stop(damage: str) -> None:
        raise InputError(damage)

    # Without h5py's lock: the part is held already.
    with Reader(source, model=model, device=device) as reader:
        for damage in reader.container.damage:
            stop(f"{source}: {damage}")
        count, height, width = len(reader), reader.geometry.height, reader.geometry.width
        with (
            written_whole(output, overwrite=overwrite, inputs=(Path(source),)) as part,
            h5py.File(part, "w", locking=False) as file,
        ):
            frames = file.create_dataset(
                "frames",
                (count, height, width, 3),
                np.uint8,
                chunks=(1, height, width, 3),
                compression="gzip",
                compression_opts=1,
            )
            seconds = file.create_dataset("pts_seconds", (count,), np.float64)
            file.attrs["source"], file.attrs["model"] = (
                str(reader.header.source.get("name", "")),
                reader.header.model["name"],
            )
            if reader.header.extra.get("crf") is not None:
                file.attrs["crf"] = reader.header.extra["crf"]
            done = 0
            for batch in sound_batches(reader, keyframes_only=False, tell=stop):
                frames[done : done + len(batch)] = batch.data
                seconds[done : done + len(batch)] = np.array([float(time) for time in batch.pts_seconds])
                done += len(batch)
                if progress:
                    progress(len(batch))
    return done
