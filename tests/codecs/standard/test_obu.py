"""AV1 units: what a group keeps of a stream, where frames end, and damage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvc.codecs.standard import obu
from lvc.errors import FormatError

SHOWN, HIDDEN, EXISTING = b"\x10", b"\x00", b"\x80"


def unit(kind: int, body: bytes = b"") -> bytes:
    assert len(body) < 128
    return bytes([kind << 3 | 2, len(body)]) + body


SEQUENCE, DELIMITER = unit(obu.SEQUENCE_HEADER, b"sequence"), unit(obu.TEMPORAL_DELIMITER)


def test_a_group_keeps_one_sequence_header_and_no_delimiters():
    hidden, shown, existing = (
        unit(obu.FRAME, HIDDEN + b"a"),
        unit(obu.FRAME, SHOWN + b"b"),
        unit(obu.FRAME_HEADER, EXISTING),
    )
    stream = [
        DELIMITER + SEQUENCE + hidden + shown,
        DELIMITER + unit(obu.METADATA, b"m") + existing,
        DELIMITER + SEQUENCE + unit(obu.PADDING) + shown,
    ]
    payload = obu.packed(stream)
    assert payload == SEQUENCE + hidden + shown + existing + shown
    assert obu.shown_frames(payload) == [SEQUENCE + hidden + shown, existing, shown]


def test_tile_groups_belong_to_the_frame_before_them():
    header, tiles = unit(obu.FRAME_HEADER, SHOWN), unit(obu.TILE_GROUP, b"tiles")
    assert obu.shown_frames(SEQUENCE + header + tiles + tiles + header + tiles) == [
        SEQUENCE + header + tiles + tiles,
        header + tiles,
    ]


def test_another_sequence_header_within_a_group_is_refused():
    with pytest.raises(FormatError, match="sequence header"):
        obu.packed([SEQUENCE, unit(obu.SEQUENCE_HEADER, b"other")])


@pytest.mark.parametrize(
    "payload",
    [
        unit(obu.FRAME, SHOWN),  # no sequence header
        SEQUENCE + SEQUENCE,
        SEQUENCE + unit(obu.FRAME, HIDDEN),
        SEQUENCE,
        SEQUENCE + unit(obu.FRAME),
        SEQUENCE + DELIMITER,
        SEQUENCE + unit(obu.TILE_LIST, b"x"),
        SEQUENCE[:-1],
        b"\x0a",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x08\x00",  # a unit without its size
        b"\x8a\x00",
    ],
)
def test_what_no_group_is_like_is_refused(payload):
    with pytest.raises(FormatError):
        obu.shown_frames(payload)


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_parted_or_refused(data):
    try:
        parts = obu.shown_frames(SEQUENCE + data)
    except FormatError:
        return
    assert b"".join(parts) == SEQUENCE + data
