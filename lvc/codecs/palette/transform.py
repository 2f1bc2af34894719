"""What a codec needs of the palette family: frames to colours, colours to frames, and what codes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lvc.codecs.palette.choice import choose_cheapest, whole_pictures
from lvc.codecs.palette.colours import painted
from lvc.codecs.palette.memory_pool import Memories
from lvc.codecs.palette.model import Palette
from lvc.codecs.palette.past import frame_bytes
from lvc.codecs.palette.walk import CODING_RATE, PaletteFrames, game_of
from lvc.entropy.bits import BitReader, BitWriter
from lvc.entropy.priors import MIXING
from lvc.errors import OptionError
from lvc.frames import Geometry, Latents
from lvc.native.pixel_grid import PixelGrid
from lvc.native.shown import Screen


@dataclass(frozen=True)
class WholeNumbers:
    """Stands for `lvc.codecs.networks.quantize.Round` with a step of 1: colours are whole numbers as they are."""

    name: str = "round"
    parameter_count: int = 0

    def spec(self) -> dict:
        return {"name": self.name, "step": 1.0}


class ColourTransform:
    """A model of colours at one frame geometry; with a grid frames are analysed as the game's own pixels, and shown at the geometry.

    memories: of this model, where others share them. Raises OptionError for a quantiser or an entropy model that colours have not, ModelError for weights that cannot code.
    """

    device = "cpu"

    def __init__(self, model: Palette, geometry: Geometry, *, quantiser: dict, entropy: dict, crf: int, effort: int, grid: PixelGrid | None, memories: Memories | None = None):
        if entropy["name"] != MIXING:
            raise OptionError(f"{model.name} has colours for latents, which entropy {MIXING} codes; {entropy['name']} cannot")
        self.quantiser = WholeNumbers()
        if {"step": 1, **quantiser} != self.quantiser.spec():
            raise OptionError(f"entropy {MIXING} codes rounded latents; quantiser {quantiser.get('name')} gives others")
        self.model, self.geometry, self.crf, self.effort = model.for_coding(), geometry, crf, effort
        self.analysed = geometry if grid is None else grid.native
        self.latent_shape = model.latent_shape(self.analysed)
        self.group_frame_bytes = frame_bytes(*self.latent_shape[1:])
        self._screen = None if grid is None else Screen(grid, geometry)
        self._memories = memories or Memories(model, CODING_RATE)  # each group begins with one

    def code(self, frames: np.ndarray, counts: Sequence[int]) -> tuple[Latents, list[bytes]]:
        """Colours of one group's frames uint8 [T, 3, H, W], and the payload of each packet; counts: how many frames each of those holds."""

        def begun() -> tuple[PaletteFrames, list[BitWriter]]:
            return self.coding(len(frames)), [writer for count in counts for writer in [BitWriter()] * count]

        chosen, writers = choose_cheapest(begun, whole_pictures(frames), self.crf, known=game_of(self.model).colours, search=self.effort > 0)
        latents = Latents(chosen.symbols, np.zeros((len(frames), 0), np.float32), chosen.motions)
        return latents, [writer.finish() for writer in dict.fromkeys(writers)]

    def pictures(self, latents: Latents) -> np.ndarray:
        """Frames uint8 [T, H, W, 3]."""
        colours = np.ascontiguousarray(latents.symbols)
        return painted(colours, self.geometry.height, self.geometry.width) if self._screen is None else self._screen.show(colours)

    def coding(self, frames: int = 1) -> PaletteFrames:
        """What codes the symbols of a group of about so many frames."""
        return PaletteFrames(self.model, memories=self._memories, most=frames)

    def writer(self) -> BitWriter:
        return BitWriter()

    def reader(self, payload: bytes, *, measuring: bool = False) -> BitReader:
        return BitReader(payload, measuring=measuring)
