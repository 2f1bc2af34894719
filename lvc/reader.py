"""`lvc.open`: frames of a `.lvc` file by number, slice or time, in the manner of torchcodec's decoder."""

import operator
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
import torch

from lvc.codec import PREDICTION, Codec, Latents, check_group, codec_of
from lvc.container.reader import ContainerReader
from lvc.container.scan import Damage
from lvc.errors import OptionError
from lvc.frames import FrameBatch, Geometry

DIMENSION_ORDERS = ("NCHW", "NHWC")


@dataclass(frozen=True)
class Frame:
    """One frame: data uint8 [3, H, W] (or [H, W, 3]), its time and its duration in seconds."""

    data: torch.Tensor
    pts_seconds: float
    duration_seconds: float


@dataclass(frozen=True)
class Frames:
    """Some frames: data uint8 [N, 3, H, W] (or [N, H, W, 3]), times and durations in seconds, float64 [N]."""

    data: torch.Tensor
    pts_seconds: torch.Tensor
    duration_seconds: torch.Tensor

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class Metadata:
    """What the header and the index say, without decoding."""

    num_frames: int
    width: int
    height: int
    time_base: Fraction
    begin_stream_seconds: float
    end_stream_seconds: float
    average_fps: float | None
    keyint: int
    model: dict
    quantiser: dict
    entropy: dict
    crf: int | None
    source: dict
    file_bytes: int


class Reader:
    """Decodes frames of one file; each call decodes each keyframe group that it touches once.

    source: a path, bytes, or a seekable binary file object. model: a weights file, where the file's own is not found.
    device: where synthesis runs and tensors live. dimension_order: "NCHW" or "NHWC" of the tensors that are returned.
    Raises FormatError for damaged bytes, ModelError for missing or other weights, IndexError out of range.
    Pickles (when opened from a path or bytes) and is reopened in each process that it reaches.
    """

    def __init__(self, source, *, model: str | os.PathLike | None = None, device: str = "cpu", dimension_order: str = "NCHW"):
        if dimension_order not in DIMENSION_ORDERS:
            raise OptionError(f"dimension_order is one of {', '.join(DIMENSION_ORDERS)}, not {dimension_order!r}")
        self._source, self._model, self._device, self._order = source, model, device, dimension_order
        self._open()

    def _open(self) -> None:
        self.container = ContainerReader(self._source)
        self.header = self.container.header
        self.geometry = Geometry(self.header.width, self.header.height)
        self.time_base = self.header.time_base
        self._codec = None
        self._process = os.getpid()
        self._latents: tuple[int, Latents] | None = None  # of the group that was read last

    def __getstate__(self) -> dict:
        if not isinstance(self._source, str | os.PathLike | bytes):
            raise TypeError("a Reader over a file object cannot be pickled; open it from a path or bytes")
        return {"source": self._source, "model": self._model, "device": self._device, "order": self._order}

    def __setstate__(self, state: dict) -> None:
        self._source, self._model, self._device, self._order = state["source"], state["model"], state["device"], state["order"]
        self._open()

    @property
    def codec(self) -> Codec:
        """The model that made the file, loaded when the first frame is asked for."""
        if self._codec is None:
            self._codec = codec_of(self.header, model=self._model, device=self._device)
        return self._codec

    # Frames as arrays with exact timestamps

    def latents(self, group: int, *, stop: int | None = None) -> Latents:
        """Latents of a keyframe group (of its first `stop` frames); a whole group is checked against its digest."""
        if self._process != os.getpid():
            self._open()  # after a fork: the file position must not be shared with the parent
        count = self.container.frames_in_group(group)
        stop = count if stop is None else stop
        if self._latents is not None and self._latents[0] == group and len(self._latents[1]) >= stop:
            return self._latents[1]
        found = self.container.group(group)
        latents = check_group(self.codec, found) if stop == count else self.codec.decode(found.packets, stop=stop)
        self._latents = group, latents
        return latents

    def frames_at(self, indices) -> FrameBatch:
        """Frames by number, in any order, as numpy with exact timestamps; each group is decoded once."""
        numbers = [self._number(index) for index in indices]
        height, width = self.geometry.height, self.geometry.width
        data = np.empty((len(numbers), height, width, 3), np.uint8)
        by_group: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            by_group.setdefault(self.container.group_of_frame(number), []).append(place)
        for group, places in by_group.items():
            first = self.container.first_frame_of_group(group)
            inside = [numbers[place] - first for place in places]
            latents = self.latents(group, stop=max(inside) + 1)
            wanted = sorted(set(inside))
            frames = self.codec.synthesise(Latents(latents.symbols[wanted], latents.parameters[wanted])).transpose(0, 2, 3, 1)
            for place, number in zip(places, inside):
                data[place] = frames[bisect_right(wanted, number) - 1]
        pts = tuple(self.container.pts_of(number) for number in numbers)
        return FrameBatch(data.transpose(0, 3, 1, 2), pts, self.time_base)

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[FrameBatch]:
        """Frames start to stop-1 in order, at most a group at a time."""
        stop = len(self) if stop is None else stop
        while start < stop:
            group = self.container.group_of_frame(start)
            end = min(stop, self.container.first_frame_of_group(group) + self.container.frames_in_group(group))
            yield self.frames_at(range(start, end))
            start = end

    def frames(self, start: int, stop: int) -> FrameBatch:
        """Frames start to stop-1 as one batch."""
        return self.frames_at(range(start, stop))

    def _number(self, index) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"frame {number} of a file of {len(self)}")
        return number + len(self) if number < 0 else number

    # torchcodec's calls

    def __len__(self) -> int:
        return self.container.frame_count

    def __getitem__(self, key) -> torch.Tensor:
        if isinstance(key, slice):
            return self._tensor(self.frames_at(range(*key.indices(len(self)))))
        try:
            number = operator.index(key)
        except TypeError:
            raise TypeError(f"frames are chosen by a whole number or a slice, not {type(key).__name__}") from None
        return self._tensor(self.frames_at([number]))[0]

    def __iter__(self) -> Iterator[torch.Tensor]:
        for batch in self.batches():
            yield from self._tensor(batch)

    def get_frame_at(self, index: int) -> Frame:
        frames = self.get_frames_at([index])
        return Frame(frames.data[0], frames.pts_seconds[0].item(), frames.duration_seconds[0].item())

    def get_frames_at(self, indices) -> Frames:
        numbers = [self._number(index) for index in indices]
        batch = self.frames_at(numbers)
        durations = [float(self.duration_ticks(number) * self.time_base) for number in numbers]
        times = [float(time) for time in batch.pts_seconds]
        return Frames(self._tensor(batch), torch.tensor(times, dtype=torch.float64), torch.tensor(durations, dtype=torch.float64))

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> Frames:
        return self.get_frames_at(range(start, stop, step))

    def get_frame_played_at(self, seconds: float) -> Frame:
        return self.get_frame_at(self.container.frame_at_seconds(seconds))

    def get_frames_played_at(self, seconds) -> Frames:
        return self.get_frames_at([self.container.frame_at_seconds(second) for second in seconds])

    def duration_ticks(self, number: int) -> int:
        """How long a frame stays on screen: until the next one, and the last one for the nominal duration."""
        if number + 1 < len(self):
            return self.container.pts_of(number + 1) - self.container.pts_of(number)
        return self.header.frame_duration

    def _tensor(self, batch: FrameBatch) -> torch.Tensor:
        data = torch.from_numpy(batch.data)
        data = data.permute(0, 2, 3, 1) if self._order == "NHWC" else data
        return data.contiguous().to(self._device)

    # What is known without decoding

    @property
    def metadata(self) -> Metadata:
        header, count = self.header, len(self)
        begin = self.container.pts_of(0) * self.time_base if count else Fraction(0)
        end = (self.container.pts_of(count - 1) + self.duration_ticks(count - 1)) * self.time_base if count else Fraction(0)
        return Metadata(
            num_frames=count,
            width=header.width,
            height=header.height,
            time_base=header.time_base,
            begin_stream_seconds=float(begin),
            end_stream_seconds=float(end),
            average_fps=float(count / (end - begin)) if end > begin else None,
            keyint=header.keyint,
            model=dict(header.model),
            quantiser=dict(header.quantiser),
            entropy=dict(header.entropy),
            crf=header.extra.get("crf"),
            source=dict(header.source),
            file_bytes=self.container.file_bytes,
        )

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What opening the file found wrong: empty where header, trailer and index hold."""
        return self.container.damage

    @property
    def pts(self) -> tuple[int, ...]:
        return tuple(self.container.pts_of(number) for number in range(len(self)))

    def pts_seconds(self, number: int) -> float:
        return float(self.container.pts_of(self._number(number)) * self.time_base)

    @property
    def frame_types(self) -> list[str]:
        """For each frame "key", which needs no other frame, or "predicted"."""
        types = []
        for group in range(len(self.container.index)):
            count = self.container.frames_in_group(group)
            types += ["key"] + ["predicted" if self.header.entropy["name"] in (PREDICTION, "adaptive") else "key"] * (count - 1)
        return types

    @property
    def mean_frame_bytes(self) -> np.ndarray:
        """Payload bytes of each frame, float64 [N], without decoding: frames that share a packet share its bytes evenly."""
        return np.concatenate([np.zeros(0), *(evenly(group.packets) for group in self.container.groups())])

    @property
    def frame_bytes(self) -> np.ndarray:
        """Payload bytes of each frame, float64 [N]: frames that share a packet share its bytes by what their symbols cost.

        Decodes all groups that have such packets.
        """
        sizes = []
        for group in self.container.groups():
            shares = evenly(group.packets)
            if len(group.packets) < group.frame_count:
                bits, start = self.codec.frame_bits(group.packets), 0
                for packet in group.packets:
                    stop = start + packet.frame_count
                    cost = bits[start:stop] + 1e-9  # frames that cost nothing share evenly
                    shares[start:stop] = len(packet.payload) * cost / cost.sum()
                    start = stop
            sizes.append(shares)
        return np.concatenate([np.zeros(0), *sizes])

    def close(self) -> None:
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Reader({len(self)} frames of {self.geometry}, model {self.header.model['name']})"


def evenly(packets) -> np.ndarray:
    """Payload bytes of each frame, where the frames of a packet share them evenly."""
    return np.concatenate([np.full(packet.frame_count, len(packet.payload) / packet.frame_count) for packet in packets])
