"""Finds the groups of a container that has no index, or is damaged, by reading it from start to end."""

from dataclasses import dataclass, replace

from lvc.container.layout import (
    GROUP_MARKER,
    INDEX_ENTRY_BYTES,
    INDEX_MARKER,
    MARKER_START,
    MAX_BODY_BYTES,
    MAX_GROUP_FRAMES,
    MIN_GROUP_BYTES,
    RECORD,
    TRAILER,
    Group,
    Index,
    IndexEntry,
    decode_group,
    read_record_body,
)
from lvc.container.source import ByteSource
from lvc.errors import FormatError

SEARCH_BYTES = 1 << 20
# A hostile file full of false markers, each with a great length, would cost its size squared:
# so much reading is allowed.
MAX_FALSE_BYTES = 1 << 28


@dataclass(frozen=True)
class Damage:
    """A part of a file that does not hold.

    part: "header", "group", "index" or "trailer"; offset, byte_count: the bytes that are of no use.
    expected: what should be there, one line.
    first_lost_frame, lost_frames: the frames lost with it, 0 and 0 where there are none; None where nobody can know.
    """

    part: str
    offset: int
    byte_count: int
    expected: str
    first_lost_frame: int | None
    lost_frames: int | None

    @property
    def frames(self) -> range | None:
        """Numbers of the frames that are lost; None where nobody can know."""
        return (
            None if self.lost_frames is None else range(self.first_lost_frame, self.first_lost_frame + self.lost_frames)
        )

    def __str__(self) -> str:
        if self.frames is None:
            lost = ", an unknown number of frames lost"
        else:
            lost = f", {describe_frames(self.frames)} lost" if self.frames else ""
        return f"{self.part}: {self.expected}{lost}"


@dataclass(frozen=True)
class Scan:
    """The groups that hold, what lies between them, and where reading ended."""

    index: Index
    damage: tuple[Damage, ...]


def describe_frames(frames: range) -> str:
    return f"frame {frames[0]}" if len(frames) == 1 else f"frames {frames[0]}-{frames[-1]}"


def scan(source: ByteSource, first_group: int, end: int | None = None) -> Scan:
    """Reads the groups from byte `first_group` up to `end` (where the index is known to start), or to the index or
    file's end.

    After bytes that are no group it goes on at the next marker whose record holds. Memory: one group.
    """
    limit = source.size if end is None else end
    walk = _Walk(source, first_group, limit)
    while walk.position < limit:
        group = walk.group_at(walk.position)
        if isinstance(group, Group):
            walk.accept(group)
        elif end is None and walk.is_index(walk.position):
            walk.past_index()
            break
        else:
            walk.resynchronise(group)
    return Scan(index=Index.of(walk.entries), damage=tuple(walk.damage))


def first_record(source: ByteSource) -> int | None:
    """Where the first group, or the index of a file without groups, lies in a file whose header does not tell."""
    found = _Walk(source, 0, source.size).next_record(0)
    return found if found < source.size else None


class _Walk:
    """Where a scan stands: the next byte, the next frame, the last timestamp, and what was found so far."""

    def __init__(self, source: ByteSource, first_group: int, limit: int):
        self.source = source
        self.first_group = first_group
        self.limit = limit
        self.position = first_group
        self.entries: list[IndexEntry] = []
        self.damage: list[Damage] = []
        self.next_frame = 0
        self.last_pts: int | None = None
        self.false_bytes = 0

    def record_size(self, offset: int, marker: bytes) -> int:
        """Bytes of the record at `offset` by its own length; FormatError where marker or length cannot be."""
        if self.limit - offset < RECORD.size:
            raise FormatError(f"a record was expected, {self.limit - offset} bytes are left", offset=offset)
        found, length, _ = RECORD.unpack(self.source.read_at(offset, RECORD.size))
        if found != marker:
            raise FormatError(f"marker {marker.hex(' ')} was expected, not {found.hex(' ')}", offset=offset)
        room = min(MAX_BODY_BYTES, self.limit - offset - RECORD.size)
        if length > room:
            raise FormatError(f"{length} bytes of a record were expected, {room} are there", offset=offset + 4)
        return RECORD.size + length

    def group_at(self, offset: int) -> Group | FormatError:
        """The group at `offset` if it holds and can follow those before; otherwise why not."""
        try:
            size = self.record_size(offset, GROUP_MARKER)
            self.false_bytes += size
            group = decode_group(self.source.read_at(offset, size), offset=offset)
            # Lost frames took bytes: this keeps a forged number from making a file of a few bytes seem endless.
            believable = MAX_GROUP_FRAMES * ((offset - self.first_group) // MIN_GROUP_BYTES)
            if not self.next_frame <= group.first_frame <= max(believable, self.next_frame):
                raise FormatError(f"frame {self.next_frame} was expected next, not {group.first_frame}", offset=offset)
            if self.last_pts is not None and group.pts[0] <= self.last_pts:
                raise FormatError(f"a timestamp after {self.last_pts} was expected, not {group.pts[0]}", offset=offset)
        except FormatError as error:
            return error
        self.false_bytes -= size
        self.group_size = size
        return group

    def accept(self, group: Group) -> None:
        if group.first_frame > self.next_frame and not (self.damage and self._ends_here(self.damage[-1])):
            expected = f"frame {self.next_frame} was expected next (at byte {self.position})"
            self.damage.append(Damage("group", self.position, 0, expected, None, None))
        if self.damage and self._ends_here(self.damage[-1]):
            torn = self.damage[-1]
            lost = group.first_frame - self.next_frame
            self.damage[-1] = replace(torn, first_lost_frame=self.next_frame, lost_frames=lost)
        self.entries.append(
            IndexEntry(self.position, self.group_size, group.first_frame, group.frame_count, group.pts[0])
        )
        self.position += self.group_size
        self.next_frame = group.first_frame + group.frame_count
        self.last_pts = group.pts[-1]

    def _ends_here(self, torn: Damage) -> bool:
        return torn.part == "group" and torn.offset + torn.byte_count == self.position

    def is_index(self, offset: int) -> bool:
        try:
            size = self.record_size(offset, INDEX_MARKER)
            self.false_bytes += size
            read_record_body(self.source.read_at(offset, size), INDEX_MARKER, offset=offset)
            self.false_bytes -= size
        except FormatError:
            return False
        return True

    def past_index(self) -> None:
        self.position += self.record_size(self.position, INDEX_MARKER)
        rest = self.limit - self.position
        if rest > TRAILER.size:
            expected = f"the file's end after a trailer of {TRAILER.size} bytes was expected (at byte {self.position})"
            self.damage.append(Damage("trailer", self.position, rest, expected, 0, 0))

    def resynchronise(self, reason: FormatError) -> None:
        """Moves to the next record that holds, or to the end, and notes the bytes between as damage."""
        start = self.position
        self.position = self.next_record(start + 1)
        torn = Damage("group", start, self.position - start, str(reason), None, None)
        if self.position == self.limit and self._was_index(start):
            torn = Damage("index", start, self.limit - start, "an index to its end was expected", 0, 0)
        self.damage.append(torn)

    def _was_index(self, offset: int) -> bool:
        """Whether the bytes here began an index of just the groups found, so that no frame is lost."""
        if self.limit - offset < RECORD.size:
            return False
        marker, length, _ = RECORD.unpack(self.source.read_at(offset, RECORD.size))
        return marker == INDEX_MARKER and length == INDEX_ENTRY_BYTES * len(self.entries)

    def next_record(self, offset: int) -> int:
        while offset < self.limit:
            count = min(SEARCH_BYTES, self.limit - offset)
            block = self.source.read_at(offset, count)
            at = block.find(MARKER_START)
            while at >= 0:
                if self.false_bytes > MAX_FALSE_BYTES + 4 * self.source.size:
                    return self.limit
                if isinstance(self.group_at(offset + at), Group) or self.is_index(offset + at):
                    return offset + at
                at = block.find(MARKER_START, at + 1)
            offset += count if offset + count == self.limit else count - len(MARKER_START) + 1
        return self.limit
