"""Which pictures of a recording are sampled, told from its packets, so that pictures that nobody needs are not decoded.

Of H.264, nearly half of a recording's pictures are referred to by no other. A decoder may leave these out, and the
others come out the same, bit for bit. Packets come in the order of decoding; of which picture is the how-manieth to be
shown they say enough, because no packet is shown before it is decoded: once a decoding time has come, all that is shown
up to it is known.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf

from av import Packet

from lvc.video.timeline import Timeline

# Codecs whose pictures of no reference FFmpeg leaves out without a trace,
# and formats that store both times of each packet.
CODECS = {"h264"}
FORMATS = {"mov", "matroska", "flv", "mpegts"}
MAX_AHEAD = 64  # packets; a picture of H.264 waits for 16 others at most


@dataclass(frozen=True)
class Expected:
    """A picture that was chosen, or not, before it was decoded. stored: its time in the file; time:
    on the recording's timeline.
    """

    stored: int
    time: int
    taken: bool


class Lookahead:
    """Chooses pictures in the order of their times: from packets before they are decoded where these are regular, else
    as they come.

    timeline: gives each picture its time. takes: asked once for each picture, with that time. Without it all pictures
    are taken.
    number: of pictures that have come out of the decoder or were left out before one that has. lost: pictures that were
    to be taken, and that the decoder did not give. others_began: streams were found that begin in mid-file.
    """

    def __init__(self, timeline: Timeline, takes: Callable[[int], bool] | None = None):
        self.number = self.lost = 0
        self.others_began = False
        self._timeline, self._takes = timeline, takes
        self._known: float = -inf  # up to this time all pictures are chosen from, or left out
        self._expected: deque[Expected] = deque()  # such pictures, until they are past the decoder
        self._needed: set[int] = set()  # stored times of those that were taken
        self._ahead: deque[Packet] = deque()  # packets that wait, in the order of decoding
        self._times: list[int] = []  # of waiting packets, a heap
        self._first: int | None = None
        self._decoded_at: float = -inf  # of the latest packet

    def packets(self, container, stream) -> Iterator[Packet]:
        """The packets of the stream, each when the decoder has been told whether it is needed."""
        context, packets = stream.codec_context, self._demuxed(container, stream)
        if self._takes is not None and context.name in CODECS and FORMATS & set(container.format.name.split(",")):
            yield from self._chosen(packets, context)
            context.skip_frame = "DEFAULT"
        yield from packets

    def _demuxed(self, container, stream) -> Iterator[Packet]:
        try:
            yield from container.demux(stream)
        except IndexError:
            # PyAV's, after the last packet of the stream: it looks up streams that it did not see when it opened the
            # file.
            self.others_began = True

    def _chosen(self, packets: Iterable[Packet], context) -> Iterator[Packet]:
        """Packets up to the end, or to the first that is not regular, with all before it."""
        for packet in packets:
            ended = packet.size == 0 and packet.pts is None
            regular = ended or self._is_regular(packet)
            if regular:
                if not ended:
                    self._ahead.append(packet)
                    heapq.heappush(self._times, packet.pts)
                self._choose(inf if ended else self._decoded_at)
            while self._ahead and (not regular or self._ahead[0].pts <= self._known):
                head = self._ahead.popleft()
                context.skip_frame = "NONREF" if regular and head.pts not in self._needed else "DEFAULT"
                yield head
            if ended or not regular:
                context.skip_frame = "DEFAULT"
                yield packet
                return

    def _is_regular(self, packet: Packet) -> bool:
        """Whether nothing about a packet casts doubt on its being one picture, shown at its time."""
        pts, dts, before = packet.pts, packet.dts, self._decoded_at
        if pts is None or packet.is_discard or packet.is_corrupt or pts in self._times or len(self._ahead) >= MAX_AHEAD:
            return False
        if self._first is None:
            if not packet.is_keyframe:
                return False
            self._first = pts
        elif pts <= max(self._first, self._known):
            return False
        if dts is None:  # Matroska's first ones
            return before == -inf
        self._decoded_at = dts
        return before < dts <= pts

    def _choose(self, until: float) -> None:
        """Chooses among the pictures shown up to a time."""
        while self._times and self._times[0] <= until:
            self._known = stored = heapq.heappop(self._times)
            time = self._timeline.place(stored)
            taken = self._takes(time)
            self._expected.append(Expected(stored, time, taken))
            if taken:
                self._needed.add(stored)

    def time_of(self, stored: int | None) -> int | None:
        """The time of a picture that the decoder gives, None where it is not taken; asked in the order in which they
        come.

        stored: its time in the file, where it has one.
        """
        if stored is not None and any(one.stored == stored for one in self._expected):
            while self._drop().stored != stored:
                self.lost += self._dropped.taken
            return self._dropped.time if self._dropped.taken else None
        self.number += 1
        time = self._timeline.place(stored)
        return time if self._takes is None or self._takes(time) else None

    def _drop(self) -> Expected:
        self._dropped = self._expected.popleft()
        self._needed.discard(self._dropped.stored)
        self.number += 1
        return self._dropped

    def finish(self) -> None:
        """Counts the pictures that were left out after the last that came."""
        while self._expected:
            self.lost += self._drop().taken
