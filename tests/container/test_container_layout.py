"""Records and the header, value by value."""

import io
import json
import struct
import zlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.container.header import MAGIC, MAX_HEADER_BYTES, Header, read_header
from lvc.container.layout import (
    GROUP_MARKER,
    MAX_GROUP_FRAMES,
    MAX_SPAN_TICKS,
    Group,
    Packet,
    decode_group,
    encode_group,
    encode_record,
)
from lvc.container.reader import ContainerReader
from lvc.container.source import ByteSource
from lvc.container.varint import Cursor, append_runs, append_varint, unzigzag, zigzag
from lvc.container.writer import ContainerWriter
from lvc.errors import FormatError, OptionError

# --- numbers


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (16384, "808001"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_varint_bytes(value, data):
    out = bytearray()
    append_varint(out, value)
    assert out.hex() == data
    assert Cursor(bytes(out), offset=0).varint("number") == value


@pytest.mark.parametrize(
    ("value", "coded"), [(0, 0), (-1, 1), (1, 2), (-2, 3), (2**63 - 1, 2**64 - 2), (-(2**63), 2**64 - 1)]
)
def test_zigzag(value, coded):
    assert zigzag(value) == coded
    assert unzigzag(coded) == value


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("", "the record ends"),
        ("80", "the record ends"),
        ("8000", "shortest form"),
        ("ffffffffffffffffff02", "number from 0 to"),
        ("ffffffffffffffffffff01", "at most 64 bits"),
    ],
)
def test_varint_faults(data, complaint):
    with pytest.raises(FormatError, match=complaint) as caught:
        Cursor(bytes.fromhex(data), offset=77).varint("number")
    assert caught.value.offset == 77


def test_runs_are_short():
    out = bytearray()
    append_runs(out, [1] * 64)
    assert out.hex() == "0340"
    out = bytearray()
    append_runs(out, [5, 0, 0, 7])
    assert out.hex() == "0a01020e"


# --- groups

payloads = st.binary(max_size=40)


@st.composite
def groups(draw):
    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    total = sum(counts)
    deltas = draw(st.lists(st.one_of(st.just(512), st.integers(1, 2**40)), min_size=total - 1, max_size=total - 1))
    pts = [draw(st.integers(-(2**62), 2**62))]
    for delta in deltas:
        pts.append(pts[-1] + delta)
    packets = [Packet(count, draw(payloads)) for count in counts]
    return Group(draw(st.integers(0, 2**40)), pts, packets, draw(st.integers(0, 2**32 - 1)))


@settings(max_examples=150, deadline=None)
@given(groups())
def test_group_round_trip(group):
    record = encode_group(group)
    assert decode_group(record, offset=0) == group
    assert encode_group(decode_group(record, offset=9)) == record


def body_bytes(pts) -> int:
    return len(encode_group(Group(0, pts, [Packet(len(pts), b"")], 0)))


def test_timestamps_cost():
    constant = body_bytes([512 * n for n in range(64)])
    assert constant <= 12 + 1 + 1 + 1 + (3 + 1 + 2) + 2 + 1 + 4
    # Milliseconds of 30 frames a second, every tenth: 333, 333, 334, as Matroska stores them.
    for start in range(64):
        assert body_bytes([round(n * 1000 / 3) - round(start * 1000 / 3) for n in range(start, start + 64)]) <= constant
        assert body_bytes([int(n * 1001 / 3) - int(start * 1001 / 3) for n in range(start, start + 64)]) <= constant
    # A rate that is no fraction of the group's length, 59.94 frames a second in milliseconds.
    assert body_bytes([round(n * 1001 / 60) for n in range(64)]) <= constant + 12
    # Any jitter within half the frame's duration of 33 ms: two bytes a frame at most.
    jitter = [33 * n + (n * 7919 % 16) for n in range(64)]
    assert body_bytes(jitter) <= constant + 62 * 2


def test_timestamps_at_the_ends_of_their_range():
    for pts in ([-(2**63), -(2**63) + MAX_SPAN_TICKS - 1], [2**63 - MAX_SPAN_TICKS, 2**63 - 2, 2**63 - 1]):
        group = Group(0, pts, [Packet(len(pts), b"x")], 0)
        assert decode_group(encode_group(group), offset=0) == group


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pts": []}, "from 1 to 4096 frames"),
        ({"pts": [0, 2, 2]}, "2 follows 2"),
        ({"pts": [0, 5, 3]}, "3 follows 5"),
        ({"pts": [0, 1]}, "of 2 frames has packets for 3"),
        ({"pts": [0, 1, MAX_SPAN_TICKS]}, "less than 2\\*\\*50"),
        ({"pts": [2**63 - 1, 2**63, 2**63 + 1]}, "within 64 bits"),
        ({"first_frame": -1}, "first frame"),
        ({"first_frame": 1.5}, "whole number"),
        ({"digest": 2**32}, "digest"),
    ],
)
def test_groups_that_make_no_sense_are_refused(changes, complaint):
    values = {"first_frame": 0, "pts": [0, 1, 2], "packets": [Packet(2, b"a"), Packet(1, b"b")], "digest": 5}
    Group(**values)
    with pytest.raises(OptionError, match=complaint):
        Group(**(values | changes))


@pytest.mark.parametrize("count", [0, MAX_GROUP_FRAMES + 1, 2.0])
def test_packets_that_make_no_sense_are_refused(count):
    with pytest.raises(OptionError, match="frame count"):
        Packet(count, b"")


def body(*numbers: int, tail: bytes = b"\0\0\0\0") -> bytes:
    out = bytearray()
    for number in numbers:
        append_varint(out, number)
    return encode_record(GROUP_MARKER, bytes(out) + tail)


def test_a_group_by_hand():
    # frames 7 to 9 at 100, 110, 121; one packet of two frames and one of one
    record = body(7, 3, 200, 21, 0, 0, 4, 2, 2, 1, tail=struct.pack("<I", 99) + b"abc")
    expected = Group(7, (100, 110, 121), (Packet(2, b"ab"), Packet(1, b"c")), 99)
    assert decode_group(record, offset=0) == expected
    assert encode_group(expected) == record


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (body(), "shortest form|frame count"),
        (body(2**40 + 1, 1, 0, 2, 0), "first frame"),
        (body(0, 0, 0, 2, 0), "frame count: a number from 1 to 4096"),
        (body(0, 4097, 0, 5000, 2, 0), "frame count: a number from 1 to 4096"),
        (body(0, 3, 0, 1, 0, 6, 0), "span of the timestamps: a number from 2"),
        (body(0, 3, 0, 2**50, 0, 6, 0), "span of the timestamps"),
        (body(0, 3, 0, 20, 0, 2 * zigzag(10), 6, 0), "20 follows 20"),
        (body(0, 4, 0, 30, 0, 1, 3, 8, 0), "number from 2 to 2"),
        (body(0, 3, 0, 20, 0, 1, 2, 6, 0), "1 more were expected, not 2"),
        (body(0, 2, 0, 1, 0, 0, 0), "packet's frame count: a value from 1"),
        (body(0, 2, 0, 1, 0, 6, 0), "packet's frame count: a value from 1 to 2"),
        (body(0, 4, 0, 3, 3, 0, 8, 0), "phase of the timestamps: a number from 0 to 2"),
        (body(0, 5, 0, 4, 0, 1, 3, 5, 3, 0, 0, 0), "packets for 5 more frames were expected, not 6"),
        (body(0, 2, 0, 1, 0, 4, 1), "payloads of 1 bytes were expected, 0 are there"),
        (body(0, 2, 0, 1, 0, 4, 0, tail=b"\0\0\0\0!"), "payloads of 0 bytes were expected, 1 are there"),
        (body(0, 2, 0, 1, 0, 4, 0, tail=b"\0\0\0"), "symbol digest: 4 bytes were expected"),
        (body(0, 2, 2**64 - 2, 1, 0, 4, 0), "within 64 bits"),
    ],
)
def test_group_bodies_that_make_no_sense(record, complaint):
    with pytest.raises(FormatError, match=complaint) as caught:
        decode_group(record, offset=500)
    assert 500 <= caught.value.offset <= 500 + len(record)


def test_record_faults_name_their_byte():
    record = body(0, 1, 0, 2, 0)
    for at, complaint, offset in ((0, "marker", 100), (4, "length", 104), (8, "CRC-32", 108), (14, "CRC-32", 108)):
        changed = bytearray(record)
        changed[at] ^= 1
        with pytest.raises(FormatError, match=complaint) as caught:
            decode_group(bytes(changed), offset=100)
        assert caught.value.offset == offset


# --- the header

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=6), json_values, max_size=4)


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 16384),
    height=st.integers(1, 16384),
    time_base=st.fractions(Fraction(1, 2**31 - 1), 1000, max_denominator=2**31 - 1).filter(
        lambda f: f.numerator < 2**31
    ),
    keyint=st.integers(1, 4096),
    config=objects,
    extra=st.dictionaries(st.text(max_size=6).map(lambda key: "x-" + key), json_values, max_size=3),
    encoder=st.text(max_size=20),
)
def test_header_round_trip(header_of, width, height, time_base, keyint, config, extra, encoder):
    model = config | {"name": "conv4", "sha256": "ab" * 32}
    header = header_of(
        width=width, height=height, time_base=time_base, keyint=keyint, model=model, extra=extra, encoder=encoder
    )
    data = header.to_bytes()
    read, end = read_header(ByteSource(data + b"more"))
    assert read == header
    assert end == len(data)
    assert read.to_bytes() == data


def test_header_is_canonical(header_of):
    one = header_of(model={"name": "conv4", "sha256": "0" * 64, "config": {"b": (1, 2), "a": 0.5}})
    other = header_of(model={"config": {"a": 0.5, "b": [1, 2]}, "sha256": "0" * 64, "name": "conv4"})
    assert one.to_bytes() == other.to_bytes()
    assert one == other
    assert b" " not in one.to_json().replace(b"lvc 0.1.0", b"")


def test_header_copies_what_it_is_given(header_of):
    config = {"name": "conv4", "sha256": "0" * 64, "config": {"channels": 32}}
    header = header_of(model=config)
    config["config"]["channels"] = 7
    assert header.model["config"]["channels"] == 32


def header_json(header_of, **changes) -> bytes:
    values = json.loads(header_of().to_json())
    return json.dumps({key: value for key, value in (values | changes).items() if value != "(remove)"}).encode()


def test_unknown_keys_are_kept(header_of):
    header = Header.from_json(header_json(header_of, crf=30, chapters=[{"at": 5}]))
    assert header.extra == {"crf": 30, "chapters": [{"at": 5}]}
    assert json.loads(header.to_json())["chapters"] == [{"at": 5}]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"width": 0}, "width"),
        ({"width": 16385}, "width"),
        ({"height": 160.0}, "height"),
        ({"height": "160"}, "height"),
        ({"width": True}, "width"),
        ({"time_base": [0, 1]}, "time_base"),
        ({"time_base": [1, 0]}, "time_base"),
        ({"time_base": [1, 2**31]}, "time_base"),
        ({"time_base": [1, 2, 3]}, "time_base"),
        ({"time_base": "1/30"}, "time_base"),
        ({"frame_duration": 0}, "frame_duration"),
        ({"frame_duration": None}, "frame_duration"),
        ({"keyint": 0}, "keyint"),
        ({"keyint": 4097}, "keyint"),
        ({"model": "conv4"}, "model"),
        ({"model": {"name": "conv4"}}, "model must have 'sha256'"),
        ({"model": {"name": "", "sha256": "0" * 64}}, "model must have 'name'"),
        ({"model": {"name": "conv4", "sha256": "0" * 63}}, "64 lower-case"),
        ({"model": {"name": "conv4", "sha256": "A" * 64}}, "64 lower-case"),
        ({"quantiser": {}}, "quantiser must have 'name'"),
        ({"entropy": {"name": 5}}, "entropy must have 'name'"),
        ({"source": []}, "source"),
        ({"encoder": 5}, "encoder"),
        ({"extra": {}}, "'extra' is reserved"),
        ({"encoder": "(remove)"}, "key 'encoder' is missing"),
        ({"later": 2**64}, "extra.later"),
        ({"later": "\ud800"}, "surrogate"),
        ({"later": float("nan")}, "not NaN"),
        ({"later": float("inf")}, "not Infinity"),
    ],
)
def test_header_fields_that_make_no_sense(header_of, changes, complaint):
    with pytest.raises(FormatError, match=complaint) as caught:
        Header.from_json(header_json(header_of, **changes))
    assert caught.value.offset == 14
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "JSON was expected"),
        (b"[]", "JSON object"),
        (b"{\xff}", "UTF-8"),
        (b"{" * 100_000, "JSON was expected"),
        (b"[" * 100_000, "levels"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "missing"),
        (b'{"a":1,"a":2}', "'a' comes twice"),
        (b'{"a":{"b":1,"b":1}}', "'b' comes twice"),
        (b'{"a":1e999}', "finite"),
        (b'{"a":' + b"9" * 5000 + b"}", "digits"),
    ],
)
def test_header_json_faults(data, complaint):
    with pytest.raises(FormatError, match=complaint):
        Header.from_json(data)


def test_header_depth_is_limited(header_of):
    deep = 1
    for _ in range(40):
        deep = {"a": deep}
    with pytest.raises(OptionError, match="at most 32 levels"):
        header_of(source=deep)
    with pytest.raises(FormatError, match="at most 32 levels"):
        Header.from_json(header_json(header_of, later=deep))


def test_header_values_that_are_no_json_are_refused(header_of):
    for value in (float("nan"), float("-inf"), object(), b"bytes", {1: 2}, 2**64):
        with pytest.raises(OptionError, match="model"):
            header_of(model={"name": "conv4", "sha256": "0" * 64, "config": value})
    with pytest.raises(OptionError, match="own key 'width'"):
        header_of(extra={"width": 5})


def test_header_of_more_than_a_mebibyte_is_refused(header_of):
    with pytest.raises(OptionError, match="at most 1048576"):
        header_of(source={"notes": "x" * MAX_HEADER_BYTES}).to_bytes()


@pytest.mark.parametrize(
    ("change", "complaint", "offset"),
    [
        (lambda _data: b"", "empty", 0),
        (lambda data: data[:5], "no .lvc file", 0),
        (lambda data: b"RIFF" + data[4:], "no .lvc file: it starts with 52 49 46 46", 0),
        (lambda data: data.replace(b"\r\n", b"\n", 1), "as if it were text", 0),
        (lambda data: data.replace(b"\r\n", b"\r\r\n", 1), "as if it were text", 0),
        (lambda data: bytes([data[0] & 0x7F]) + data[1:], "as if it were text", 0),
        (lambda data: data[:9], "version and length", 8),
        (lambda data: data[:8] + b"\x03" + data[9:], "format version 3; this program reads versions 1, 2", 8),
        (lambda data: data[:10] + b"\xff\xff\xff\x00" + data[14:], "at most 1048576", 10),
        (lambda data: data[:10] + b"\x00\x00\x10\x00" + data[14:], "header of 1048576 bytes", 10),
        (lambda data: data[:40], "header of .* the file has 40 bytes", 10),
        (lambda data: data[:20] + b"?" + data[21:], "CRC-32", None),
    ],
)
def test_starts_that_are_no_header(file_of, change, complaint, offset):
    with pytest.raises(FormatError, match=complaint) as caught:
        ContainerReader(change(file_of()))
    assert offset is None or caught.value.offset == offset


def test_header_with_a_sound_checksum_around_nonsense():
    head = MAGIC + struct.pack("<HI", 1, 2) + b"[]"
    with pytest.raises(FormatError, match="JSON object") as caught:
        ContainerReader(head + struct.pack("<I", zlib.crc32(head)))
    assert caught.value.offset == 14


# --- the writer


def test_writer_refuses_what_does_not_follow(header_of, groups_of):
    first, second, third = groups_of()
    file = io.BytesIO()
    writer = ContainerWriter(file, header_of())
    with pytest.raises(OptionError, match="must start at frame 0"):
        writer.write_group(second)
    writer.write_group(first)
    with pytest.raises(OptionError, match="must start at frame 4"):
        writer.write_group(third)
    with pytest.raises(OptionError, match="timestamps must increase"):
        writer.write_group(Group(4, [first.pts[-1]], [Packet(1, b"")], 0))
    writer.write_group(second)
    writer.finish()
    for late in (lambda: writer.write_group(third), writer.finish):
        with pytest.raises(OptionError, match="finished"):
            late()
    assert writer.bytes_written == len(file.getvalue())
    assert ContainerReader(file.getvalue()).frame_count == writer.frame_count == 8


def test_writer_only_appends_and_takes_short_writes(header_of, groups_of, file_of):
    class Pipe:
        """Neither seeks nor takes more than seven bytes at once."""

        def __init__(self):
            self.data = b""
            self.flushed = 0

        def write(self, data):
            self.data += bytes(data[:7])
            return min(7, len(data))

        def flush(self):
            self.flushed = len(self.data)

    pipe = Pipe()
    writer = ContainerWriter(pipe, header_of())
    for group in groups_of():
        writer.write_group(group)
        assert pipe.flushed == writer.bytes_written
    writer.finish()
    assert pipe.data == file_of()


@pytest.mark.parametrize("frames", [490, 3600])
def test_overhead_is_at_most_three_percent_at_100_bytes_a_frame(header_of, frames):
    """Everything but payloads: header, records, index, trailer; keyint 64, one packet a frame of 60 to 200 bytes."""
    sizes = [60 + (n * 7919) % 60 + (80 if n % 64 == 0 else 0) for n in range(frames)]
    file = io.BytesIO()
    writer = ContainerWriter(file, header_of(keyint=64))
    for start in range(0, frames, 64):
        numbers = range(start, min(start + 64, frames))
        packets = [Packet(1, bytes(sizes[n])) for n in numbers]
        writer.write_group(Group(start, [5120 * n for n in numbers], packets, 0xFFFFFFFF))
    writer.finish()
    payload = sum(sizes)
    assert 85 <= payload / frames <= 105
    assert len(file.getvalue()) - payload <= 0.03 * payload


def test_overhead_of_a_group_with_long_packets():
    """Even where every packet's length takes two bytes and the timestamps jitter by rounding, 3 % are kept."""
    pts = [round(n * 1000 / 3) for n in range(64, 128)]
    record = encode_group(Group(10**9, pts, [Packet(1, bytes(128)) for _ in pts], 2**32 - 1))
    assert len(record) + 16 - 64 * 128 <= 0.03 * 64 * 100


def test_one_packet_a_group_costs_next_to_nothing():
    record = encode_group(Group(10**6, [512 * n for n in range(64)], [Packet(64, bytes(6400))], 2**32 - 1))
    assert len(record) + 16 - 6400 <= 55
