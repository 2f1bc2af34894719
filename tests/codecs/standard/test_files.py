"""Files of standard codecs through what everybody uses: written, read, sought, continued, read while they grow,
verified, mended."""

import numpy as np
import pytest

import lvc
from lvc.cli.main import main
from lvc.errors import OptionError
from lvc.frames import Geometry

SIZE = Geometry(64, 48)
LEVEL = {"name": "constant", "level": 40}


def pictures(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    ground = np.kron(random.integers(0, 256, (8, 12 + count, 3), np.uint8), np.ones((6, 8, 1), np.uint8))
    return np.stack([ground[:48, 3 * number : 3 * number + 64] for number in range(count)])


def written(path, frames, **options):
    with lvc.Writer(
        path, fps=10, geometry=SIZE, model="hevc", keyint=6, effort=0, quantiser=LEVEL, **options
    ) as writer:
        writer.write(frames)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return written(tmp_path_factory.mktemp("standard") / "game.lvc", pictures(15))


def test_frames_by_number_and_in_order_are_the_same_and_like_what_was_written(file):
    with lvc.open(file) as reader:
        whole = reader.frames(0, 15).data
        assert np.array_equal(reader.frames_at([13, 2, 7]).data, whole[[13, 2, 7]])
        assert [len(batch) for batch in reader.batches()] == [6, 6, 3]
    error = np.square(whole.astype(float) - pictures(15)).mean()
    assert 10 * np.log10(255**2 / error) > 30


def test_there_are_no_latents_and_it_is_said_why(file):
    with lvc.open(file) as reader, pytest.raises(OptionError, match="no latents"):
        reader.latents_at([0])


def test_a_file_is_continued_at_its_own_settings(tmp_path):
    path = written(tmp_path / "game.lvc", pictures(8))
    with lvc.Writer(path, append=True) as writer:
        writer.write(pictures(5, seed=1))
    with lvc.open(path) as reader:
        assert len(reader) == 13 and reader.header.quantiser == LEVEL


def test_a_file_is_read_while_it_grows(tmp_path):
    with lvc.Writer(
        tmp_path / "game.lvc", fps=10, geometry=SIZE, model="hevc", keyint=4, effort=0, quantiser=LEVEL, queue_frames=0
    ) as writer:
        writer.write(pictures(12))
        writer._coding.finish()
        with lvc.open(writer.part) as reader:
            assert reader.frames(0, 12).data.shape == (12, 48, 64, 3)


def test_damage_costs_its_group_and_is_told(tmp_path, capsys):
    path = written(tmp_path / "game.lvc", pictures(15))
    assert main(["verify", str(path)]) == 0
    data = bytearray(path.read_bytes())
    with lvc.open(path) as reader:
        entry = reader.container.index[1]
    data[entry.offset + entry.byte_size // 2] ^= 4
    path.write_bytes(data)
    assert main(["verify", str(path)]) != 0
    assert main(["verify", "--repair", str(path)]) == 3  # made, with what is lost left out
    mended = tmp_path / "game.repaired.lvc"
    with lvc.open(mended) as reader:
        assert len(reader) == 9
    capsys.readouterr()


@pytest.mark.parametrize("size", ["64x48", "352x288", "353x288", "352x289", "641x361"])
def test_lossless_files_give_back_what_was_written(tmp_path, size):
    """FFV1's encoder takes one slice of small frames alone."""
    geometry = Geometry.parse(size)
    frames = np.resize(pictures(7), (3, geometry.height, geometry.width, 3))
    with lvc.Writer(tmp_path / "game.lvc", fps=10, geometry=geometry, model="lossless") as writer:
        writer.write(frames)
    with lvc.open(tmp_path / "game.lvc") as reader:
        assert np.array_equal(reader.frames(0, 3).data, frames)


def test_frames_of_many_files_are_drawn_as_of_any(file):
    dataset = lvc.FrameDataset([file])
    clip = dataset[0]
    assert clip is not None and len(dataset) > 0


def test_a_file_adds_at_most_two_percent_to_its_streams(tmp_path):
    """At about 300 bytes a frame: header, group records, timestamps, index and trailer, in groups as usual."""
    random = np.random.default_rng(0)
    ground = random.integers(0, 256, (30, 300, 3)).repeat(2, 0).repeat(2, 1).astype(float)
    for axis in (0, 1):
        ground = (ground + np.roll(ground, 1, axis) + np.roll(ground, 2, axis)) / 3
    frames = np.stack([ground[:48, number : number + 64] for number in range(256)])
    frames[:, 10:26] += random.integers(-12, 13, (256, 16, 64, 3))
    path = tmp_path / "game.lvc"
    quantiser = {"name": "constant", "level": 38}
    with lvc.Writer(path, fps=30, geometry=SIZE, model="hevc", effort=0, quantiser=quantiser) as writer:
        writer.write(np.clip(frames, 0, 255).astype(np.uint8))
    with lvc.open(path) as reader:
        groups = list(reader.container.groups())
    streams = sum(len(packet.payload) for group in groups for packet in group.packets)
    overhead = path.stat().st_size - streams
    assert len(groups) == 1 and 200 < streams / 256 < 400
    assert overhead <= 0.02 * streams, overhead
