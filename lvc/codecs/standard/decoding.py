"""Frames of a group's stream, one after another, by FFmpeg's decoders through PyAV:
each of them gives the same samples on every machine.
"""

from collections.abc import Iterator
from types import ModuleType

import numpy as np

from lvc.codecs.standard.streams import Stream
from lvc.errors import FormatError, ModelError
from lvc.frames import Geometry

SAMPLE_TYPES: dict[str, np.dtype] = {"yuv444p10le": np.dtype("<u2"), "bgr0": np.dtype("u1")}
PLANES = {"yuv444p10le": 3, "bgr0": 1}
PADDING = 64  # samples by which a decoder may round a side up


def pyav() -> ModuleType:
    """PyAV; raises ModelError where it is not installed. Files of other families are read without it."""
    try:
        import av
    except ImportError as error:
        raise ModelError(
            "this file holds a standard codec's frames, and they are decoded by PyAV: pip install av"
        ) from error
    return av


def decoded_samples(stream: Stream, payload: bytes, geometry: Geometry) -> Iterator[np.ndarray]:
    """The samples of frames in the order of showing, each decoded when it is asked for: as `samples_of` gives them.

    Raises FormatError for what the decoder does not take, and for frames of another size or kind.
    """
    av = pyav()
    extradata, packets = stream.packets(payload)
    context = av.codec.CodecContext.create(stream.decoder, "r")
    context.thread_count = 1  # several threads would hold frames back, and the frames are small
    coded = stream.coded(geometry)
    context.width, context.height, context.pix_fmt = coded.width, coded.height, stream.pixel_format
    # A stream of a few bytes may ask for pictures of any size, and a decoder may paint over what is damaged.
    context.options = {
        "max_pixels": str((coded.width + PADDING) * (coded.height + PADDING)),
        "err_detect": "explode",
    }
    if extradata:
        context.extradata = extradata
    refused = av.FFmpegError, ValueError  # named now: a generator may end with the interpreter, when modules are empty
    try:
        for packet in (*packets, None):
            for picture in context.decode(None if packet is None else av.Packet(packet)):
                yield samples_of(picture, stream, geometry)
    except refused as error:
        raise FormatError(f"{stream.decoder} does not take a frame: {error}") from error


def samples_of(picture, stream: Stream, geometry: Geometry) -> np.ndarray:
    """A decoded picture's samples [planes, H, W], a copy; raises FormatError for one of another size or format."""
    # Small pictures were coded at their own size once.
    sizes = {(one.width, one.height) for one in (stream.coded(geometry), geometry)}
    if (picture.width, picture.height) not in sizes or picture.format.name != stream.pixel_format:
        raise FormatError(
            f"a frame decodes to {picture.width}x{picture.height} {picture.format.name}; {geometry} "
            f"{stream.pixel_format} was expected"
        )
    kind, count = SAMPLE_TYPES[stream.pixel_format], PLANES[stream.pixel_format]
    across = geometry.width * (4 if count == 1 else 1)
    planes = [
        np.frombuffer(plane, kind).reshape(picture.height, plane.line_size // kind.itemsize)[: geometry.height, :across]
        for plane in picture.planes[:count]
    ]
    return np.stack(planes)
