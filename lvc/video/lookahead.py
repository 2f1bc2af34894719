"""Which pictures of a recording are sampled, told from its packets, so that pictures that nobody needs are not decoded.

Of H.264, nearly half of a recording's pictures are referred to by no other. A decoder may leave these out, and the
others come out the same, bit for bit. Packets come in the order of decoding; of which picture is the how-manieth to be shown
they say enough, because no packet is shown before it is decoded: once a decoding time has come, all that is shown up
to it is known.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from math import inf

from av import Packet

# Codecs whose pictures of no reference FFmpeg leaves out without a trace, and formats that store both times of each packet.
CODECS = {"h264"}
FORMATS = {"mov", "matroska", "flv", "mpegts"}
MAX_AHEAD = 64  # packets; a picture of H.264 waits for 16 others at most


class Foresight:
    """Chooses pictures in the order of their times: from packets before they are decoded where these are regular, else as they come.

    takes: asked once for each picture, with its time in ticks. Without it all pictures are taken.
    number: of pictures that have come out of the decoder or were left out before one that has.
    """

    def __init__(self, takes: Callable[[int], bool] | None = None):
        self.number = 0
        self._takes = takes
        self._known: float = -inf  # up to this time all pictures are chosen from, or left out
        self._passing: deque[int] = deque()  # times of such pictures that are not yet past the decoder
        self._taken: deque[int] = deque()  # of these, the ones that were chosen
        self._ahead: deque[Packet] = deque()  # packets that wait, in the order of decoding
        self._times: list[int] = []  # of waiting packets, a heap
        self._first: int | None = None
        self._decoded_at: float = -inf  # of the latest packet

    def packets(self, container, stream) -> Iterator[Packet]:
        """The packets of the stream, each when the decoder has been told whether it is needed."""
        context, packets = stream.codec_context, iter(container.demux(stream))
        if self._takes is not None and context.name in CODECS and FORMATS & set(container.format.name.split(",")):
            yield from self._chosen(packets, context)
            context.skip_frame = "DEFAULT"
        yield from packets

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
                context.skip_frame = "NONREF" if regular and head.pts not in self._taken else "DEFAULT"
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
            self._known = heapq.heappop(self._times)
            self._passing.append(self._known)
            if self._takes(self._known):
                self._taken.append(self._known)

    def takes(self, pts: int) -> bool:
        """Whether a picture that the decoder gives is taken; asked in the order in which they come."""
        if pts > self._known:
            self.number += 1
            return self._takes is None or self._takes(pts)
        self.number += forget(self._passing, pts)
        return forget(self._taken, pts) > 0

    def finish(self) -> int | None:
        """Counts the pictures that were left out after the last that came; gives the time of the last, where there are any."""
        last = self._passing[-1] if self._passing else None
        self.number += len(self._passing)
        self._passing.clear()
        return last


def forget(times: deque[int], until: int) -> int:
    """Removes those up to a time; gives how many they were."""
    before = len(times)
    while times and times[0] <= until:
        times.popleft()
    return before - len(times)
