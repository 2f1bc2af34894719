"""The hybrid codec's C kernels: a group encoded in one call, and a decoder that goes on frame by frame."""

import os

import numpy as np

from lvc.codecs.hybrid.statistics import EMPTY, Statistics
from lvc.errors import FormatError, OptionError
from lvc.kernels.binding import Kernel, Struct

GEOMETRY = Struct(integers="height width slots without frames")
START = Struct(
    sizes="bytes length contexts mixers",
    integers="height width slots without",
    arrays={
        "memory": ("uint8", "bytes"),
        "payload": ("uint8", "length"),
        "probabilities": ("uint16", "contexts 2"),
        "weights": ("int32", "mixers"),
    },
)
DECODE = Struct(
    sizes="bytes length height width",
    arrays={"memory": ("uint8", "bytes"), "payload": ("uint8", "length"), "picture": ("uint8", "height width 3")},
)
ENCODE = Struct(
    sizes="bytes room frames height width contexts mixers",
    integers="slots without effort quantiser threads",
    arrays={
        "memory": ("uint8", "bytes"),
        "payload": ("uint8", "room"),
        "pictures": ("uint8", "frames height width 3"),
        "shown": ("uint8", "frames height width 3"),
        "ends": ("int64", "frames"),
        "probabilities": ("uint16", "contexts 2"),
        "weights": ("int32", "mixers"),
    },
)
_decoder_bytes = Kernel("lvc_hybrid_decoder_bytes", GEOMETRY)
_encoder_bytes = Kernel("lvc_hybrid_encoder_bytes", GEOMETRY)
_start = Kernel("lvc_hybrid_decoder_start", START)
_decode_frame = Kernel("lvc_hybrid_decode_frame", DECODE)
_encode = Kernel("lvc_hybrid_encode", ENCODE)

MOST_SIDE = 8192
THREADS = os.cpu_count() or 1


def decoder_bytes(height: int, width: int, slots: int) -> int:
    """Memory of a decoder that keeps `slots` pictures; 0 for what the codec cannot code."""
    return _decoder_bytes(height=height, width=width, slots=slots)


def encode(
    frames: np.ndarray,
    *,
    slots: int,
    effort: int,
    quantiser: int,
    without: int = 0,
    statistics: Statistics = EMPTY,
    threads: int = THREADS,
) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Codes frames uint8 [T, H, W, 3]: the payload, what it decodes to, and the bytes after each frame, int64 [T].

    slots: pictures that the decoder keeps, 2 to 255. quantiser: index of the step, 0 to 96, twelve to the octave.
    without: tools that are off, a mask. statistics: what the group starts from. threads: up to 4 of them share the
    search; the bytes are the same. Raises OptionError for frames that are too large.
    """
    count, height, width, _ = frames.shape
    needed = _encoder_bytes(height=height, width=width, slots=slots, without=without, frames=count)
    if not needed:
        raise OptionError(
            f"the hybrid codec codes up to 4,096 frames, {MOST_SIDE:,} samples a side, not {count} of {width}x{height}"
        )
    memory = np.zeros(needed, np.uint8)
    room = 2 * frames.size + 4096  # a level costs less than 2 bytes on average, even of noise at the finest step
    payload, shown, ends = np.empty(room, np.uint8), np.empty_like(frames), np.zeros(count, np.int64)
    size = _encode(
        memory=memory,
        payload=payload,
        pictures=np.ascontiguousarray(frames),
        shown=shown,
        ends=ends,
        slots=slots,
        without=without,
        effort=effort,
        quantiser=quantiser,
        threads=threads,
        probabilities=statistics.probabilities,
        weights=statistics.weights,
    )
    if size < 0:
        raise OptionError(f"{count} frames of {width}x{height} need more than {room:,} bytes")
    return payload[:size].tobytes(), shown, ends


class Decoding:
    """A group's decoder where it is: `next_picture` goes on by one frame."""

    def __init__(
        self, payload: bytes, height: int, width: int, slots: int, without: int = 0, statistics: Statistics = EMPTY
    ):
        needed = _decoder_bytes(height=height, width=width, slots=slots, without=without, frames=1)
        if not needed:
            raise FormatError(f"no hybrid group has frames of {width}x{height} and keeps {slots}")
        self._memory = np.zeros(needed, np.uint8)
        self._payload = np.frombuffer(payload or b"\0", np.uint8)
        self._shape = height, width, 3
        _start(
            memory=self._memory,
            payload=self._payload,
            height=height,
            width=width,
            slots=slots,
            without=without,
            probabilities=statistics.probabilities,
            weights=statistics.weights,
        )

    @property
    def nbytes(self) -> int:
        return self._memory.nbytes + self._payload.nbytes

    def next_picture(self) -> np.ndarray:
        """The next frame uint8 [H, W, 3]; raises FormatError where the payload has ended long before."""
        picture = np.empty(self._shape, np.uint8)
        if _decode_frame(memory=self._memory, payload=self._payload, picture=picture):
            raise FormatError("a hybrid group's payload ends before its frames")
        return picture
