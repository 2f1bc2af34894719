"""From a recording, or a picture, to a `.lvc` file: demux, sample, resize, and one `Writer`."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lvc import checkpoints
from lvc.errors import InputError
from lvc.frames import FrameBatch, Geometry
from lvc.output import check_output
from lvc.video.demux import probe
from lvc.video.picture import read_picture
from lvc.video.resize import resize
from lvc.video.sample import Sampling, sampled_frames
from lvc.writer import DEFAULT_KEYINT, Writer


def shown_name(path: Path) -> str:
    """The file's name as text: bytes of it that are no UTF-8 as \\xff, because a header holds Unicode alone."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Encoded:
    """What `encode` made: frames, bytes of the whole file, bytes of the same frames raw.

    sample_psnr: mean dB of a few decoded frames of the first group, a sign of whether the model suits the recording.
    """

    path: Path
    frames: int
    file_bytes: int
    raw_bytes: int
    model: str
    sample_psnr: float | None


def encode(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    sampling: Sampling,
    model: str | os.PathLike = checkpoints.DEFAULT,
    quantiser: dict | None = None,
    entropy: dict | None = None,
    crf: int | None = None,
    effort: int | None = None,
    keyint: int = DEFAULT_KEYINT,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Encoded:
    """Codes the sampled frames of a video into a file; memory does not grow with the video's length.

    progress is called with the number of new frames. Raises InputError, OptionError, ModelError or OutputError.
    """
    source, output = Path(source), Path(output)
    check_output(output, overwrite=overwrite, inputs=(source,), recoverable=True)
    info = probe(source)
    return coded(
        sampled_frames(source, sampling),
        source,
        output,
        geometry=sampling.geometry,
        time_base=info.time_base,
        facts={"name": shown_name(source), "width": info.width, "height": info.height, **sampling.as_json()},
        model=model,
        frame_duration=sampling.nominal_ticks(info),
        quantiser=quantiser,
        entropy=entropy,
        crf=crf,
        effort=effort,
        keyint=keyint,
        device=device,
        overwrite=overwrite,
        progress=progress,
    )


def encode_picture(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    geometry: Geometry | None = None,
    model: str | os.PathLike = checkpoints.DEFAULT,
    overwrite: bool = False,
    **options,
) -> Encoded:
    """Codes a png or jpg into a file of one frame at time 0, at its own size or that of `geometry`.

    options: as of `encode`. Raises InputError, OptionError, ModelError or OutputError.
    """
    source, output = Path(source), Path(output)
    check_output(output, overwrite=overwrite, inputs=(source,), recoverable=True)
    picture = read_picture(source)
    height, width = picture.shape[1:]
    if geometry is not None:
        picture = resize(picture.transpose(1, 2, 0)[None], geometry)[0].transpose(2, 0, 1)
    batch = FrameBatch(np.ascontiguousarray(picture[None]), (0,), Fraction(1))
    facts = {"name": shown_name(source), "width": width, "height": height}
    return coded([batch], source, output, geometry=batch.geometry, time_base=batch.time_base, facts=facts, model=model, frame_duration=1, overwrite=overwrite, **options)


def coded(
    batches: Iterable[FrameBatch],
    source: Path,
    output: Path,
    *,
    facts: dict,
    progress: Callable[[int], None] | None = None,
    **options,
) -> Encoded:
    """Writes batches into a file as they come. facts: about the source, for the header. options: the rest of the Writer's."""
    empty = True
    with Writer(output, source=facts, inputs=(source,), **options) as writer:
        for batch in batches:
            empty = False
            writer.write(batch)
            if progress:
                progress(len(batch))
        if empty:
            raise InputError(f"{source}: has a video stream but not one frame")
    frames, geometry = writer.frames_written, writer.geometry
    return Encoded(output, frames, output.stat().st_size, frames * geometry.width * geometry.height * 3, writer.header.model["name"], writer.sample_psnr)
