"""Single pictures beside other codecs: tables, curves and pictures of real files;
and crops of photographs to train on.
"""

import json

import numpy as np
import pytest
from PIL import Image

from lvc.cli.main import main
from lvc.dataset.read import FrameStore
from lvc.quality.metrics import psnr
from tests.builders.tools import module_of, run

pytest.importorskip("matplotlib")
pytest.importorskip("skimage")


@pytest.fixture
def picture(gameplay, tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(gameplay(1, 72, 48)[0]).save(path)
    return path


def test_other_codecs_are_measured_on_pictures(picture, tmp_path):
    ran = run("compare_pictures", picture, "--codecs", "JPEG,HEVC intra", "-o", tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    points = json.loads((tmp_path / "out" / "points.json").read_text())
    for codec in ("JPEG", "HEVC intra"):
        mine = [point for point in points if point["codec"] == codec]
        assert (
            len(mine) > 8
            and mine[0]["psnr"] < 30 < 40 < mine[-1]["psnr"]
            and mine[0]["bits_per_pixel"] < mine[-1]["bits_per_pixel"]
        )
    assert (tmp_path / "out" / "table.md").read_text() == ran.stdout and all(
        (tmp_path / "out" / name).exists() for name in ("rd.png", "pictures.png")
    )


def test_measures_of_training_are_added_where_asked_for(picture, tmp_path):
    ran = run("compare_pictures", picture, "--codecs", "JPEG", "--also", "mae,perceptual", "-o", tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    points = json.loads((tmp_path / "out" / "points.json").read_text())
    assert all(0 < points[-1]["also"][name] < points[0]["also"][name] for name in ("mae", "perceptual"))
    assert "| SSIM | mae | perceptual |" in ran.stdout
    assert all(len(line.split("|")) == 10 for line in ran.stdout.splitlines())


def test_an_hevc_picture_comes_back_as_it_was_coded(gameplay):
    tool, picture = module_of("compare_pictures"), gameplay(1, 66, 50)[0].transpose(2, 0, 1)
    sizes, decoded = zip(*(tool.coded_by_x265(picture, quantiser) for quantiser in (40, 4)))
    assert sizes[0] < sizes[1] < picture.size and all(
        one.shape == picture.shape and one.dtype == np.uint8 for one in decoded
    )
    assert psnr(picture, decoded[0]) < psnr(picture, decoded[1]) > 40


def test_a_source_that_is_nothing_is_told_in_one_line(tmp_path):
    ran = run("compare_pictures", "no_such_picture", "-o", tmp_path / "out")
    assert ran.returncode == 1 and ran.stderr.startswith("compare_pictures: no_such_picture: is no file")


@pytest.mark.slow
def test_crops_of_photographs_become_a_data_set(tmp_path):
    assert run("crop_photographs", "-o", tmp_path / "crops", "--crops", 2, "--side", 32).returncode == 0
    command = ["build-dataset", str(tmp_path / "crops"), "--every", "1", "--size", "32x32", "--validation", "moon.mkv"]
    assert main([*command, "-o", str(tmp_path / "set"), "-w", "1", "-q"]) == 0
    store = FrameStore(tmp_path / "set")
    assert len(store.split("validation")) == 2 and len(store.split("train")) >= 2 * 8
    assert store.split("train").frames([0]).std() > 0


def test_crops_are_parts_of_the_picture(gameplay):
    tool, picture = module_of("crop_photographs"), gameplay(1, 200, 160)[0]
    found = list(tool.crops(picture, 20, 64, np.random.default_rng(0)))
    assert all(crop.shape == (64, 64, 3) and crop.dtype == np.uint8 for crop in found)
    whole = next(tool.crops(picture[:64, :64], 1, 64, np.random.default_rng(0)))
    assert np.array_equal(whole, picture[:64, :64]) or np.array_equal(whole[:, ::-1], picture[:64, :64])


def test_photographs_of_debians_packages_are_found_where_they_were_unpacked(tmp_path, capsys):
    tool = module_of("crop_photographs")
    [folder, names] = tool.BACKGROUNDS["mate-backgrounds"]
    (tmp_path / folder).mkdir(parents=True)
    for name in names:
        (tmp_path / folder / name).touch()
    found = [one for one in tool.photographs(tmp_path) if tmp_path in one[1].parents]
    assert [(name, often) for name, _, often in found] == [
        (name.removesuffix(".jpg"), often) for name, often in names.items()
    ]
    assert all(path.exists() for _, path, _ in found)
    told = capsys.readouterr().err
    assert "lomiri-wallpapers-16.04 is not installed" in told and "mate-backgrounds" not in told


def test_no_two_photographs_share_a_recording():
    tool = module_of("crop_photographs")
    names = [
        name for groups in (tool.PHOTOGRAPHS, tool.BACKGROUNDS) for _, pictures in groups.values() for name in pictures
    ]
    stems = [tool.stem(name) for name in names]
    assert len(set(stems)) == len(stems) == 47


def test_parts_of_large_photographs_are_larger():
    """Beyond 1,200 pixels a side a crop is averaged down at least as much as the photograph is larger."""
    tool = module_of("crop_photographs")
    noise = np.random.default_rng(1).integers(0, 256, (2400, 2400, 3), np.uint8)
    for crop in tool.crops(noise, 5, 32, np.random.default_rng(0)):
        assert crop.std() < noise.std() / 1.7  # of 2x2 values: half as much
