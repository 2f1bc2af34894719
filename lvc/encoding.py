"""From a recording to a `.lvc` file: demux, sample, resize, and one `Writer`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lvc import checkpoints
from lvc.output import check_output
from lvc.video.demux import probe
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
    with Writer(
        output,
        geometry=sampling.geometry,
        time_base=info.time_base,
        frame_duration=sampling.nominal_ticks(info),
        model=model,
        quantiser=quantiser,
        entropy=entropy,
        crf=crf,
        effort=effort,
        keyint=keyint,
        device=device,
        source={"name": shown_name(source), "width": info.width, "height": info.height, **sampling.as_json()},
        overwrite=overwrite,
        inputs=(source,),
    ) as writer:
        for batch in sampled_frames(source, sampling):
            writer.write(batch)
            if progress:
                progress(len(batch))
    frames = writer.frames_written
    return Encoded(output, frames, output.stat().st_size, frames * sampling.geometry.width * sampling.geometry.height * 3, writer.header.model["name"], writer.sample_psnr)
