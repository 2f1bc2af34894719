"""Reads a .lvc container by FORMAT.md alone and prints what it holds as JSON: python read_container.py FILE.lvc

Shares no code with lvc, so that the library and the document are checked against each other. It wrote
container-v1.json.
"""

import json
import struct
import sys
import zlib


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def runs(data: bytes, at: int, enough) -> tuple[list[int], int]:
    values: list[int] = []
    while not enough(values):
        token, at = varint(data, at)
        times = 1
        if token % 2 == 1:
            times, at = varint(data, at)
        values += [token // 2] * times
    return values, at


def signed(value: int) -> int:
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


def record(data: bytes, at: int, marker: bytes) -> tuple[bytes, int]:
    found, length, crc = struct.unpack("<4sII", data[at : at + 12])
    body = data[at + 12 : at + 12 + length]
    assert found == marker and len(body) == length
    assert zlib.crc32(data[at : at + 8] + body) == crc
    return body, at + 12 + length


def group(body: bytes) -> dict:
    first_frame, at = varint(body, 0)
    frame_count, at = varint(body, at)
    first_pts, at = varint(body, at)
    pts = [signed(first_pts)]
    if frame_count > 1:
        steps = frame_count - 1
        span, at = varint(body, at)
        phase, at = varint(body, at)
        deviations, at = runs(body, at, lambda values: len(values) == frame_count - 2)
        pts += [pts[0] + (i * span + phase) // steps + signed(one) for i, one in enumerate(deviations, start=1)]
        pts.append(pts[0] + span)
    frames, at = runs(body, at, lambda values: sum(values) == frame_count)
    sizes = []
    for _ in frames:
        size, at = varint(body, at)
        sizes.append(size)
    (digest,) = struct.unpack("<I", body[at : at + 4])
    at += 4
    packets = []
    for count, size in zip(frames, sizes, strict=True):
        packets.append({"frames": count, "payload": body[at : at + size].hex()})
        at += size
    assert at == len(body)
    return {"first_frame": first_frame, "pts": pts, "packets": packets, "digest": digest}


def container(data: bytes) -> dict:
    magic, version, length = struct.unpack("<8sHI", data[:14])
    assert magic == bytes.fromhex("894c56430d0a1a0a") and version == 1
    header = json.loads(data[14 : 14 + length])
    assert struct.unpack("<I", data[14 + length : 18 + length])[0] == zlib.crc32(data[: 14 + length])

    index_at, index_size, crc, end = struct.unpack("<QII4s", data[-20:])
    assert end == b"\xf7LVE" and crc == zlib.crc32(data[-20:-8])
    index, after = record(data, index_at, b"\xf7LVI")
    assert index_at + index_size == after == len(data) - 20
    count = len(index) // 16
    sizes = struct.unpack(f"<{count}I", index[: 4 * count])
    frames = struct.unpack(f"<{count}I", index[4 * count : 8 * count])
    first_pts = struct.unpack(f"<{count}q", index[8 * count :])

    groups, at = [], 18 + length
    for size, frame_count, pts in zip(sizes, frames, first_pts, strict=True):
        body, after = record(data, at, b"\xf7LVG")
        assert after == at + size
        groups.append({"offset": at, "byte_size": size} | group(body))
        assert len(groups[-1]["pts"]) == frame_count and groups[-1]["pts"][0] == pts
        at = after
    assert at == index_at
    return {"version": version, "header": header, "groups": groups}


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        print(json.dumps(container(file.read()), indent=1))
