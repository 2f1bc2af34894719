"""A file as a picture in a notebook: a strip of its frames, single frames, and two files side by side."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lvc.errors import LvcError, OptionError
from lvc.reading.times import clock

if TYPE_CHECKING:
    from lvc.reading.reader import Reader

STRIP_FRAMES = 8
STRIP_WIDTH = 1280  # pixels of all frames of a row together
GAP = 4
DIFFERENCE_GAIN = 8  # so that an error of a few levels is seen


def shown(reader: Reader, numbers: Sequence[int]) -> Image.Image:
    """Frames by number side by side; without any, frames spread over the file."""
    numbers = list(numbers) or spread(len(reader), STRIP_FRAMES)
    if not numbers:
        raise OptionError(f"{reader.container.name}: holds no frame to show")
    return row_of(pictures_of(reader, numbers), narrow=len(numbers) > 1)


def html_of(reader: Reader) -> str:
    """What a notebook shows of a reader: what it is, and a strip of its frames, or in its place an error in words."""
    facts = f"{len(reader):,} frames of {reader.geometry}"
    numbers, strip = spread(len(reader), STRIP_FRAMES), ""
    try:
        metadata = reader.metadata
        rate = "" if metadata.average_fps is None else f" at {metadata.average_fps:.4g} a second"
        facts += f"{rate}, {clock(metadata.duration_seconds)}"
        if numbers:
            times = " · ".join(clock(reader.pts_seconds(number)) for number in numbers)
            strip = f"{image_tag(shown(reader, numbers), f'frames {numbers}')}<div>{times}</div>"
    except LvcError as error:
        strip = f"<div>{html.escape(str(error))}</div>"
    facts += f", {reader.container.file_bytes:,} bytes, model {reader.header.model['name']}"
    return f"<div><div><b>{html.escape(reader.container.name)}</b>: {html.escape(facts)}</div>{strip}</div>"


def spread(count: int, most: int) -> list[int]:
    """Numbers of at most `most` frames, first and last among them, spread evenly over `count`."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, most)).round().astype(int)).tolist()


def pictures_of(reader: Reader, numbers: Sequence[int]) -> list[np.ndarray]:
    """Frames by number, uint8 [H, W, 3] each."""
    return list(reader.frames_at(numbers).data)


def row_of(pictures: Sequence[np.ndarray] | np.ndarray, *, narrow: bool = True) -> Image.Image:
    """Pictures of one size side by side; narrow: made smaller where they are wider than a page together."""
    height, width = pictures[0].shape[:2]
    shrink = max(1.0, len(pictures) * (width + GAP) / STRIP_WIDTH) if narrow else 1.0
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    row = Image.new("RGB", (len(pictures) * (size[0] + GAP) - GAP, size[1]), (128, 128, 128))
    for place, picture in enumerate(pictures):
        image = Image.fromarray(np.ascontiguousarray(picture))
        row.paste(
            image if image.size == size else image.resize(size, Image.Resampling.BOX), (place * (size[0] + GAP), 0)
        )
    return row


def image_tag(picture: Image.Image, text: str) -> str:
    """An HTML element with the picture inside it, which needs no other file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    style, alt = "image-rendering:pixelated;max-width:100%", html.escape(text, quote=True)
    return f'<img alt="{alt}" style="{style}" src="data:image/png;base64,{data}">'


@dataclass(frozen=True)
class Compared:
    """Frames of two files at the same times. seconds: of each pair; psnr: dB of each, None where it is identical.

    pictures: of both and of their difference, uint8 [N, H, W, 3] each. A notebook shows them in three rows.
    """

    names: tuple[str, str]
    seconds: list[float]
    psnr: list[float | None]
    pictures: tuple[np.ndarray, np.ndarray, np.ndarray]
    file_bytes: tuple[int, int]

    def _repr_html_(self) -> str:
        heads = [f"{name}, {size:,} bytes" for name, size in zip(self.names, self.file_bytes)] + [
            f"difference, {DIFFERENCE_GAIN} times"
        ]
        rows = "".join(
            f"<div>{html.escape(head)}</div>{image_tag(row_of(pictures), head)}"
            for head, pictures in zip(heads, self.pictures)
        )
        scores = " · ".join(
            f"{clock(at)}: {'identical' if score is None else f'{score:.2f} dB'}"
            for at, score in zip(self.seconds, self.psnr)
        )
        return f"<div>{rows}<div>PSNR {html.escape(scores)}</div></div>"

    def __repr__(self) -> str:
        scores = ", ".join("identical" if score is None else f"{score:.2f} dB" for score in self.psnr)
        return f"Compared({self.names[0]!r} and {self.names[1]!r} at {len(self.seconds)} times: {scores})"


def compare(one, other, *, frames: int = 6, seconds: Sequence[float] | None = None) -> Compared:
    """Shows frames of two files, and their difference, at the same times.

    one, other: readers, or what `lvc.open` opens. seconds: the times; by default those of `frames` frames spread over
    the first file while the other one lasts too. Raises OptionError where sizes differ or no time is in both,
    IndexError for a time outside.
    """
    from lvc.quality.metrics import psnr
    from lvc.reading.reader import Reader

    with ExitStack() as stack:
        readers = [
            source if isinstance(source, Reader) else stack.enter_context(Reader(source)) for source in (one, other)
        ]
        first, second = readers
        if first.geometry != second.geometry:
            raise OptionError(f"frames of one size were expected, not {first.geometry} and {second.geometry}")
        if seconds is None:
            begin, end = (
                chosen(getattr(reader.metadata, name) for reader in readers)
                for chosen, name in ((max, "begin_stream_seconds"), (min, "end_stream_seconds"))
            )
            times = [
                time for time in (first.pts_seconds(number) for number in range(len(first))) if begin <= time < end
            ]
            seconds = [times[place] for place in spread(len(times), frames)]
        seconds = [float(time) for time in seconds]
        if not seconds:
            raise OptionError("there is no time at which both files show a frame")
        found = [
            np.stack(pictures_of(reader, [reader.container.frame_at_seconds(time) for time in seconds]))
            for reader in readers
        ]
        difference = np.abs(found[0].astype(np.int16) - found[1]) * DIFFERENCE_GAIN
        return Compared(
            names=(first.container.name, second.container.name),
            seconds=seconds,
            psnr=[psnr(*pair) for pair in zip(*found)],
            pictures=(found[0], found[1], difference.clip(0, 255).astype(np.uint8)),
            file_bytes=(first.container.file_bytes, second.container.file_bytes),
        )
