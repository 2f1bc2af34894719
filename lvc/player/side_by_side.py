"""Source and decoded frames as pictures of twice the width, for the window to play as it plays any others."""

import cv2
import numpy as np

from lvc.frames import FrameBatch, Geometry

PANES = ("source", "decoded")
_PLATE, _CROSS = (38, 43, 53), (88, 96, 112)


class SideBySide:
    """What `play` needs of a reader, whose frames are the source's left and the decoded ones right, at the same
    timestamps.

    reader: as `lvc.open` gives. source: its `frames_shown_at(seconds)` gives pictures uint8 [H, W, 3] of the reader's
    size, or None, for which a crossed plate is shown. Raises OptionError for frames too wide for two of them.
    """

    def __init__(self, reader, source):
        self._reader, self._source = reader, source
        self.geometry = Geometry(2 * reader.geometry.width, reader.geometry.height)
        self.pts, self.time_base = reader.pts, reader.time_base
        self.frame_types, self.mean_frame_bytes = reader.frame_types, reader.mean_frame_bytes
        self.metadata = reader.metadata

    def __len__(self) -> int:
        return len(self.pts)

    def frames(self, start: int, stop: int) -> FrameBatch:
        """Frames start to stop-1, uint8 [T, H, 2 W, 3]."""
        decoded = self._reader.frames(start, stop)
        plate = _no_picture(self._reader.geometry)
        sources = [
            plate if picture is None else picture for picture in self._source.frames_shown_at(decoded.pts_seconds)
        ]
        return FrameBatch(np.concatenate([np.stack(sources), decoded.data], axis=2), decoded.pts, decoded.time_base)


def _no_picture(geometry: Geometry) -> np.ndarray:
    """What stands for a frame that the source does not have: uint8 [H, W, 3]."""
    plate = np.full((geometry.height, geometry.width, 3), _PLATE, np.uint8)
    right, bottom = geometry.width - 1, geometry.height - 1
    cv2.line(plate, (0, 0), (right, bottom), _CROSS)
    cv2.line(plate, (0, bottom), (right, 0), _CROSS)
    return plate
