"""Files as pictures in a notebook: what is shown are the frames, and errors stand in words."""

import base64
import io
import re
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

import lvc
from lvc.frames import FrameBatch, Geometry

COUNT = 20
TENTH = Fraction(1, 10)
FRAMES = np.random.default_rng(6).integers(0, 256, (COUNT, 16, 24, 3), np.uint8)


def save(path, frames, pts=None):
    with lvc.Writer(
        path, geometry=Geometry(24, 16), time_base=TENTH, frame_duration=1, model="lossless", keyint=5
    ) as writer:
        writer.write(FrameBatch(frames, tuple(pts or range(len(frames))), TENTH))
    return path


@pytest.fixture(scope="module")
def game(tmp_path_factory):
    return save(tmp_path_factory.mktemp("notebook") / "<game>.lvc", FRAMES)


def pictures_in(page):
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for data in re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    ]


def test_show_gives_frames(game):
    with lvc.open(game) as reader:
        assert np.array_equal(np.asarray(reader.show(7)), FRAMES[7])
        pair = np.asarray(reader.show(3, -1))
        assert (
            np.array_equal(pair[:, :24], FRAMES[3]) and np.array_equal(pair[:, -24:], FRAMES[-1]) and pair.shape[1] > 48
        )
        assert reader.show().width > 8 * 24
        with pytest.raises(IndexError):
            reader.show(COUNT)


def test_a_reader_shows_itself_as_a_strip(game):
    with lvc.open(game) as reader:
        page = reader._repr_html_()
    (strip,) = pictures_in(page)
    for place, number in enumerate([0, 3, 5, 8, 11, 14, 16, 19]):
        assert np.array_equal(strip[:, place * 28 : place * 28 + 24], FRAMES[number])
    assert "&lt;game&gt;.lvc" in page and "<game>" not in page and "20 frames of 24x16 at 10 a second" in page


def test_what_cannot_be_decoded_is_said_in_the_page(game):
    data = bytearray(game.read_bytes())
    with lvc.open(game) as reader:
        entry = reader.container.index[0]
    data[entry.offset + entry.byte_size // 2] ^= 1
    with lvc.open(bytes(data)) as reader:
        page = reader._repr_html_()
    assert "20 frames" in page and "frames 0-4" in page and not pictures_in(page)


def test_compare_finds_frames_by_time(game, tmp_path):
    changed = FRAMES.copy()
    changed[10] ^= 3
    other = save(tmp_path / "other.lvc", changed[2:], range(2, COUNT))  # begins later
    found = lvc.compare(game, other, frames=3)
    assert found.seconds == [0.2, 1.0, 1.9] and found.psnr[0] is None and found.psnr[2] is None
    error = np.square(FRAMES[10].astype(float) - changed[10]).mean()
    assert found.psnr[1] == pytest.approx(10 * np.log10(255**2 / error))
    one, two, difference = found.pictures
    assert np.array_equal(one[1], FRAMES[10]) and np.array_equal(two[1], changed[10])
    assert difference[0].max() == 0 and 0 < difference[1].max() <= 24
    assert len(pictures_in(found._repr_html_())) == 3 and "identical" in repr(found)
    with lvc.open(game) as reader:
        assert lvc.compare(reader, other, seconds=[1.05]).psnr[0] == found.psnr[1]
        assert len(reader) == COUNT  # stays open
    with pytest.raises(IndexError):
        lvc.compare(game, other, seconds=[0.0])


def test_files_that_cannot_be_compared(game, tmp_path):
    small = tmp_path / "small.lvc"
    with lvc.Writer(small, geometry=Geometry(16, 16), fps=10, model="lossless") as writer:
        writer.write(np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(lvc.OptionError, match="24x16 and 16x16"):
        lvc.compare(game, small)
    with pytest.raises(lvc.OptionError, match="no time"):
        lvc.compare(game, save(tmp_path / "later.lvc", FRAMES[:2], [100, 101]))
