import pytest

from lvc.errors import ModelError
from lvc.interchange import limits
from lvc.interchange.limits import MAX_STRUCTURE_BYTES, check_structure


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def test_numbers_of_tensors_have_no_limit_of_their_own():
    numbers = bytes(MAX_STRUCTURE_BYTES + 10)
    for way in ((7, 5, 9), (7, 5, 4), (7, 1, 5, 5, 9)):  # initialisers, and the tensors of Constant nodes
        message = numbers
        for number in reversed(way):
            message = field(number, message)
        check_structure(message)


@pytest.mark.parametrize(
    "inside",
    [
        field(7, field(1, b"") * 600_000),
        field(7, field(5, b"") * 600_000),
        field(7, field(10, bytes(MAX_STRUCTURE_BYTES + 1))),
    ],
)
def test_more_structure_than_a_chain_needs_is_refused_before_it_is_parsed(inside):
    with pytest.raises(ModelError, match="1 MiB beside"):
        check_structure(inside)


def test_many_empty_nodes_are_refused_as_soon_as_their_share_is_used_up(monkeypatch):
    walked = []
    real = limits.varint
    monkeypatch.setattr(limits, "varint", lambda *place: (walked.append(None), real(*place))[1])
    with pytest.raises(ModelError, match="1 MiB beside"):
        check_structure(field(7, field(1, b"") * 5_000_000))
    # Two numbers to a node, two bytes to a node.
    assert len(walked) <= MAX_STRUCTURE_BYTES + 10


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\x3a\x05ab",
        b"\x3a",
        b"\x3b\x00",
        b"\x80" * 11 + b"\x00",
        b"\x09\x00\x00",
        b"\x0d\x00",
        field(7, b"\x0a\xff\xff\xff\xff\x0f"),
    ],
)
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(ModelError, match="no ONNX file"):
        check_structure(data)
