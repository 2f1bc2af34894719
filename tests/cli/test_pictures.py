"""`lvc encode` and `lvc decode` on single pictures and on folders of them."""

import numpy as np
import pytest
from PIL import Image

import lvc as library


@pytest.fixture
def pictures(gameplay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (width, height) in enumerate([(48, 32), (60, 41), (33, 50)]):
        Image.fromarray(gameplay(1, width, height, seed=number)[0]).save(
            folder / f"shot_{number}.{'jpg' if number == 1 else 'png'}", quality=95
        )
    return folder


@pytest.mark.usefixtures("pictures")
def test_a_picture_there_and_back(lvc, tiny_model):
    assert (
        lvc("encode", "pictures/shot_2.png", "-o", "a.lvc", "--model", tiny_model, "--entropy", "adaptive", "-q").code
        == 0
    )
    with library.open("a.lvc", model=tiny_model) as reader:
        assert len(reader) == 1 and (reader.geometry.width, reader.geometry.height) == (33, 50)
        frame = reader.frames(0, 1).data[0]
    for name in ("a.png", "a.jpg"):
        assert lvc("decode", "a.lvc", "-o", name, "--model", tiny_model, "-q").code == 0
    assert np.array_equal(np.asarray(Image.open("a.png")), frame)
    assert Image.open("a.jpg").size == (33, 50)
    assert "overwrite it with -y" in lvc("decode", "a.lvc", "-o", "a.png", "--model", tiny_model).err[-1]


@pytest.mark.usefixtures("pictures")
def test_a_size_may_be_asked_for(lvc, tiny_model):
    assert lvc("encode", "pictures/shot_2.png", "-o", "a.lvc", "--size", "48x32", "--model", tiny_model, "-q").code == 0
    with library.open("a.lvc", model=tiny_model) as reader:
        assert str(reader.geometry) == "48x32"


def test_a_folder_there_and_back(lvc, pictures, tiny_model, tmp_path):
    model = ("--model", tiny_model)
    assert lvc("encode", pictures, "-o", "coded", *model, "--entropy", "adaptive", "-q").code == 0
    assert sorted(path.name for path in (tmp_path / "coded").iterdir()) == ["shot_0.lvc", "shot_1.lvc", "shot_2.lvc"]
    assert lvc("decode", "coded", "-o", "decoded", *model, "-q").code == 0
    assert [Image.open(path).size for path in sorted((tmp_path / "decoded").iterdir())] == [
        (48, 32),
        (60, 41),
        (33, 50),
    ]


def test_one_bad_picture_does_not_stop_the_others(lvc, pictures, tiny_model, tmp_path):
    (pictures / "bad.png").write_bytes(b"no picture")
    model = ("--model", tiny_model, "--entropy", "adaptive")
    result = lvc("encode", pictures, "-o", "coded", *model, "-q")
    assert result.code == 3 and any("bad.png" in line for line in result.err)
    (tmp_path / "coded" / "worse.lvc").write_bytes(b"no lvc file")
    result = lvc("decode", "coded", "-o", "decoded", "--model", tiny_model, "-q")
    assert result.code == 3 and any("worse.lvc" in line for line in result.err)
    assert len(list((tmp_path / "decoded").iterdir())) == 3


def test_what_makes_no_sense_for_pictures_is_refused(lvc, pictures, tiny_model, tmp_path):
    picture = pictures / "shot_0.png"
    for extra, reason in ((("--every", "2"), "--every"), (("--report", "a.html"), "--report")):
        result = lvc("encode", picture, "-o", "a.lvc", "--model", tiny_model, *extra)
        assert result.code == 1 and reason in result.err[-1]
    (pictures / "shot_0.jpg").write_bytes(picture.read_bytes())
    assert "would become this file" in lvc("encode", pictures, "-o", "coded", "--model", tiny_model).err[-1]
    (tmp_path / "empty").mkdir()
    assert "pictures in it" in lvc("encode", "empty", "-o", "coded", "--model", tiny_model).err[-1]
    assert "it holds none" in lvc("decode", "empty", "-o", "decoded").err[-1]
    assert (
        not (tmp_path / "a.lvc").exists() and not (tmp_path / "coded").exists() and not (tmp_path / "decoded").exists()
    )
