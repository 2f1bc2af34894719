import json

import pytest

from lvc.errors import InputError, OptionError, OutputError
from lvc.study.pictures import Amounts
from lvc.study.point import Case, Settings
from lvc.study.sweep import read_points, study

CASES = [Case("scenes", "mlp1", 2), Case("scenes", "conv1", 3), Case("scenes", "mlp1", 2, True)]


@pytest.fixture
def sweep(make_set, tmp_path, settings):
    def run(cases=CASES, *, sets=None, folder=tmp_path / "study", settings=settings, amounts=None, **options):
        sets = sets or [make_set()]
        done = list(
            study(
                cases,
                {one.name: one for one in sets},
                folder,
                settings=settings,
                amounts=amounts or Amounts(),
                **options,
            )
        )
        assert [one.case for one in done] == cases
        return [one.kept for one in done]

    return run


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_point_is_kept_and_measured_once(sweep, tmp_path):
    assert sweep() == [False] * 3
    folder = tmp_path / "study"
    before = bytes_of(folder)
    assert set(before) == {"study.json", "scenes-mlp1-2.json", "scenes-conv1-3.json", "scenes-mlp1-2-denoising.json"}
    assert sweep() == [True] * 3 and bytes_of(folder) == before
    (folder / "points/scenes-conv1-3.json").unlink()
    assert sweep() == [True, False, True]
    # More sizes later are points of the same study.
    assert sweep([Case("scenes", "mlp1", 4)]) == [False]
    assert [(one["system"], one["code"], one["denoising"]) for one in read_points(folder)] == [
        ("conv1", 3, False),
        ("mlp1", 2, False),
        ("mlp1", 4, False),
        ("mlp1", 2, True),
    ]


def test_a_set_that_comes_later_is_measured_too(sweep, make_set, tmp_path):
    sweep(CASES[:2])
    sets = [make_set(), make_set("others", 3)]
    assert sweep([*CASES[:1], Case("others", "mlp1", 2)], sets=sets) == [False, False]
    assert [set(one["elsewhere"]) for one in read_points(tmp_path / "study")] == [{"scenes"}, set(), {"others"}]
    assert sweep(CASES[:1], sets=sets) == [True]
    assert sweep(CASES[:1]) == [True], "what is known of other sets does no harm"


def test_what_was_measured_otherwise_is_not_mixed(sweep, make_set, tmp_path):
    sweep(CASES[:1])
    before = bytes_of(tmp_path)
    with pytest.raises(
        OptionError, match="a study with steps 12, not 13; choose another folder, or start again with -y"
    ):
        sweep(settings=Settings(steps=13, batch=16))
    with pytest.raises(OptionError, match="with train 4096, not 5"):
        sweep(amounts=Amounts(train=5))
    with pytest.raises(OptionError, match="scenes-mlp1-2 was measured on other pictures called scenes"):
        sweep(sets=[make_set(seed=8)])
    assert bytes_of(tmp_path) == before
    assert sweep(CASES[1:2], settings=Settings(steps=5, batch=16), overwrite=True) == [False]
    assert set(bytes_of(tmp_path)) == {"study.json", "scenes-conv1-3.json"}


@pytest.mark.parametrize(
    "case, reason",
    [
        (Case("scenes", "mlp9", 2), "no system 'mlp9'"),
        (Case("scenes", "mlp1", 0), "code must be a whole number from 1"),
        (Case("scenes", "conv1", 0), "whole number from 1"),
        (Case("scenes", "conv1", 5000), "to 4096"),
    ],
)
def test_points_that_cannot_be_are_told_before_anything_is_written(sweep, tmp_path, case, reason):
    with pytest.raises(OptionError, match=reason):
        sweep([*CASES, case])
    assert list(tmp_path.iterdir()) == []


def test_other_folders_are_left_alone(sweep, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "points.csv").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is no folder of a study, and not empty"):
            sweep(folder=folder, overwrite=overwrite)
    with pytest.raises(OutputError, match="Not a directory"):
        sweep(folder=folder / "points.csv")
    assert bytes_of(tmp_path) == {"points.csv": b"mine"}
    (folder / "points.csv").unlink()
    assert sweep(CASES[:1], folder=folder) == [False], "an empty folder will do"


def test_damage_is_told(sweep, tmp_path):
    sweep(CASES[:1])
    folder = tmp_path / "study"
    point = folder / "points/scenes-mlp1-2.json"
    whole = json.loads(point.read_text())
    damaged = [
        {**whole, name: value}
        for name, value in [
            ("psnr", "high"),
            ("code", 3),
            ("elsewhere", []),
            ("loss_curve", [[1]]),
            ("file_bytes", None),
            ("sha256", 5),
        ]
    ]
    for content in (
        *map(json.dumps, damaged),
        "[]",
        "{}",
        "no json",
        json.dumps({**whole, "test_loss": float("nan")}),
        " " * 2_000_000,
    ):
        point.write_text(content)
        for read in (lambda: read_points(folder), sweep):
            with pytest.raises(InputError, match="scenes-mlp1-2.json"):
                read()
    point.unlink()
    assert sweep(CASES[:1]) == [False]
    (folder / "study.json").write_text('{"format": "lvc study", "version": 2}')
    with pytest.raises(OutputError, match="is no study of this lvc"):
        sweep()
    (folder / "study.json").write_text('{"format": "lvc study", "version": 1, "settings": []}')
    with pytest.raises(OptionError, match="a study with steps None, not 12"):
        sweep()
