"""Damaged and hostile files: what is whole is read, what is not is named, nothing but LvcError escapes."""

import io
import random
import struct
import time
import tracemalloc
import zlib

import pytest

from lvc.container.header import MAGIC
from lvc.container.layout import (
    GROUP_MARKER,
    INDEX_MARKER,
    Group,
    Packet,
    encode_group,
    encode_index,
    encode_record,
    encode_trailer,
)
from lvc.container.reader import ContainerReader
from lvc.container.recover import repair, verify
from lvc.container.scan import MAX_FALSE_BYTES
from lvc.errors import FormatError, LvcError


def readable(reader: ContainerReader) -> dict[int, Group]:
    """The groups that can be read, by their first frame."""
    found = {}
    for k, entry in enumerate(reader.index):
        try:
            found[entry.first_frame] = reader.group(k)
        except FormatError as error:
            assert f"(frame{'s' if entry.frame_count > 1 else ''} {entry.first_frame}" in str(error)
            assert entry.offset <= error.offset <= entry.offset + entry.byte_size
    return found


@pytest.fixture(scope="module")
def parts(file_of, groups_of):
    """A whole file, where its groups end, and the groups."""
    data = file_of()
    index = ContainerReader(data).index
    return data, index[0].offset, [entry.offset + entry.byte_size for entry in index], groups_of()


def test_cut_at_every_byte(parts):
    data, first, ends, groups = parts
    for size in range(len(data)):
        if size < first:
            with pytest.raises(FormatError):
                ContainerReader(data[:size])
            continue
        reader = ContainerReader(data[:size])
        whole = sum(end <= size for end in ends)
        assert list(reader.groups()) == groups[:whole]
        assert reader.frame_count == sum(group.frame_count for group in groups[:whole])
        assert not reader.complete
        start = [first, *ends][whole]
        torn = [damage for damage in reader.damage if damage.part != "trailer"]
        if whole == len(groups) and size >= ends[-1] + 12:  # in the index, or in the trailer behind it
            assert all((damage.part, damage.offset, damage.lost_frames) == ("index", start, 0) for damage in torn)
        elif size > start:
            assert [(damage.part, damage.offset, damage.byte_count, damage.lost_frames) for damage in torn] == [
                ("group", start, size - start, None)
            ]
            assert "expected" in torn[0].expected
        else:
            assert torn == []


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF, 0x20])
def test_one_flipped_byte_costs_one_group_at_most(parts, flip):
    data, first, ends, groups = parts
    starts = [first, *ends]
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= flip
        changed = bytes(changed)
        if at < first:
            with pytest.raises(FormatError) as caught:
                ContainerReader(changed)
            assert caught.value.offset is not None
            reader = ContainerReader(changed, mend=True)
            assert reader.header == ContainerReader(data).header
            assert [damage.part for damage in reader.damage] == ["header"]
            assert list(reader.groups()) == groups
            continue
        reader = ContainerReader(changed)
        hit = next((k for k in range(3) if starts[k] <= at < starts[k + 1]), None)
        expected = {group.first_frame: group for k, group in enumerate(groups) if k != hit}
        assert readable(reader) == expected
        assert reader.frame_count == 11  # the index still knows
        # Where the fault is in index or trailer nothing is lost, and it is said.
        assert reader.complete == (hit is not None)
        assert sum(damage.lost_frames for damage in reader.damage) == 0


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_one_flipped_byte_in_a_file_without_index(parts, flip):
    data, first, ends, groups = parts
    starts = [first, *ends]
    for at in range(first, ends[-1]):
        changed = bytearray(data[: ends[-1]])
        changed[at] ^= flip
        reader = ContainerReader(bytes(changed))
        hit = next(k for k in range(3) if starts[k] <= at < starts[k + 1])
        expected = {group.first_frame: group for k, group in enumerate(groups) if k != hit}
        assert readable(reader) == expected
        torn = [damage for damage in reader.damage if damage.part == "group"]
        assert [(damage.offset, damage.byte_count) for damage in torn] == [(starts[hit], starts[hit + 1] - starts[hit])]
        if hit < 2:
            assert torn[0].frames == range(4 * hit, 4 * hit + 4)
            for n in torn[0].frames:
                with pytest.raises(FormatError, match=f"frames {4 * hit}-{4 * hit + 3} are lost"):
                    reader.pts_of(n)
                with pytest.raises((FormatError, IndexError)):
                    reader.frame_at_seconds(5120 * n * reader.header.time_base)
            assert reader.frame_count == 11
            assert reader.pts_of(10) == 51200
        else:
            assert torn[0].frames is None
            assert reader.frame_count == 8


def test_bytes_lost_and_inserted(parts):
    data, _, ends, groups = parts
    middle = (ends[0] + ends[1]) // 2
    for changed in (
        data[:middle] + data[middle + 3 :],
        data[:middle] + b"!" + data[middle:],
        data[:middle] + bytes(5000) + data[middle:],
        data[: ends[0] - 10] + data[ends[1] - 10 :],
    ):
        reader = ContainerReader(changed)
        found = readable(reader)
        assert found.items() <= {group.first_frame: group for group in groups}.items()
        assert 8 in found and len(found) >= 1
        assert next(damage.frames for damage in reader.damage if damage.part == "group")
    # Junk between two groups loses no frame.
    reader = ContainerReader(data[: ends[0]] + bytes(99) + data[ends[0] :])
    assert list(reader.groups()) == groups
    assert [(damage.byte_count, damage.lost_frames) for damage in reader.damage if damage.part == "group"] == [(99, 0)]
    # A whole record that is gone leaves no torn bytes, and is seen all the same.
    reader = ContainerReader(data[: ends[0]] + data[ends[1] :])
    assert list(readable(reader)) == [0, 8]
    assert [damage.frames for damage in reader.damage if damage.part == "group"] == [range(4, 8)]
    # More than the trailer after the index.
    reader = ContainerReader(data + b"more")
    assert list(reader.groups()) == groups
    assert {damage.part for damage in reader.damage} == {"trailer"}


def test_the_next_record_is_found_across_the_blocks_of_the_search(file_of, monkeypatch):
    groups = [Group(k, [k], [Packet(1, bytes(50))], k) for k in range(6)]
    data = file_of(groups)
    start = ContainerReader(data).index[0].offset
    for block in range(12, 90):
        monkeypatch.setattr("lvc.container.scan.SEARCH_BYTES", block)
        changed = data[: start + 4] + b"\xff" + data[start + 5 : -1]
        assert list(ContainerReader(changed).groups()) == groups[1:]


# --- files made to harm


def with_trailer(body: bytes, index: bytes) -> bytes:
    return body + index + encode_trailer(index_offset=len(body), index_bytes=len(index))


def hostile_files(header: bytes) -> dict[str, bytes]:
    def record(marker, length, tail=b""):
        return marker + struct.pack("<I", length) + b"\0\0\0\0" + tail

    def group(*numbers):
        body = bytearray()
        for number in numbers:
            while number >= 0x80:
                body.append(number & 0x7F | 0x80)
                number >>= 7
            body.append(number)
        return encode_record(GROUP_MARKER, bytes(body))

    def index(sizes, counts, pts):
        body = b"".join(
            struct.pack(f"<{len(column)}{kind}", *column) for column, kind in ((sizes, "I"), (counts, "I"), (pts, "q"))
        )
        return encode_record(INDEX_MARKER, body)

    sound = encode_group(Group(0, [0], [Packet(1, b"x")], 0))
    size = len(sound)
    return {
        "header of 4 GiB": MAGIC + struct.pack("<HI", 1, 0xFFFFFFFF) + bytes(100),
        "header of a mebibyte": MAGIC + struct.pack("<HI", 1, 1 << 20) + bytes(100),
        "group of 4 GiB": header + record(GROUP_MARKER, 0xFFFFFFFF, bytes(50)),
        "group of 256 MiB": header + record(GROUP_MARKER, 1 << 28, bytes(50)),
        "frames without end": header + group(0, 2**63),
        "packets without end": header + group(0, 4096, 0, 4095, 0, 1, 4094, 3, 4096),
        "a run without end": header + group(0, 4096, 0, 4095, 0, 1, 2**63),
        "a payload of an exabyte": header + group(0, 1, 0, 2, 2**60),
        "index of 4 GiB": with_trailer(header, record(INDEX_MARKER, 0xFFFFFFF0)),
        "trailer that points behind the end": header + encode_trailer(index_offset=2**63, index_bytes=0xFFFFFFFF),
        "trailer that points into the header": header + encode_trailer(index_offset=0, index_bytes=len(header)),
        "index with great groups": with_trailer(header + sound, index([0xFFFFFFFF], [4096], [0])),
        "index with many frames": with_trailer(header + sound, index([size], [0xFFFFFFFF], [0])),
        "index with no frames": with_trailer(header + sound, index([size], [0], [0])),
        "index with other frames": with_trailer(header + sound, index([size], [5], [0])),
        "index with another time": with_trailer(header + sound, index([size], [1], [9])),
        "index with groups of nothing": with_trailer(header + sound, index([size, 0], [1, 1], [0, 1])),
        "index back in time": with_trailer(header + sound + sound, index([size, size], [1, 1], [5, 5])),
        "index of a torn column": with_trailer(header + sound, encode_record(INDEX_MARKER, bytes(17))),
        "a first frame far away": header + b"?" * 40 + encode_group(Group(2**40, [0], [Packet(1, b"")], 0)),
        "the same group twice": header + sound + sound,
    }


NAMES = list(hostile_files(b""))


@pytest.mark.parametrize("name", NAMES)
def test_hostile_files_cost_little_and_raise_only_our_errors(name, file_of, tmp_path):
    data = hostile_files(file_of([], finish=False))[name]
    assert len(data) < 600
    path = tmp_path / "hostile.lvc"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        read_everything(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20, f"{peak} bytes for a file of {len(data)}"
    assert not verify(path).ok


def test_an_index_that_lies_is_found_out(file_of):
    files = hostile_files(file_of([], finish=False))
    for name in ("index with other frames", "index with another time"):
        reader = ContainerReader(files[name])
        with pytest.raises(FormatError, match="was expected from the index"):
            reader.group(0)
    for name in (
        "index with many frames",
        "index with no frames",
        "index with groups of nothing",
        "index with great groups",
    ):
        reader = ContainerReader(files[name])
        assert reader.frame_count == 1
        assert reader.damage[0].part == "index"
    assert ContainerReader(files["a first frame far away"]).frame_count == 0
    assert ContainerReader(files["the same group twice"]).frame_count == 1


def test_false_markers_do_not_cost_the_square_of_the_file(file_of):
    """Markers with great lengths, each to be checked to the file's end; and sound groups inside sound groups."""
    header = file_of([], finish=False)
    false = GROUP_MARKER + struct.pack("<I", 1 << 20) + b"!!!!"
    nested = b""
    for _ in range(3000):
        nested = encode_group(Group(5000, [0], [Packet(1, nested)], 0))
    for hostile in (false * 250_000, nested * 10):
        start = time.process_time()
        reader = ContainerReader(header + b"!" + hostile)
        assert reader.frame_count <= 10**6
        assert time.process_time() - start < 10


def test_the_search_gives_up_after_so_many_false_markers(file_of, monkeypatch):
    monkeypatch.setattr("lvc.container.scan.MAX_FALSE_BYTES", 10_000)
    whole = file_of()
    first = ContainerReader(whole).index[0].offset
    false = (GROUP_MARKER + struct.pack("<I", 2000) + b"!!!!") * 2000
    reader = ContainerReader(whole[:first] + false + whole[first:-1])
    assert MAX_FALSE_BYTES > 10_000
    assert reader.frame_count == 0
    assert reader.damage[-1].byte_count == len(false) + len(whole) - 1 - first


# --- many small faults at random


def read_everything(source) -> None:
    """All that a reader offers; whatever the bytes are, only LvcError and IndexError may come out."""
    try:
        reader = ContainerReader(source, mend=True)
    except LvcError as error:
        assert "\n" not in str(error)
        return
    with reader:
        calls = [reader.groups().__next__] if len(reader.index) else []
        calls += [lambda k=k: reader.group(k) for k in range(min(len(reader.index), 8))]
        calls += [lambda n=n: reader.pts_of(n) for n in (0, 3, reader.frame_count - 1)]
        calls += [lambda s=s: reader.frame_at_seconds(s) for s in (0.0, 1.5, 3)]
        for call in calls:
            try:
                call()
            except (LvcError, IndexError) as error:
                assert "\n" not in str(error)
        assert [str(damage) for damage in reader.damage] == [str(damage).replace("\n", "") for damage in reader.damage]


def mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 1:
            del changed[at : at + chance.choice((1, 2, 4, 30))]
        elif kind == 2:
            changed[at:at] = chance.randbytes(chance.choice((1, 4, 12)))
        elif kind == 3:
            other = chance.randrange(len(changed) + 1)
            changed[at:at] = changed[other : other + chance.choice((4, 12, 100))]
        elif kind == 4:
            changed[at : at + 4] = chance.choice((b"\xf7LVG", b"\xf7LVI", b"\xf7LVE", b"\xff\xff\xff\xff", b"\0\0\0\0"))
        else:
            del changed[at:]
        if not changed:
            return b""
    return bytes(changed)


def resealed(data: bytes, chance: random.Random) -> bytes:
    """Faults under sound checksums: what a hostile writer would send."""
    reader = ContainerReader(data)
    body = bytearray(data[: reader.header_bytes])
    sizes = []
    for entry in reader.index:
        record = data[entry.offset : entry.offset + entry.byte_size]
        inner = mutated(record[12:], chance) if chance.random() < 0.6 else record[12:]
        sizes.append(len(inner) + 12)
        body += encode_record(GROUP_MARKER, inner)
    if chance.random() < 0.3:
        return bytes(body)
    if chance.random() < 0.5:
        index = encode_index(reader.index)
        index = encode_record(INDEX_MARKER, mutated(index[12:], chance))
    else:
        columns = struct.pack("<3I", *sizes), struct.pack("<3I", 4, 4, 3), struct.pack("<3q", 0, 20480, 40960)
        index = encode_record(INDEX_MARKER, b"".join(columns))
    return with_trailer(bytes(body), index)


def resealed_header(data: bytes, chance: random.Random) -> bytes:
    reader = ContainerReader(data)
    text = mutated(reader.header.to_json(), chance)
    head = MAGIC + struct.pack("<HI", 1, len(text)) + text
    return head + struct.pack("<I", zlib.crc32(head)) + data[reader.header_bytes :]


@pytest.mark.parametrize("change", [mutated, resealed, resealed_header])
def test_random_faults_raise_only_our_errors(file_of, change):
    chance = random.Random(20240607)
    data = file_of()
    until = time.process_time() + 1.5
    rounds = 0
    while time.process_time() < until or rounds < 200:
        rounds += 1
        changed = change(data, chance)
        try:
            read_everything(changed)
        except Exception as error:
            raise AssertionError(f"round {rounds}: {changed.hex()}") from error


def test_random_faults_are_repaired_or_refused(file_of, tmp_path):
    chance = random.Random(4)
    data = file_of()
    path, output = tmp_path / "game.lvc", tmp_path / "repaired.lvc"
    for change in [mutated, resealed] * 150:
        changed = change(data, chance)
        path.write_bytes(changed)
        report = verify(path)
        try:
            repaired = repair(path, output, overwrite=True)
        except FormatError:
            assert not report.ok and report.groups == 0
            continue
        assert path.read_bytes() == changed
        assert (repaired.groups, repaired.frames) == (report.groups, report.frames)
        again = verify(output)
        assert again.ok
        assert (again.groups, again.frames) == (report.groups, report.frames)


def test_file_objects_get_the_same_treatment(file_of):
    data = file_of()
    for size in range(0, len(data), 7):
        read_everything(io.BytesIO(data[:size]))
