"""Codecs of symbols: frames become integer latents, which an entropy model codes one frame after another; pictures are
made of latents.

frames -> analyse -> code_run -> packets, and back. Which symbols a file holds is decided in whole numbers; where
rendering works in floats, machines may differ by a level in a pixel, never in a symbol.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lvc.codecs.codec import CodedGroup, GroupCodec, GroupDecoder
from lvc.codecs.latent_history import LatentHistory, grown
from lvc.container.layout import Packet
from lvc.errors import FormatError
from lvc.frames import Latents, symbols_digest

if TYPE_CHECKING:
    import torch

    from lvc.entropy.bits import BitReader, BitWriter
    from lvc.entropy.coder import SymbolReader, SymbolWriter

DECODED_AT_ONCE = 16  # frames whose latents are in memory in full on their way to where they are kept
STATE_BYTES = 16  # about what an entropy model keeps of the frames before, for each latent


class SymbolCodec(GroupCodec):
    """A codec whose packets are the quantiser's parameters, float32 for each frame, and one stream of symbols."""

    @property
    def group_frame_bytes(self) -> int:
        return 4 * int(np.prod(self.latent_shape))

    # What a family adds

    @abstractmethod
    def analyse(self, frames: np.ndarray) -> Latents:
        """Latents of the frames uint8 [T, H, W, 3] of one group."""

    @abstractmethod
    def coding(self, frames: int = 1):
        """What codes the symbols of a group of about so many frames, in order."""

    @abstractmethod
    def writer(self) -> "BitWriter | SymbolWriter":
        """Takes the symbols of a packet."""

    @abstractmethod
    def reader(self, payload: bytes, *, measuring: bool = False) -> "BitReader | SymbolReader":
        """Finds the symbols of a packet; measuring: adds up what they cost as `bits`."""

    def code_run(self, coding, symbols: np.ndarray | None, count: int, coder, plans: tuple = ()) -> np.ndarray:
        """The symbols [count, *latent_shape] of the next frames, coded, or decoded where there are none."""
        frames = [None] * count if symbols is None else symbols
        return np.stack([coding.code_frame(frame, coder, self.latent_shape) for frame in frames])

    # Groups

    def encode_group(self, frames: np.ndarray) -> CodedGroup:
        latents = self.analyse(frames)
        return self.encode(latents)

    def encode(self, latents: Latents) -> CodedGroup:
        """Codes the latents of one group."""
        coding = self.coding()
        packets, _ = self.packets_of(
            latents.parameters,
            lambda run, writer: self.code_run(
                coding, latents.symbols[run], run.stop - run.start, writer, latents.plans[run]
            ),
        )
        return CodedGroup(packets, symbols_digest(latents.symbols), latents)

    def packets_of(
        self, parameters: np.ndarray, code: Callable[[slice, "BitWriter | SymbolWriter"], np.ndarray]
    ) -> tuple[tuple[Packet, ...], list[np.ndarray]]:
        """Packets of a group, and the symbols of each. parameters: [frames, P]. code:
        codes some of the frames, and gives their symbols.
        """
        packets, symbols, start = [], [], 0
        for count in self.packet_runs(len(parameters)):
            run, writer = slice(start, start + count), self.writer()
            symbols.append(code(run, writer))
            packets.append(Packet(frame_count=count, payload=parameters[run].astype("<f4").tobytes() + writer.finish()))
            start += count
        return tuple(packets), symbols

    def open_group(self, packets: tuple[Packet, ...]) -> "SymbolGroupDecoder":
        return SymbolGroupDecoder(self, packets)

    def decode(self, packets: tuple[Packet, ...], *, stop: int | None = None) -> Latents:
        """Latents of the first `stop` frames of a group (all by default);
        raises FormatError for impossible payloads.
        """
        decoder = self.open_group(packets)
        stop = decoder.frame_count if stop is None else stop
        decoder.advance(stop)
        return decoder.latents(slice(stop))

    def frame_bits(self, packets: tuple[Packet, ...]) -> np.ndarray:
        """Bits that each frame of a group costs by the tables it is coded with, float64 [frames]; decodes the group."""
        self.frames_of(packets)
        coding, bits = self.coding(), []
        for packet in packets:
            head = 4 * self.parameter_count * packet.frame_count
            reader = self.reader(packet.payload[head:], measuring=True)
            for _ in range(packet.frame_count):
                before = reader.bits
                self.code_run(coding, None, 1, reader)
                bits.append(reader.bits - before + 8 * head / packet.frame_count)
        return np.array(bits)


class SymbolGroupDecoder(GroupDecoder):
    """Decodes latents, which it keeps; a family with a better place for them has a decoder of its own."""

    at_once = DECODED_AT_ONCE

    def __init__(self, codec: SymbolCodec, packets: tuple[Packet, ...]):
        self.frame_count = codec.frames_of(packets)
        self._codec, self._coding = codec, codec.coding(self.frame_count)
        self._packets = list(reversed(packets))  # those still to come
        # Of the packet that is being read: coded symbols, parameters to come
        self._reader: BitReader | SymbolReader | None = None
        self._values = np.empty((0, 0))
        self._digest = 0
        self._symbols = self._history()
        self._parameters = np.empty((0, codec.parameter_count), np.float32)

    def _history(self):
        return LatentHistory(self._codec.latent_shape, self.frame_count)

    @property
    def decoded(self) -> int:
        return len(self._symbols)

    @property
    def digest(self) -> int:
        return self._digest

    @property
    def nbytes(self) -> int:
        return (
            self._coding_bytes()
            + self._symbols.nbytes
            + self._parameters.nbytes
            + sum(len(packet.payload) for packet in self._packets)
        )

    def _coding_bytes(self) -> int:
        return (
            0
            if self._coding is None
            else getattr(self._coding, "nbytes", STATE_BYTES * int(np.prod(self._codec.latent_shape)))
        )

    def advance(self, stop: int) -> None:
        while self.decoded < stop:
            if not len(self._values):
                self._open_packet()
            count = min(len(self._values), stop - self.decoded, self.at_once)
            self._decode(count)
            self._values = self._values[count:]
        if self.decoded == self.frame_count:
            self._finish()

    def _decode(self, count: int) -> None:
        """The next frames of the packet that is being read."""
        symbols = self._codec.code_run(self._coding, None, count, self._reader)
        self._digest = symbols_digest(symbols, self._digest)
        self._symbols.append(symbols)

    def _finish(self) -> None:
        """Lets go of what only decoding needs."""
        self._reader = self._coding = None

    def latents(self, places) -> Latents:
        return Latents(self._symbols.frames(places), self._parameters[: self.decoded][places])

    def pictures(self, places) -> "np.ndarray | torch.Tensor":
        return self._codec.render(self.latents(places))

    def _open_packet(self) -> None:
        packet, width = self._packets.pop(), self._codec.parameter_count
        head = 4 * width * packet.frame_count
        if len(packet.payload) < head:
            raise FormatError(
                f"a packet of {len(packet.payload)} bytes is too short for {packet.frame_count} frames of "
                f"{self._codec.quantiser_spec['name']} parameters"
            )
        self._values = np.frombuffer(packet.payload[:head], "<f4").reshape(packet.frame_count, width)
        self._parameters = grown(self._parameters, self.decoded, self.decoded + packet.frame_count, self.frame_count)
        self._parameters[self.decoded : self.decoded + packet.frame_count] = self._values
        self._reader = self._codec.reader(packet.payload[head:])
