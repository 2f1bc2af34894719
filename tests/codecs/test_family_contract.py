"""What every family promises to Reader, Writer, search and command line:
the same tests for each that is registered, a toy one among them.
"""

import pickle

import numpy as np
import pytest

import lvc
from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import PICTURES, as_numpy
from lvc.codecs.family import open_codec
from lvc.container.header import NO_WEIGHTS
from lvc.container.layout import MAX_GROUP_FRAMES, Packet
from lvc.errors import FormatError, OptionError
from lvc.frames import Geometry
from tests.builders import all_families
from tests.builders.all_families import SIZE, frames_of

COUNT = 9


@pytest.fixture(scope="module", autouse=True)
def toy():
    with all_families.toy():
        yield


@pytest.fixture(scope="module", params=all_families.models())
def checkpoint(request, tmp_path_factory, save_small):
    """Weights of each family, from a file; what stands for them where a family has none."""
    return all_families.small_model(request.param, tmp_path_factory.mktemp("weights"), save_small)


@pytest.fixture(scope="module")
def codec(checkpoint):
    return open_codec(checkpoint[0], geometry=SIZE)


@pytest.fixture(scope="module")
def coded(codec):
    return codec.encode_group(frames_of(COUNT))


@pytest.fixture(scope="module")
def whole(codec, coded):
    decoder = codec.open_group(coded.packets)
    decoder.advance(COUNT)
    return as_numpy(decoder.pictures(slice(None)))


@pytest.fixture(scope="module")
def file(checkpoint, tmp_path_factory):
    """Two groups and a part of one."""
    path = tmp_path_factory.mktemp("file") / "game.lvc"
    with lvc.Writer(path, fps=30, geometry=SIZE, model=checkpoint[0], keyint=4) as writer:
        writer.write(frames_of(COUNT))
    return path


def test_traits_are_those_that_the_codec_keeps_to(checkpoint, codec):
    traits = codec.traits
    assert traits.digest_of in ("symbols", PICTURES)
    assert bool(traits.no_latents) <= (not traits.renders_latents), (
        "what hands out no latents cannot make pixels of them"
    )
    assert (codec.crf is not None) == traits.variable_rate
    assert not traits.efforts or traits.usual_effort in traits.efforts
    assert (checkpoint[0].sha256 == NO_WEIGHTS) == (checkpoint[1] is None)
    for spec in (codec.quantiser_spec, codec.entropy_spec):
        assert isinstance(spec["name"], str) and spec["name"]


def test_a_group_decodes_to_what_its_encoder_says(codec, coded, whole):
    assert sum(packet.frame_count for packet in coded.packets) == COUNT
    assert whole.shape == (COUNT, SIZE.height, SIZE.width, 3) and whole.dtype == np.uint8
    assert np.array_equal(codec.decoded_pictures(coded), whole)
    assert np.array_equal(codec.decoded_pictures(coded, [5, 0]), whole[[5, 0]])
    decoder = codec.open_group(coded.packets)
    decoder.advance(COUNT)
    assert decoder.digest == coded.digest and decoder.frame_count == decoder.decoded == COUNT
    if codec.traits.lossless:
        assert np.array_equal(whole, frames_of(COUNT))


def test_coding_the_same_group_again_gives_the_same_bytes(codec, coded):
    again = codec.encode_group(frames_of(COUNT))
    assert (again.packets, again.digest) == (coded.packets, coded.digest)


def test_a_part_of_a_group_is_decoded_and_gone_on_from(codec, coded, whole):
    # Floats that are summed in batches of another size may end up a level apart.
    apart = 1 if codec.traits.needs_torch else 0
    decoder = codec.open_group(coded.packets)
    assert decoder.decoded == 0
    for stop in (1, 4, 3, COUNT):
        decoder.advance(stop)
        assert stop <= decoder.decoded <= COUNT and decoder.nbytes > 0
        found = as_numpy(decoder.pictures(slice(stop))).astype(int)
        assert np.abs(found - whole[:stop]).max() <= apart
    assert np.abs(as_numpy(decoder.pictures([7, 2, 7])).astype(int) - whole[[7, 2, 7]]).max() <= apart
    assert decoder.digest == coded.digest


def test_latents_make_the_pictures_or_the_reason_is_given(codec, coded, whole, file, checkpoint):
    decoder = codec.open_group(coded.packets)
    decoder.advance(3)
    with lvc.open(file, model=checkpoint[1]) as reader:
        if codec.traits.no_latents:
            with pytest.raises(OptionError, match=codec.traits.no_latents[:20]):
                reader.latents_at([0])
            return
        latents = decoder.latents([2, 0])
        assert latents.symbols.shape == (2, *codec.latent_shape) and latents.symbols.dtype == np.int32
        assert latents.parameters.shape == (2, codec.parameter_count)
        if codec.traits.renders_latents:
            assert np.abs(as_numpy(codec.render(latents)).astype(int) - whole[[2, 0]]).max() <= 1
        assert len(reader.latents_at([8, 1])) == 2


def test_what_frames_are_said_to_cost_adds_up(codec, coded):
    bits = codec.frame_bits(coded.packets)
    assert bits.shape == (COUNT,) and (bits >= 0).all()
    # Half a percent, and up to four bytes for each stream's end.
    assert abs(bits.sum() / 8 - coded.payload_bytes) <= 0.005 * coded.payload_bytes + 4 * len(coded.packets)


def test_damaged_packets_raise_format_errors_alone(codec, coded):
    random = np.random.default_rng(3)
    told = 0
    for attempt in range(60):
        packets = list(coded.packets)
        place = int(random.integers(len(packets)))
        payload = bytearray(packets[place].payload)
        for at in random.integers(0, max(1, len(payload)), int(random.integers(1, 5))):
            if len(payload):
                payload[at] ^= int(random.integers(1, 256))
        if attempt % 3 == 0:
            del payload[int(random.integers(len(payload) + 1)) :]
        packets[place] = Packet(packets[place].frame_count, bytes(payload))
        try:
            decoder = codec.open_group(tuple(packets))
            decoder.advance(COUNT)
            as_numpy(decoder.pictures(slice(None)))
            told += decoder.digest != coded.digest
        except FormatError:
            told += 1
    assert told > 5, "some of it shows, in an error or in the digest"


def test_packets_of_any_counts_are_refused_or_decoded(codec, coded):
    """Payloads under other frame counts than they were coded with."""
    payloads = [packet.payload for packet in coded.packets]
    for counts in ([1], [2], [COUNT], [1, 1], [COUNT + 3], [3, 4]):
        packets = tuple(Packet(count, payload) for count, payload in zip(counts, payloads + [b""] * len(counts)))
        try:
            decoder = codec.open_group(packets)
            decoder.advance(decoder.frame_count)
            assert len(as_numpy(decoder.pictures(slice(None)))) == sum(counts)
        except FormatError:
            pass


def test_groups_that_would_fill_the_memory_are_refused_before_they_are_decoded(checkpoint):
    large = Geometry(2048, 2048) if codec_takes(checkpoint[0], Geometry(2048, 2048)) else SIZE
    codec = open_codec(checkpoint[0], geometry=large)
    codec.check_group_frames(1)
    if codec.group_frame_bytes * MAX_GROUP_FRAMES <= 1 << 29:
        codec.check_group_frames(MAX_GROUP_FRAMES)
        return
    with pytest.raises(OptionError, match="smaller keyint"):
        codec.check_group_frames(MAX_GROUP_FRAMES)
    with pytest.raises(FormatError, match="smaller keyint"):
        codec.open_group((Packet(MAX_GROUP_FRAMES, b"short"),))


def codec_takes(checkpoint: Checkpoint, geometry: Geometry) -> bool:
    try:
        open_codec(checkpoint, geometry=geometry)
    except OptionError:
        return False
    return True


def test_settings_that_a_family_has_not_are_refused(checkpoint, codec):
    traits = codec.traits
    wrong = [{"crf": 64}, {"effort": 99}, {"quantiser": {"name": "none such"}}, {"entropy": {"name": "none such"}}]
    if not traits.variable_rate:
        wrong.append({"crf": 20})
    if checkpoint[0].metadata.model == "toy":  # which leaves them as they are, to stay a page
        wrong = wrong[:2]
    for settings in wrong:
        with pytest.raises(OptionError):
            open_codec(checkpoint[0], geometry=SIZE, **settings)


def test_files_are_read_in_any_order_pickled_and_continued(checkpoint, file, tmp_path, monkeypatch):
    weights = checkpoint[1]
    apart = 1 if open_codec(checkpoint[0], geometry=SIZE).traits.needs_torch else 0
    with lvc.open(file, model=weights, dimension_order="NHWC") as reader:
        everything = reader[:].numpy().astype(int)
        assert everything.shape == (COUNT, SIZE.height, SIZE.width, 3)
        assert len(reader.frame_types) == COUNT and reader.frame_types[::4] == ["key"] * 3
        assert reader.frame_bytes.shape == (COUNT,)
    with lvc.open(file, model=weights, dimension_order="NHWC") as reader, pickle.loads(pickle.dumps(reader)) as copied:
        order = [8, 0, 5, 5, 2]
        for one in (reader, copied):
            assert np.abs(one.get_frames_at(order).data.numpy().astype(int) - everything[order]).max() <= apart
    item = lvc.FrameDataset(file, model=weights, dimension_order="NHWC")[6]
    assert np.abs(item["frames"][0].numpy().astype(int) - everything[6]).max() <= apart
    if weights is not None:
        monkeypatch.setenv("LVC_MODELS", str(weights.parent))
    more = tmp_path / "more.lvc"
    more.write_bytes(file.read_bytes())
    with lvc.Writer(more, append=True) as writer:
        writer.write(frames_of(3, seed=5))
    with lvc.open(more, dimension_order="NHWC") as reader:
        assert len(reader) == COUNT + 3
        assert np.abs(reader[:COUNT].numpy().astype(int) - everything).max() <= apart
