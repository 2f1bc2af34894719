"""The codec of the palette family: frames to colours, colours to frames, and what codes them."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import CodedGroup, Settings, Traits
from lvc.codecs.latent_history import LatentHistory
from lvc.codecs.palette.bitstream import CODING_RATE, PaletteFrames, game_of
from lvc.codecs.palette.colours import painted
from lvc.codecs.palette.context_pool import ContextPool
from lvc.codecs.palette.model import Palette
from lvc.codecs.palette.references import frame_bytes
from lvc.codecs.symbols import SymbolCodec, SymbolGroupDecoder
from lvc.container.layout import Packet
from lvc.entropy.bits import BitReader, BitWriter
from lvc.entropy.priors import MIXING
from lvc.errors import OptionError
from lvc.frames import Latents, symbols_digest
from lvc.native.shown import Screen

QUANTISER = {"name": "round", "step": 1.0}  # colours are whole numbers as they are
COLOURED_AT_ONCE = 64  # frames of colours, for which there is only to be room
SUMMED_AT_ONCE = 16  # frames whose digest is computed together

# Of models that code: context models are 7 MB each
_pools: WeakKeyDictionary[Palette, ContextPool] = WeakKeyDictionary()


def pool_of(model: Palette) -> ContextPool:
    if (found := _pools.get(model)) is None:
        found = _pools[model] = ContextPool(model, CODING_RATE)
    return found


class PaletteCodec(SymbolCodec):
    """Colours of frames as latents; with a grid those of the game's own pixels, which are shown at the geometry.

    Raises OptionError for a quantiser or an entropy model that colours have not, ModelError for weights that cannot
    code.
    """

    def __init__(self, checkpoint: Checkpoint, settings: Settings, traits: Traits):
        super().__init__(checkpoint, settings, traits)
        self.entropy_spec, self.quantiser_spec = settings.entropy or checkpoint.entropy, QUANTISER
        if self.entropy_spec["name"] != MIXING:
            raise OptionError(
                f"{checkpoint.model.name} has colours for latents, which entropy {MIXING} codes; "
                f"{self.entropy_spec['name']} cannot"
            )
        quantiser = settings.quantiser or checkpoint.quantiser
        if {"step": 1, **quantiser} != QUANTISER:
            raise OptionError(f"entropy {MIXING} codes rounded latents; quantiser {quantiser.get('name')} gives others")
        self.model = checkpoint.model.for_coding()
        self.latent_shape = self.model.latent_shape(settings.coded_geometry)
        self._screen = None if settings.grid is None else Screen(settings.grid, settings.geometry)
        # Each group begins with a context model of it. Weights do not change once they code,
        # so all their codecs share what was written on.
        self._pool = pool_of(self.model)

    @property
    def group_frame_bytes(self) -> int:
        return max(super().group_frame_bytes, frame_bytes(*self.latent_shape[1:]))

    @property
    def distortion_weight(self) -> float:
        """Less than what errors count while frames are chosen: there they are passed on to later frames."""
        from lvc.codecs.palette.rate_distortion import PASSED_ON, lambda_of

        return lambda_of(self.crf) / PASSED_ON * 3 * self.geometry.width * self.geometry.height

    def analyse(self, frames: np.ndarray) -> Latents:
        return self._chosen(frames)[0]

    def encode_group(self, frames: np.ndarray) -> CodedGroup:
        """Coded as they are chosen: once, and at the same size."""
        latents, payloads = self._chosen(frames)
        packets = tuple(
            Packet(frame_count=count, payload=payload)
            for count, payload in zip(self.packet_runs(len(frames)), payloads)
        )
        return CodedGroup(packets, symbols_digest(latents.symbols), latents)

    def _chosen(self, frames: np.ndarray) -> tuple[Latents, list[bytes]]:
        """Colours of one group's frames uint8 [T, H, W, 3], and the payload of each packet."""
        # Who only reads has no use for what chooses
        from lvc.codecs.palette.rate_distortion import choose_cheapest, whole_pictures

        def begun() -> tuple[PaletteFrames, list[BitWriter]]:
            return self.coding(len(frames)), [
                writer for count in self.packet_runs(len(frames)) for writer in [BitWriter()] * count
            ]

        chosen, writers = choose_cheapest(
            begun, whole_pictures(frames), self.crf, known=game_of(self.model).colours, search=self.settings.effort > 0
        )
        latents = Latents(chosen.symbols, np.zeros((len(frames), 0), np.float32), chosen.plans)
        return latents, [writer.finish() for writer in dict.fromkeys(writers)]

    def render(self, latents: Latents) -> np.ndarray:
        colours = np.ascontiguousarray(latents.symbols)
        return (
            painted(colours[:, 0], self.geometry.height, self.geometry.width)
            if self._screen is None
            else self._screen.show(colours)
        )

    def coding(self, frames: int = 1) -> PaletteFrames:
        return PaletteFrames(self.model, pool=self._pool, most=frames)

    def code_run(
        self, coding: PaletteFrames, symbols: np.ndarray | None, count: int, coder, plans: Sequence = ()
    ) -> np.ndarray:
        return coding.code_frames(symbols, count, coder, self.latent_shape, plans)

    def writer(self) -> BitWriter:
        return BitWriter()

    def reader(self, payload: bytes, *, measuring: bool = False) -> BitReader:
        return BitReader(payload, measuring=measuring)

    def open_group(self, packets: tuple[Packet, ...]) -> "PaletteGroupDecoder":
        return PaletteGroupDecoder(self, packets)


class PaletteGroupDecoder(SymbolGroupDecoder):
    """Frames of colours are kept by what codes them."""

    at_once = COLOURED_AT_ONCE

    def _history(self) -> PaletteFrames:
        return self._coding

    @property
    def digest(self) -> int:
        """Looked at once a group, if at all: to add it up would take as long as to decode."""
        digest = 0
        for start in range(0, self.decoded, SUMMED_AT_ONCE):
            digest = symbols_digest(self._symbols.frames(slice(start, start + SUMMED_AT_ONCE)), digest)
        return digest

    def _coding_bytes(self) -> int:
        return 0

    def _decode(self, count: int) -> None:
        self._coding.read(count, self._reader, self._codec.latent_shape)

    def _finish(self) -> None:
        self._symbols.finish()
        super()._finish()

    def pack(self) -> None:
        """Keeps what changes from frame to frame alone: frames of 160x210 pixels take 79 KB each otherwise."""
        if self.decoded == self.frame_count and isinstance(self._symbols, PaletteFrames):
            self._symbols = PackedFrames(self._symbols)


class PackedFrames:
    """The frames of a group that is decoded: colours int32 [1, H, W] each, kept by what changes of them."""

    def __init__(self, frames: PaletteFrames):
        # Indices of the colours in their order, which are narrower than colours.
        self._colours = np.unique(frames.colours)
        count = len(frames)
        self._indices = LatentHistory(frames.frames([0]).shape[1:], count)
        for start in range(0, count, SUMMED_AT_ONCE):
            shown = frames.frames(slice(start, start + SUMMED_AT_ONCE))
            self._indices.append(np.searchsorted(self._colours, shown).astype(np.int32))

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def nbytes(self) -> int:
        return self._colours.nbytes + self._indices.nbytes

    def frames(self, numbers) -> np.ndarray:
        """Colours int32 [N, 1, H, W] of frames of the group: a slice, or whole numbers from 0 to len - 1."""
        return self._colours[self._indices.frames(numbers)]
