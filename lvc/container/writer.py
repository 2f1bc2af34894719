"""Writes a container, append-only: what is on disk is readable at any moment."""

from lvc.container.header import Header
from lvc.container.layout import Group, IndexEntry, encode_group, encode_index, encode_trailer
from lvc.container.reader import ContainerReader
from lvc.errors import FormatError, OptionError


class ContainerWriter:
    """Writes header, groups and, by `finish`, index and trailer to a binary file object that is open for writing.

    Each group is flushed: if the program dies, all groups but the one in work are recovered (`recover.repair`).
    frame_count, bytes_written: so far. last_pts: timestamp of the last frame, None before there is one.
    Never seeks. Errors of the file (OSError) are the caller's, as is closing it.
    """

    def __init__(self, file, header: Header):
        self.header = header
        self.frame_count = 0
        self.last_pts: int | None = None
        self.bytes_written = 0
        self._file = file
        self._entries: list[IndexEntry] = []
        self._finished = False
        self._append(header.to_bytes())

    def write_group(self, group: Group) -> None:
        """Appends the next group; OptionError where its frames or timestamps do not follow those before."""
        if self._finished:
            raise OptionError("a group was written to a file that is finished")
        if group.first_frame != self.frame_count:
            raise OptionError(f"a group must start at frame {self.frame_count}, the next one, not {group.first_frame}")
        if self.last_pts is not None and group.pts[0] <= self.last_pts:
            raise OptionError(f"timestamps must increase from group to group; {group.pts[0]} follows {self.last_pts}")
        self._append_record(encode_group(group), group.frame_count, group.pts[0])
        self.last_pts = group.pts[-1]

    def continue_from(self, reader: ContainerReader) -> None:
        """Takes over all groups of a file, byte for byte, before any others;
        FormatError where that file is not whole.
        """
        if self.frame_count:
            raise OptionError("groups of another file must come before any others")
        if reader.damage:
            raise FormatError(f"{reader.name}: only a whole file can be continued: {reader.damage[0]}")
        for k, entry in enumerate(reader.index):
            self._append_record(reader.record(k), entry.frame_count, entry.first_pts)
        if self._entries:
            self.last_pts = reader.group(len(self._entries) - 1).pts[-1]

    def _append_record(self, record: bytes, frame_count: int, first_pts: int) -> None:
        entry = IndexEntry(
            offset=self.bytes_written,
            byte_size=len(record),
            first_frame=self.frame_count,
            frame_count=frame_count,
            first_pts=first_pts,
        )
        self._append(record)
        self._entries.append(entry)
        self.frame_count += frame_count

    def finish(self) -> None:
        """Appends index and trailer; nothing can be written after it."""
        if self._finished:
            raise OptionError("the file is finished already")
        index = encode_index(self._entries)
        self._append(index + encode_trailer(index_offset=self.bytes_written, index_bytes=len(index)))
        self._finished = True

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)  # an unbuffered file may take only a part
            rest = rest[len(rest) if written is None else written :]
        self._file.flush()
        self.bytes_written += len(data)
