"""Frame files: exact, smaller than raw, and every damage told."""

from fractions import Fraction

import numpy as np
import pytest

from lvc.dataset.storage import RUN, TRAILER, FrameFile, FrameFileWriter, still_of
from lvc.errors import InputError
from lvc.frames import FrameBatch


def write(path, data, pts, batch=7):
    with open(path, "wb") as file:
        writer = FrameFileWriter(file)
        for start in range(0, len(data), batch):
            writer.write(
                FrameBatch(
                    data[start : start + batch].transpose(0, 2, 3, 1),
                    tuple(pts[start : start + batch]),
                    Fraction(1, 90),
                )
            )
        writer.finish({"width": data.shape[3], "height": data.shape[2], "time_base": "1/90"})
    return path


def read_all(file):
    return np.stack([file.frame(number, file.still) for number in range(len(file))])


@pytest.mark.parametrize("count", [1, 2, RUN - 1, RUN, RUN + 1, 3 * RUN + 5])
@pytest.mark.parametrize("kind", ["noise", "game", "constant"])
def test_frames_come_back_exactly(tmp_path, gameplay, count, kind):
    if kind == "noise":
        data = np.random.default_rng(0).integers(0, 256, (count, 3, 9, 13), dtype=np.uint8)
    elif kind == "game":
        data = np.stack(gameplay(count)).transpose(0, 3, 1, 2)
    else:
        data = np.full((count, 3, 9, 13), 200, np.uint8)
    pts = list(range(-5, 10 * count - 5, 10))
    file = FrameFile(write(tmp_path / "a.frames", data, pts))
    assert np.array_equal(read_all(file), data)
    assert file.pts.tolist() == pts
    assert file.time_base == Fraction(1, 90)


def test_games_are_stored_in_a_fraction_of_raw_and_noise_in_hardly_more(tmp_path, gameplay):
    game = np.stack(gameplay(64, 200, 160)).transpose(0, 3, 1, 2)
    assert write(tmp_path / "game", game, range(64)).stat().st_size < game.nbytes / 20
    noise = np.random.default_rng(0).integers(0, 256, game.shape, dtype=np.uint8)
    assert write(tmp_path / "noise", noise, range(64)).stat().st_size < noise.nbytes * 1.002


def test_a_still_is_the_background(gameplay):
    frames = np.stack(gameplay(16, 200, 64)).transpose(0, 3, 1, 2)
    maze = np.median(frames, axis=0)  # the square is at each place for less than half of the time
    assert np.abs(still_of(frames).astype(int) - maze).mean() < 1


def test_every_cut_is_noticed(tmp_path):
    data = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 5), dtype=np.uint8)
    content = write(tmp_path / "whole", data, range(3)).read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cut: is (no frame file|damaged)"):
            FrameFile(cut)


def test_every_changed_byte_is_noticed(tmp_path):
    data = np.random.default_rng(0).integers(0, 4, (3, 3, 4, 5), dtype=np.uint8)
    content = write(tmp_path / "whole", data, range(3)).read_bytes()
    changed = tmp_path / "changed"
    for place in range(len(content)):
        changed.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        with pytest.raises(InputError, match="changed: "):
            read_all(FrameFile(changed))


def test_a_picture_that_unpacks_to_more_than_its_size_is_refused(tmp_path):
    import zlib

    path = write(tmp_path / "bomb", np.zeros((1, 3, 4, 5), np.uint8), [0])
    content = path.read_bytes()
    honest = zlib.compress(bytes(60), 6)
    bomb = zlib.compress(bytes(90_000), 9)
    assert content.count(honest) >= 1
    # The bomb goes before the index, and the index is written for it.
    index_offset, count, header_length, _, magic = TRAILER.unpack(content[-TRAILER.size :])
    index = bytearray(content[index_offset : -TRAILER.size])
    frame = np.frombuffer(index, np.dtype([("offset", "<u8"), ("length", "<u4"), ("kind", "u1"), ("pts", "<i8")]), 1)
    frame["offset"], frame["length"] = index_offset, len(bomb)
    trailer = TRAILER.pack(index_offset + len(bomb), count, header_length, zlib.crc32(index), magic)
    path.write_bytes(content[:index_offset] + bomb + bytes(index) + trailer)
    with pytest.raises(InputError, match="a picture of 5x4 was expected"):
        read_all(FrameFile(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.frames: No such file"):
        FrameFile(tmp_path / "nowhere.frames")
