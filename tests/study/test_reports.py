"""Tables and plots of points that were measured, and of the few that a study may end with."""

import csv
import io
import json

import pytest
from PIL import Image

from lvc.study import tables
from lvc.study.plots import PLOTS
from lvc.study.point import Case, Settings, measure_point


@pytest.fixture(scope="module")
def points(make_set):
    sets = {one.name: one for one in (make_set(), make_set("others", 3))}
    cases = [
        Case(source, system, code, goal)
        for source in sets
        for system in ("mlp1", "conv1")
        for code in (2, 4)
        for goal in (False, True)
    ]
    return [measure_point(case, sets, Settings(steps=3, batch=16)) for case in cases]


def test_tables_hold_every_point(points):
    file = io.StringIO(newline="")
    tables.write_csv(points, file)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [float(row["file_ratio"]) for row in rows] == [one["file_ratio"] for one in points]
    assert [row["psnr_on_others"] for row in rows] == [
        str(one["elsewhere"]["others"]["psnr"]) if one["source"] == "scenes" else "" for one in points
    ]
    assert "loss_curve" not in rows[0]
    assert json.loads(tables.as_json(points)) == points
    lines = tables.as_markdown(points).splitlines()
    assert len(lines) == 2 + len(points) and len({line.count("|") for line in lines}) == 1
    assert "| mlp1, denoising | 2 |" in lines[3] and f"{points[0]['test_loss']:.5f}" in lines[2]


@pytest.mark.parametrize("name", PLOTS)
def test_plots_show_what_there_is(points, tmp_path, name):
    # Of a model that denoises
    few = [
        {**points[1], "psnr": None, "packet_ratio": None, "training_seconds": None, "gained_db": None, "elsewhere": {}}
    ]
    drawn = []
    for number, some in enumerate((points, few)):
        path = tmp_path / f"{number}.png"
        PLOTS[name](some, path)
        with Image.open(path) as picture:
            assert picture.format == "PNG" and len(picture.getcolors(256)) > 3
            drawn.append(picture.width * picture.height)
    assert drawn[0] > drawn[1], "a panel for each set or system"
