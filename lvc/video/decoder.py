"""Frames out of a recording, each with its time."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import av

from lvc.errors import InputError
from lvc.video.demux import Ticks
from lvc.video.lookahead import Lookahead
from lvc.video.timeline import Timeline

# libavformat's flags of a format: AVFMT_NOTIMESTAMPS and AVFMT_TS_DISCONT.
NO_TIMES, CLOCK_BREAKS = 0x80, 0x200
# Formats that store packets in the order of decoding and no times of display.
STORED_AS_DECODED = {"avi"}
# Frames without times at a beginning that wait for the first one with, from which theirs are counted back.
HELD_FRAMES, HELD_BYTES = 64, 192 << 20
# Whether a unit's first byte is that of a sequence's parameters.
PARAMETER_SETS: dict[str, Callable[[int], bool]] = {
    "h264": lambda byte: byte & 31 == 7,
    "hevc": lambda byte: byte >> 1 & 63 == 33,
}
MOST_PARAMETERS = 65_536  # bytes of a packet in which they are looked for


def timed_frames(
    container, stream, path: Path, *, takes: Callable[[int], bool] | None = None, notes: list[str] | None = None
) -> Iterator[tuple]:
    """Yields `(frame, time)` of all frames, or of those that `takes` says of by their time, in `Ticks.of(stream)` and
    increasing.

    notes: gets a line for each thing that was done and that the file does not say, see `Timeline`.
    Raises InputError, after the frames that are there, for a recording that was cut off or is damaged.
    """
    ticks = Ticks.of(stream)
    timeline = Timeline(
        period=ticks.period, tick=ticks.time_base, finer=ticks.finer, breaks=bool(container.format.flags & CLOCK_BREAKS)
    )
    lookahead = Lookahead(timeline, takes)
    try:
        for frame, stored in counted_back(stored_times(container, stream, lookahead), container, ticks):
            time = lookahead.time_of(stored)
            if time is not None:
                yield frame, time
    except av.error.FFmpegError as error:
        seconds = float(timeline.latest * ticks.time_base)
        raise InputError(
            f"{path}: is damaged after frame {lookahead.number} ({seconds:.2f} s): {error.strerror or error}"
        ) from error
    lookahead.finish()
    if notes is not None:
        notes += timeline.notes
        if lookahead.others_began:
            notes.append("other streams begin in mid-file: they were left out")
        if lookahead.lost:
            notes.append(f"{lookahead.lost} frames that were to be sampled are damaged, and left out")
    check_length(container, stream, path, frames=lookahead.number, seconds=float(timeline.latest * ticks.time_base))


def stored_times(container, stream, lookahead: Lookahead) -> Iterator[tuple]:
    """Decoded frames with the times that the file has for them, None where it has none."""
    as_decoded = container.format.name in STORED_AS_DECODED
    decoded_at: deque[int] = deque()
    changes = ParameterChanges(stream.codec_context)
    for packet in lookahead.packets(container, stream):
        waiting = drained(stream.codec_context) if changes.before(packet) else []
        if as_decoded and packet.size and packet.dts is not None:
            decoded_at.append(packet.dts)
        for frame in chain(waiting, packet.decode()):
            # The earliest to be shown is shown at the earliest time, the next at the next.
            stored = frame.pts if not as_decoded else decoded_at.popleft() if decoded_at else None
            yield frame, stored


def drained(context) -> list:
    """The frames that wait in a decoder, which then begins anew."""
    frames = context.decode(None)
    context.flush_buffers()
    return frames


class ParameterChanges:
    """Tells where a stream of H.264 or HEVC begins anew with other parameters in mid-stream.

    What waits in FFmpeg's decoder there has no colour tags of its own where the stream had none, and would get those of
    what follows. context: the decoder's; its extradata tell how packets are divided.
    """

    def __init__(self, context):
        self._sets = PARAMETER_SETS.get(context.name)
        extradata = context.extradata or b""
        divided = len(extradata) > 22 and extradata[0] == 1
        # Bytes of a unit's length, by ISO/IEC 14496-15; 0 where units begin with start codes.
        self._length = (extradata[{"h264": 4, "hevc": 21}.get(context.name, 0)] & 3) + 1 if divided else 0
        self._before: list[bytes] | None = None

    def before(self, packet) -> bool:
        """Whether the decoder is to give what waits in it before it is given this packet."""
        if self._sets is None or not (packet.size and packet.is_keyframe):
            return False
        found = [unit for unit in units_of(bytes(packet), self._length) if unit and self._sets(unit[0])]
        before, self._before = self._before, found or self._before
        return bool(found) and before is not None and found != before


def units_of(data: bytes, length: int) -> Iterator[bytes]:
    """The units of a packet. length: bytes of a unit's length; 0 where units begin with start codes."""
    if not length:
        # Slices come last, and are long: a picture's parameters end where its first one begins.
        for unit in data[:MOST_PARAMETERS].split(b"\0\0\1")[1:]:
            yield unit.rstrip(b"\0")
        return
    at = 0
    while at + length < min(len(data), MOST_PARAMETERS):
        size = int.from_bytes(data[at : at + length], "big")
        yield data[at + length : at + length + size]
        at += length + size


def counted_back(frames: Iterator[tuple], container, ticks: Ticks) -> Iterator[tuple]:
    """Frames with their stored times; those before the first one that has a time are counted back from it.

    Matroska's demuxer has no times for what is before 0.
    """
    held: list = []
    if not container.format.flags & NO_TIMES:
        for frame, stored in frames:
            if stored is not None:
                for place, one in enumerate(held):
                    yield one, round(stored - (len(held) - place) * ticks.period / ticks.finer)
                held = []
                yield frame, stored
                break
            held.append(frame)
            if len(held) >= max(2, min(HELD_FRAMES, HELD_BYTES // (2 * frame.width * frame.height))):
                break
    for frame in held:
        yield frame, None
    yield from frames


def check_length(container, stream, path: Path, *, frames: int, seconds: float) -> None:
    """Raises InputError where the header promises more than there was. seconds: time of the last frame."""
    promised = promised_seconds(container, stream, frames)
    seconds -= float((stream.start_time or 0) * stream.time_base)
    if frames and promised is not None and seconds < 0.98 * promised - 1:
        raise InputError(f"{path}: was cut off: ends at {seconds:.2f} of {promised:.2f} s, after frame {frames}")


def promised_seconds(container, stream, frames: int) -> float | None:
    """How long the header says the video is where it also promises more frames than there were; None otherwise.

    Either alone proves nothing: an edit list hides frames, a duration may be that of the sound or of a last picture
    that stands still. So mkv and ts, which count no frames, are read as far as they go: they are made to survive that.
    """
    durations = []
    if stream.duration is not None:
        durations.append(float(stream.duration * stream.time_base))
    if container.duration is not None:
        durations.append(container.duration / av.time_base)
    return min(durations) if durations and stream.frames > frames else None
