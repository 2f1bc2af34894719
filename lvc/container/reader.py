"""Reads a container: header and index at once, groups when they are asked for."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

import numpy as np

from lvc.container.header import read_header
from lvc.container.layout import (
    GROUP_MARKER,
    MAX_BODY_BYTES,
    RECORD,
    TRAILER,
    Group,
    Index,
    decode_group,
    decode_index,
    decode_trailer,
    read_record_body,
)
from lvc.container.mend import mend_header
from lvc.container.scan import Damage, describe_frames, scan
from lvc.container.source import ByteSource
from lvc.errors import FormatError, OptionError

GROUPS_KEPT, SMALL_BYTES = 8, 1 << 15  # of those that are read last; a large one alone


class ContainerReader:
    """A `.lvc` file, open for reading; also one that is still written, or was cut or damaged.

    source: a path, bytes-like, or a binary file object that can seek.
    header: the Header. index: where the groups lie (a sequence of IndexEntry, see Index). frame_count: frames in all.
    mend: set right one flipped byte of the header, and note it in `damage`, instead of refusing the file.
    damage: what opening found wrong (Damage records); empty where header, trailer and index hold. A damaged group
    behind a sound index is found when it is read; `recover.verify` reads them all.
    Frames of lost groups keep their numbers: asking for one raises FormatError, the others can be read.
    May be pickled and forked when opened by path or bytes. Closes what it opened: use it in `with`, or call `close`.
    Raises InputError where the source cannot be read, FormatError where the header does not hold.
    """

    def __init__(self, source, *, mend: bool = False):
        self._source = ByteSource(source)
        try:
            mended = ()
            try:
                self.header, self.header_bytes = read_header(self._source)
            except FormatError as error:
                if not mend:
                    raise
                self.header, self.header_bytes = mend_header(self._source, error)
                mended = (Damage("header", 0, self.header_bytes, f"{error}; one flipped byte, can be repaired", 0, 0),)
            self._mended = mended
            self._find_groups()
        except FormatError as error:
            self._source.close()
            raise self._source.located(error) from error
        except BaseException:
            self._source.close()
            raise
        # The groups read last, the latest first: timestamps are asked for frame by frame, and a group is checked whole.
        self._latest: tuple[tuple[int, Group], ...] = ()

    def _find_groups(self) -> None:
        self.index, damage = _find_groups(self._source, self.header_bytes)
        self.damage = self._mended + damage

    def refresh(self) -> None:
        """Looks again at a file that has grown since: `index` and `damage` are then those of now."""
        if self._source.refresh():
            self._latest = ()
            self._find_groups()

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def frame_count(self) -> int:
        return self.index.frame_count

    @property
    def file_bytes(self) -> int:
        """Size of the whole file."""
        return self._source.size

    @property
    def complete(self) -> bool:
        """Whether the file was finished and its index holds."""
        return not self.damage

    def group(self, k: int) -> Group:
        """The k-th group that is there, read and checked now; FormatError names its frames where it does not hold."""
        latest = self._latest
        for number, group in latest:
            if number == k:
                return group
        if not 0 <= k < len(self.index):
            raise IndexError(f"group {k} of {len(self.index)}")
        entry = self.index[k]
        try:
            group = decode_group(self._source.read_at(entry.offset, entry.byte_size), offset=entry.offset)
            self._check_against_index(k, group)
        except FormatError as error:
            raise self._source.located(error, f"group {k} ({describe_frames(entry.frames)})") from error
        self._latest = (k, group), *(latest[: GROUPS_KEPT - 1] if entry.byte_size <= SMALL_BYTES else ())
        return group

    def record(self, k: int) -> bytes:
        """The bytes of the k-th group's record, as they are; FormatError where its CRC-32 does not hold."""
        entry = self.index[k]
        try:
            record = self._source.read_at(entry.offset, entry.byte_size)
            read_record_body(record, GROUP_MARKER, offset=entry.offset)
        except FormatError as error:
            raise self._source.located(error, f"group {k} ({describe_frames(entry.frames)})") from error
        return record

    def groups(self) -> Iterator[Group]:
        """All groups in order; stops with FormatError at one that does not hold."""
        return (self.group(k) for k in range(len(self.index)))

    def first_frame_of_group(self, k: int) -> int:
        return int(self.index.first_frames[k])

    def frames_in_group(self, k: int) -> int:
        return int(self.index.frame_counts[k])

    def group_of_frame(self, n: int) -> int:
        """Number of the group that holds frame n; IndexError out of range, FormatError where its group is lost."""
        if not 0 <= n < self.frame_count:
            raise IndexError(f"frame {n} of {self.frame_count}")
        k = int(np.searchsorted(self.index.first_frames, n, side="right")) - 1
        if k < 0 or n not in self.index[k].frames:
            start = self.index[k].frames.stop if k >= 0 else 0
            self._raise_lost(range(start, int(self.index.first_frames[k + 1])))
        return k

    def pts_of(self, n: int) -> int:
        """Timestamp of frame n in ticks of the header's time base."""
        k = self.group_of_frame(n)
        return self.group(k).pts[n - self.index[k].first_frame]

    def frame_at_seconds(self, seconds: float | Fraction) -> int:
        """Number of the frame shown at a time: the last one whose timestamp is not later.

        A float counts as the timestamp whose nearest float it is. IndexError before the first frame and from the end of
        the last on.
        """
        if not math.isfinite(seconds):
            raise OptionError(f"a time in seconds was expected, not {seconds}")
        base = self.header.time_base
        ticks = math.floor(Fraction(seconds) / base)
        if isinstance(seconds, float) and float((ticks + 1) * base) <= seconds:
            ticks += 1
        k = int(np.searchsorted(self.index.first_pts, max(-(1 << 63), min(ticks, (1 << 63) - 1)), side="right")) - 1
        if k < 0:
            raise IndexError(f"{float(seconds)} s is before the first frame")
        group = self.group(k)
        inside = int(np.searchsorted(np.array(group.pts, dtype=np.int64), ticks, side="right")) - 1
        frame = group.first_frame + inside
        if inside == group.frame_count - 1 and ticks >= group.pts[-1] + self.header.frame_duration:
            if k == len(self.index) - 1:
                raise IndexError(f"{float(seconds)} s is after the last frame")
            following = int(self.index.first_frames[k + 1])
            if following > frame + 1:
                self._raise_lost(range(frame + 1, following))
        return frame

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"ContainerReader({self.name!r}, {self.frame_count} frames of {self.header.geometry} in "
            f"{len(self.index)} groups)"
        )

    def _check_against_index(self, k: int, group: Group) -> None:
        entry = self.index[k]
        for field, found, expected in (
            ("first frame", group.first_frame, entry.first_frame),
            ("frame count", group.frame_count, entry.frame_count),
            ("first timestamp", group.pts[0], entry.first_pts),
        ):
            if found != expected:
                raise FormatError(f"{field} {expected} was expected from the index, not {found}", offset=entry.offset)
        if k + 1 < len(self.index) and group.pts[-1] >= self.index[k + 1].first_pts:
            following = self.index[k + 1].first_pts
            raise FormatError(
                f"timestamps before {following}, the next group's, were expected, not {group.pts[-1]}",
                offset=entry.offset,
            )

    def _raise_lost(self, frames: range) -> None:
        for damage in self.damage:
            if damage.frames is not None and frames.start in damage.frames:
                lost = FormatError(f"{self.name}: {describe_frames(frames)} are lost: {damage.expected}")
                lost.offset = damage.offset
                raise lost
        raise FormatError(f"{self.name}: {describe_frames(frames)} are lost")


def _find_groups(source: ByteSource, first_group: int) -> tuple[Index, tuple[Damage, ...]]:
    """The index as stored, or rebuilt by reading all groups where index or trailer are missing or do not hold."""
    index_offset = None
    part, at = "trailer", max(source.size - TRAILER.size, first_group)
    try:
        trailer = source.read_at(at, TRAILER.size)
        index_offset, index_bytes = decode_trailer(trailer, offset=at)
        if not (first_group <= index_offset and RECORD.size <= index_bytes <= RECORD.size + MAX_BODY_BYTES):
            wrong, index_offset = index_offset, None
            raise FormatError(
                f"an index between bytes {first_group} and {at} was expected, not at byte {wrong}", offset=at
            )
        part, at = "index", index_offset
        return decode_index(source.read_at(index_offset, index_bytes), offset=index_offset, first_group=first_group), ()
    except FormatError as error:
        found = scan(source, first_group, index_offset)
        return found.index, (Damage(part, at, source.size - at, str(error), 0, 0), *found.damage)
