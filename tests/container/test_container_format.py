"""The bytes themselves: the golden file, FORMAT.md's worked example, and a reader written from FORMAT.md alone."""

import io
import json
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.container.header import MAX_DEPTH, MAX_HEADER_BYTES, USUAL
from lvc.container.layout import MAX_BODY_BYTES, MAX_FRAMES, MAX_GROUP_FRAMES, MAX_SPAN_TICKS, Group, Header, Packet
from lvc.container.reader import ContainerReader
from lvc.container.writer import ContainerWriter
from tests import GOLDEN, ROOT
from tests.golden import read_container

FORMAT = (ROOT / "FORMAT.md").read_text()


@pytest.fixture(scope="module")
def by_document():
    return read_container.container


def written(header: Header, groups: list[Group]) -> bytes:
    file = io.BytesIO()
    writer = ContainerWriter(file, header)
    for group in groups:
        writer.write_group(group)
    writer.finish()
    return file.getvalue()


def golden() -> bytes:
    """Every field of the format at once: signs, runs, variable rate, packets of several frames and of none,
    unknown keys.
    """
    header = Header(
        width=199,
        height=161,
        time_base=Fraction(1, 1000),
        frame_duration=333,
        keyint=6,
        model={"name": "conv4", "sha256": "5e" * 32, "config": {"channels": [16, 32], "rate": 0.125}},
        quantiser={"name": "round", "step": 0.5},
        entropy={"name": "factorised"},
        source={"name": "Übung – ゲーム.mkv", "every": 10},
        encoder="lvc 0.1.0",
        extra={"crf": 30, "later": None},
    )
    constant = [round(n * 1000 / 3) - 1000 for n in range(6)]
    varied = [700, 701, 1500, 1501, 2**33]
    return written(
        header,
        [
            Group(0, constant, [Packet(1, bytes([n] * n)) for n in range(6)], 0xDEADBEEF),
            Group(6, varied, [Packet(2, b"two"), Packet(2, b"more"), Packet(1, bytes(200))], 0),
            Group(11, [2**40], [Packet(1, b"")], 0xFFFFFFFF),
        ],
    )


def as_json(reader: ContainerReader) -> dict:
    groups = [
        {
            "offset": entry.offset,
            "byte_size": entry.byte_size,
            "first_frame": group.first_frame,
            "pts": list(group.pts),
            "packets": [{"frames": packet.frame_count, "payload": packet.payload.hex()} for packet in group.packets],
            "digest": group.digest,
        }
        for entry, group in zip(reader.index, reader.groups(), strict=True)
    ]
    return {"version": 1, "header": json.loads(reader.header.to_json()), "groups": groups}


def test_the_golden_file_is_read_and_written_as_ever(by_document):
    data = (GOLDEN / "container-v1.lvc").read_bytes()
    expected = json.loads((GOLDEN / "container-v1.json").read_text())
    assert as_json(ContainerReader(data)) == expected
    assert by_document(data) == expected
    assert golden() == data


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 2**20), st.integers(1, 4), st.binary(max_size=20)), min_size=1, max_size=9),
        max_size=4,
    ),
    st.integers(-(2**50), 2**50),
)
def test_a_reader_written_from_the_document_agrees(by_document, header_of, drawn, pts):
    groups, frame = [], 0
    for packets in drawn:
        times = []
        for delta, count, _ in packets:
            for _ in range(count):
                times.append(pts)
                pts += delta
        groups.append(Group(frame, times, [Packet(count, payload) for _, count, payload in packets], frame))
        frame += len(times)
    data = written(header_of(), groups)
    assert by_document(data) == as_json(ContainerReader(data))


def test_the_worked_example_is_what_the_writer_writes(by_document):
    header = Header(
        width=200,
        height=160,
        time_base=Fraction(1, 1000),
        frame_duration=333,
        keyint=4,
        model={"name": "conv4", "sha256": "0" * 64},
        quantiser={"name": "scale"},
        entropy={"name": "raw"},
    )
    groups = [
        Group(
            0,
            [0, 333, 667, 1000],
            [Packet(1, b"\xaa\xaa"), Packet(1, b"\xbb"), Packet(1, b"\xcc"), Packet(1, b"\xdd")],
            0x12345678,
        ),
        Group(4, [1333, 1700], [Packet(2, b"\xee\xee\xee")], 0x9ABCDEF0),
    ]
    data = written(header, groups)
    example = FORMAT.split("## A worked example", 1)[1].split("\n## ", 1)[0]
    shown, at = bytearray(), 0
    for offset, text in re.findall(r"^ *(\d+)  ((?:[0-9a-f]{2} ?)+)(?:  .*)?$", example, re.MULTILINE):
        assert int(offset) == at, f"the line at {offset} follows {at} bytes"
        shown += bytes.fromhex(text)
        at = len(shown)
    assert shown == data
    assert by_document(bytes(shown))["groups"][1]["pts"] == [1333, 1700]


def test_the_document_names_the_limits_that_are_kept():
    for limit in (MAX_HEADER_BYTES, MAX_GROUP_FRAMES, MAX_BODY_BYTES, MAX_DEPTH, 16_384):
        assert f"{limit:,}" in FORMAT
    assert MAX_SPAN_TICKS == 2**50 and "2^50" in FORMAT
    assert MAX_FRAMES == 2**40 and "2^40" in FORMAT


def test_the_document_names_each_key_of_the_header(header_of):
    for key in json.loads(header_of().to_json()):
        assert f"`{key}`" in FORMAT


def test_the_document_has_the_preset_dictionary():
    told = FORMAT.partition("### Preset dictionary")[2].split("```")[1]
    assert told.replace("\n", "").encode() == USUAL
