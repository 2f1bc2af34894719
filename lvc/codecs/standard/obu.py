"""AV1 bitstreams as a group keeps them: open bitstream units one after another, without what repeats.

A group begins with its sequence header; temporal delimiters, padding, metadata and sequence headers that say what the
first said are left out. Where a shown frame ends follows from the frame headers. Source: AV1 Bitstream & Decoding
Process Specification (2019), 5.3 (OBU header), 5.9.2 (uncompressed header), 7.5 (order of OBUs).
"""

from collections.abc import Iterator

from lvc.errors import FormatError

SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, TILE_GROUP, METADATA, FRAME, REDUNDANT_HEADER, TILE_LIST, PADDING = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    15,
)
LEFT_OUT = TEMPORAL_DELIMITER, METADATA, REDUNDANT_HEADER, PADDING
KEPT = SEQUENCE_HEADER, FRAME_HEADER, TILE_GROUP, FRAME
MAX_SIZE_BYTES = 8  # of leb128


def units(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Type, whole bytes and the offset of the payload in them, of each OBU;
    raises FormatError where they do not fit.
    """
    at = 0
    while at < len(data):
        header = data[at]
        kind, extended, sized = header >> 3 & 15, header >> 2 & 1, header >> 1 & 1
        if header & 0x81 or not sized:
            raise FormatError(f"an AV1 unit begins with {header:#04x}: one with its size was expected")
        body = at + 1 + extended
        size = 0
        for number in range(MAX_SIZE_BYTES):
            if body >= len(data):
                raise FormatError("an AV1 unit is cut short in its size")
            byte, body = data[body], body + 1
            size |= (byte & 127) << 7 * number
            if byte < 128:
                break
        else:
            raise FormatError("an AV1 unit's size does not end")
        if size > len(data) - body:
            raise FormatError(f"an AV1 unit of {size:,} bytes in {len(data) - body:,}")
        yield kind, data[at : body + size], body - at
        at = body + size


def packed(temporal_units: list[bytes]) -> bytes:
    """A group's units without what repeats; raises FormatError for what the encoder may not give."""
    kept, sequence = [], None
    for unit in temporal_units:
        for kind, data, _ in units(unit):
            if kind in LEFT_OUT or (kind == SEQUENCE_HEADER and data == sequence):
                continue
            if kind == SEQUENCE_HEADER:
                if sequence is not None:
                    raise FormatError("an AV1 encoder changed its sequence header within a group")
                sequence = data
            kept.append(data)
    return b"".join(kept)


def shown_frames(payload: bytes) -> list[bytes]:
    """A group's payload by shown frame: each part is the units up to the end of one frame that is shown.

    Raises FormatError for units that a group does not have, and for any behind the last shown frame.
    """
    parts: list[list[bytes]] = []
    open_part: list[bytes] = []
    ends = False  # whether the frame that is shown has begun
    for number, (kind, data, body) in enumerate(units(payload)):
        if kind not in KEPT or (kind == SEQUENCE_HEADER) != (number == 0):
            raise FormatError(f"an AV1 unit of type {kind} at place {number} of a group")
        if ends and kind != TILE_GROUP:
            parts.append(open_part)
            open_part, ends = [], False
        open_part.append(data)
        if kind in (FRAME, FRAME_HEADER):
            if body >= len(data):
                raise FormatError("an AV1 frame of no bytes")
            # show_existing_frame, frame_type (2 bits), show_frame: with a full sequence header the first bits
            ends = bool(data[body] & 0x80) or bool(data[body] & 0x10)
    if open_part:
        if not ends:
            raise FormatError("an AV1 group ends with a frame that is not shown")
        parts.append(open_part)
    return [b"".join(part) for part in parts]
