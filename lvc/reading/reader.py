"""`lvc.open`: frames of a `.lvc` file by number, slice or time, in the manner of torchcodec's decoder.

Torch is imported by those calls alone that give tensors.
"""

from __future__ import annotations

import io
import operator
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Self

import numpy as np

from lvc.codecs.codec import GroupCodec, GroupDecoder, as_numpy
from lvc.codecs.family import looks_back
from lvc.container.reader import ContainerReader
from lvc.container.scan import Damage
from lvc.errors import InputError, ModelError, OptionError
from lvc.frames import FrameBatch, Geometry, Latents
from lvc.reading.decoder_calls import DecoderCalls, check_decoder_options
from lvc.reading.recency import RecentlyUsed
from lvc.reading.stream_metadata import Metadata
from lvc.weights.file_codec import check_digest, codec_of, codec_specs

if TYPE_CHECKING:
    import torch
    from PIL import Image

AT_ONCE = 64  # frames whose latents are in memory at once on their way to pixels
BATCH_BYTES = 1 << 26  # of pixels in a batch: a group may have 4,096 frames


@dataclass(frozen=True)
class IntegerLatents:
    """The integer latents of some frames as they are stored, with what `synthesise` needs to make pixels of them.

    symbols: int32 [N, *latent_shape]; for quantiser "none" the bits of float32. parameters: the quantiser's, float32
    [N, P], where P may be 0. pts_seconds: float64 [N]. geometry: of the frames. crf: quality level that they were coded
    at, or None.
    model, model_sha256: the weights they belong to. quantiser: its spec.
    """

    symbols: torch.Tensor
    parameters: torch.Tensor
    pts_seconds: torch.Tensor
    geometry: Geometry
    crf: int | None
    model: str
    model_sha256: str
    quantiser: dict

    def __len__(self) -> int:
        return len(self.symbols)


class Reader(DecoderCalls):
    """Decodes frames of one file; each call decodes each keyframe group that it touches once.

    source: a path, bytes, a uint8 tensor of a file's bytes, or a binary file object with `read` and `seek`, as fsspec's
    are.
    model: a weights file, where the file's own is not found.
    device: where synthesis runs and tensors live, torch's default device with None. dimension_order: "NCHW" or "NHWC"
    of the tensors that are returned. output_dtype: torch.uint8, or torch.float32 with values in [0, 1]. transforms:
    called one after the other with each uint8 [N, 3, H, W] that is decoded.
    seek_mode, num_ffmpeg_threads, stream_index (0 or None): torchcodec's, taken and without effect: the index is exact
    and small.
    cache_bytes: memory for the latents of groups that were used last (of codecs without latents, the pictures), beside
    the last one, which is always kept: frames of kept groups cost synthesis alone, and a group that was decoded in part
    is decoded on from there.
    decoders: in place of cache_bytes, where readers of one thread keep the groups that they used last together.
    Raises FormatError for damaged bytes, ModelError for missing or other weights, IndexError out of range.
    Pickles (when opened from a path or bytes), without what it has decoded, and is reopened in each process that it
    reaches, by fork or spawn. Threads may share it, one decodes at a time.
    """

    def __init__(
        self,
        source,
        *,
        model: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
        dimension_order: str = "NCHW",
        output_dtype: torch.dtype | str = "torch.uint8",
        transforms: Sequence[Callable[[torch.Tensor], torch.Tensor]] | None = None,
        stream_index: int | None = None,
        num_ffmpeg_threads: int = 1,
        seek_mode: str = "exact",
        cache_bytes: int = 0,
        decoders: RecentlyUsed | None = None,
    ):
        check_decoder_options(
            seek_mode=seek_mode,
            num_ffmpeg_threads=num_ffmpeg_threads,
            stream_index=stream_index,
            dimension_order=dimension_order,
            output_dtype=output_dtype,
            transforms=transforms,
        )
        if isinstance(cache_bytes, bool) or not isinstance(cache_bytes, int) or cache_bytes < 0:
            raise OptionError(f"cache_bytes is a whole number of bytes from 0, not {cache_bytes!r}")
        self._source = (
            bytes_of_tensor(source)
            if hasattr(source, "dim")
            else bytes(source)
            if isinstance(source, bytearray | memoryview)
            else source
        )
        self._model, self._device, self._cache_bytes = model, device_name(device), cache_bytes
        self._order, self._floats, self._transforms = (
            dimension_order,
            str(output_dtype) == "torch.float32",
            tuple(transforms or ()),
        )
        self._shared = decoders
        self._open()

    def _open(self) -> None:
        self._container = ContainerReader(self._source)
        self.header = self._container.header
        self.geometry = Geometry(self.header.width, self.header.height)
        self.time_base = self.header.time_base
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._codec: GroupCodec | None = None
        self._name = str(self._source) if isinstance(self._source, str | os.PathLike) else id(self), self.codec_key
        self._decoders = RecentlyUsed(self._cache_bytes) if self._shared is None else self._shared  # of groups

    @property
    def container(self) -> ContainerReader:
        """The file's groups and index; opened again where a fork has brought the reader to another process."""
        if self._process != os.getpid():
            if shares_position(self._source):
                raise InputError(
                    "a Reader over an open file cannot be used after a fork, which shares the file's position; open "
                    "it by its path"
                )
            self._open()
        return self._container

    def __getstate__(self) -> dict:
        if not isinstance(self._source, str | os.PathLike | bytes):
            raise TypeError("a Reader over a file object cannot be pickled; open it from a path or bytes")
        names = ("_source", "_model", "_device", "_order", "_floats", "_transforms", "_cache_bytes")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        self._shared = None
        self._open()

    @property
    def codec(self) -> GroupCodec:
        """The model that made the file, loaded when the first frame is asked for;
        readers of a process share it, see `codec_of`.
        """
        self.container  # noqa: B018  looks after forks
        with self._lock:
            if self._codec is None:
                self._codec = codec_of(self.header, model=self._model, device=self._device)
        return self._codec

    @property
    def codec_key(self) -> tuple:
        """What latents mean: weights, quantiser, entropy model, quality level and geometry,
        alike for files that share a codec.
        """
        header = self.header
        return header.model["name"], header.model["sha256"], codec_specs(header), self.geometry

    def group_key(self, group: int) -> tuple:
        """What a keyframe group decodes to, alike for all readers of the file at its path;
        FormatError for a damaged group.
        """
        return self._name, group, self.container.group(group).digest

    # Latents

    def latents(self, group: int, *, stop: int | None = None) -> Latents:
        """Latents of a keyframe group (of its first `stop` frames); a whole group is checked against its digest.

        Raises OptionError for a model that has none to hand out.
        """
        self._check_latents()
        stop = self.container.frames_in_group(group) if stop is None else stop
        with self._lock:
            return self._decoder(group, stop).latents(slice(stop))

    def _check_latents(self) -> None:
        if reason := self.codec.traits.no_latents:
            raise OptionError(f"{self.header.model['name']} has no latents to hand out: {reason}")

    def _decoder(self, group: int, stop: int) -> GroupDecoder:
        """The decoder of a group, with at least `stop` frames decoded."""
        container = self.container
        found, key = container.group(group), self.group_key(group)
        decoder = self._decoders.get(key)
        if decoder is None:
            decoder = self.codec.open_group(found.packets)
        if decoder.decoded < stop:
            self._decoders.drop(key)  # comes back unless there is an error
            decoder.advance(stop)
            if stop == decoder.frame_count:
                check_digest(self.codec, found, decoder.digest)
        if self._decoders.limit:
            decoder.pack()
        self._decoders.put(key, decoder, decoder.nbytes)
        return decoder

    def _places_by_group(self, numbers: list[int]) -> dict[int, list[int]]:
        """Where in a list of frames those of each group stand."""
        by_group: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            by_group.setdefault(self.container.group_of_frame(number), []).append(place)
        return by_group

    def _latents_of(self, numbers: list[int]) -> Latents:
        """Latents of frames by number, in any order; each group is decoded once, as far as it is needed."""
        container, codec, by_group = self.container, self.codec, self._places_by_group(numbers)

        def of_group(group: int, places: list[int]) -> Latents:
            first = container.first_frame_of_group(group)
            inside = [numbers[place] - first for place in places]
            with self._lock:
                return self._decoder(group, max(inside) + 1).latents(inside)

        if len(by_group) == 1:
            return of_group(*by_group.popitem())
        symbols = np.empty((len(numbers), *codec.latent_shape), np.int32)
        parameters = np.empty((len(numbers), codec.parameter_count), np.float32)
        for group, places in by_group.items():
            found = of_group(group, places)
            symbols[places], parameters[places] = found.symbols, found.parameters
        return Latents(symbols, parameters)

    def _made(self, numbers: list[int]) -> np.ndarray | torch.Tensor:
        """Frames uint8 [N, H, W, 3] by number: rendered from latents of all their groups together,
        or as each group's decoder has them.
        """
        if self.codec.traits.renders_latents:
            return self.codec.render(self._latents_of(numbers))
        made = np.empty((len(numbers), self.geometry.height, self.geometry.width, 3), np.uint8)
        for group, places in self._places_by_group(numbers).items():
            first = self.container.first_frame_of_group(group)
            inside = [numbers[place] - first for place in places]
            with self._lock:
                made[places] = as_numpy(self._decoder(group, max(inside) + 1).pictures(inside))
        return made

    def latents_at(self, indices) -> IntegerLatents:
        """The integer latents of frames by number, in any order, on the CPU; no pixels are made.

        Raises OptionError for a model that has none to hand out.
        """
        import torch

        self._check_latents()
        numbers = [self._number(index) for index in indices]
        latents = self._latents_of(numbers)
        times = [self.pts_seconds(number) for number in numbers]
        return IntegerLatents(
            symbols=torch.from_numpy(latents.symbols),
            parameters=torch.from_numpy(latents.parameters),
            pts_seconds=torch.tensor(times, dtype=torch.float64),
            geometry=self.geometry,
            crf=self.header.extra.get("crf"),
            model=self.header.model["name"],
            model_sha256=self.header.model["sha256"],
            quantiser=dict(self.header.quantiser),
        )

    def synthesise(
        self, latents: IntegerLatents | torch.Tensor, *, parameters: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Frames uint8 [N, 3, H, W] (or [N, H, W, 3]) of integer latents: of `latents_at`, or whole numbers [N,
        *latent_shape] that another model made, with float [N, P] parameters where the file's quantiser has them.

        Raises ModelError for latents of other weights, OptionError for those of another shape, type, crf, size or
        quantiser.
        """
        import torch

        self._check_latents()
        if not self.codec.traits.renders_latents:
            raise OptionError(f"{self.header.model['name']} makes no pixels of a frame's latents alone")
        if isinstance(latents, IntegerLatents):
            if latents.model_sha256 != self.header.model["sha256"]:
                raise ModelError(
                    f"these latents are of the weights {latents.model!r} with sha256 {latents.model_sha256[:16]}, "
                    f"and this file's are {self.header.model['name']!r} with {self.header.model['sha256'][:16]}"
                )
            theirs = latents.crf, latents.geometry, latents.quantiser
            ours = self.header.extra.get("crf"), self.geometry, self.header.quantiser
            if theirs != ours:
                raise OptionError(
                    f"latents for crf {ours[0]}, {ours[1]} and quantiser {ours[2]} were expected, not {theirs[0]}, "
                    f"{theirs[1]} and {theirs[2]}"
                )
            latents, parameters = latents.symbols, latents.parameters
        shape, width = self.codec.latent_shape, self.codec.parameter_count
        if latents.is_floating_point() or latents.is_complex() or latents.shape[1:] != shape:
            raise OptionError(
                f"latents of whole numbers [N, {', '.join(map(str, shape))}] were expected, not {latents.dtype} "
                f"{list(latents.shape)}"
            )
        parameters = torch.zeros(len(latents), 0) if parameters is None else parameters
        if parameters.shape != (len(latents), width):
            raise OptionError(
                f"quantiser {self.codec.quantiser_spec['name']} needs parameters [{len(latents)}, {width}], not "
                f"{list(parameters.shape)}"
            )
        return self._ordered(self.codec.render(Latents(latents.cpu().int().numpy(), parameters.cpu().float().numpy())))

    # Frames as arrays with exact timestamps

    def frames_at(self, indices) -> FrameBatch:
        """Frames by number, in any order, as a batch with exact timestamps: uint8 [N, H, W, 3], numpy.

        Negative numbers count from the end; a number may come more than once. Each group is decoded once, each frame
        made once. Raises IndexError; FormatError for a damaged group.
        """
        numbers = [self._number(index) for index in indices]
        data = as_numpy(self._pictures(numbers))
        pts = tuple(self.container.pts_of(number) for number in numbers)
        return FrameBatch(data, pts, self.time_base)

    def _pictures(self, numbers: list[int]) -> np.ndarray | torch.Tensor:
        """Frames by number as uint8 [N, H, W, 3]: as the codec gives them, numpy or on its device."""
        wanted = sorted(set(numbers))
        first = self._made(wanted[:AT_ONCE])
        if wanted == numbers and len(wanted) <= AT_ONCE:
            return first
        places: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            places.setdefault(number, []).append(place)
        shape = len(numbers), *first.shape[1:]
        data = np.empty(shape, first.dtype) if isinstance(first, np.ndarray) else first.new_empty(shape)
        for start in range(0, len(wanted), AT_ONCE):
            run = wanted[start : start + AT_ONCE]
            for number, frame in zip(run, self._made(run) if start else first):
                data[places[number]] = frame
        return data

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[FrameBatch]:
        """Frames start to stop-1 in order, at most a group, and 64 MiB of pixels, at a time."""
        for run in self._runs(start, len(self) if stop is None else stop):
            yield self.frames_at(run)

    def _runs(self, start: int, stop: int) -> Iterator[range]:
        """Frames start to stop-1 by group, large ones in parts; raises FormatError where a group is lost,
        before any part of it.
        """
        most = max(1, BATCH_BYTES // (3 * self.geometry.width * self.geometry.height))
        while start < stop:
            group = self.container.group_of_frame(start)
            first = self.container.first_frame_of_group(group)
            end = min(stop, first + self.container.frames_in_group(group))
            if end - start > most:
                with self._lock:
                    self._decoder(group, end - first)
            for at in range(start, end, most):
                yield range(at, min(at + most, end))
            start = end

    def frames(self, start: int, stop: int) -> FrameBatch:
        """Frames start to stop-1 as one batch."""
        return self.frames_at(range(start, stop))

    # As a sequence; torchcodec's other calls are in DecoderCalls

    def __len__(self) -> int:
        return self.container.frame_count

    def __getitem__(self, key) -> torch.Tensor:
        if isinstance(key, slice):
            return self._ordered(self._pictures(list(range(*key.indices(len(self))))))
        try:
            number = operator.index(key)
        except TypeError:
            raise TypeError(f"frames are chosen by a whole number or a slice, not {type(key).__name__}") from None
        return self._ordered(self._pictures([self._number(number)]))[0]

    def __iter__(self) -> Iterator[torch.Tensor]:
        for run in self._runs(0, len(self)):
            yield from self._ordered(self._pictures(list(run)))

    def duration_ticks(self, number: int) -> int:
        """How long a frame stays on screen, in ticks of `time_base`: until the next one, but for the last one, and one
        before lost frames, the nominal duration.
        """
        container, index = self.container, self.container.index
        group = container.group_of_frame(number)
        pts, inside = container.group(group).pts, number - container.first_frame_of_group(group)
        if inside + 1 < len(pts):
            return pts[inside + 1] - pts[inside]
        if group + 1 < len(index) and index.first_frames[group + 1] == number + 1:
            return int(index.first_pts[group + 1]) - pts[inside]
        return self.header.frame_duration

    def _ordered(self, pictures: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Frames [N, H, W, 3] as a tensor on the device, transformed, of the type and in the order that were asked
        for.
        """
        import torch

        tensor = torch.as_tensor(pictures, device=self.codec.device)
        if self._transforms:
            tensor = tensor.permute(0, 3, 1, 2).contiguous()
            for transform in self._transforms:
                tensor = transform(tensor)
            tensor = tensor.permute(0, 2, 3, 1)
        if self._floats:
            tensor = tensor.float() / 255
        # As torchcodec lays them: channels come first without a copy, in the memory format channels_last.
        return tensor.contiguous() if self._order == "NHWC" else tensor.contiguous().permute(0, 3, 1, 2)

    # What is known without decoding

    @property
    def metadata(self) -> Metadata:
        """What the file says of its frames, under torchcodec's names; no frame is decoded."""
        header, count = self.header, len(self)
        begin = self.container.pts_of(0) * self.time_base if count else Fraction(0)
        end = (
            (self.container.pts_of(count - 1) + self.duration_ticks(count - 1)) * self.time_base
            if count
            else Fraction(0)
        )
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
        """The time of each frame in ticks of `time_base` seconds, increasing."""
        return tuple(self.container.pts_of(number) for number in range(len(self)))

    def pts_seconds(self, number: int) -> float:
        """The time of a frame in seconds; negative numbers count from the end. Raises IndexError."""
        return float(self.container.pts_of(self._number(number)) * self.time_base)

    @property
    def frame_types(self) -> list[str]:
        """The kind of each frame: "key", which needs no other frame, or "predicted"."""
        types = []
        for group in range(len(self.container.index)):
            count = self.container.frames_in_group(group)
            types += ["key"] + ["predicted" if looks_back(self.header.entropy["name"]) else "key"] * (count - 1)
        return types

    @property
    def mean_frame_bytes(self) -> np.ndarray:
        """Payload bytes of each frame, float64 [N], without decoding: frames that share a packet share its bytes
        evenly.
        """
        return np.concatenate([np.zeros(0), *(evenly(group.packets) for group in self.container.groups())])

    @property
    def frame_bytes(self) -> np.ndarray:
        """Payload bytes of each frame, float64 [N]: frames that share a packet share its bytes by what their symbols
        cost.

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

    def refresh(self) -> int:
        """Looks for groups that were added to the file since it was opened; gives the number of new frames.

        For the `part` of a writer that is at work. The same open file is read on when it gets its final name.
        """
        with self._lock:
            before, known = len(self), self.container.index
            self.container.refresh()
            if not np.array_equal(self.container.index.offsets[: len(known)], known.offsets):
                # Groups have other numbers: a damaged one came or went
                self._decoders = RecentlyUsed(self._cache_bytes)
            return len(self) - before

    def close(self) -> None:
        """Closes the file; frames that were read stay. Leaving a `with` block does it too."""
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # In a notebook; Pillow is imported by these calls alone

    def show(self, *indices: int) -> Image.Image:
        """The frame with a number as Pillow's picture, which a notebook shows, or several side by side; without one,
        frames spread over the file. Raises IndexError out of range, FormatError where a frame is lost.
        """
        from lvc.reading.notebook import shown

        return shown(self, [self._number(index) for index in indices])

    def _repr_html_(self) -> str:
        from lvc.reading.notebook import html_of

        return html_of(self)

    def __repr__(self) -> str:
        return f"Reader({len(self)} frames of {self.geometry}, model {self.header.model['name']})"


def shares_position(source) -> bool:
    """True for an open file of the system's, which a process and its forks share, position and all."""
    try:
        source.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return False
    return True


def bytes_of_tensor(tensor: torch.Tensor) -> bytes:
    """The bytes of a file that lie in a tensor, uint8 [N]; OptionError for another one."""
    if str(tensor.dtype) != "torch.uint8" or tensor.dim() != 1:
        raise OptionError(
            f"a file's bytes as a tensor uint8 [N] were expected, not {tensor.dtype} {list(tensor.shape)}"
        )
    return tensor.detach().cpu().numpy().tobytes()


def device_name(device: str | torch.device | None) -> str:
    """A device's name; None for the one that torch makes tensors on, without importing torch for it."""
    if device is None:
        return str(sys.modules["torch"].get_default_device()) if "torch" in sys.modules else "cpu"
    return str(device)


def evenly(packets) -> np.ndarray:
    """Payload bytes of each frame, where the frames of a packet share them evenly."""
    return np.concatenate([np.full(packet.frame_count, len(packet.payload) / packet.frame_count) for packet in packets])
