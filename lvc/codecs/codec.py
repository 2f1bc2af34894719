"""The one walk between frames and groups of packets, for every model, quantiser and entropy model.

frames -> model.analyse -> quantise -> code -> packets, and back. Which symbols a file holds is decided in whole numbers;
only synthesis works in floats, so machines may differ by a level in a pixel, never in a symbol.
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lvc.codecs.crf import CRF_LEVELS, DEFAULT_CRF
from lvc.codecs.latent_history import LatentHistory, grown
from lvc.codecs.palette.memory_pool import Memories
from lvc.codecs.palette.model import Palette
from lvc.codecs.palette.transform import ColourTransform
from lvc.codecs.palette.walk import CODING_RATE, Motion
from lvc.container.layout import Group, Header, Packet
from lvc.entropy.priors import MIXING, PREDICTION
from lvc.errors import FormatError, OptionError
from lvc.frames import Geometry, Latents, symbols_digest
from lvc.native.pixel_grid import PixelGrid
from lvc.output import identity
from lvc.weights import checkpoints
from lvc.weights.checkpoints import Checkpoint

if TYPE_CHECKING:
    import torch

    from lvc.entropy.bits import BitReader, BitWriter
    from lvc.entropy.coder import SymbolReader, SymbolWriter

PREDICTING = PREDICTION, MIXING
EFFORTS = range(2)
DEFAULT_EFFORT = 1
# A file of 400 bytes may ask for frames of any size. These cost less than 1 GB in all with the shipped weights: 4K fits.
MAX_PIXELS = 1 << 23
MAX_PIXELS_VARIABLE = "LVC_MAX_PIXELS"
MAX_GROUP_BYTES = 1 << 29  # of a group's symbols as int32
COLOURED_AT_ONCE = 64  # frames of colours, for which there is only to be room
DECODED_AT_ONCE = 16  # frames whose latents are in memory in full on their way to where they are kept
STATE_BYTES = 16  # about what an entropy model keeps of the frames before, for each latent
CODECS_KEPT, CHECKPOINTS_KEPT = 16, 4  # in a process, for files that are opened next


class Codec:
    """A model, a quantiser and an entropy model at one frame geometry.

    quantiser and entropy: specs (JSON objects with a name), by default those the weights were trained with.
    crf: 0 (best) to 63 for models of many rates, else None. effort: 0 or 1, how hard their encoder looks for cheap symbols.
    grid: the game's own pixels, for models of colours: frames are analysed as those, and shown at the geometry. memories: of such a model, where codecs share them.
    Raises OptionError for what cannot go together.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        geometry: Geometry,
        quantiser: dict | None = None,
        entropy: dict | None = None,
        crf: int | None = None,
        effort: int | None = None,
        device: "str | torch.device" = "cpu",
        grid: PixelGrid | None = None,
        memories: Memories | None = None,
    ):
        check_pixels(geometry)
        self.checkpoint, self.geometry, self.grid = checkpoint, geometry, grid
        self.device = checkpoints.device_of(device)
        self.many_rates = checkpoint.model.many_rates
        self.crf = self._checked_crf(crf)
        self.effort = self._checked_effort(effort)
        self.of_colours = isinstance(checkpoint.model, Palette)
        if self.of_colours:
            check_pixels(geometry if grid is None else grid.native)
            self.entropy_spec = entropy or checkpoint.entropy
            specs = {"quantiser": quantiser or checkpoint.quantiser, "entropy": self.entropy_spec}
            self._transform = ColourTransform(checkpoint.model, geometry, **specs, crf=self.crf, effort=self.effort, grid=grid, memories=memories)
        else:
            if grid is not None:
                raise OptionError(f"a game's own pixels are for models of colours, and {checkpoint.name} is none")
            from lvc.codecs.networks.transform import (
                NetworkTransform,  # not above: torch takes a second, and colours need none of it
            )

            self._transform = NetworkTransform(checkpoint, geometry, quantiser=quantiser, entropy=entropy, crf=self.crf, effort=self.effort, device=self.device)
            self.entropy_spec = self._transform.entropy
        self.model, self.quantiser = self._transform.model, self._transform.quantiser
        self.quantiser_spec = self.quantiser.spec()
        self.predicts = self.entropy_spec["name"] in PREDICTING
        self.analysed = self._transform.analysed  # the size of frames that are analysed
        self.latent_shape = self._transform.latent_shape

    def _checked_crf(self, crf: int | None) -> int | None:
        if not self.many_rates:
            if crf is not None:
                raise OptionError(f"crf is for models of many rates; {self.checkpoint.name} has one rate (choose another quantiser)")
            return None
        crf = DEFAULT_CRF if crf is None else crf
        if not (type(crf) is int and 0 <= crf < CRF_LEVELS):  # true is an int too, and would choose by a mask
            raise OptionError(f"crf must be a whole number from 0 (best) to {CRF_LEVELS - 1}, not {crf!r}")
        return crf

    def _checked_effort(self, effort: int | None) -> int:
        if effort is None:
            return DEFAULT_EFFORT
        if not self.many_rates:
            raise OptionError(f"effort is for models of many rates; {self.checkpoint.name} has one rate, and no choice of symbols")
        if not (type(effort) is int and effort in EFFORTS):
            raise OptionError(f"effort must be a whole number from {EFFORTS[0]} to {EFFORTS[-1]}, not {effort!r}")
        return effort

    # Frames and latents

    def analyse(self, frames: np.ndarray) -> Latents:
        """Quantised latents of frames uint8 [T, 3, H, W] of the size `analysed`, with prediction those of one group: a latent keeps near to the one before."""
        return self.code(frames)[0] if self.of_colours or self._transform.weighs_bits else self._transform.analyse(frames)

    def code(self, frames: np.ndarray) -> tuple[Latents, tuple[Packet, ...], int]:
        """Latents of one group of frames uint8 [T, 3, H, W], and packets and digest as `encode` makes them."""
        if self.of_colours:  # coded as they are chosen: once, and at the same size
            counts = list(self.packet_runs(len(frames)))
            latents, payloads = self._transform.code(frames, counts)
            packets = tuple(Packet(frame_count=count, payload=payload) for count, payload in zip(counts, payloads))
        elif self._transform.weighs_bits:
            parameters = np.zeros((len(frames), 0), np.float32)
            packets, symbols = self._packets(parameters, self._transform.chooser(frames))
            latents = Latents(np.concatenate(symbols), parameters)
        else:
            latents = self.analyse(frames)
            return latents, *self.encode(latents)
        return latents, packets, symbols_digest(latents.symbols)

    def synthesise(self, latents: Latents) -> np.ndarray:
        """Frames uint8 [T, 3, H, W], in [T, H, W, 3] memory."""
        pictures = self.pictures(latents)
        return (pictures if isinstance(pictures, np.ndarray) else pictures.cpu().numpy()).transpose(0, 3, 1, 2)

    def pictures(self, latents: Latents) -> "np.ndarray | torch.Tensor":
        """Frames uint8 [T, H, W, 3], of networks on the codec's device, of colours as numpy."""
        return self._transform.pictures(latents)

    # Latents and packets

    def check_group_frames(self, frames: int) -> None:
        """Raises OptionError for a group of so many frames that its symbols would fill the memory."""
        most = MAX_GROUP_BYTES // max(4 * int(np.prod(self.latent_shape)), self._transform.group_frame_bytes)
        if frames > max(most, 1):
            raise OptionError(f"groups of {frames} frames of {self.geometry}: {max(most, 1)} with this model at most; choose a smaller keyint")

    def encode(self, latents: Latents) -> tuple[tuple[Packet, ...], int]:
        """Packets of one group of frames, and the CRC-32 of their symbols."""
        coding = self._transform.coding()
        packets, _ = self._packets(latents.parameters, lambda run, writer: self._code(coding, latents.symbols[run], run.stop - run.start, writer, latents.moves[run]))
        return packets, symbols_digest(latents.symbols)

    def _packets(self, parameters: np.ndarray, code: Callable[[slice, "BitWriter | SymbolWriter"], np.ndarray]) -> tuple[tuple[Packet, ...], list[np.ndarray]]:
        """Packets of a group, and the symbols of each. parameters: [frames, P]. code: codes some of the frames, and gives their symbols."""
        packets, symbols, start = [], [], 0
        for count in self.packet_runs(len(parameters)):
            run, writer = slice(start, start + count), self._transform.writer()
            symbols.append(code(run, writer))
            packets.append(Packet(frame_count=count, payload=parameters[run].astype("<f4").tobytes() + writer.finish()))
            start += count
        return tuple(packets), symbols

    def frames_of(self, packets: tuple[Packet, ...]) -> int:
        """How many frames a group of packets has; FormatError where they are too many, before one is decoded."""
        frames = sum(packet.frame_count for packet in packets)
        try:
            self.check_group_frames(frames)
        except OptionError as error:
            raise FormatError(str(error)) from error
        return frames

    def decode(self, packets: tuple[Packet, ...], *, stop: int | None = None) -> Latents:
        """Latents of the first `stop` frames of a group (all by default); raises FormatError for impossible payloads."""
        decoder = GroupDecoder(self, packets)
        stop = decoder.frame_count if stop is None else stop
        decoder.advance(stop)
        return decoder.latents(slice(stop))

    def _code(self, coding, symbols: np.ndarray | None, count: int, coder, moves: tuple[Motion, ...] = ()) -> np.ndarray:
        """The symbols [count, *latent_shape] of the next frames, coded, or decoded where there are none."""
        if self.of_colours:
            return coding.code_frames(symbols, count, coder, self.latent_shape, moves)
        if self.predicts:
            return coding.code_frames(symbols, count, coder, self.latent_shape)
        frames = [None] * count if symbols is None else symbols
        return np.stack([coding.code_frame(frame, coder, self.latent_shape) for frame in frames])

    def frame_bits(self, packets: tuple[Packet, ...]) -> np.ndarray:
        """Bits that each frame of a group costs by the tables it is coded with, float64 [frames]; decodes the group."""
        self.frames_of(packets)
        coding, bits = self.coding(), []
        for packet in packets:
            head = 4 * self.quantiser.parameter_count * packet.frame_count
            reader = self.reader(packet.payload[head:], measuring=True)
            for _ in range(packet.frame_count):
                before = reader.bits
                self._code(coding, None, 1, reader)
                bits.append(reader.bits - before + 8 * head / packet.frame_count)
        return np.array(bits)

    def reader(self, payload: bytes, *, measuring: bool = False) -> "BitReader | SymbolReader":
        """Finds the symbols of a packet; measuring: adds up what they cost as `bits`."""
        return self._transform.reader(payload, measuring=measuring)

    def packet_runs(self, count: int) -> Iterator[int]:
        """How many frames each packet of a group of `count` holds: with prediction the keyframe, then all the others
        in one stream, because a stream of its own costs a frame 3 bytes of 50."""
        if not self.predicts:
            yield from (1 for _ in range(count))
        elif count:
            yield 1
            if count > 1:
                yield count - 1

    def coding(self, frames: int = 1):
        """What codes the symbols of a group of about so many frames."""
        return self._transform.coding(frames)


def check_pixels(geometry: Geometry) -> None:
    """Raises OptionError for frames of more pixels than MAX_PIXELS, or than the environment's LVC_MAX_PIXELS allows."""
    given = os.environ.get(MAX_PIXELS_VARIABLE, "")
    if given and not (given.isascii() and given.isdigit()):
        raise OptionError(f"{MAX_PIXELS_VARIABLE} is a number of pixels, not {given!r}")
    most = int(given) if given else MAX_PIXELS
    if geometry.width * geometry.height > most:
        raise OptionError(f"frames of {geometry} have more than {most:,} pixels; where the memory is there, allow more with {MAX_PIXELS_VARIABLE}")


class GroupDecoder:
    """Decodes the frames of a group of packets, and goes on from where it is when more of them are asked for.

    frame_count: frames in the group. decoded: how many of them are there. digest: CRC-32 of their symbols. nbytes: memory that it
    holds on to, about. Raises FormatError for impossible payloads; after an error it is of no further use.
    """

    def __init__(self, codec: Codec, packets: tuple[Packet, ...]):
        self.frame_count = codec.frames_of(packets)
        self._codec, self._coding = codec, codec.coding(self.frame_count)
        self._packets = list(reversed(packets))  # those still to come
        self._reader, self._values = None, np.empty((0, 0))  # of the packet that is being read: coded symbols, parameters to come
        self._digest = 0
        # Frames of colours are kept by what codes them.
        self._symbols = self._coding if codec.of_colours else LatentHistory(codec.latent_shape, self.frame_count)
        self._parameters = np.empty((0, codec.quantiser.parameter_count), np.float32)

    @property
    def decoded(self) -> int:
        return len(self._symbols)

    @property
    def digest(self) -> int:
        if self._codec.of_colours:  # looked at once a group, if at all: to add it up would take as long as to decode
            digest = 0
            for start in range(0, self.decoded, DECODED_AT_ONCE):
                digest = symbols_digest(self._symbols.frames(slice(start, start + DECODED_AT_ONCE)), digest)
            return digest
        return self._digest

    @property
    def nbytes(self) -> int:
        coding = 0 if self._coding is None or self._codec.of_colours else getattr(self._coding, "nbytes", STATE_BYTES * int(np.prod(self._codec.latent_shape)))
        return coding + self._symbols.nbytes + self._parameters.nbytes + sum(len(packet.payload) for packet in self._packets)

    def advance(self, stop: int) -> None:
        """Decodes until `stop` frames are there."""
        while self.decoded < stop:
            if not len(self._values):
                self._open_packet()
            if self._codec.of_colours:
                count = min(len(self._values), stop - self.decoded, COLOURED_AT_ONCE)
                self._coding.read(count, self._reader, self._codec.latent_shape)
            else:
                count = min(len(self._values), stop - self.decoded, DECODED_AT_ONCE)
                symbols = self._codec._code(self._coding, None, count, self._reader)
                self._digest = symbols_digest(symbols, self._digest)
                self._symbols.append(symbols)
            self._values = self._values[count:]
        if self.decoded == self.frame_count:
            if self._codec.of_colours:
                self._symbols.finish()
            self._reader = self._coding = None

    def latents(self, places) -> Latents:
        """Latents of the frames at these places of the group: a slice, or whole numbers below `decoded`."""
        return Latents(self._symbols.frames(places), self._parameters[: self.decoded][places])

    def _open_packet(self) -> None:
        packet, quantiser = self._packets.pop(), self._codec.quantiser
        head = 4 * quantiser.parameter_count * packet.frame_count
        if len(packet.payload) < head:
            raise FormatError(f"a packet of {len(packet.payload)} bytes is too short for {packet.frame_count} frames of {quantiser.name} parameters")
        self._values = np.frombuffer(packet.payload[:head], "<f4").reshape(packet.frame_count, quantiser.parameter_count)
        self._parameters = grown(self._parameters, self.decoded, self.decoded + packet.frame_count, self.frame_count)
        self._parameters[self.decoded : self.decoded + packet.frame_count] = self._values
        self._reader = self._codec.reader(packet.payload[head:])


def codec_of(header: Header, *, model: str | os.PathLike | None = None, device: "str | torch.device" = "cpu") -> Codec:
    """The codec that a file's header asks for; `model` is a weights file, where the file's own are not found.

    The weights are looked for each time. What was loaded of the same file, settings and device last is shared by all who ask
    in this process, so that a thousand files cost one model; a forked process takes it along, where it is on the processor.
    Raises ModelError for missing or other weights, FormatError for a header whose parts do not go together.
    """
    path = checkpoints.locate(header.model["name"], header.model["sha256"], file=model)
    weights = path, identity(path), header.model["sha256"]
    specs = codec_specs(header)
    device = checkpoints.device_of(device)
    try:
        return _shared_codec(weights, header.geometry, specs, device, None if device == "cpu" else os.getpid())
    except OptionError as error:
        raise FormatError(f"the header asks for what cannot be: {error}") from error


def codec_specs(header: Header) -> str:
    """All of a header that decides what latents mean, but weights and geometry."""
    return json.dumps([header.quantiser, header.entropy, header.extra.get("crf"), header.extra.get("grid")], sort_keys=True)


@lru_cache(maxsize=CODECS_KEPT)
def _shared_codec(weights: tuple, geometry: Geometry, specs: str, device: str, process: int | None) -> Codec:
    quantiser, entropy, crf, grid = json.loads(specs)
    grid = None if grid is None else PixelGrid.from_json(grid)
    checkpoint = _shared_checkpoint(*weights, device, process)
    memories = _shared_memories(*weights, device, process) if isinstance(checkpoint.model, Palette) else None
    return Codec(checkpoint, geometry=geometry, quantiser=quantiser, entropy=entropy, crf=crf, device=device, grid=grid, memories=memories)


@lru_cache(maxsize=CHECKPOINTS_KEPT)
def _shared_checkpoint(path: Path, state: tuple[int, ...], sha256: str, device: str, process: int | None) -> Checkpoint:
    return checkpoints.load_file(path, device=device, sha256=sha256)


@lru_cache(maxsize=CHECKPOINTS_KEPT)
def _shared_memories(path: Path, state: tuple[int, ...], sha256: str, device: str, process: int | None) -> Memories:
    """For all codecs of the same weights: they are 7 MB each."""
    return Memories(_shared_checkpoint(path, state, sha256, device, process).model.for_coding(), CODING_RATE)


def check_group(codec: Codec, group: Group) -> Latents:
    """The latents of a whole group; raises FormatError where they are not those that were coded."""
    latents = codec.decode(group.packets)
    check_digest(group, symbols_digest(latents.symbols))
    return latents


def check_digest(group: Group, digest: int) -> None:
    """Raises FormatError where the decoded symbols of a whole group, whose digest this is, are not those that were coded."""
    if digest != group.digest:
        last = group.first_frame + group.frame_count - 1
        raise FormatError(
            f"frames {group.first_frame} to {last} decode to other symbols than were coded: another model, or a fault of this machine's arithmetic"
        )
