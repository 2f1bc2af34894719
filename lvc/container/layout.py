"""The records of a container, bytes to values and back: groups of packets, the index, the trailer (see FORMAT.md)."""

import operator
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import overload

import numpy as np

from lvc.container.header import MAX_GROUP_FRAMES, VERSION, Header
from lvc.container.varint import Cursor, append_runs, append_varint, unzigzag, zigzag
from lvc.errors import FormatError, OptionError

__all__ = [
    "GROUP_MARKER",
    "INDEX_ENTRY_BYTES",
    "INDEX_MARKER",
    "MAX_BODY_BYTES",
    "MAX_FRAMES",
    "MAX_GROUP_FRAMES",
    "MAX_SPAN_TICKS",
    "MIN_GROUP_BYTES",
    "RECORD",
    "TRAILER",
    "VERSION",
    "Group",
    "Header",
    "Index",
    "IndexEntry",
    "Packet",
    "decode_group",
    "decode_index",
    "decode_trailer",
    "encode_group",
    "encode_index",
    "encode_trailer",
    "read_record_body",
]

# F7 is no byte of UTF-8, so no marker can lie in the header.
MARKER_START = b"\xf7LV"
GROUP_MARKER = MARKER_START + b"G"
INDEX_MARKER = MARKER_START + b"I"
END_MARKER = MARKER_START + b"E"

RECORD = struct.Struct("<4sII")  # marker, bytes of body, CRC-32 of marker, length and body
TRAILER = struct.Struct("<QII4s")  # offset and bytes of the index record, CRC-32 of these twelve bytes, end marker
DIGEST = struct.Struct("<I")

MAX_BODY_BYTES = 1 << 28
MAX_FRAMES = 1 << 40
# A frame's number in its group times the span stays below 2**63, so that readers in C need no wider integers.
MAX_SPAN_TICKS = 1 << 50
MIN_GROUP_BYTES = RECORD.size + 9  # one frame in one empty packet
INDEX_ENTRY_BYTES = 16


@dataclass(frozen=True)
class Packet:
    """Coded latents of `frame_count` consecutive frames (1 or more); the payload may be empty."""

    frame_count: int
    payload: bytes

    def __post_init__(self):
        object.__setattr__(self, "frame_count", _whole("a packet's frame count", self.frame_count, 1, MAX_GROUP_FRAMES))
        object.__setattr__(self, "payload", bytes(self.payload))


@dataclass(frozen=True)
class Group:
    """A keyframe and the frames that need it: decodable without any other group.

    first_frame: number of its first frame in the file, from 0.
    pts: timestamps of its 1 to 4,096 frames in ticks of the header's time base, strictly increasing, within int64.
    packets: their frame counts sum to the number of frames.
    digest: unsigned 32-bit digest of what the group decodes to, whose definition is the codec's.
    Raises OptionError where these do not hold.
    """

    first_frame: int
    pts: tuple[int, ...]
    packets: tuple[Packet, ...]
    digest: int

    def __post_init__(self):
        object.__setattr__(self, "first_frame", _whole("a group's first frame", self.first_frame, 0, MAX_FRAMES))
        object.__setattr__(self, "digest", _whole("a group's digest", self.digest, 0, (1 << 32) - 1))
        object.__setattr__(self, "pts", tuple(map(operator.index, self.pts)))
        object.__setattr__(self, "packets", tuple(self.packets))
        pts = self.pts
        if not 1 <= len(pts) <= MAX_GROUP_FRAMES:
            raise OptionError(f"a group must have from 1 to {MAX_GROUP_FRAMES} frames, not {len(pts)}")
        if not -(1 << 63) <= pts[0] <= pts[-1] < 1 << 63 or pts[-1] - pts[0] >= MAX_SPAN_TICKS:
            raise OptionError(
                f"a group's timestamps must increase by less than 2**50 within 64 bits, not from {pts[0]} to {pts[-1]}"
            )
        for before, after in pairwise(pts):
            if after <= before:
                raise OptionError(f"timestamps must increase from frame to frame; {after} follows {before}")
        packed = sum(packet.frame_count for packet in self.packets)
        if packed != len(pts):
            raise OptionError(f"a group of {len(pts)} frames has packets for {packed}")

    @property
    def frame_count(self) -> int:
        return len(self.pts)

    @property
    def payload_bytes(self) -> int:
        return sum(len(packet.payload) for packet in self.packets)

    def __repr__(self) -> str:
        return (
            f"Group(frames {self.first_frame}-{self.first_frame + self.frame_count - 1}, pts "
            f"{self.pts[0]}…{self.pts[-1]}, "
            f"{len(self.packets)} packets of {self.payload_bytes} bytes)"
        )


@dataclass(frozen=True)
class IndexEntry:
    """Where a group lies: `byte_size` bytes at `offset`, frames first_frame to first_frame + frame_count - 1."""

    offset: int
    byte_size: int
    first_frame: int
    frame_count: int
    first_pts: int

    @property
    def frames(self) -> range:
        return range(self.first_frame, self.first_frame + self.frame_count)


class Index(Sequence):
    """The groups of a file in order, as columns of int64 [groups]; `index[k]` is an IndexEntry.

    Columns, because a file of a million frames must open at once.
    """

    def __init__(self, *, offsets, byte_sizes, first_frames, frame_counts, first_pts):
        self.offsets, self.byte_sizes, self.first_frames, self.frame_counts, self.first_pts = (
            np.asarray(column, dtype=np.int64)
            for column in (offsets, byte_sizes, first_frames, frame_counts, first_pts)
        )

    @classmethod
    def of(cls, entries: Iterable[IndexEntry]) -> "Index":
        entries = list(entries)
        names = ("offset", "byte_size", "first_frame", "frame_count", "first_pts")
        offsets, sizes, frames, counts, pts = ([getattr(entry, name) for entry in entries] for name in names)
        return cls(offsets=offsets, byte_sizes=sizes, first_frames=frames, frame_counts=counts, first_pts=pts)

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, k: int) -> IndexEntry: ...

    @overload
    def __getitem__(self, k: slice) -> list[IndexEntry]: ...

    def __getitem__(self, k):
        if isinstance(k, slice):
            return [self[one] for one in range(*k.indices(len(self)))]
        return IndexEntry(
            offset=int(self.offsets[k]),
            byte_size=int(self.byte_sizes[k]),
            first_frame=int(self.first_frames[k]),
            frame_count=int(self.frame_counts[k]),
            first_pts=int(self.first_pts[k]),
        )

    def __iter__(self) -> Iterator[IndexEntry]:
        return (self[k] for k in range(len(self)))

    @property
    def frame_count(self) -> int:
        """Frames of the file, those of lost groups between others among them."""
        return int(self.first_frames[-1] + self.frame_counts[-1]) if len(self) else 0

    def __repr__(self) -> str:
        return f"Index({len(self)} groups, {self.frame_count} frames)"


def encode_record(marker: bytes, body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise OptionError(f"a record of {len(body)} bytes; at most {MAX_BODY_BYTES} fit: use a smaller keyint")
    checked = marker + struct.pack("<I", len(body))
    return checked + struct.pack("<I", zlib.crc32(body, zlib.crc32(checked))) + body


def read_record_body(record: bytes, marker: bytes, *, offset: int) -> bytes:
    """The body of a record that fills all of `record`; FormatError where marker, length or CRC-32 do not hold."""
    if len(record) < RECORD.size:
        raise FormatError(f"a record was expected, {len(record)} bytes are left", offset=offset)
    found, length, expected = RECORD.unpack_from(record)
    if found != marker:
        raise FormatError(f"marker {marker.hex(' ')} was expected, not {found.hex(' ')}", offset=offset)
    if length != len(record) - RECORD.size:
        raise FormatError(f"a length of {len(record) - RECORD.size} was expected, not {length}", offset=offset + 4)
    body = record[RECORD.size :]
    crc = zlib.crc32(body, zlib.crc32(record[:8]))
    if crc != expected:
        raise FormatError(f"CRC-32 {expected:08x} was expected, its bytes give {crc:08x}", offset=offset + 8)
    return body


def encode_group(group: Group) -> bytes:
    """The whole record of a group."""
    head = bytearray()
    append_varint(head, group.first_frame)
    append_varint(head, group.frame_count)
    append_varint(head, zigzag(group.pts[0]))
    if group.frame_count > 1:
        _append_pts(head, group.pts)
    append_runs(head, (packet.frame_count for packet in group.packets))
    for packet in group.packets:
        append_varint(head, len(packet.payload))
    head += DIGEST.pack(group.digest)
    return encode_record(GROUP_MARKER, b"".join((head, *(packet.payload for packet in group.packets))))


def decode_group(record: bytes, *, offset: int) -> Group:
    """Reads a whole group record that lies at `offset` in its file; FormatError says which field is wrong,
    and where.
    """
    body = Cursor(read_record_body(record, GROUP_MARKER, offset=offset), offset=offset + RECORD.size)
    first_frame = body.varint("first frame", high=MAX_FRAMES)
    frame_count = body.varint("frame count", low=1, high=MAX_GROUP_FRAMES)
    pts = _decode_pts(body, frame_count)
    packet_frames = []
    missing = frame_count
    while missing:
        frames, times = body.run("packet's frame count", low=1, high=missing, longest=missing)
        if frames * times > missing:
            raise body.fail(f"packets for {missing} more frames were expected, not {frames * times}")
        packet_frames += [frames] * times
        missing -= frames * times
    sizes = [body.varint("packet's length", high=len(body.data)) for _ in packet_frames]
    (digest,) = DIGEST.unpack(body.take(DIGEST.size, "symbol digest"))
    if sum(sizes) != body.remaining:
        raise body.fail(f"payloads of {sum(sizes)} bytes were expected, {body.remaining} are there")
    packets = [Packet(frames, body.take(size, "payload")) for frames, size in zip(packet_frames, sizes, strict=True)]
    try:
        return Group(first_frame=first_frame, pts=tuple(pts), packets=tuple(packets), digest=digest)
    except OptionError as error:
        raise FormatError(str(error), offset=offset) from error


# Timestamps are stored as a straight line from the first to the last, and how far each frame is off it in whole ticks.
# At a constant rate all are on it, also where the rate is no whole number of ticks (333, 333, 334 ms in Matroska),
# which run-length coded differences would spend a byte a frame on.


def _append_pts(out: bytearray, pts: Sequence[int]) -> None:
    steps, span = len(pts) - 1, pts[-1] - pts[0]
    # Frame i is on the line if lowest <= phase < lowest + steps for this lowest;
    # the middle of all of these serves most frames.
    lowest = [steps * (one - pts[0]) - i * span for i, one in enumerate(pts)]
    phase = min(max((max(lowest) + min(lowest) + steps - 1) // 2, 0), steps - 1)
    append_varint(out, span)
    append_varint(out, phase)
    line = _line(pts[0], span, steps, phase)
    append_runs(out, (zigzag(one - on_line) for one, on_line in zip(pts[1:-1], line, strict=True)))


def _decode_pts(body: Cursor, frame_count: int) -> list[int]:
    first = unzigzag(body.varint("first timestamp"))
    if frame_count == 1:
        return [first]
    steps = frame_count - 1
    span = body.varint("span of the timestamps", low=steps, high=MAX_SPAN_TICKS - 1)
    phase = body.varint("phase of the timestamps", high=steps - 1)
    pts = [first]
    line = iter(_line(first, span, steps, phase))
    missing = steps - 1
    while missing:
        token, times = body.run("timestamp", high=2 * MAX_SPAN_TICKS, longest=missing)
        deviation = unzigzag(token)
        pts += [next(line) + deviation for _ in range(times)]
        missing -= times
    return [*pts, first + span]


def _line(first: int, span: int, steps: int, phase: int) -> list[int]:
    """Timestamps on the line, of the frames between the first and the last."""
    return [first + (i * span + phase) // steps for i in range(1, steps)]


def encode_index(entries: Sequence[IndexEntry]) -> bytes:
    """The whole index record: three columns."""
    sizes = np.array([entry.byte_size for entry in entries], dtype="<u4")
    counts = np.array([entry.frame_count for entry in entries], dtype="<u4")
    pts = np.array([entry.first_pts for entry in entries], dtype="<i8")
    return encode_record(INDEX_MARKER, sizes.tobytes() + counts.tobytes() + pts.tobytes())


def decode_index(record: bytes, *, offset: int, first_group: int) -> Index:
    """Reads a whole index record at `offset`, whose groups fill the bytes from `first_group` to it."""
    body = read_record_body(record, INDEX_MARKER, offset=offset)
    groups, rest = divmod(len(body), INDEX_ENTRY_BYTES)
    if rest:
        raise FormatError(
            f"index: {INDEX_ENTRY_BYTES} bytes a group were expected, not {len(body)} in all", offset=offset + 4
        )
    byte_sizes = np.frombuffer(body, "<u4", groups, 0).astype(np.int64)
    frame_counts = np.frombuffer(body, "<u4", groups, 4 * groups).astype(np.int64)
    first_pts = np.frombuffer(body, "<i8", groups, 8 * groups).astype(np.int64)
    ends = first_group + np.cumsum(byte_sizes)
    if (int(ends[-1]) if groups else first_group) != offset:
        raise FormatError(f"index: groups that fill bytes {first_group} to {offset} were expected", offset=offset)
    if groups and not (
        byte_sizes.min() >= MIN_GROUP_BYTES and 1 <= frame_counts.min() <= frame_counts.max() <= MAX_GROUP_FRAMES
    ):
        raise FormatError(
            f"index: groups of 1 to {MAX_GROUP_FRAMES} frames in {MIN_GROUP_BYTES} bytes or more were expected",
            offset=offset,
        )
    if not (first_pts[1:] > first_pts[:-1]).all():
        raise FormatError("index: timestamps that increase from group to group were expected", offset=offset)
    return Index(
        offsets=ends - byte_sizes,
        byte_sizes=byte_sizes,
        first_frames=np.cumsum(frame_counts) - frame_counts,
        frame_counts=frame_counts,
        first_pts=first_pts,
    )


def encode_trailer(*, index_offset: int, index_bytes: int) -> bytes:
    placed = struct.pack("<QI", index_offset, index_bytes)
    return placed + struct.pack("<I", zlib.crc32(placed)) + END_MARKER


def decode_trailer(data: bytes, *, offset: int) -> tuple[int, int]:
    """Offset and bytes of the index record from the trailer that lies at `offset`, right behind that record."""
    index_offset, index_bytes, expected, marker = TRAILER.unpack(data)
    if marker != END_MARKER:
        raise FormatError(
            f"end marker {END_MARKER.hex(' ')} was expected, not {marker.hex(' ')}: the file was cut, or is not "
            "finished",
            offset=offset + 16,
        )
    crc = zlib.crc32(data[:12])
    if crc != expected:
        raise FormatError(f"trailer: CRC-32 {expected:08x} was expected, its bytes give {crc:08x}", offset=offset + 12)
    if index_offset + index_bytes != offset:
        raise FormatError(
            f"trailer: an index that ends at byte {offset} was expected, not {index_offset + index_bytes}",
            offset=offset,
        )
    return index_offset, index_bytes


def _whole(name: str, value, low: int, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise OptionError(f"{name} must be a whole number, not {value!r:.60}") from error
    if not low <= number <= high:
        raise OptionError(f"{name} must be from {low} to {high}, not {number}")
    return number
