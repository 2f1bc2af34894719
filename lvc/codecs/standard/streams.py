"""The streams of standard codecs that a group may hold: how each is cut into packets for its decoder,
and how its samples become frames.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lvc.codecs.standard import obu
from lvc.codecs.standard.colour import frame_of, frame_of_differences
from lvc.container.varint import Cursor, append_varint
from lvc.frames import Geometry

START_CODE = b"\0\0\0\1"
HEVC_PICTURES = range(32)  # types of NAL units that hold a slice; one slice is a picture here
H264_PICTURES = range(1, 6)


@dataclass(frozen=True)
class Stream:
    """A codec's stream in a group's payload.

    decoder: FFmpeg's name of what decodes it. pixel_format: FFmpeg's name of what that gives. packets: cuts a payload
    into extradata for the decoder and its packets in the order of decoding; raises FormatError. frame: a frame uint8
    [H, W, 3] of the decoded samples.
    in_order: packets come in the order in which frames are shown, one a frame. least: width and height that pictures
    have at least: smaller frames stand in their upper left corner.
    """

    decoder: str
    pixel_format: str
    packets: Callable[[bytes], tuple[bytes, Sequence[bytes]]]
    frame: Callable[[np.ndarray], np.ndarray]
    in_order: bool
    least: tuple[int, int] = (1, 1)

    def coded(self, geometry: Geometry) -> Geometry:
        """The size of the stream's pictures."""
        return Geometry(max(geometry.width, self.least[0]), max(geometry.height, self.least[1]))


def joined(parts: Sequence[bytes]) -> bytes:
    """Parts in a row, each behind its length."""
    out = bytearray()
    for part in parts:
        append_varint(out, len(part))
        out += part
    return bytes(out)


def parted(payload: bytes) -> Iterator[bytes]:
    """The parts that `joined` made one of; raises FormatError."""
    cursor = Cursor(payload, offset=0)
    while cursor.remaining:
        yield cursor.take(cursor.varint("length of a part"), "part")


# NAL units, of HEVC and H.264


def nal_units(stream: bytes) -> list[bytes]:
    """The NAL units of a byte stream with start codes (ITU-T H.264 and H.265, annex B)."""
    pieces = stream.split(b"\0\0\1")
    # A start code of four bytes leaves its first zero at the end of the unit before; no unit ends with a zero byte.
    return [unit for piece in pieces[1:] if (unit := piece.rstrip(b"\0"))]


def access_units(pictures: range, kind: Callable[[int], int]) -> Callable[[bytes], tuple[bytes, Sequence[bytes]]]:
    """What cuts a payload of NAL units into one packet a picture. kind: a unit's type, from its first byte."""

    def packets(payload: bytes) -> tuple[bytes, Sequence[bytes]]:
        found, begun = [], b""
        for unit in parted(payload):
            begun += START_CODE + unit
            if unit and kind(unit[0]) in pictures:
                found.append(begun)
                begun = b""
        return b"", found if not begun else [*found, begun]

    return packets


def av1_packets(payload: bytes) -> tuple[bytes, Sequence[bytes]]:
    return b"", obu.shown_frames(payload)


def ffv1_packets(payload: bytes) -> tuple[bytes, Sequence[bytes]]:
    extradata, *packets = parted(payload) if payload else [b""]
    return extradata, packets


def frame_of_rgb0(samples: np.ndarray) -> np.ndarray:
    """The frame uint8 [H, W, 3] of samples in the order blue, green, red, nothing: [1, H, W * 4]."""
    return samples.reshape(samples.shape[1], -1, 4)[..., 2::-1]


# x265 refuses lower pictures, and writes beyond its memory on narrower ones than 56 columns.
X265_LEAST = 64, 16
STREAMS = {
    "av1": Stream("libdav1d", "yuv444p10le", av1_packets, frame_of, True),
    "hevc": Stream(
        "hevc", "yuv444p10le", access_units(HEVC_PICTURES, lambda byte: byte >> 1 & 63), frame_of, False, X265_LEAST
    ),
    "h264": Stream(
        "h264", "yuv444p10le", access_units(H264_PICTURES, lambda byte: byte & 31), frame_of_differences, False
    ),
    "ffv1": Stream("ffv1", "bgr0", ffv1_packets, frame_of_rgb0, True),
}
