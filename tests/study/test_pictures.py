import io
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy
from PIL import Image

from lvc.errors import InputError, OptionError
from lvc.frames import Geometry
from lvc.study.pictures import Amounts, read_arrays, read_set, shares


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def as_set(pictures):
    return {picture.tobytes() for picture in pictures}


def test_digits_are_taken_whole_and_grey():
    digits = read_set("digits", amounts=Amounts())
    assert (str(digits.geometry), digits.grey, digits.raw_bytes) == ("8x8", True, 64)
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [1257, 180, 360]
    assert digits.train.data.max() == 255 and digits.train.data.shape == (1257, 3, 8, 8)
    fewer = read_set("digits", amounts=Amounts(train=100, test=30))
    assert [len(part) for part in (fewer.train, fewer.validation, fewer.test)] == [100, 30, 30]
    assert as_set(fewer.test.data) <= as_set(digits.test.data)


def test_photographs_are_cut_and_the_same_each_time():
    amounts = Amounts(train=48, test=12, size=Geometry(24, 16))
    first, again, other = (read_set("photographs", amounts=amounts, seed=seed) for seed in (0, 0, 1))
    assert first.train.data.shape == (48, 3, 16, 24) and first.test.data.shape == (12, 3, 16, 24)
    assert (first.grey, first.raw_bytes) == (False, 24 * 16 * 3)
    assert first.sha256 == again.sha256 != other.sha256


@pytest.mark.parametrize("shape, grey", [((20, 6, 5), True), ((20, 6, 5, 1), True), ((20, 6, 5, 3), False)])
@pytest.mark.parametrize("by_columns", [False, True])
def test_arrays(tmp_path, shape, grey, by_columns):
    pictures = noise(*shape)
    np.save(tmp_path / "some.npy", np.asfortranarray(pictures) if by_columns else pictures)
    np.savez_compressed(tmp_path / "packed.npz", anything=pictures)
    for name in ("some.npy", "packed.npz"):
        found = read_set(str(tmp_path / name), amounts=Amounts())
        assert (found.grey, found.name, str(found.geometry)) == (grey, name[:-4], "5x6")
        everything = np.concatenate([found.train.data, found.validation.data, found.test.data])
        wanted = np.repeat(pictures.reshape(20, 1, 6, 5), 3, axis=1) if grey else pictures.transpose(0, 3, 1, 2)
        assert len(everything) == 20 and as_set(everything) == as_set(wanted)


def test_an_archive_that_is_split_keeps_its_test_pictures(tmp_path):
    train, test = noise(24, 6, 5), noise(7, 6, 5, seed=1)
    np.savez(tmp_path / "mnist.npz", x_train=train, y_train=np.zeros(24), x_test=test, y_test=np.zeros(7))
    found = read_set(str(tmp_path / "mnist.npz"), amounts=Amounts())
    assert np.array_equal(found.test.data[:, 0], test)
    assert (len(found.train), len(found.validation)) == (21, 3)


def header_alone(shape, kind="|u1"):
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": kind})
    return file.getvalue()


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "content, reason",
    [
        (saved(np.zeros((9, 8, 8))), "uint8 [N, H, W]"),
        (saved(noise(9, 8)), "uint8 [N, H, W]"),
        (saved(noise(9, 3, 8, 8)), "uint8 [N, H, W]"),
        (saved(noise(9, 200, 8)), "sides up to 128"),
        (saved(noise(0, 8, 8)), "up to 1,073,741,824 bytes"),
        (header_alone((1 << 40, 8, 8)), "up to 1,073,741,824 bytes"),
        (header_alone((1 << 62, 1 << 62, 1 << 62)), "up to 1,073,741,824 bytes"),
        (header_alone((-1, -8, 8)), "up to 1,073,741,824 bytes"),
        (header_alone((9, 8, 8), "|O"), "uint8 [N, H, W]"),
        (saved(noise(9, 8, 8))[:-1], "cut short: 575 of 576 bytes"),
        (b"no array at all", "is no array"),
        (b"", "is no array"),
        (b"\x93NUMPY\x09\x00rest", "is an array of version (9, 0)"),
    ],
)
def test_arrays_that_are_none(tmp_path, content, reason):
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_arrays(path)
    assert reason in str(error.value) and str(path) in str(error.value)
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(InputError):
        read_arrays(tmp_path / "bad.npz")


def test_archives_that_are_none(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match="No such file"):
        read_arrays(path)
    path.write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="is no array"):
        read_arrays(path)
    np.savez(path, one=noise(9, 8, 8), two=noise(9, 8, 8))
    with pytest.raises(InputError, match="x_train and x_test, or one array"):
        read_arrays(path)
    np.savez(path, x_train=noise(9, 8, 8), x_test=noise(9, 8, 6))
    with pytest.raises(InputError, match="different sizes"):
        read_arrays(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:80] + bytes(40) + whole[120:])
    with pytest.raises(InputError):
        read_arrays(path)


def write_pictures(folder, count, height, width):
    folder.mkdir()
    for number in range(count):
        Image.fromarray(noise(height, width, 3, seed=number)).save(folder / f"{number}.png")
    return folder


def test_a_folder_of_small_pictures_is_taken_whole(tmp_path):
    folder = write_pictures(tmp_path / "small", 10, 12, 20)
    found = read_set(str(folder), amounts=Amounts())
    assert (found.name, str(found.geometry)) == ("small", "20x12")
    everything = np.concatenate([found.train.data, found.validation.data, found.test.data])
    assert as_set(everything) == as_set(noise(12, 20, 3, seed=number).transpose(2, 0, 1) for number in range(10))
    assert [len(part) for part in (found.train, found.validation, found.test)] == [7, 1, 2]


def test_larger_pictures_are_cut_and_no_picture_is_in_two_splits(tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(6):  # each of a colour of its own
        Image.new("RGB", (70 + number, 80), (40 * number, 0, 0)).save(folder / f"{number}.png")
    found = read_set(str(folder), amounts=Amounts(train=40, test=9))
    assert found.train.data.shape == (40, 3, 32, 32) and len(found.test) == 9
    colours = [set(part.data[:, 0].ravel().tolist()) for part in (found.train, found.validation, found.test)]
    assert sum(map(len, colours)) == len(set().union(*colours)) == 6


def test_pictures_that_do_not_fit(tmp_path):
    folder = write_pictures(tmp_path / "a", 5, 12, 20)
    with pytest.raises(InputError, match="20x12, which is smaller than 24x8"):
        read_set(str(folder), amounts=Amounts(size=Geometry(24, 8)))
    with pytest.raises(OptionError, match="taken whole"):
        read_set("digits", amounts=Amounts(size=Geometry(4, 4)))
    with pytest.raises(InputError, match="has 2 pictures; 3 at least"):
        read_set(str(write_pictures(tmp_path / "b", 2, 12, 20)), amounts=Amounts())
    with pytest.raises(InputError, match="is one picture"):
        read_set(str(folder / "0.png"), amounts=Amounts())
    with pytest.raises(InputError, match="is none of digits, photographs"):
        read_set(str(tmp_path / "nothing"), amounts=Amounts())
    with pytest.raises(OptionError, match="sides up to 128"):
        Amounts(size=Geometry(130, 8))
    with pytest.raises(OptionError, match="train pictures must be"):
        Amounts(train=0)


@pytest.mark.parametrize("count", range(3, 30))
def test_every_split_has_its_share(count):
    parts = shares(range(count), (7, 1, 2), "some")
    assert [one for part in parts for one in part] == list(range(count))
    for part, share in zip(parts, (0.7, 0.1, 0.2)):
        assert len(part) >= 1 and abs(len(part) - share * count) < 2
