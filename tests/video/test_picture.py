from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from lvc.errors import InputError, OutputError
from lvc.frames import FrameBatch
from lvc.video import picture
from lvc.video.mux import open_output
from lvc.video.picture import read_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_png_of_every_kind_is_read_as_rgb(tmp_path, mode):
    made = Image.fromarray(PIXELS).convert(mode)
    made.save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png"), np.asarray(made.convert("RGB")))


def test_a_turned_jpg_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    flat = np.zeros((32, 64, 3), np.uint8)
    flat[:, :32] = 255
    Image.fromarray(flat).save(tmp_path / "a.jpg", exif=exif)
    read = read_picture(tmp_path / "a.jpg")
    assert read.shape == (64, 32, 3) and read[:28].min() > 240 and read[36:].max() < 15


def test_what_is_written_is_read_again(tmp_path):
    batch = FrameBatch(PIXELS[None], (0,), Fraction(1))
    for name in ("a.png", "a.jpg"):
        with open_output(tmp_path / name, geometry=batch.geometry, time_base=batch.time_base) as writer:
            writer.write(batch)
    assert np.array_equal(read_picture(tmp_path / "a.png"), batch.data[0])
    smooth = read_picture(tmp_path / "a.jpg").astype(int)
    assert np.abs(smooth - batch.data[0]).mean() < 12  # noise is the worst that JPEG can be given
    assert not list(tmp_path.glob("*.part"))


def test_a_picture_of_two_frames_is_refused_and_nothing_is_left(tmp_path):
    batch = FrameBatch(np.stack([PIXELS] * 2), (0, 1), Fraction(1))
    with (
        pytest.raises(OutputError, match="one frame"),
        open_output(tmp_path / "a.png", geometry=batch.geometry, time_base=batch.time_base) as writer,
    ):
        writer.write(batch)
    assert not list(tmp_path.iterdir())


def test_hostile_pictures_are_input_errors(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        try:
            read_picture(path)  # what follows the pixels may be missing
        except InputError:
            continue
        assert cut >= len(whole) - 20, cut  # checksums of the pixels (8), and the closing chunk (12)
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_picture(path)
        except InputError as error:
            assert str(path) in str(error)
    path.write_bytes(whole)
    monkeypatch.setattr(picture, "MAX_PIXELS", 53)
    with pytest.raises(InputError, match="9x6 pixels"):
        read_picture(path)


@pytest.mark.parametrize(
    "made, reason",
    [
        (Image.fromarray(np.full((4, 4, 4), 100, np.uint8), "RGBA"), "see-through"),
        (Image.fromarray(np.full((4, 4), 9999, np.uint16)), "8 bits"),
    ],
)
def test_what_would_lose_its_meaning_is_refused(tmp_path, made, reason):
    made.save(tmp_path / "a.png")
    with pytest.raises(InputError, match=reason):
        read_picture(tmp_path / "a.png")
