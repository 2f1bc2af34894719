"""A storyboard: frames spread over a whole `.lvc` file on one picture, each with its time."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lvc.errors import FormatError, OptionError
from lvc.frames import MAX_SIDE, Geometry
from lvc.output import check_output, written_whole
from lvc.reading.reader import Reader
from lvc.reading.times import clock
from lvc.video.resize import resize

# suffix: what Pillow is told
FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 92, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 92, "subsampling": 0},
}
# 192 MB of sheet, whatever is asked for; the frames come one at a time.
MAX_SHEET_PIXELS = 64 << 20
# Where no width is asked for, frames keep their own size unless the sheet becomes wider than this.
USUAL_WIDTH = 1920
SMALLEST_TILE = 48  # room for a time

_MARGIN, _GAP = 16, 8
_GROUND, _PLATE, _TEXT, _SOFT = (20, 23, 29), (38, 43, 53), (232, 236, 244), (140, 151, 170)


@dataclass(frozen=True)
class SheetLayout:
    """Where tiles lie on a sheet: `columns` side by side, `rows` below each other, under a head. All lengths in pixels.

    Raises OptionError where tiles become too small to see, or the sheet too large.
    """

    columns: int
    rows: int
    width: int
    tile_width: int
    tile_height: int

    @classmethod
    def of(cls, frame: Geometry, *, columns: int, rows: int, width: int | None = None) -> "SheetLayout":
        """The layout for frames of a size; width: of the whole sheet, None for the frames' own size up to 1,920 in
        all.
        """
        frames_alone = 2 * _MARGIN + (columns - 1) * _GAP
        if width is None:
            width = frames_alone + columns * max(frame.width, SMALLEST_TILE)
            width = min(width, max(USUAL_WIDTH, frames_alone + columns * SMALLEST_TILE))
        tile_width = (width - frames_alone) // columns
        if tile_width < SMALLEST_TILE:
            needed = frames_alone + columns * SMALLEST_TILE
            raise OptionError(f"{columns} columns do not fit into a width of {width}: at least {needed} is needed")
        layout = cls(columns, rows, width, tile_width, max(1, round(tile_width * frame.height / frame.width)))
        if max(width, layout.height) > MAX_SIDE or width * layout.height > MAX_SHEET_PIXELS:
            raise OptionError(
                f"a sheet of {width}x{layout.height}; sides up to {MAX_SIDE} and {MAX_SHEET_PIXELS >> 20} megapixels "
                "were expected: ask for fewer frames or a smaller width"
            )
        return layout

    @property
    def caption_size(self) -> int:
        return min(16, max(9, self.tile_width // 14))

    @property
    def head_size(self) -> int:
        return min(26, max(11, self.width // 48))

    @property
    def head_height(self) -> int:
        return round(3.2 * self.head_size)

    @property
    def cell_height(self) -> int:
        return self.tile_height + round(1.7 * self.caption_size) + _GAP

    @property
    def height(self) -> int:
        return 2 * _MARGIN + self.head_height + self.rows * self.cell_height - _GAP

    def place(self, number: int) -> tuple[int, int]:
        """Left and top of the tile with a number, counted along the rows."""
        row, column = divmod(number, self.columns)
        return _MARGIN + column * (self.tile_width + _GAP), _MARGIN + self.head_height + row * self.cell_height


def storyboard(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    columns: int = 5,
    rows: int | None = None,
    count: int | None = None,
    width: int | None = None,
    keyframes_only: bool = False,
    model: str | os.PathLike | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
    on_damage: Callable[[str], None] | None = None,
) -> int:
    """Draws frames spread evenly over a file, with their times, on one .png or .jpg, and gives their number.

    count, or columns x rows, frames are shown (6 rows where neither is given), or all where the file has fewer.
    width: of the picture in pixels; None for the frames' own size, up to 1,920 in all. progress: told of each frame.
    Memory holds the sheet, of at most 64 megapixels, and the latents of one keyframe group.
    on_damage: told of each part that does not hold, in one line, whose frames stay empty; without it the first damage
    is raised. Raises FormatError, also where not one frame holds, ModelError, OptionError or OutputError.
    """
    output = Path(output)
    check_numbers(columns=columns, rows=rows, count=count, width=width)
    if output.suffix.lower() not in FORMATS:
        raise OptionError(f"{output}: a storyboard ends in {', '.join(FORMATS)}")
    check_output(output, overwrite=overwrite, inputs=(Path(source),))
    told: set[str] = set()

    def tell(damage: str) -> None:
        if on_damage is None:
            raise FormatError(damage)
        if damage not in told:  # several of the frames may lie in one group
            told.add(damage)
            on_damage(damage)

    with Reader(source, model=model, device=device) as reader:
        for damage in reader.damage:
            tell(f"{source}: {damage}")
        count = count or columns * (rows or 6)
        numbers = spread_frames(reader.container.index, count, keyframes_only=keyframes_only)
        if not numbers:
            raise FormatError(f"{source}: holds no frame")
        columns = min(columns, len(numbers))
        layout = SheetLayout.of(reader.geometry, columns=columns, rows=math.ceil(len(numbers) / columns), width=width)
        reader.codec  # noqa: B018  wrong weights are no damage of one group
        sheet = _Sheet(layout)
        sheet.head(os.path.basename(os.fspath(source)), facts_of(reader))
        if not (drawn := draw_tiles(sheet, reader, numbers, tell=tell, progress=progress)):
            raise FormatError(f"{source}: not one of the {len(numbers)} chosen frames holds")
        with written_whole(output, overwrite=overwrite, inputs=(Path(source),)) as part:
            sheet.picture.save(part, **FORMATS[output.suffix.lower()])
    return drawn


def check_numbers(*, rows: int | None, count: int | None, **others: int | None) -> None:
    for name, value in {"rows": rows, "count": count, **others}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionError(f"{name} is a whole number from 1, not {value!r}")
    if rows is not None and count is not None:
        raise OptionError("the number of frames follows from rows, or is given as count: give one of them")


def draw_tiles(
    sheet: "_Sheet",
    reader: Reader,
    numbers: Sequence[int],
    *,
    tell: Callable[[str], None],
    progress: Callable[[int], None] | None,
) -> int:
    """Draws the frames with these numbers, and gives how many of them hold; tell: told of what does not."""
    drawn = 0
    for place, number in enumerate(numbers):
        try:
            batch = reader.frames_at([number])
        except FormatError as error:
            tell(str(error))
            sheet.empty_tile(place, number)
        else:
            sheet.tile(place, number, batch.data[0], float(batch.pts_seconds[0]))
            drawn += 1
        if progress:
            progress(1)
    return drawn


def spread_frames(index, count: int, *, keyframes_only: bool = False) -> list[int]:
    """Numbers of at most `count` frames, first and last among them, spread evenly over those that a file's index
    has.
    """
    counts = np.ones_like(index.frame_counts) if keyframes_only else index.frame_counts
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    places = np.linspace(0, max(0, total - 1), min(count, total)).round().astype(np.int64)
    groups = np.searchsorted(ends, places, side="right")
    return (index.first_frames[groups] + places - (ends - counts)[groups]).tolist()


def facts_of(reader: Reader) -> str:
    """One line for the head: frames, their size, duration and bytes."""
    header, entries = reader.header, reader.container.index
    # By the index alone: the last group may be damaged.
    seconds = float(
        (entries.first_pts[-1] - entries.first_pts[0] + int(entries.frame_counts[-1]) * header.frame_duration)
        * header.time_base
    )
    return (
        f"{len(reader):,} frames of {reader.geometry}, {clock(seconds)}, {reader.container.file_bytes:,} bytes, "
        f"model {header.model['name']}"
    )


class _Sheet:
    def __init__(self, layout: SheetLayout):
        self._layout = layout
        self.picture = Image.new("RGB", (layout.width, layout.height), _GROUND)
        self._pen = ImageDraw.Draw(self.picture)
        self._caption = ImageFont.load_default(layout.caption_size)

    def head(self, name: str, facts: str) -> None:
        size = self._layout.head_size
        top = _MARGIN - 4
        self._line(name, top, size, _TEXT)
        self._line(facts, top + round(1.5 * size), max(9, round(0.62 * size)), _SOFT)

    def _line(self, text: str, top: int, size: int, colour: tuple[int, int, int]) -> None:
        """Writes a line over the whole width, cut where there is no room for it."""
        font, room = ImageFont.load_default(size), self._layout.width - 2 * _MARGIN
        text = "".join(one if one.isprintable() else "?" for one in text[:1000])
        shown = text
        while text and self._pen.textlength(shown, font) > room:
            text = text[:-1]
            shown = text + "..."
        self._pen.text((_MARGIN, top), shown, font=font, anchor="la", fill=colour)

    def tile(self, place: int, number: int, frame: np.ndarray, seconds: float) -> None:
        """frame: uint8 [H, W, 3]."""
        layout = self._layout
        picture = np.ascontiguousarray(frame)
        if picture.shape[:2] != (layout.tile_height, layout.tile_width):
            picture = resize(picture[None], Geometry(layout.tile_width, layout.tile_height))[0]
        self.picture.paste(Image.fromarray(picture), layout.place(place))
        self._write(place, clock(seconds), f"frame {number + 1}")

    def empty_tile(self, place: int, number: int) -> None:
        layout = self._layout
        left, top = layout.place(place)
        right, bottom = left + layout.tile_width - 1, top + layout.tile_height - 1
        self._pen.rectangle((left, top, right, bottom), fill=_PLATE)
        self._pen.line((left, top, right, bottom), fill=_GROUND, width=2)
        self._pen.line((left, bottom, right, top), fill=_GROUND, width=2)
        self._write(place, "damaged", f"frame {number + 1}")

    def _write(self, place: int, time: str, number: str) -> None:
        layout = self._layout
        left, top = layout.place(place)
        line = top + layout.tile_height + round(0.25 * layout.caption_size)
        self._pen.text((left, line), time, font=self._caption, fill=_TEXT, anchor="la")
        lengths = [self._pen.textlength(text, self._caption) for text in (time, number)]
        if sum(lengths) + layout.caption_size <= layout.tile_width:
            self._pen.text((left + layout.tile_width, line), number, font=self._caption, fill=_SOFT, anchor="ra")
