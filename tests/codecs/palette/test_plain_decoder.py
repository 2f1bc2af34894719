"""docs/format/palette.md is complete: a decoder made from that page alone gives the same colours."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from lvc.codecs.family import open_codec
from lvc.codecs.palette.bitstream import PaletteFrames
from lvc.codecs.palette.model import Palette
from lvc.entropy.bits import BitWriter
from lvc.frames import Geometry
from lvc.weights import checkpoints
from tests.builders.palette import golden_sprites, random_palette, random_pictures
from tests.codecs.palette.plain_decoder import Group

GEOMETRY = Geometry(44, 38)  # no multiple of 4


def plainly_decoded(model: Palette, shape: tuple[int, ...], packets: list[tuple[int, bytes]]) -> np.ndarray:
    weights = {name: array.tolist() for name, array in model.arrays().items()}
    return decoded(weights, shape, packets)


def decoded(weights: dict, shape: tuple[int, ...], packets: list[tuple[int, bytes]]) -> np.ndarray:
    return np.array(Group(weights, *shape[1:]).decode(packets), np.int32)[:, None]


def moving_pictures(count: int) -> np.ndarray:
    """Frames uint8 [T, H, W, 3]: a striped ground that begins to scroll, figures before it that walk, stop, change and
    come back.
    """
    y, x = np.mgrid[: GEOMETRY.height, : GEOMETRY.width]
    figures = np.random.default_rng(3).integers(0, 256, (3, 7, 6, 3))
    found = []
    for number in range(count):
        scrolled = max(0, number - 4)
        frame = np.stack([(x + scrolled) // 5 * 60 % 240, y // 8 * 40, (x + y + scrolled) // 9 * 80 % 250], axis=-1)
        for which, figure in enumerate(figures):
            top, left = 3 + 11 * which, (5 * which + (2 + which) * min(number, 5)) % 36
            if (number + which) % 7 != 3:
                frame[top : top + 7, left : left + 6] = np.where(
                    figure[..., :1] > 60, figure, frame[top : top + 7, left : left + 6]
                )
        found.append(frame)
    return np.stack(found).astype(np.uint8)


@pytest.mark.parametrize("name, crf", [("arcade", 0), ("pacman", 24)])
def test_what_shipped_models_code_is_decoded_by_the_page_alone(name, crf):
    checkpoint = checkpoints.load(name)
    codec = open_codec(checkpoint, geometry=GEOMETRY, crf=crf)
    coded = codec.encode_group(moving_pictures(9))
    packets = [(packet.frame_count, packet.payload) for packet in coded.packets]
    parts = load_file(checkpoints.path_of(name))  # as the page names them
    weights = {part.removeprefix("model."): array.tolist() for part, array in parts.items()}
    assert np.array_equal(decoded(weights, codec.latent_shape, packets), coded.latents.symbols)


def test_what_nobody_would_code_is_decoded_by_the_page_alone():
    """Chance weights of one game with built-in pictures, chance sprites, vectors and pictures."""
    checkpoint = random_palette(GEOMETRY, colours=9, sprites=12, scenes=2)
    model, shape = checkpoint.model.for_coding(), checkpoint.model.latent_shape(GEOMETRY)
    symbols = random_pictures(8, GEOMETRY, seed=4)
    coding, packets, plans = PaletteFrames(model, most=8), [], golden_sprites(symbols.shape, 12)
    for run in slice(1), slice(1, 8):
        writer = BitWriter()
        coding.code_frames(symbols[run], len(symbols[run]), writer, shape, plans[run])
        packets.append((len(symbols[run]), writer.finish()))
    assert np.array_equal(plainly_decoded(model, shape, packets), symbols)
