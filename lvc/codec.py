"""The one walk between frames and groups of packets, for every model, quantiser and entropy model.

frames -> model.analyse -> quantise -> code -> packets, and back. Which symbols a file holds is decided in whole numbers;
only synthesis works in floats, so machines may differ by a level in a pixel, never in a symbol.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from lvc import checkpoints
from lvc.checkpoints import Checkpoint
from lvc.container.layout import Group, Header, Packet
from lvc.entropy import priors
from lvc.entropy.bits import BitReader, BitWriter
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.priors import HYPERPRIOR, check_spec
from lvc.entropy.tables import Tables
from lvc.errors import FormatError, ModelError, OptionError
from lvc.frames import Geometry
from lvc.hyperprior import HyperLatents
from lvc.latent_history import LatentHistory, grown
from lvc.models.config import MANY_RATES
from lvc.models.palette import Palette
from lvc.models.temporal import CRF_LEVELS, Temporal, held_clips, steadied
from lvc.output import identity
from lvc.palette import choice as palette_choice
from lvc.palette.colours import painted
from lvc.palette.memory_pool import Memories
from lvc.palette.past import frame_bytes
from lvc.palette.shown import Screen
from lvc.palette.walk import CODING_RATE, Motion, PaletteFrames, game_of
from lvc.pixel_grid import PixelGrid
from lvc.prediction import PredictedLatents
from lvc.quantize import build as build_quantiser
from lvc.quantize import check_combination
from lvc.rate_distortion import choose

Writer = BitWriter | SymbolWriter
PREDICTION, MIXING = "prediction", "mixing"  # the entropy models that the temporal families bring along
PREDICTING = {PREDICTION: Temporal, MIXING: Palette}
DEFAULT_CRF = 32
EFFORTS = range(2)
DEFAULT_EFFORT = 1
BATCH = 16  # frames that pass through the networks at once: bounds the memory
BATCH_PIXELS = 1 << 20  # the same for large frames, of which one passes in any case
# A file of 400 bytes may ask for frames of any size. These cost less than 1 GB in all with the shipped weights: 4K fits.
MAX_PIXELS = 1 << 23
MAX_PIXELS_VARIABLE = "LVC_MAX_PIXELS"
MAX_GROUP_BYTES = 1 << 29  # of a group's symbols as int32
CACHED_BATCH = 4  # of synthesis on a processor, whose cache holds so many at 200x160: 5.4 ms a frame, 6.7 with 16, 6.4 with one
COLOURED_AT_ONCE = 64  # frames of colours, for which there is only to be room
DECODED_AT_ONCE = 16  # frames whose latents are in memory in full on their way to where they are kept
STATE_BYTES = 16  # about what an entropy model keeps of the frames before, for each latent
CODECS_KEPT, CHECKPOINTS_KEPT = 16, 4  # in a process, for files that are opened next
SYMBOL_LIMIT = 2**23  # whole numbers below are exact wherever the prior may hold them


@dataclass(frozen=True)
class Latents:
    """Quantised latents of some frames: symbols int32 [T, *latent_shape], parameters float32 [T, P] of the quantiser.

    moves: what an encoder found to have moved in each frame, or nothing; it makes the same symbols cheaper to code.
    """

    symbols: np.ndarray
    parameters: np.ndarray
    moves: tuple[Motion, ...] = ()

    def __len__(self) -> int:
        return len(self.symbols)


class Codec:
    """A model, a quantiser and an entropy model at one frame geometry.

    quantiser and entropy: specs (JSON objects with a name), by default those the weights were trained with.
    crf: 0 (best) to 63 for models of many rates, else None. effort: 0 or 1, how hard their encoder looks for cheap symbols.
    grid: the game's own pixels, for models of colours: frames are analysed as those, and shown at the geometry.
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
        device: str | torch.device = "cpu",
        grid: PixelGrid | None = None,
    ):
        check_pixels(geometry)
        self.checkpoint, self.geometry, self.device = checkpoint, geometry, torch.device(device)
        self.batch = max(1, min(BATCH, BATCH_PIXELS // (geometry.width * geometry.height)))
        self.model = checkpoint.model.to(self.device).eval().for_coding()
        self.many_rates = isinstance(self.model, MANY_RATES)
        self.crf = self._checked_crf(crf)
        self.effort = self._checked_effort(effort)
        self.quantiser = build_quantiser(**(quantiser or checkpoint.quantiser), latent_range=self.model.latent_range)
        self.quantiser_spec = self.quantiser.spec()
        self.entropy_spec = entropy or default_entropy(checkpoint, self.quantiser_spec)
        self.predicts = self.entropy_spec["name"] in PREDICTING
        self.of_colours = isinstance(self.model, Palette)
        self.grid = grid
        self._check()
        self.analysed = geometry if grid is None else grid.native  # the size of frames that are analysed
        check_pixels(self.analysed)
        self._screen = None if grid is None else Screen(grid, geometry)
        self.latent_shape = tuple(self.model.latent_shape(self.analysed))
        self._memories = Memories(self.model, CODING_RATE) if self.of_colours else None  # each group begins with one
        if not self.of_colours:
            self._coding()  # an entropy model that there is not is told now, not when the first group is full

    def _check(self) -> None:
        entropy = self.entropy_spec["name"]
        if self.grid is not None and not self.of_colours:
            raise OptionError(f"a game's own pixels are for models of colours, and {self.checkpoint.name} is none")
        if self.of_colours and entropy != MIXING:
            raise OptionError(f"{self.checkpoint.name} has colours for latents, which entropy {MIXING} codes; {entropy} cannot")
        if not self.predicts:
            check_combination(self.checkpoint, self.quantiser_spec, self.entropy_spec)
        elif not isinstance(self.model, PREDICTING[entropy]) or not self.model.config.exact:
            raise OptionError(f"entropy {entropy} comes with a model of its own, and {self.checkpoint.name} is none; choose adaptive")
        elif self.quantiser.name != "round" or (self.of_colours and self.quantiser.step != 1):
            raise OptionError(f"entropy {entropy} codes rounded latents; quantiser {self.quantiser.name} gives others")

    def _checked_crf(self, crf: int | None) -> int | None:
        if not self.many_rates:
            if crf is not None:
                raise OptionError(f"crf is for models of many rates; {self.checkpoint.name} has one rate (choose another quantiser)")
            return None
        crf = DEFAULT_CRF if crf is None else crf
        if not (isinstance(crf, int) and 0 <= crf < CRF_LEVELS):
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

    @torch.inference_mode()
    def analyse(self, frames: np.ndarray) -> Latents:
        """Quantised latents of frames uint8 [T, 3, H, W] of the size `analysed`, with prediction those of one group: a latent keeps near to the one before."""
        if self.of_colours or self._weighs_bits:
            return self.code(frames)[0]
        latents = self._transformed(frames)
        if self.predicts:
            symbols = held_clips(latents[None])[0][0].clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT)
            return Latents(symbols.cpu().numpy().astype(np.int32), np.zeros((len(symbols), 0), np.float32))
        quantised = self.quantiser.quantise(latents)
        return Latents(quantised.symbols.cpu().numpy(), quantised.parameters.cpu().numpy())

    @torch.inference_mode()
    def code(self, frames: np.ndarray) -> tuple[Latents, tuple[Packet, ...], int]:
        """Latents of one group of frames uint8 [T, 3, H, W], and packets and digest as `encode` makes them."""
        if self.of_colours:  # coded as they are chosen: once, and at the same size
            chosen, writers = self._coloured(frames)
            latents = Latents(chosen.symbols, np.zeros((len(frames), 0), np.float32), chosen.motions)
            packets = tuple(Packet(frame_count=count, payload=writer.finish()) for count, writer in zip(self.packet_runs(len(frames)), dict.fromkeys(writers)))
            return latents, packets, symbols_digest(latents.symbols)
        if not self._weighs_bits:
            latents = self.analyse(frames)
            return latents, *self.encode(latents)
        # Symbols are coded as they are chosen, so that the prior is asked once.
        values = self._transformed(frames).clamp(1 - SYMBOL_LIMIT, SYMBOL_LIMIT - 1).cpu().numpy()
        coding, weights = self._coding(), self.model.symbol_weights(self.crf).cpu().numpy()
        empty = np.zeros((len(values), 0), np.float32)
        packets, symbols = self._packets(empty, lambda run, writer: choose(coding, values[run], weights, writer))
        latents = Latents(np.concatenate(symbols), empty)
        return latents, packets, symbols_digest(latents.symbols)

    @property
    def _weighs_bits(self) -> bool:
        """Whether symbols are weighed against their bits one by one; else they are held near those before."""
        return self.predicts and self.effort > 0 and not self.of_colours

    def _transformed(self, frames: np.ndarray) -> torch.Tensor:
        """What the model makes of frames, not yet quantised."""
        scenery = self._scenery(frames)
        parts = []
        for start in range(0, len(frames), self.batch):
            batch = self._input(frames[start : start + self.batch])
            more = {} if scenery is None else {"scenery": scenery[start : start + self.batch]}
            parts.append(self.model.analyse(batch, **self._rate(len(batch)), **more))
        return torch.cat(parts)

    def _coloured(self, frames: np.ndarray) -> tuple[palette_choice.Chosen, list[BitWriter]]:
        """Few colours for one group's frames, continued to whole blocks by their last row and column, and what has written each frame."""

        def begun() -> tuple[PaletteFrames, list[BitWriter]]:
            return self._coding(len(frames)), [writer for count in self.packet_runs(len(frames)) for writer in [BitWriter()] * count]

        return palette_choice.choose_cheapest(begun, palette_choice.whole_pictures(frames), self.crf, known=game_of(self.model).colours, search=self.effort > 0)

    def _input(self, frames: np.ndarray) -> torch.Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        return (batch.float() / 255).contiguous(memory_format=torch.channels_last)

    def _scenery(self, frames: np.ndarray) -> torch.Tensor | None:
        if not (isinstance(self.model, Temporal) and self.model.config.placed):
            return None
        parts = [self.model.scenery(self._input(frames[start : start + self.batch])) for start in range(0, len(frames), self.batch)]
        return steadied(torch.cat(parts))

    def synthesise(self, latents: Latents) -> np.ndarray:
        """Frames uint8 [T, 3, H, W], in [T, H, W, 3] memory."""
        return self.pictures(latents).cpu().numpy().transpose(0, 3, 1, 2)

    def pictures(self, latents: Latents) -> torch.Tensor:
        """Frames uint8 [T, H, W, 3], on the codec's device."""
        if self.of_colours:
            colours = np.ascontiguousarray(latents.symbols)
            shown = painted(colours, self.geometry.height, self.geometry.width) if self._screen is None else self._screen.show(colours)
            return torch.from_numpy(shown).to(self.device)
        # Made outside of inference mode, whose tensors could not be written to by those who get them.
        frames = torch.empty((len(latents), self.geometry.height, self.geometry.width, 3), dtype=torch.uint8, device=self.device)
        at_once = min(CACHED_BATCH, self.batch) if self.device.type == "cpu" else self.batch
        with torch.inference_mode():
            for start in range(0, len(latents), at_once):
                symbols = torch.from_numpy(latents.symbols[start : start + at_once]).to(self.device)
                parameters = torch.from_numpy(latents.parameters[start : start + at_once]).to(self.device)
                values = self.quantiser.dequantise(symbols, parameters)
                pixels = self.model.synthesise(values, geometry=self.geometry, **self._rate(len(values)))
                pixels = (pixels * 255).round_().clamp_(0, 255).to(torch.uint8)
                frames[start : start + at_once] = pixels.permute(0, 2, 3, 1)
        return frames

    def _rate(self, count: int) -> dict:
        return {"crf": torch.full((count,), float(self.crf), device=self.device)} if self.many_rates else {}

    # Latents and packets

    def check_group_frames(self, frames: int) -> None:
        """Raises OptionError for a group of so many frames that its symbols would fill the memory."""
        most = MAX_GROUP_BYTES // max(4 * int(np.prod(self.latent_shape)), frame_bytes(*self.latent_shape[1:]) if self.of_colours else 0)
        if frames > max(most, 1):
            raise OptionError(f"groups of {frames} frames of {self.geometry}: {max(most, 1)} with this model at most; choose a smaller keyint")

    def encode(self, latents: Latents) -> tuple[tuple[Packet, ...], int]:
        """Packets of one group of frames, and the CRC-32 of their symbols."""
        coding = self._coding()
        packets, _ = self._packets(latents.parameters, lambda run, writer: self._code(coding, latents.symbols[run], run.stop - run.start, writer, latents.moves[run]))
        return packets, symbols_digest(latents.symbols)

    def _packets(self, parameters: np.ndarray, code: Callable[[slice, Writer], np.ndarray]) -> tuple[tuple[Packet, ...], list[np.ndarray]]:
        """Packets of a group, and the symbols of each. parameters: [frames, P]. code: codes some of the frames, and gives their symbols."""
        packets, symbols, start = [], [], 0
        for count in self.packet_runs(len(parameters)):
            run, writer = slice(start, start + count), self._writer()
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
        coding, bits = self._coding(), []
        for packet in packets:
            head = 4 * self.quantiser.parameter_count * packet.frame_count
            reader = self.reader(packet.payload[head:], measuring=True)
            for _ in range(packet.frame_count):
                before = reader.bits
                self._code(coding, None, 1, reader)
                bits.append(reader.bits - before + 8 * head / packet.frame_count)
        return np.array(bits)

    def _writer(self) -> Writer:
        return BitWriter() if self.of_colours else SymbolWriter()

    def reader(self, payload: bytes, *, measuring: bool = False) -> BitReader | SymbolReader:
        """Finds the symbols of a packet; measuring: adds up what they cost as `bits`."""
        if self.of_colours:
            return BitReader(payload, measuring=measuring)
        return MeasuringReader(payload) if measuring else SymbolReader(payload)

    def packet_runs(self, count: int) -> Iterator[int]:
        """How many frames each packet of a group of `count` holds: with prediction the keyframe, then all the others
        in one stream, because a stream of its own costs a frame 3 bytes of 50."""
        if not self.predicts:
            yield from (1 for _ in range(count))
        elif count:
            yield 1
            if count > 1:
                yield count - 1

    def _coding(self, frames: int = 1):
        """What codes the symbols of a group of about so many frames."""
        tables = self.checkpoint.tables
        if self.predicts:
            if self.of_colours:
                return PaletteFrames(self.model, memories=self._memories, most=frames)
            if not {"copies", "residuals"} <= tables.keys():
                raise ModelError(f"entropy {PREDICTION} needs tables of copies and residuals, and the weights {self.checkpoint.name} hold none")
            return PredictedLatents(self.model.prior, tables["copies"], tables["residuals"], crf=self.crf)
        if check_spec(self.entropy_spec) == HYPERPRIOR and (hyper := getattr(self.model, "hyper", None)) is not None:
            if not {"side", "scales"} <= tables.keys():
                raise ModelError(f"entropy {HYPERPRIOR} needs tables of side information and scales, and the weights {self.checkpoint.name} hold none")
            return HyperLatents(hyper, tables["side"], tables["scales"])
        return priors.build(self.entropy_spec, quantiser=self.quantiser, tables=tables.get("factorised"))


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
        self._codec, self._coding = codec, codec._coding(self.frame_count)
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


class MeasuringReader(SymbolReader):
    """A SymbolReader that also adds up what the symbols cost: `bits` so far."""

    def __init__(self, payload: bytes):
        super().__init__(payload)
        self.bits = 0.0

    def code(self, symbols: None, tables: Tables, indices: np.ndarray) -> np.ndarray:
        found = super().code(symbols, tables, indices)
        self.bits += tables.bits(found, indices)
        return found

    def code_by_size(self, symbols: None, tables: Tables, indices: np.ndarray) -> np.ndarray:
        found = super().code_by_size(symbols, tables, indices)
        self.bits += tables.bits(found, indices)
        return found

    def code_bits(self, symbols: None, width: int, count: int) -> np.ndarray:
        self.bits += width * count
        return super().code_bits(symbols, width, count)


def codec_of(header: Header, *, model: str | os.PathLike | None = None, device: str | torch.device = "cpu") -> Codec:
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
        return _shared_codec(weights, header.geometry, specs, device, None if device.type == "cpu" else os.getpid())
    except OptionError as error:
        raise FormatError(f"the header asks for what cannot be: {error}") from error


def codec_specs(header: Header) -> str:
    """All of a header that decides what latents mean, but weights and geometry."""
    return json.dumps([header.quantiser, header.entropy, header.extra.get("crf"), header.extra.get("grid")], sort_keys=True)


@lru_cache(maxsize=CODECS_KEPT)
def _shared_codec(weights: tuple, geometry: Geometry, specs: str, device: torch.device, process: int | None) -> Codec:
    quantiser, entropy, crf, grid = json.loads(specs)
    grid = None if grid is None else PixelGrid.from_json(grid)
    checkpoint = _shared_checkpoint(*weights, device, process)
    return Codec(checkpoint, geometry=geometry, quantiser=quantiser, entropy=entropy, crf=crf, device=device, grid=grid)


@lru_cache(maxsize=CHECKPOINTS_KEPT)
def _shared_checkpoint(path: Path, state: tuple[int, ...], sha256: str, device: torch.device, process: int | None) -> Checkpoint:
    return checkpoints.load_file(path, device=device, sha256=sha256)


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


def default_entropy(checkpoint: Checkpoint, quantiser: dict) -> dict:
    """What the weights were trained with, or where another quantiser was chosen the best that suits it."""
    if quantiser["name"] == "none":
        return {"name": "raw"}
    trained = build_quantiser(**checkpoint.quantiser, latent_range=checkpoint.model.latent_range).spec()
    return checkpoint.entropy if quantiser == trained else {"name": "adaptive"}


def symbols_digest(symbols: np.ndarray, before: int = 0) -> int:
    """CRC-32 of symbols as little-endian int32, in order, of which those before had that one: tells a wrong model or a numeric fault
    from a right decode."""
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4"), before)
