"""torchcodec's calls, in terms of frame numbers: `docs/torchcodec.md` says what is the same and what differs."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from lvc.errors import OptionError
from lvc.reading.decoded import Frame, Frames
from lvc.reading.given_times import GivenTime, given_times, plain_number

if TYPE_CHECKING:
    import torch

    from lvc.container.reader import ContainerReader

DIMENSION_ORDERS = ("NCHW", "NHWC")
SEEK_MODES = ("exact", "approximate")
OUTPUT_DTYPES = ("torch.uint8", "torch.float32", "auto")
MOST_RESAMPLED = 1 << 24  # frames: more at once are a mistake in fps


def check_decoder_options(
    *, seek_mode, num_ffmpeg_threads, stream_index, dimension_order, output_dtype, transforms
) -> None:
    """Raises OptionError for a value that torchcodec's decoder would not take either."""
    if seek_mode not in SEEK_MODES:
        raise OptionError(f"seek_mode is one of {', '.join(SEEK_MODES)}, not {seek_mode!r}")
    if dimension_order not in DIMENSION_ORDERS:
        raise OptionError(f"dimension_order is one of {', '.join(DIMENSION_ORDERS)}, not {dimension_order!r}")
    if isinstance(num_ffmpeg_threads, bool) or not isinstance(num_ffmpeg_threads, int):
        raise OptionError(f"num_ffmpeg_threads is a whole number, not {num_ffmpeg_threads!r}")
    if stream_index is not None and (
        isinstance(stream_index, bool) or not isinstance(stream_index, int) or stream_index != 0
    ):
        raise OptionError(f"stream_index is 0 or None, since a file holds one stream of frames, not {stream_index!r}")
    if str(output_dtype) not in OUTPUT_DTYPES:
        raise OptionError(f"output_dtype is torch.uint8, torch.float32 or 'auto', not {output_dtype!r}")
    for transform in transforms or ():
        if not callable(transform):
            raise OptionError(
                f"transforms are called with uint8 [N, 3, H, W], and {transform!r:.80} is not callable; torchvision's "
                "are"
            )


def whole_numbers(indices):
    """Indices as they are, but for an array or tensor of floats that are all whole, which torchcodec takes too."""
    if getattr(indices, "ndim", 0) == 1 and "float" in str(getattr(indices, "dtype", "")):
        values = indices.tolist()
        if all(value.is_integer() for value in values):
            return [int(value) for value in values]
    return indices


class DecoderCalls:
    """Frames by number, range and time, as torchcodec's `VideoDecoder` gives them; a Reader makes their pixels.

    A time outside of [begin, end) of the stream, or one that is not a number, is an IndexError; a range of times that
    is not inside is an OptionError, which is a ValueError.
    """

    container: ContainerReader
    time_base: Fraction
    if TYPE_CHECKING:  # what it asks of the reader that takes it in

        def __len__(self) -> int: ...

        def duration_ticks(self, number: int) -> int: ...

        def pts_seconds(self, number: int) -> float: ...

        def _pictures(self, numbers: list[int]) -> np.ndarray | torch.Tensor: ...

        def _ordered(self, pictures: np.ndarray | torch.Tensor) -> torch.Tensor: ...

    stream_index = 0

    def get_frame_at(self, index: int) -> Frame:
        """The frame with a number; negative ones count from the end. Raises IndexError out of range,
        FormatError where it is lost.
        """
        frames = self.get_frames_at([index])
        return Frame(frames.data[0], frames.pts_seconds[0].item(), frames.duration_seconds[0].item())

    def get_frames_at(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> Frames:
        """Frames by number, in any order, repeated where asked for; each group of them is decoded once."""
        return self._timed([self._number(index) for index in whole_numbers(indices)])

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> Frames:
        """The frames of the slice [start:stop:step] of the file, by the rules of a list's slices."""
        return self._timed(range(*slice(start, stop, step).indices(len(self))))

    def get_frame_played_at(self, seconds: float) -> Frame:
        """The frame on screen at a time: the last one that does not start later.

        seconds: a number, or one in a tensor or array; one of low precision means the timestamp that it is nearest to.
        """
        return self.get_frame_at(self._shown_at(GivenTime.of(seconds, self.time_base)))

    def get_frames_played_at(self, seconds: Sequence[float] | np.ndarray | torch.Tensor) -> Frames:
        """The frames on screen at some times, in any order; raises IndexError before anything is decoded."""
        return self._timed([self._shown_at(time) for time in given_times(seconds, self.time_base)])

    def get_frames_played_in_range(self, start_seconds: float, stop_seconds: float, fps: float | None = None) -> Frames:
        """All frames on screen from start_seconds on, before stop_seconds; the first may have begun earlier.

        fps: frames a second to give instead, at start_seconds + k / fps, each the one on screen then: repeated or left
        out as needed, with these times and 1 / fps as durations. Raises OptionError for times outside of the stream.
        """
        start, stop = self._inside(start_seconds, stop_seconds)
        if fps is not None:
            return self._resampled(float(start.value), float(stop.value), fps)
        if start.value == stop.value:
            return self._timed([])
        return self._timed(range(self._shown_at(start), self._first_from(stop)))

    def get_all_frames(self, fps: float | None = None) -> Frames:
        """All frames of the file, at their own times or, as above, at `fps` frames a second."""
        if fps is None or not len(self):
            return self._timed(range(len(self)))
        return self._resampled(*self._span(), fps)

    # How they find frames

    def _timed(self, numbers: Iterable[int]) -> Frames:
        """Frames by number from 0, with the times and durations of the file."""
        import torch

        numbers = list(numbers)
        durations = [float(self.duration_ticks(number) * self.time_base) for number in numbers]
        times = [self.pts_seconds(number) for number in numbers]
        return Frames(
            self._ordered(self._pictures(numbers)),
            torch.tensor(times, dtype=torch.float64),
            torch.tensor(durations, dtype=torch.float64),
        )

    def _span(self) -> tuple[float, float]:
        """Begin and end of the stream in seconds."""
        last = len(self) - 1
        end = (self.container.pts_of(last) + self.duration_ticks(last)) * self.time_base
        return float(self.container.pts_of(0) * self.time_base), float(end)

    def _shown_at(self, time: GivenTime) -> int:
        return self.container.frame_at_seconds(time.shown_at * self.time_base)

    def _first_from(self, time: GivenTime) -> int:
        """Number of the first frame that does not start before a time; the number of frames where there is none."""
        index = self.container.index
        ticks = max(min(time.from_ticks, (1 << 63) - 1), -(1 << 63))
        group = int(np.searchsorted(index.first_pts, ticks, side="left")) - 1
        if group < 0:
            return int(index.first_frames[0])
        found = self.container.group(group)
        return found.first_frame + int(np.searchsorted(np.array(found.pts, dtype=np.int64), ticks, side="left"))

    def _inside(self, start_seconds, stop_seconds) -> tuple[GivenTime, GivenTime]:
        if not len(self):
            raise OptionError("the file holds no frames")
        begin, end = self._span()
        given = plain_number(start_seconds), plain_number(stop_seconds)
        if not all(map(math.isfinite, given)) or not given[0] <= given[1]:
            raise OptionError(
                f"a range of times from one to a later one was expected, not {given[0]} s to {given[1]} s"
            )
        start, stop = (GivenTime.of(one, self.time_base) for one in given)
        if not (start.as_own(begin) <= start.value < start.as_own(end) and stop.value <= stop.as_own(end)):
            raise OptionError(f"a range inside of {begin} s to {end} s was expected, not {given[0]} s to {given[1]} s")
        return start, stop

    def _resampled(self, start: float, stop: float, fps) -> Frames:
        import torch

        rate = float(plain_number(fps))
        if not (math.isfinite(rate) and rate > 0):
            raise OptionError(f"fps is a number of frames a second above 0, not {fps!r}")
        count = math.floor((stop - start) * rate + 0.5)
        if count > MOST_RESAMPLED:
            raise OptionError(f"{fps!r} frames a second are {count:,} frames; at most {MOST_RESAMPLED:,} were expected")
        duration = 1 / rate
        times = [start + number * duration for number in range(count)]
        end = self._span()[1]
        numbers = [
            # Rounding may reach the end
            self._shown_at(GivenTime.of(time, self.time_base)) if time < end else len(self) - 1
            for time in times
        ]
        return Frames(
            self._ordered(self._pictures(numbers)),
            torch.tensor(times, dtype=torch.float64),
            torch.full((count,), duration, dtype=torch.float64),
        )

    def _number(self, index) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"frame {number} of a file of {len(self)}")
        return number + len(self) if number < 0 else number
