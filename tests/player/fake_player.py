"""A program that plays 300 plain frames, whose brightness tells their number, for the tests of the window."""

import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lvc.frames import FrameBatch, Geometry
from lvc.player.display import Display
from lvc.player.side_by_side import PANES, SideBySide
from lvc.player.window import play

FRAMES = 300


class PlainReader:
    geometry = Geometry(64, 48)
    time_base = Fraction(1, 3)
    pts = tuple(range(FRAMES))
    frame_types = ("key", *["predicted"] * 63) * 4 + ("key", *["predicted"] * 43)
    mean_frame_bytes = np.full(FRAMES, 60.0)
    metadata = SimpleNamespace(end_stream_seconds=100.0)

    def __len__(self) -> int:
        return FRAMES

    def frames(self, start: int, stop: int) -> FrameBatch:
        numbers = np.arange(start, stop)
        pixel = np.stack([numbers % 256, numbers // 256, np.full(len(numbers), 90)], axis=1).astype(np.uint8)
        data = np.broadcast_to(pixel[:, None, None], (len(numbers), 48, 64, 3))
        return FrameBatch(np.ascontiguousarray(data), self.pts[start:stop], self.time_base)


class PlainSource:
    """The same frames, bluer, by time."""

    def frames_shown_at(self, times) -> list[np.ndarray]:
        pictures = [PlainReader().frames(int(3 * time), int(3 * time) + 1).data[0] for time in times]
        for picture in pictures:
            picture[..., 2] = 200
        return pictures


if __name__ == "__main__":
    folder, *beside = sys.argv[1:]
    reader, panes = (SideBySide(PlainReader(), PlainSource()), PANES) if beside else (PlainReader(), ())
    with Display() as display:
        play(reader, display, name="plain.lvc", screenshots=Path(folder), paused=True, panes=panes)
