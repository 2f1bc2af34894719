"""Frames with known faults, and a reader of them, for the tests of the report."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from lvc.frames import FrameBatch, Geometry

GEOMETRY = Geometry(40, 24)
TIME_BASE = Fraction(1, 90_000)


def source_frames(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(30, 220, (count, GEOMETRY.height, GEOMETRY.width, 3), dtype=np.uint8)


class KnownReader:
    """Decodes frame n as its source plus errors[n]; counts how often frames are asked for."""

    def __init__(self, source: np.ndarray, errors, pts, *, keyint: int = 4):
        self._source, self._errors = source, errors
        self.geometry, self.time_base, self.pts = GEOMETRY, TIME_BASE, tuple(pts)
        self.frame_types = ["key" if n % keyint == 0 else "predicted" for n in range(len(source))]
        self.frame_bytes = self.mean_frame_bytes = np.array(
            [900.0 if kind == "key" else 52.5 for kind in self.frame_types]
        )
        self.metadata = SimpleNamespace(
            model={"name": "conv4", "sha256": "ab" * 32},
            keyint=keyint,
            crf=28,
            quantiser={"name": "round"},
            entropy={"name": "factorised"},
            source={"name": "</script><script>alert(1)</script>.mp4", "every": 10},
            file_bytes=int(self.frame_bytes.sum()) + 300,
        )
        self.calls: list[list[int]] = []

    def __len__(self) -> int:
        return len(self._source)

    def frames_at(self, indices) -> FrameBatch:
        indices = list(indices)
        self.calls.append(indices)
        data = np.stack([self._source[n] + np.uint8(self._errors[n]) for n in indices])
        return FrameBatch(data, tuple(self.pts[n] for n in indices), self.time_base)


def batches(source: np.ndarray, pts, *, time_base: Fraction = TIME_BASE, size: int = 5):
    for start in range(0, len(source), size):
        yield FrameBatch(source[start : start + size], tuple(pts[start : start + size]), time_base)


@pytest.fixture(scope="session")
def material() -> SimpleNamespace:
    return SimpleNamespace(source_frames=source_frames, batches=batches, KnownReader=KnownReader, GEOMETRY=GEOMETRY)
