"""Sets right one flipped byte of a header, where its CRC-32 tells which one it was."""

import zlib
from collections.abc import Iterator

from lvc.container.header import CRC, MAGIC, MAX_HEADER_BYTES, PREFIX, VERSIONS, Header
from lvc.container.scan import first_record
from lvc.container.source import ByteSource
from lvc.errors import FormatError

# CRC-32 of one byte from an empty register, without the final inversion; its top bytes are all different.
TABLE = [zlib.crc32(bytes([byte]), 0xFFFFFFFF) ^ 0xFFFFFFFF for byte in range(256)]
BY_TOP_BYTE = {entry >> 24: byte for byte, entry in enumerate(TABLE)}


def mend_header(source: ByteSource, reason: FormatError) -> tuple[Header, int]:
    """The header and where the first group begins, as before one byte was changed; raises `reason` where that is not
    it.

    Magic, version and length are known anyway, so wrong bytes there do not count. A header must come out that is valid
    in every field, and only one such: a guess is never taken.
    """
    start = source.read_at(0, min(PREFIX.size, source.size))
    ends = {first_record(source)}
    if len(start) == PREFIX.size:
        ends.add(PREFIX.size + PREFIX.unpack(start)[2] + CRC.size)
    found = {}
    for end in ends:
        if end is None or not PREFIX.size + CRC.size <= end <= min(
            source.size, PREFIX.size + MAX_HEADER_BYTES + CRC.size
        ):
            continue
        stored = source.read_at(0, end)
        length = end - PREFIX.size - CRC.size
        for version in VERSIONS:
            whole = PREFIX.pack(MAGIC, version, length) + stored[PREFIX.size :]
            if sum(one != other for one, other in zip(whole, stored, strict=True)) > 4:
                continue
            for candidate in _single_byte_corrections(whole):
                try:
                    found[candidate] = Header.stored(candidate[PREFIX.size : -CRC.size], version), end
                except FormatError:
                    continue
    if len(found) != 1:
        raise reason
    return next(iter(found.values()))


def _single_byte_corrections(whole: bytes) -> Iterator[bytes]:
    """`whole` (its last four bytes the CRC-32 of the others) with no or one byte changed so that the CRC-32 holds.

    The difference of the CRCs is what the changed byte left in the register, moved on by the bytes behind it. So it is
    moved back, byte by byte, and wherever it is the trace of a single byte, that byte is a candidate: linear in time.
    """
    data, (stored,) = bytearray(whole[: -CRC.size]), CRC.unpack(whole[-CRC.size :])
    computed = zlib.crc32(data)
    difference = computed ^ stored
    if sum(byte != 0 for byte in CRC.pack(difference)) <= 1:
        yield bytes(data) + CRC.pack(computed)  # sound, or the flipped byte is in the CRC itself
    if difference == 0:
        return
    for position in range(len(data) - 1, PREFIX.size - 1, -1):
        byte = BY_TOP_BYTE[difference >> 24]
        if difference == TABLE[byte]:
            changed = bytearray(data)
            changed[position] ^= byte
            yield bytes(changed) + CRC.pack(stored)
        difference = ((difference ^ TABLE[byte]) << 8 | byte) & 0xFFFFFFFF
