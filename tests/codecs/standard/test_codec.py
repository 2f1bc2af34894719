"""Standard codecs through the one interface: frames there and back, step by step, and what damage does."""

import numpy as np
import pytest

from lvc.codecs.codec import PICTURES, psnr_of_frames
from lvc.codecs.crf import psnr_of_crf
from lvc.codecs.family import family_of, open_codec
from lvc.codecs.standard import ffmpeg
from lvc.codecs.standard.colour import planes_of
from lvc.codecs.standard.encoding import packets_of
from lvc.codecs.standard.streams import joined, nal_units
from lvc.container.layout import Packet
from lvc.errors import FormatError, ModelError, OptionError
from lvc.frames import Geometry

ODD = Geometry(50, 38)  # no multiple of a block
needs_libaom = pytest.mark.skipif(ffmpeg.found() is None, reason="no ffmpeg with libaom is found")
LOSSY = pytest.mark.parametrize("model", [pytest.param("av1", marks=needs_libaom), "hevc"])
ALL = pytest.mark.parametrize("model", [pytest.param("av1", marks=needs_libaom), "hevc", "lossless"])


def codec_of(model: str, geometry: Geometry = ODD, **settings):
    return open_codec(family_of(model).without_weights(model), geometry=geometry, **settings)


def scene(count: int, geometry: Geometry = ODD, seed: int = 0) -> np.ndarray:
    """A textured ground that scrolls under a square, uint8 [T, H, W, 3]."""
    random = np.random.default_rng(seed)
    ground = (
        random.integers(0, 256, (geometry.height // 2 + 1, geometry.width + count, 3), np.uint8)
        .repeat(2, 0)
        .astype(float)
    )
    for _ in range(3):
        ground = (ground + np.roll(ground, 1, 1)) / 2
    frames = np.stack([ground[: geometry.height, number : number + geometry.width] for number in range(count)]).astype(
        np.uint8
    )
    for number in range(count):
        frames[number, 8:20, 2 * number : 2 * number + 12] = (250, 200, 20)
    return frames


def decoded(codec, packets) -> np.ndarray:
    decoder = codec.open_group(packets)
    decoder.advance(decoder.frame_count)
    return decoder.pictures(slice(None))


@pytest.fixture(scope="module")
def groups():
    """Coded groups by model, each coded once."""
    kept = {}

    def coded(model: str):
        if model not in kept:
            frames = scene(9)
            quality = {} if model == "lossless" else {"effort": 0, "quantiser": {"name": "constant", "level": 30}}
            codec = codec_of(model, **quality)
            kept[model] = codec, frames, codec.encode_group(frames)
        return kept[model]

    return coded


@ALL
def test_frames_come_one_after_another_and_alike_however_they_are_asked_for(groups, model):
    codec, frames, coded = groups(model)
    whole = decoded(codec, coded.packets)
    assert whole.shape == frames.shape and whole.dtype == np.uint8
    decoder = codec.open_group(coded.packets)
    assert (decoder.decoded, decoder.frame_count) == (0, 9)
    decoder.advance(2)
    assert decoder.decoded == 2
    early, before = decoder.pictures([1, 0]), decoder.nbytes
    decoder.advance(9)
    assert decoder.nbytes > before
    assert np.array_equal(early, whole[[1, 0]]) and np.array_equal(decoder.pictures(slice(3, 7)), whole[3:7])
    assert decoder.digest == coded.digest
    decoder.advance(4)
    assert decoder.decoded == 9
    assert decoder.pictures([]).shape == (0, *frames.shape[1:])


@ALL
@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_groups_are_groups(model, count):
    frames = scene(count)
    codec = codec_of(model, **({} if model == "lossless" else {"quantiser": {"name": "constant", "level": 20}}))
    coded = codec.encode_group(frames)
    assert len(decoded(codec, coded.packets)) == count


@pytest.mark.parametrize("noisy", [False, True])
def test_lossless_frames_come_back_exactly_by_whichever_codec_is_smaller(noisy):
    frames = scene(6)
    if noisy:
        frames = np.random.default_rng(1).integers(0, 256, frames.shape, np.uint8)
    codec = codec_of("lossless")
    coded = codec.encode_group(frames)
    assert np.array_equal(decoded(codec, coded.packets), frames)
    assert coded.packets[0].payload[0] == (0 if noisy else 1)


@LOSSY
def test_crf_means_quality(model):
    frames = scene(24, Geometry(96, 64))
    sizes, reached = [], []
    for crf in (0, 20, 40, 60):
        codec = codec_of(model, Geometry(96, 64), crf=crf, effort=0)
        coded = codec.encode_group(frames)
        sizes.append(coded.payload_bytes)
        reached.append(psnr_of_frames(frames, decoded(codec, coded.packets)).mean())
    assert sizes == sorted(sizes, reverse=True) and reached == sorted(reached, reverse=True)
    # Within 1.5 dB: a level is read from a straight line between trials of a tiny clip, whose first frame is 1 of 24.
    assert np.allclose(reached, [psnr_of_crf(crf) for crf in (0, 20, 40, 60)], atol=1.5)


@ALL
def test_bits_of_frames_add_up_to_the_payload(groups, model):
    codec, frames, coded = groups(model)
    bits = codec.frame_bits(coded.packets)
    assert len(bits) == len(frames) and bits.sum() == pytest.approx(8 * coded.payload_bytes)
    if model == "av1":
        assert bits[0] == bits.max()


@ALL
def test_what_readers_are_told(groups, model):
    codec, _, _ = groups(model)
    assert codec.traits.digest_of == PICTURES and "no latents" in codec.traits.no_latents
    assert codec.traits.lossless == (model == "lossless")


@ALL
def test_damaged_payloads_are_refused_or_show_by_their_digest(groups, model):
    codec, frames, coded = groups(model)
    payload, random = coded.packets[0].payload, np.random.default_rng(5)
    for _ in range(40):
        hurt = bytearray(payload)
        for place in random.integers(0, len(hurt), random.integers(1, 4)):
            hurt[place] ^= 1 << random.integers(8)
        if random.integers(3) == 0:
            hurt = hurt[: random.integers(len(hurt))]
        if bytes(hurt) == payload:
            continue
        try:
            decoder = codec.open_group((Packet(frame_count=len(frames), payload=bytes(hurt)),))
            decoder.advance(len(frames))
        except FormatError:
            continue
        assert decoder.digest != coded.digest or np.array_equal(
            decoder.pictures(slice(None)), decoded(codec, coded.packets)
        )


@ALL
@pytest.mark.parametrize("count", [8, 10])
def test_more_or_fewer_frames_than_were_promised_are_refused(groups, model, count):
    codec, _, coded = groups(model)
    decoder = codec.open_group((Packet(frame_count=count, payload=coded.packets[0].payload),))
    with pytest.raises(FormatError, match="decodes to"):
        decoder.advance(count)


@ALL
def test_frames_of_another_size_are_refused_before_they_are_decoded(groups, model):
    _, _, coded = groups(model)
    smaller = codec_of(model, Geometry(24, 16))
    if model == "lossless":  # FFV1 does not say how large its frames are, and H.264 does
        assert coded.packets[0].payload[0] == 1
    with pytest.raises(FormatError):
        decoded(smaller, coded.packets)


@pytest.mark.parametrize("payload", [b"", b"\x02", b"\x00", b"\x01", b"\x00\x05abc"])
def test_payloads_of_no_codec_are_refused(payload):
    with pytest.raises(FormatError):
        decoded(codec_of("lossless"), (Packet(frame_count=1, payload=payload),))


def test_a_group_has_one_packet(groups):
    codec, _, coded = groups("hevc")
    with pytest.raises(FormatError, match="one"):
        codec.open_group(coded.packets * 2)


def test_too_many_frames_are_refused_before_one_is_decoded():
    codec = codec_of("hevc", Geometry(4096, 2048))
    with pytest.raises(FormatError, match="keyint"):
        codec.open_group((Packet(frame_count=4096, payload=b""),))


@pytest.mark.parametrize(
    "options",
    [
        {"quantiser": {"name": "scale"}},
        {"entropy": {"name": "raw"}},
        {"quantiser": {"name": "constant", "level": -1}},
        {"quantiser": {"name": "constant", "level": "3"}},
    ],
)
def test_other_quantisers_and_entropy_coders_are_refused(options):
    with pytest.raises(OptionError):
        codec_of("hevc", **options)


def test_a_level_that_the_encoder_has_not_is_refused():
    with pytest.raises(OptionError, match="levels"):
        codec_of("hevc", quantiser={"name": "constant", "level": 500}).encode_group(scene(2))


def test_without_pyav_reading_says_what_to_install(groups, monkeypatch):
    import sys

    codec, _, coded = groups("hevc")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModelError, match="PyAV"):
        decoded(codec, coded.packets)


@pytest.mark.parametrize("size", ["1x1", "8x8", "24x16", "48x32", "70x9"])
@ALL
def test_small_frames_come_back(model, size):
    """x265 writes beyond its memory on narrow pictures and refuses low ones, so its pictures are larger."""
    geometry = Geometry.parse(size)
    frames = np.random.default_rng(5).integers(0, 256, (4, geometry.height, geometry.width, 3), np.uint8)
    quality = {} if model == "lossless" else {"effort": 0, "quantiser": {"name": "constant", "level": 20}}
    codec = codec_of(model, geometry=geometry, **quality)
    back = decoded(codec, codec.encode_group(frames).packets)
    if model == "lossless":
        assert np.array_equal(back, frames)
    else:
        assert psnr_of_frames(frames, back).min() > 30  # noise at a fine step: 35 dB and more were measured


def test_small_pictures_of_their_own_size_are_still_read():
    """As files have them that were made before pictures got a least size."""
    frames = np.random.default_rng(5).integers(0, 256, (1, 16, 24, 3), np.uint8)
    options = {"crf": "20", "x265-params": "info=0:keyint=-1:log-level=none:pools=1:frame-threads=1"}
    _, packets = packets_of("libx265", "yuv444p10le", planes_of(frames), options)
    payload = joined([unit for packet in packets for unit in nal_units(packet)])
    codec = codec_of("hevc", geometry=Geometry(24, 16))
    assert decoded(codec, (Packet(frame_count=1, payload=payload),)).shape == frames.shape


@pytest.fixture(scope="module")
def restored_group():
    """A codec with restoration, its frames, a group that is long enough for filters to pay, and one without."""
    frames = scene(40, Geometry(96, 64))
    noisy = frames.astype(int) + np.random.default_rng(1).integers(-6, 7, (1, *frames.shape[1:]))
    frames = np.clip(noisy, 0, 255).astype(np.uint8)
    options = {"geometry": Geometry(96, 64), "effort": 1, "quantiser": {"name": "constant", "level": 60}}
    codec, plain = codec_of("hevc", without=frozenset(), **options), codec_of("hevc", **options)
    return codec, frames, codec.encode_group(frames), plain, plain.encode_group(frames)


def test_restored_frames_are_better_by_more_than_filters_cost(restored_group):
    codec, frames, coded, plain, plainly = restored_group
    head = coded.payload_bytes - plainly.payload_bytes
    assert coded.packets[0].payload.endswith(plainly.packets[0].payload) and 1 < head < 800, head
    better, usual = decoded(codec, coded.packets), decoded(plain, plainly.packets)
    gained = psnr_of_frames(frames, better).mean() - psnr_of_frames(frames, usual).mean()
    # What was not looked at may gain a little less than the frames on which filters were tried.
    assert gained * np.log(1.22) > 0.8 * head / plainly.payload_bytes
    decoder = codec.open_group(coded.packets)
    decoder.advance(40)
    assert decoder.digest == coded.digest
    assert codec.frame_bits(coded.packets).sum() == pytest.approx(8 * coded.payload_bytes)


def test_a_reader_restores_as_the_header_says(restored_group):
    codec, _, coded, _, _ = restored_group
    reading = codec_of("hevc", geometry=Geometry(96, 64), quantiser=codec.quantiser_spec)
    assert np.array_equal(decoded(reading, coded.packets), decoded(codec, coded.packets))
    other = {**codec.quantiser_spec, "restoration": "rich-0000000000000000"}
    with pytest.raises(ModelError, match="does not have"):
        codec_of("hevc", geometry=Geometry(96, 64), quantiser=other)


@pytest.mark.parametrize("head", [b"", b"\x41", b"\x20\xff\xff\x7f", b"\x20"])
def test_a_damaged_head_is_refused(restored_group, head):
    codec = restored_group[0]
    with pytest.raises(FormatError):
        decoded(codec, (Packet(frame_count=40, payload=head),))


def test_the_lowest_effort_and_lossless_files_are_not_restored():
    for codec in (codec_of("hevc", without=frozenset(), effort=0), codec_of("lossless", without=frozenset())):
        assert "restoration" not in codec.quantiser_spec
