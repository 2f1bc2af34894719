"""Pictures of a recording by time, in any order."""

from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np

from lvc.errors import InputError
from lvc.frames import Geometry
from lvc.video.decoder import timed_frames
from lvc.video.demux import Orientation, Ticks, opened_video
from lvc.video.resize import AreaScaler

# Matroska rounds times to this.
TOLERANCE_SECONDS = Fraction(1, 1000)
# A jump ahead decodes what is between: keyframes of common encoders lie about this far apart.
DECODED_THROUGH_SECONDS = 8


class SeekableVideo:
    """Decodes pictures of a recording at one size by time, from the nearest keyframe before; forward is cheapest.

    Memory: two pictures at the recording's own size. One thread at a time may use it. stream: number of the video
    stream, as for `opened_video`. Times are those of `timed_frames` where the recording's clock runs through; one that
    starts again cannot be sought in, and shows what its first run has. Raises InputError for a file that cannot be
    read or has no video, and where one is damaged or cut off.
    """

    def __init__(self, path: Path, geometry: Geometry, *, threads: int = 0, stream: int | None = None):
        self._path, self._threads, self._number = Path(path), threads, stream
        self._geometry, self._scaler = geometry, AreaScaler(geometry)
        self._orientation = Orientation(self._path)
        self._open()

    def _open(self) -> None:
        """Opens the file and stands at its first picture."""
        self._stack = ExitStack()
        self._container, self._stream = self._stack.enter_context(
            opened_video(self._path, threads=self._threads, stream=self._number)
        )
        try:
            self._begin()
            if self._shown is None:
                raise InputError(f"{self._path}: holds no picture that can be decoded")
            self._has_times = self._shown[0].pts is not None
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        base = Ticks.of(self._stream).time_base
        self._frames = ((frame, pts * base) for frame, pts in timed_frames(self._container, self._stream, self._path))
        self._shown = next(self._frames, None)
        self._following = next(self._frames, None)

    def frames_shown_at(self, times: Sequence[Fraction]) -> list[np.ndarray | None]:
        """The pictures that a player shows at some times in seconds, uint8 [H, W, 3] each; None where the video has
        none.
        """
        return [self._frame_shown_at(Fraction(time)) for time in times]

    def _frame_shown_at(self, time: Fraction) -> np.ndarray | None:
        latest = time + TOLERANCE_SECONDS
        if self._shown is None or not self._shown[1] <= latest <= self._shown[1] + DECODED_THROUGH_SECONDS:
            self._seek(latest)
        while self._following is not None and self._following[1] <= latest:
            self._shown, self._following = self._following, next(self._frames, None)
        frame, start = self._shown
        if not start <= latest or (self._following is None and latest > start + self._period() + TOLERANCE_SECONDS):
            return None
        picture = np.empty((self._geometry.height, self._geometry.width, 3), np.uint8)
        self._scaler.scale_into(frame, picture, self._orientation.of(frame))
        return picture

    def _seek(self, latest: Fraction) -> None:
        """Stands at a picture that is shown no later than a time, or at the first."""
        if self._has_times:
            try:
                self._container.seek(int(latest / self._stream.time_base), stream=self._stream)
                self._begin()
            except av.error.FFmpegError:  # a format that cannot be sought in is read from its start
                self._shown = None
            if self._shown is not None and self._shown[1] <= latest:
                return
        elif self._shown[1] <= latest:
            return
        self.close()
        self._open()

    def _period(self) -> Fraction:
        return 1 / Fraction(self._stream.average_rate or 25)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()
