"""The one walk between frames and groups of packets, for every model, quantiser and entropy model.

frames -> model.analyse -> quantise -> code -> packets, and back. Which symbols a file holds is decided in whole numbers;
only synthesis works in floats, so machines may differ by a level in a pixel, never in a symbol.
"""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lvc import checkpoints
from lvc.checkpoints import Checkpoint
from lvc.container.layout import Group, Header, Packet
from lvc.entropy import priors
from lvc.entropy.coder import SymbolReader, SymbolWriter
from lvc.entropy.priors import HYPERPRIOR, check_spec
from lvc.entropy.tables import Tables
from lvc.errors import FormatError, ModelError, OptionError
from lvc.frames import Geometry
from lvc.hyperprior import HyperLatents
from lvc.models.config import MANY_RATES
from lvc.models.palette import Palette
from lvc.models.temporal import CRF_LEVELS, Temporal, held_clips, steadied
from lvc.palette import choice as palette_choice
from lvc.palette.moves import Move
from lvc.palette.walk import PaletteFrames
from lvc.prediction import PredictedLatents
from lvc.quantize import build as build_quantiser
from lvc.quantize import check_combination
from lvc.rate_distortion import choose

PREDICTION, PALETTE = "prediction", "palette"  # the entropy models that the temporal families bring along
PREDICTING = {PREDICTION: Temporal, PALETTE: Palette}
DEFAULT_CRF = 32
EFFORTS = range(2)
DEFAULT_EFFORT = 1
BATCH = 16  # frames that pass through the networks at once: bounds the memory
NARROW = (np.int8, np.int16, np.int32)  # whole groups are kept in the first that fits
SYMBOL_LIMIT = 2**23  # whole numbers below are exact wherever the prior may hold them


@dataclass(frozen=True)
class Latents:
    """Quantised latents of some frames: symbols int32 [T, *latent_shape], parameters float32 [T, P] of the quantiser.

    moves: what an encoder found to have moved in each frame, or nothing; it makes the same symbols cheaper to code.
    """

    symbols: np.ndarray
    parameters: np.ndarray
    moves: tuple[Sequence[Move], ...] = ()

    def __len__(self) -> int:
        return len(self.symbols)


class Codec:
    """A model, a quantiser and an entropy model at one frame geometry.

    quantiser and entropy: specs (JSON objects with a name), by default those the weights were trained with.
    crf: 0 (best) to 63 for models of many rates, else None. effort: 0 or 1, how hard their encoder looks for cheap symbols. Raises OptionError for what cannot go together.
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
    ):
        self.checkpoint, self.geometry, self.device = checkpoint, geometry, torch.device(device)
        self.model = checkpoint.model.to(self.device).eval().for_coding()
        self.many_rates = isinstance(self.model, MANY_RATES)
        self.crf = self._checked_crf(crf)
        self.effort = self._checked_effort(effort)
        self.quantiser = build_quantiser(**(quantiser or checkpoint.quantiser), latent_range=self.model.latent_range)
        self.quantiser_spec = self.quantiser.spec()
        self.entropy_spec = entropy or default_entropy(checkpoint, self.quantiser_spec)
        self.predicts = self.entropy_spec["name"] in PREDICTING
        self.of_colours = isinstance(self.model, Palette)
        self._check()
        self.latent_shape = tuple(self.model.latent_shape(geometry))
        self._coding()  # an entropy model that there is not is told now, not when the first group is full

    def _check(self) -> None:
        entropy = self.entropy_spec["name"]
        if self.of_colours and entropy != PALETTE:
            raise OptionError(f"{self.checkpoint.name} has colours for latents, which entropy {PALETTE} codes; {entropy} cannot")
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
        """Quantised latents of frames uint8 [T, 3, H, W], with prediction those of one group: a latent keeps near to the one before."""
        if self.of_colours:
            return self._coloured(frames)
        scenery = self._scenery(frames)
        parts = []
        for start in range(0, len(frames), BATCH):
            batch = self._input(frames[start : start + BATCH])
            more = {} if scenery is None else {"scenery": scenery[start : start + BATCH]}
            parts.append(self.model.analyse(batch, **self._rate(len(batch)), **more))
        latents = torch.cat(parts)
        if self.predicts:
            return Latents(self._chosen(latents), np.zeros((len(latents), 0), np.float32))
        quantised = self.quantiser.quantise(latents)
        return Latents(quantised.symbols.cpu().numpy(), quantised.parameters.cpu().numpy())

    def _chosen(self, latents: torch.Tensor) -> np.ndarray:
        """Symbols of one group's latents, by effort: held near those before, or weighed against their bits one by one."""
        if self.effort == 0:
            symbols = held_clips(latents[None])[0][0].cpu().numpy()
        else:
            symbols = choose(self._coding(), latents.clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT).cpu().numpy(), self.model.symbol_weights(self.crf).cpu().numpy())
        return np.clip(symbols, -SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int32)

    def _coloured(self, frames: np.ndarray) -> Latents:
        """Few colours for one group's frames, continued to whole blocks by their last row and column."""
        _, height, width = self.latent_shape
        padding = (0, 0), (0, height - self.geometry.height), (0, width - self.geometry.width), (0, 0)
        pictures = np.pad(frames.transpose(0, 2, 3, 1), padding, mode="edge")
        chosen = palette_choice.choose(self._coding(), pictures, self.crf, search=self.effort > 0)
        return Latents(chosen.symbols, np.zeros((len(frames), 0), np.float32), chosen.moves)

    def _input(self, frames: np.ndarray) -> torch.Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)
        return (batch.float() / 255).contiguous(memory_format=torch.channels_last)

    def _scenery(self, frames: np.ndarray) -> torch.Tensor | None:
        if not (isinstance(self.model, Temporal) and self.model.config.placed):
            return None
        parts = [self.model.scenery(self._input(frames[start : start + BATCH])) for start in range(0, len(frames), BATCH)]
        return steadied(torch.cat(parts))

    def synthesise(self, latents: Latents) -> np.ndarray:
        """Frames uint8 [T, 3, H, W], in [T, H, W, 3] memory."""
        return self.pictures(latents).cpu().numpy().transpose(0, 3, 1, 2)

    def pictures(self, latents: Latents) -> torch.Tensor:
        """Frames uint8 [T, H, W, 3], on the codec's device."""
        # Made outside of inference mode, whose tensors could not be written to by those who get them.
        frames = torch.empty((len(latents), self.geometry.height, self.geometry.width, 3), dtype=torch.uint8, device=self.device)
        with torch.inference_mode():
            for start in range(0, len(latents), BATCH):
                symbols = torch.from_numpy(latents.symbols[start : start + BATCH]).to(self.device)
                parameters = torch.from_numpy(latents.parameters[start : start + BATCH]).to(self.device)
                values = self.quantiser.dequantise(symbols, parameters)
                pixels = self.model.synthesise(values, geometry=self.geometry, **self._rate(len(values)))
                pixels = (pixels * 255).round_().clamp_(0, 255).to(torch.uint8)
                frames[start : start + BATCH] = pixels.permute(0, 2, 3, 1)
        return frames

    def _rate(self, count: int) -> dict:
        return {"crf": torch.full((count,), float(self.crf), device=self.device)} if self.many_rates else {}

    # Latents and packets

    def encode(self, latents: Latents) -> tuple[tuple[Packet, ...], int]:
        """Packets of one group of frames, and the CRC-32 of their symbols."""
        coding = self._coding()
        packets, start = [], 0
        for count in self.packet_runs(len(latents)):
            writer = SymbolWriter()
            self._code(coding, latents.symbols[start : start + count], count, writer, latents.moves[start : start + count])
            parameters = latents.parameters[start : start + count].astype("<f4").tobytes()
            packets.append(Packet(frame_count=count, payload=parameters + writer.finish()))
            start += count
        return tuple(packets), symbols_digest(latents.symbols)

    def decode(self, packets: tuple[Packet, ...], *, stop: int | None = None) -> Latents:
        """Latents of the first `stop` frames of a group (all by default); raises FormatError for impossible payloads."""
        decoder = GroupDecoder(self, packets)
        stop = decoder.frame_count if stop is None else stop
        decoder.advance(stop)
        return decoder.latents(slice(stop))

    def _code(self, coding, symbols: np.ndarray | None, count: int, coder, moves: tuple[Sequence[Move], ...] = ()) -> np.ndarray:
        """The symbols [count, *latent_shape] of the next frames, coded, or decoded where there are none."""
        if self.of_colours:
            return coding.code_frames(symbols, count, coder, self.latent_shape, moves)
        if self.predicts:
            return coding.code_frames(symbols, count, coder, self.latent_shape)
        frames = [None] * count if symbols is None else symbols
        return np.stack([coding.code_frame(frame, coder, self.latent_shape) for frame in frames])

    def frame_bits(self, packets: tuple[Packet, ...]) -> np.ndarray:
        """Bits that each frame of a group costs by the tables it is coded with, float64 [frames]; decodes the group."""
        coding, bits = self._coding(), []
        for packet in packets:
            head = 4 * self.quantiser.parameter_count * packet.frame_count
            reader = MeasuringReader(packet.payload[head:])
            for _ in range(packet.frame_count):
                before = reader.bits
                self._code(coding, None, 1, reader)
                bits.append(reader.bits - before + 8 * head / packet.frame_count)
        return np.array(bits)

    def packet_runs(self, count: int) -> Iterator[int]:
        """How many frames each packet of a group of `count` holds: with prediction the keyframe, then all the others
        in one stream, because a stream of its own costs a frame 3 bytes of 50."""
        if not self.predicts:
            yield from (1 for _ in range(count))
        elif count:
            yield 1
            if count > 1:
                yield count - 1

    def _coding(self):
        tables = self.checkpoint.tables
        if self.predicts:
            if self.of_colours:
                if "flags" not in tables:
                    raise ModelError(f"entropy {PALETTE} needs tables of flags, and the weights {self.checkpoint.name} hold none")
                return PaletteFrames(self.model, tables["flags"])
            if not {"copies", "residuals"} <= tables.keys():
                raise ModelError(f"entropy {PREDICTION} needs tables of copies and residuals, and the weights {self.checkpoint.name} hold none")
            return PredictedLatents(self.model.prior, tables["copies"], tables["residuals"], crf=self.crf)
        if check_spec(self.entropy_spec) == HYPERPRIOR and (hyper := getattr(self.model, "hyper", None)) is not None:
            if not {"side", "scales"} <= tables.keys():
                raise ModelError(f"entropy {HYPERPRIOR} needs tables of side information and scales, and the weights {self.checkpoint.name} hold none")
            return HyperLatents(hyper, tables["side"], tables["scales"])
        return priors.build(self.entropy_spec, quantiser=self.quantiser, tables=tables.get("factorised"))


class GroupDecoder:
    """Decodes the frames of a group of packets, and goes on from where it is when more of them are asked for.

    frame_count: frames in the group. decoded: how many of them are there. nbytes: memory that it holds on to, about.
    Raises FormatError for impossible payloads; after an error it is of no further use.
    """

    def __init__(self, codec: Codec, packets: tuple[Packet, ...]):
        self._codec, self._coding = codec, codec._coding()
        self._packets = list(reversed(packets))  # those still to come
        self._reader, self._values = None, np.empty((0, 0))  # of the packet that is being read: coded symbols, parameters to come
        self.frame_count = sum(packet.frame_count for packet in packets)
        self.decoded = 0
        self._symbols = np.empty((0, *codec.latent_shape), np.int32)
        self._parameters = np.empty((0, codec.quantiser.parameter_count), np.float32)

    @property
    def nbytes(self) -> int:
        return self._symbols.nbytes + self._parameters.nbytes + sum(len(packet.payload) for packet in self._packets)

    def advance(self, stop: int) -> None:
        """Decodes until `stop` frames are there."""
        if stop <= self.decoded:
            return
        self._make_room(stop)
        while self.decoded < stop:
            if not len(self._values):
                self._open_packet()
            count = min(len(self._values), stop - self.decoded)
            new = slice(self.decoded, self.decoded + count)
            self._symbols[new] = self._codec._code(self._coding, None, count, self._reader)
            self._parameters[new], self._values = self._values[:count], self._values[count:]
            self.decoded += count
        if self.decoded == self.frame_count:
            self._reader = self._coding = None
            least, most = int(self._symbols.min()), int(self._symbols.max())
            self._symbols = self._symbols.astype(next(kind for kind in NARROW if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max))

    def latents(self, places) -> Latents:
        """Latents of the frames at these places of the group: a slice, or whole numbers below `decoded`."""
        return Latents(self._symbols[places].astype(np.int32), self._parameters[places])

    def _make_room(self, stop: int) -> None:
        # By doubling, so that frame after frame costs no more than all at once, and memory follows what was asked for.
        room = min(max(stop, 2 * len(self._symbols)), self.frame_count)
        if stop > len(self._symbols):
            for name in ("_symbols", "_parameters"):
                kept = getattr(self, name)
                grown = np.empty((room, *kept.shape[1:]), kept.dtype)
                grown[: self.decoded] = kept[: self.decoded]
                setattr(self, name, grown)

    def _open_packet(self) -> None:
        packet, quantiser = self._packets.pop(), self._codec.quantiser
        head = 4 * quantiser.parameter_count * packet.frame_count
        if len(packet.payload) < head:
            raise FormatError(f"a packet of {len(packet.payload)} bytes is too short for {packet.frame_count} frames of {quantiser.name} parameters")
        self._values = np.frombuffer(packet.payload[:head], "<f4").reshape(packet.frame_count, quantiser.parameter_count)
        self._reader = SymbolReader(packet.payload[head:])


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

    Raises ModelError for missing or other weights, FormatError for a header whose parts do not go together.
    """
    checkpoint = checkpoints.find(header.model["name"], header.model["sha256"], file=model, device=device)
    try:
        return Codec(
            checkpoint,
            geometry=header.geometry,
            quantiser=header.quantiser,
            entropy=header.entropy,
            crf=header.extra.get("crf"),
            device=device,
        )
    except OptionError as error:
        raise FormatError(f"the header asks for what cannot be: {error}") from error


def check_group(codec: Codec, group: Group) -> Latents:
    """The latents of a whole group; raises FormatError where they are not those that were coded."""
    latents = codec.decode(group.packets)
    check_symbols(group, latents.symbols)
    return latents


def check_symbols(group: Group, symbols: np.ndarray) -> None:
    """Raises FormatError where the decoded symbols of a whole group are not those that were coded."""
    if symbols_digest(symbols) != group.digest:
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


def symbols_digest(symbols: np.ndarray) -> int:
    """CRC-32 of symbols as little-endian int32, in order: tells a wrong model or a numeric fault from a right decode."""
    return zlib.crc32(np.ascontiguousarray(symbols, "<i4").tobytes())
