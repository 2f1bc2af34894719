"""What a `Reader` gives besides bare tensors: a frame, or a batch of frames, with times and durations,
as torchcodec's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def _described(value) -> str:
    """Name and fields, one a line, with the shape of `data` in place of its numbers."""
    lines = [f"{type(value).__name__}:"]
    for field in fields(value):
        content = getattr(value, field.name)
        lines.append(f"  data (shape): {content.shape}" if field.name == "data" else f"  {field.name}: {content}")
    return "\n".join(lines) + "\n"


@dataclass(repr=False)
class Frame:
    """One frame: data uint8 [3, H, W] (or [H, W, 3]), its time and its duration in seconds;
    unpacks into these three.
    """

    data: torch.Tensor
    pts_seconds: float
    duration_seconds: float

    def __iter__(self) -> Iterator[torch.Tensor | float]:
        return iter((self.data, self.pts_seconds, self.duration_seconds))

    __repr__ = _described


@dataclass(repr=False)
class Frames:
    """Some frames: data uint8 [N, 3, H, W] (or [N, H, W, 3]), times and durations in seconds, float64 [N] on the CPU.

    An index of any kind that tensors take chooses frames of it; iterating gives one frame after the other. Both give
    `Frames` again, of a single frame without the axis N.
    """

    data: torch.Tensor
    pts_seconds: torch.Tensor
    duration_seconds: torch.Tensor

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key) -> Frames:
        return Frames(self.data[key], self.pts_seconds[key], self.duration_seconds[key])

    def __iter__(self) -> Iterator[Frames]:
        return (self[number] for number in range(len(self)))

    __repr__ = _described
