"""Restoration in a group's payload: which filters are on, before the stream of whatever codec made it.

A byte says how coarsely the group was quantised, 1 to 64, or 0 where nothing is restored. After it, unless that is 0,
stand the length of the filters as a varint, and the filters.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from lvc.codecs.restoration.choice import Thoroughness, best_content
from lvc.codecs.restoration.filters import STRENGTHS, Filters
from lvc.codecs.restoration.group import Basis, decoded
from lvc.container.varint import Cursor, append_varint
from lvc.errors import FormatError
from lvc.frames import Geometry

NOTHING = b"\0"  # in place of filters
THOROUGHNESS = Thoroughness(16, 16), Thoroughness(8, 8), Thoroughness(2, 4)  # by effort


def head_of(
    basis: Basis,
    planes: Callable[[], Iterable[np.ndarray]],
    source: Callable[[int], np.ndarray],
    *,
    strength: int,
    stream_bytes: int,
    effort: int,
) -> bytes:
    """What stands before a group's stream: the filters that serve it best, or NOTHING where none are worth their bytes.

    planes: gives uint16 [3, H, W] of its frames as they decode, each time it is called. source: those of a frame before
    coding.
    """
    content = best_content(basis, planes, source, strength, stream_bytes, THOROUGHNESS[effort])
    if content is None:
        return NOTHING
    head = bytearray([1 + strength])
    append_varint(head, len(content))
    return bytes(head) + content


def parted(
    basis: Basis, payload: bytes, geometry: Geometry
) -> tuple[Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]], bytes]:
    """What restores a group's planes uint16 [3, H, W] in order, and the stream behind the head; raises FormatError."""
    if not payload:
        raise FormatError("a restored group begins with its filters, and there is not a byte")
    if payload[0] > STRENGTHS:
        raise FormatError(f"a group's restoration has a strength of 1 to {STRENGTHS}, not {payload[0]}")
    if not payload[0]:
        return iter, payload[1:]
    cursor = Cursor(payload, offset=0)
    strength = cursor.take(1, "strength of the restoration")[0] - 1
    chosen = decoded(basis, cursor.take(cursor.varint("length of the filters"), "filters"))
    filters = Filters(geometry.height, geometry.width)
    rest = cursor.take(cursor.remaining, "stream")
    return lambda planes: filters.all_restored(planes, chosen, strength), rest
