"""The walk from frames to packets and back, with every model; test_combinations.py has all quantisers and entropy
models.
"""

import numpy as np
import pytest
import torch

from lvc.codecs.family import open_codec
from lvc.container.layout import Packet
from lvc.errors import FormatError, LvcError, OptionError
from lvc.frames import Geometry
from tests.builders.small_models import OPTIONS, SMALL, checkpoint, moving_square


@pytest.fixture(scope="module")
def checkpoints():
    return {name: checkpoint(name) for name in OPTIONS}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_first_frames_of_a_group_decode_without_the_others(checkpoints, name):
    codec = open_codec(checkpoints[name], geometry=SMALL)
    latents = codec.analyse(moving_square(6))
    packets = codec.encode(latents).packets
    for stop in (1, 2, 5):
        assert np.array_equal(codec.decode(packets, stop=stop).symbols, latents.symbols[:stop])


@pytest.mark.parametrize("name", ["temporal", "temporal-palette"])
def test_prediction_makes_a_group_smaller_than_its_frames_alone(checkpoints, name):
    codec = open_codec(checkpoints[name], geometry=SMALL)
    latents = codec.analyse(np.repeat(moving_square(1), 16, axis=0))
    together = sum(len(packet.payload) for packet in codec.encode(latents).packets)
    alone = sum(
        len(packet.payload)
        for one in range(16)
        for packet in codec.encode(
            type(latents)(latents.symbols[one : one + 1], latents.parameters[one : one + 1])
        ).packets
    )
    assert together < alone / 4, "fifteen of sixteen equal frames cost next to nothing"


@pytest.mark.parametrize("name", ["temporal", "temporal-palette", "conv4", "gdn-attention+hyper"])
def test_what_frames_are_said_to_cost_adds_up_to_the_bytes(checkpoints, name):
    codec = open_codec(checkpoints[name], geometry=SMALL)
    # Noise: of a stream that ends in nothing but the first symbols of its tables the writer leaves the end out.
    frames = np.random.default_rng(6).integers(0, 256, (12, SMALL.height, SMALL.width, 3), np.uint8)
    packets = codec.encode(codec.analyse(frames)).packets
    bits = codec.frame_bits(packets)
    real = sum(len(packet.payload) for packet in packets)
    assert len(bits) == 12 and (bits >= 0).all()
    # Half a percent, and up to a byte for the end of each stream.
    assert abs(bits.sum() / 8 - real) <= 0.005 * real + len(packets)


@pytest.mark.parametrize("geometry", [Geometry(41, 33), Geometry(8, 8), Geometry(7, 50)], ids=str)
@pytest.mark.parametrize("name", ["temporal", "temporal-palette", "gdn-attention+hyper"])
def test_any_size_is_taken(checkpoints, name, geometry):
    codec = open_codec(checkpoints[name], geometry=geometry)
    frames = np.random.default_rng(0).integers(0, 256, (3, geometry.height, geometry.width, 3), np.uint8)
    latents = codec.analyse(frames)
    packets = codec.encode(latents).packets
    assert np.array_equal(codec.decode(packets).symbols, latents.symbols)
    assert codec.render(latents).shape == frames.shape


@pytest.mark.parametrize("name", ["temporal", "temporal-palette", "gdn-attention+hyper"])
def test_threads_and_batches_do_not_change_symbols(checkpoints, name):
    codec = open_codec(checkpoints[name], geometry=SMALL)
    latents = codec.analyse(moving_square(12))
    packets = codec.encode(latents).packets
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert codec.encode(latents).packets == packets
            assert np.array_equal(codec.decode(packets).symbols, latents.symbols)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", OPTIONS)
def test_damaged_payloads_raise_typed_errors_or_give_other_symbols(checkpoints, name):
    codec = open_codec(checkpoints[name], geometry=SMALL)
    packets = codec.encode(codec.analyse(moving_square(3))).packets
    generator = np.random.default_rng(2)
    for _ in range(20):
        payload = bytearray(packets[0].payload)
        for place in generator.integers(0, len(payload), 4):
            payload[place] ^= int(generator.integers(1, 256))
        cut = bytes(payload[: generator.integers(0, len(payload) + 1)])
        try:
            decoded = codec.decode((Packet(packets[0].frame_count, cut), *packets[1:]))
            codec.render(decoded)
        except LvcError as error:
            assert isinstance(error, FormatError), error


@pytest.mark.parametrize("crf", [-1, 64, 1.5, "high", True])
def test_crf_is_checked(checkpoints, crf):
    with pytest.raises(OptionError, match="crf"):
        open_codec(checkpoints["temporal"], geometry=SMALL, crf=crf)
    with pytest.raises(OptionError, match="crf"):
        open_codec(checkpoints["temporal-palette"], geometry=SMALL, crf=crf)
    with pytest.raises(OptionError, match="crf"):
        open_codec(checkpoints["conv4"], geometry=SMALL, crf=20)
