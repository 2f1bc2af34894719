"""Checks a container as a whole, and writes what holds of a damaged one to a new file."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lvc.container.layout import Group, Header
from lvc.container.reader import ContainerReader
from lvc.container.scan import Damage, Scan, scan
from lvc.container.writer import ContainerWriter
from lvc.errors import FormatError, OutputError
from lvc.output import part_of, written_whole

__all__ = ["Damage", "Repaired", "Scan", "VerifyReport", "repair", "scan", "verify"]

# Tells of each group that was read: how many are done, how many there are.
Progress = Callable[[int, int], None]
SymbolCheck = Callable[[Header, Group], None]


@dataclass(frozen=True)
class VerifyReport:
    """What a check of a whole file found.

    header: None where it does not hold; nothing else was looked at then.
    groups, frames: those that hold. lost_frames: None where nobody can know.
    payload_bytes: bytes of coded latents in the groups that hold; file_bytes: of the whole file.
    damage: every part that does not hold, in the order found.
    """

    path: Path
    header: Header | None
    groups: int
    frames: int
    payload_bytes: int
    file_bytes: int
    damage: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        return not self.damage

    @property
    def lost_frames(self) -> int | None:
        if any(damage.lost_frames is None for damage in self.damage):
            return None
        return sum(damage.lost_frames for damage in self.damage)


@dataclass(frozen=True)
class Repaired:
    """What `repair` wrote: frames are numbered anew, from 0 and without gaps; their timestamps are the old ones.

    damage: what was wrong with the original, its frames numbered as there.
    """

    output: Path
    groups: int
    frames: int
    damage: tuple[Damage, ...]


def verify(path: Path, *, check_symbols: SymbolCheck | None = None, progress: Progress | None = None) -> VerifyReport:
    """Reads the whole file and checks each part, as `flac -t` does; damage is reported, not raised.

    check_symbols: called with the header and each group that holds; raises FormatError where the symbols it decodes
    have another digest. Errors that are no FormatError (a missing model, say) pass through.
    Raises InputError where the file cannot be read.
    """
    path = Path(path)
    try:
        reader = ContainerReader(path, mend=True)
    except FormatError as error:
        file_bytes = path.stat().st_size
        broken = Damage("header", error.offset or 0, file_bytes, _without_name(error, path), None, None)
        return VerifyReport(path, None, 0, 0, 0, file_bytes, (broken,))
    with reader:
        groups = frames = payload_bytes = 0
        damage = list(reader.damage)
        for group in _sound_groups(reader, damage, check_symbols, progress):
            groups += 1
            frames += group.frame_count
            payload_bytes += group.payload_bytes
        return VerifyReport(path, reader.header, groups, frames, payload_bytes, reader.file_bytes, tuple(damage))


def repair(path: Path, output: Path, *, overwrite: bool = False, progress: Progress | None = None) -> Repaired:
    """Writes the groups of `path` that hold to `output`, with a new index; also mends one flipped byte in the header.

    The original's bytes stay as they are, unless `output` is the same file and `overwrite` was asked for; even then
    they are replaced only once the new file is whole.
    Raises FormatError where no header or no group can be recovered, OutputError where the output cannot be written.
    """
    path, output = Path(path), Path(output)
    part = part_of(output)
    if part.exists() and path.exists() and os.path.samefile(part, path):
        raise OutputError(f"{output}: its temporary name {part.name} is the input; choose another output")
    with ContainerReader(path, mend=True) as reader:
        damage = list(reader.damage)
        with written_whole(output, overwrite=overwrite) as part, open(part, "wb") as file:
            writer = ContainerWriter(file, reader.header)
            groups = 0
            for group in _sound_groups(reader, damage, None, progress):
                writer.write_group(replace(group, first_frame=writer.frame_count))
                groups += 1
            if groups == 0 and damage:
                raise FormatError(f"{path}: no group holds; there is nothing to recover")
            writer.finish()
    return Repaired(output, groups, writer.frame_count, tuple(damage))


def _sound_groups(
    reader: ContainerReader, damage: list[Damage], check_symbols: SymbolCheck | None, progress: Progress | None
) -> Iterator[Group]:
    """The groups that hold; those that do not are added to `damage`."""
    for k, entry in enumerate(reader.index):
        try:
            group = reader.group(k)
            if check_symbols is not None:
                check_symbols(reader.header, group)
            yield group
        except FormatError as error:
            at = entry.offset if error.offset is None else error.offset
            expected = _without_name(error, reader.name)
            damage.append(Damage("group", at, entry.byte_size, expected, entry.first_frame, entry.frame_count))
        if progress is not None:
            progress(k + 1, len(reader.index))


def _without_name(error: FormatError, name: object) -> str:
    return str(error).removeprefix(f"{name}: ")
