"""Groups that decode to pictures, one frame after another, where each needs the ones before it."""

from collections.abc import Iterator

import numpy as np

from lvc.codecs.codec import GroupDecoder
from lvc.codecs.latent_history import grown
from lvc.errors import FormatError
from lvc.frames import Geometry, pictures_digest


class PictureGroupDecoder(GroupDecoder):
    """Takes pictures uint8 [H, W, 3] from an iterator that decodes them when it is asked for the next, and keeps them.

    frame_count: how many it must give, of height and width; FormatError where it gives fewer or more.
    state_bytes: memory that the iterator holds on to, payloads included. The digest is of the pictures.
    """

    def __init__(self, frame_count: int, pictures: Iterator[np.ndarray], *, geometry: Geometry, state_bytes: int):
        self.frame_count, self._state_bytes = frame_count, state_bytes
        self._coming: Iterator[np.ndarray] | None = pictures
        self._pictures = np.empty((0, geometry.height, geometry.width, 3), np.uint8)
        self._count = self._digest = 0

    @property
    def decoded(self) -> int:
        return self._count

    @property
    def digest(self) -> int:
        return self._digest

    @property
    def nbytes(self) -> int:
        return self._pictures.nbytes + (0 if self._coming is None else self._state_bytes)

    def advance(self, stop: int) -> None:
        while self._count < stop and self._coming is not None:
            picture = next(self._coming, None)
            if picture is None:
                raise FormatError(f"a group of {self.frame_count} frames decodes to {self._count}")
            self._pictures = grown(self._pictures, self._count, self._count + 1, self.frame_count)
            self._pictures[self._count] = picture
            self._digest = pictures_digest(picture, self._digest)
            self._count += 1
            if self._count == self.frame_count:
                if next(self._coming, None) is not None:
                    raise FormatError(f"a group of {self.frame_count} frames decodes to more")
                self._coming = None

    def pictures(self, places) -> np.ndarray:
        return self._pictures[: self._count][places]
