"""Mutations that keep a file's checksums: without them nearly every input would be refused by its first CRC-32."""

import random
import struct
import zlib
from collections.abc import Callable

from lvc.container.header import CRC, MAGIC, PREFIX, VERSION
from lvc.container.layout import GROUP_MARKER, INDEX_MARKER, RECORD, encode_record, encode_trailer

SPECIAL = (
    b"\xf7LVG",
    b"\xf7LVI",
    b"\xf7LVE",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
)
NUMBERS = (b"0", b"-1", b"1e9", b"4096", b"16384", b"9007199254740993", b"null", b"true", b"[]", b"{}", b'""', b"0.5")

Mutate = Callable[[bytes, int], bytes]  # atheris.Mutate: data, greatest size


def parts_of(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
    """JSON of the header, then marker and body of each record, whether or not any checksum holds;
    None for no such file.
    """
    if len(data) < PREFIX.size + CRC.size or not data.startswith(MAGIC):
        return None
    length = PREFIX.unpack_from(data)[2]
    position = PREFIX.size + length + CRC.size
    if position > len(data):
        return None
    text, records = data[PREFIX.size : PREFIX.size + length], []
    while position + RECORD.size <= len(data):
        marker, size, _ = RECORD.unpack_from(data, position)
        if marker not in (GROUP_MARKER, INDEX_MARKER) or position + RECORD.size + size > len(data):
            break
        position += RECORD.size
        records.append((marker, data[position : position + size]))
        position += size
    return text, records


def assembled(text: bytes, records: list[tuple[bytes, bytes]]) -> bytes:
    """A file of these parts whose checksums, lengths and trailer hold."""
    head = PREFIX.pack(MAGIC, VERSION, len(text)) + text
    data = head + CRC.pack(zlib.crc32(head))
    for marker, body in records:
        record = encode_record(marker, body)
        if marker == INDEX_MARKER:
            return data + record + encode_trailer(index_offset=len(data), index_bytes=len(record))
        data += record
    return data


def mutated_container(data: bytes, limit: int, seed: int, mutate: Mutate) -> bytes:
    """`data` with one part changed under sound checksums, or now and then changed anywhere."""
    chance = random.Random(seed)
    found = parts_of(data)
    if found is None or chance.random() < 0.15:
        return bytes(mutate(data, limit))
    text, records = found
    kind = chance.randrange(8)
    if kind == 0:
        text = changed_json(text, limit - len(data), chance, mutate)
    elif kind == 1 and records:  # records that come again, in another order, or not at all
        records = [records[chance.randrange(len(records))] for _ in range(chance.randrange(len(records) + 2))]
    elif kind == 2 and records:  # an index that says what the groups' sizes are
        groups = [body for marker, body in records if marker == GROUP_MARKER]
        counts = [chance.choice((1, 2, 3, 4)) for _ in groups]
        columns = struct.pack(f"<{len(groups)}I", *(RECORD.size + len(body) for body in groups)) + struct.pack(
            f"<{len(groups)}I", *counts
        )
        body = columns + struct.pack(f"<{len(groups)}q", *sorted(chance.randrange(1 << 20) for _ in groups))
        records = [one for one in records if one[0] == GROUP_MARKER] + [(INDEX_MARKER, body)]
    elif records:
        place = chance.randrange(len(records))
        marker, body = records[place]
        records[place] = marker, changed_bytes(body, max(limit - len(data), 0) + len(body), chance, mutate)
    made = assembled(text, records)
    if chance.random() < 0.05:
        made = made[: chance.randrange(len(made) + 1)]
    return made if len(made) <= limit else data


def changed_bytes(body: bytes, limit: int, chance: random.Random, mutate: Mutate) -> bytes:
    if chance.random() < 0.8 or not body:
        return bytes(mutate(body, max(limit, 1)))
    # The start of a group's body holds all its numbers.
    at = chance.randrange(min(len(body), 24))
    piece = chance.choice(SPECIAL)
    return body[:at] + piece + body[at + chance.choice((0, 1, len(piece))) :]


def changed_json(text: bytes, room: int, chance: random.Random, mutate: Mutate) -> bytes:
    """JSON with one value replaced, or changed as bytes."""
    starts = [at + 1 for at in range(len(text)) if text[at] in b":[," and at + 1 < len(text)]
    if chance.random() < 0.3 or not starts:
        return bytes(mutate(text, max(len(text) + room, 1)))
    start = chance.choice(starts)
    stop = next((at for at in range(start, len(text)) if text[at] in b",}]"), len(text))
    return text[:start] + chance.choice(NUMBERS) + text[stop:]


def mutated_weights(data: bytes, limit: int, seed: int, mutate: Mutate) -> bytes:
    """A safetensors file with its JSON changed under a length that holds, or its tensors, or anything."""
    chance = random.Random(seed)
    length = int.from_bytes(data[:8], "little")
    if length + 8 > len(data) or chance.random() < 0.15:
        return bytes(mutate(data, limit))
    text, tensors = data[8 : 8 + length], data[8 + length :]
    if chance.random() < 0.2 and tensors:
        tensors = bytes(mutate(tensors, len(tensors)))
    else:
        text = changed_json(text, limit - len(data), chance, mutate)
    made = len(text).to_bytes(8, "little") + text + tensors
    return made if len(made) <= limit else data
