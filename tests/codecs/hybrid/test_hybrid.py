"""The hybrid codec: what the encoder shows is what is decoded, on any size; damage is met with refusals."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import lvc.kernels
from lvc.codecs.codec import Settings
from lvc.codecs.family import family_of, open_codec
from lvc.codecs.hybrid.codec import pictures_kept
from lvc.codecs.hybrid.kernels import Decoding, encode
from lvc.codecs.hybrid.statistics import SHIPPED
from lvc.codecs.hybrid.tools import TOOLS
from lvc.container.layout import Packet
from lvc.errors import FormatError, OptionError
from lvc.frames import Geometry


def game(frames: int, height: int, width: int, seed: int = 1) -> np.ndarray:
    """A scrolling textured field with a bright square that moves, and a bar that stands still: uint8 [T, H, W, 3]."""
    rng = np.random.default_rng(seed)
    field = np.kron(rng.integers(40, 200, (height // 4 + 20, width // 4 + 20, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    out = np.stack([field[t : t + height, 2 * t : 2 * t + width] for t in range(frames)])
    for t in range(frames):
        out[t, : max(1, height // 8)] = 30
        y, x = (3 * t) % max(1, height - 4), (5 * t) % max(1, width - 4)
        out[t, y : y + 4, x : x + 4] = (250, 220, 40)
    return out


def decoded(payload: bytes, like: np.ndarray, slots: int, without: int = 0) -> np.ndarray:
    decoding = Decoding(payload, like.shape[1], like.shape[2], slots, without)
    return np.stack([decoding.next_picture() for _ in like])


@pytest.mark.parametrize("effort", [0, 1, 2])
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (33, 47), (40, 72)], ids=str)
def test_decoding_gives_what_the_encoder_showed(size, effort):
    frames = game(4, *size)
    payload, shown, ends = encode(frames, slots=4, effort=effort, quantiser=36)
    np.testing.assert_array_equal(decoded(payload, frames, 4), shown)
    assert (np.diff(ends) >= 0).all() and ends[-1] <= len(payload)


@pytest.mark.parametrize("effort", [0, 1, 2])
def test_any_number_of_threads_gives_the_same_bytes(effort):
    frames = game(6, 104, 136)
    one, three = (encode(frames, slots=6, effort=effort, quantiser=40, threads=n)[0] for n in (1, 3))
    assert one == three


def test_tools_are_named_alike_in_c_and_python():
    text = (Path(lvc.kernels.__file__).parent / "hybrid_syntax.h").read_text()
    in_c = {name: int(bit) for name, bit in re.findall(r"TOOL_(\w+) = (\d+)", text)}
    assert in_c == {tool.symbol: tool.bit for tool in TOOLS if tool.bit}


@pytest.mark.parametrize("tool", ["intra-copy", "trained-statistics", "binary-splits"])
def test_a_tool_left_out_by_name_makes_another_payload_that_decodes_alike(tool):
    frames = game(3, 40, 48)
    geometry = Geometry(48, 40)
    checkpoint = family_of("hybrid").without_weights("hybrid")
    quantiser = {"name": "step", "level": 40}
    usual, less = (
        open_codec(checkpoint, geometry=geometry, quantiser=quantiser, without=frozenset(without))
        for without in ((), (tool,))
    )
    group = less.encode_group(frames)
    assert group.packets[0].payload != usual.encode_group(frames).packets[0].payload
    decoder = usual.open_group(group.packets)  # the payload itself says what is off
    decoder.advance(3)
    np.testing.assert_array_equal(decoder.pictures(slice(3)), group.pictures)


def test_an_unknown_tool_is_refused_with_those_there_are():
    checkpoint = family_of("hybrid").without_weights("hybrid")
    with pytest.raises(OptionError, match="intra-copy"):
        open_codec(checkpoint, geometry=Geometry(48, 40), without=frozenset({"magic"}))


def test_statistics_that_are_not_known_are_refused():
    codec = open_codec(family_of("hybrid").without_weights("hybrid"), geometry=Geometry(16, 16))
    for head in (b"\2\2\0\0\0\0", b"\2\1\0\0\0\x80", b"\2\1\0\0\1\0", b"\2\1\0"):
        with pytest.raises(FormatError):
            codec.open_group((Packet(frame_count=1, payload=head),))


def test_shipped_statistics_are_those_of_the_format():
    """Other ones would decode every payload that names them to something else."""
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert digest == (Path(__file__).parent / "statistics.sha256").read_text().strip()


def test_more_frames_than_are_kept():
    frames = game(9, 32, 40)
    payload, shown, _ = encode(frames, slots=2, effort=0, quantiser=40)
    np.testing.assert_array_equal(decoded(payload, frames, 2), shown)


@pytest.mark.parametrize("tool", range(16))
def test_every_tool_can_be_off(tool):
    frames = game(3, 40, 48)
    payload, shown, _ = encode(frames, slots=3, effort=1, quantiser=40, without=1 << tool)
    np.testing.assert_array_equal(decoded(payload, frames, 3, 1 << tool), shown)


def test_what_repeats_within_a_picture_is_copied():
    tile = np.random.default_rng(3).integers(0, 256, (16, 24, 3), np.uint8)
    frames = np.tile(tile, (5, 4, 1))[None, :72, :88]
    payload, shown, _ = encode(frames, slots=2, effort=0, quantiser=30)
    without, _, _ = encode(frames, slots=2, effort=0, quantiser=30, without=1 << 13)
    assert len(payload) < 0.7 * len(without)  # 17 tiles, of which few fit the grid of units
    np.testing.assert_array_equal(decoded(payload, frames, 2), shown)


def test_what_jumps_is_found_everywhere():
    """A motion much longer than what surrounds it has: a search around likely vectors does not come there."""
    rng = np.random.default_rng(5)
    frames = np.full((2, 160, 200, 3), 90, np.uint8)
    sprite = rng.integers(0, 256, (16, 16, 3), np.uint8)
    frames[0, 8:24, 8:24] = frames[1, 130:146, 170:186] = sprite
    frames[:, 60:100, 60:140] = rng.integers(0, 256, (40, 80, 3), np.uint8)
    sizes = []
    for without in (0, 1 << 14):
        _, _, ends = encode(frames, slots=2, effort=0, quantiser=30, without=without)
        sizes.append(ends[1] - ends[0])
    assert sizes[0] < 0.3 * sizes[1]  # 256 samples of noise, or a vector


def test_finer_steps_cost_more_and_err_less():
    frames = game(4, 48, 64)
    results = [encode(frames, slots=4, effort=0, quantiser=index) for index in (12, 30, 48, 66)]
    sizes = [len(payload) for payload, _, _ in results]
    errors = [((shown.astype(float) - frames) ** 2).mean() for _, shown, _ in results]
    assert sizes == sorted(sizes, reverse=True) and errors == sorted(errors)
    assert errors[0] < 1.0  # a step of two levels


def test_what_stands_still_is_nearly_free():
    frames = np.repeat(game(1, 64, 96), 12, axis=0)
    payload, _, ends = encode(frames, slots=12, effort=1, quantiser=40)
    assert len(payload) - ends[2] < 0.05 * ends[0]


@pytest.mark.parametrize("seed", range(12))
def test_damage_never_leaves_the_memory_or_hangs(seed):
    """Pictures of damaged payloads are whatever they are; the same each time, and of the right shape."""
    frames = game(3, 40, 56)
    payload, _, _ = encode(frames, slots=3, effort=1, quantiser=30)
    rng = np.random.default_rng(seed)
    bad = np.frombuffer(payload, np.uint8).copy()
    places = rng.integers(0, len(bad), 1 + seed)
    bad[places] ^= rng.integers(1, 256, len(places)).astype(np.uint8)
    if seed % 3 == 0:
        bad = rng.integers(0, 256, len(bad)).astype(np.uint8)

    def attempt() -> list[np.ndarray]:
        decoding, pictures = Decoding(bad.tobytes(), 40, 56, 3), []
        try:
            for _ in range(3):
                pictures.append(decoding.next_picture())
        except FormatError:
            pass
        return pictures

    first, second = attempt(), attempt()
    assert len(first) == len(second) and all(map(np.array_equal, first, second))


def test_a_payload_that_ends_early_is_told():
    frames = game(6, 64, 64)
    payload, _, ends = encode(frames, slots=6, effort=0, quantiser=20)
    with pytest.raises(FormatError):
        decoded(payload[: ends[1]], frames, 6)


def codec(crf: int = 32):
    family = family_of("hybrid")
    return family.open(family.without_weights("hybrid"), Settings(geometry=Geometry(48, 40), crf=crf, effort=0))


def test_groups_go_through_the_interface():
    frames = game(5, 40, 48)
    made = codec().encode_group(frames)
    decoder = codec().open_group(made.packets)
    decoder.advance(2)
    assert decoder.decoded == 2
    decoder.advance(5)
    assert decoder.digest == made.digest
    np.testing.assert_array_equal(decoder.pictures(slice(None)), made.pictures)


def test_a_lower_crf_is_nearer_to_the_picture():
    frames = game(8, 40, 48)
    errors = [
        ((codec(crf).encode_group(frames).pictures.astype(float) - frames) ** 2).mean() for crf in (5, 25, 45, 63)
    ]
    assert errors == sorted(errors)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\x00\x00\x00abc", b"\xff\x00\x00abc"])
def test_impossible_payloads_are_refused(payload):
    with pytest.raises(FormatError):
        codec().open_group((Packet(frame_count=2, payload=payload),))


def test_other_quantisers_are_refused():
    family = family_of("hybrid")
    with pytest.raises(OptionError):
        family.open(
            family.without_weights("hybrid"), Settings(geometry=Geometry(8, 8), crf=3, quantiser={"name": "constant"})
        )


def test_what_is_kept_follows_the_size():
    assert pictures_kept(1, 160, 200) == 2
    assert pictures_kept(500, 160, 200) == 64
    assert 2 <= pictures_kept(500, 1440, 2560) < 16
