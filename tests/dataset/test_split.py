"""Splits: whole recordings, the numbers asked for, the same from the same seed."""

import json
from pathlib import Path

import pytest

from lvc.dataset.split import NamedSplit, RatioSplit, RecipeSplit
from lvc.errors import InputError, OptionError
from tests import ROOT

RECIPES = ROOT / "datasets"


def sources(count):
    return {f"game_{number:03d}.mp4": Path(f"/games/game_{number:03d}.mp4") for number in range(count)}


def counts(splits):
    return [list(splits.values()).count(split) for split in ("train", "validation", "test")]


@pytest.mark.parametrize(
    ("ratio", "count", "wanted"),
    [
        ("25:4:1", 30, [25, 4, 1]),
        ("25:4:1", 60, [50, 8, 2]),
        ("8:1:1", 10, [8, 1, 1]),
        ("8:1:1", 1, [1, 0, 0]),
        ("8:1:1", 2, [1, 1, 0]),
        ("8:1:1", 3, [1, 1, 1]),
        ("1:0:0", 5, [5, 0, 0]),
        ("0:0:1", 5, [0, 0, 5]),
        ("100:1:1", 4, [2, 1, 1]),
    ],
)
def test_ratios(ratio, count, wanted):
    assert counts(RatioSplit.parse(ratio).assign(sources(count))) == wanted


def test_a_seed_draws_the_same_split_whatever_the_order_and_another_seed_another():
    names = sources(30)
    split = RatioSplit((25, 4, 1), seed=7)
    backwards = dict(reversed(names.items()))
    assert split.assign(names) == split.assign(backwards)
    assert split.assign(names) != RatioSplit((25, 4, 1), seed=8).assign(names)


@pytest.mark.parametrize("text", ["", "8:1", "8:1:1:1", "a:b:c", "-1:1:1", "0:0:0", "8;1;1"])
def test_ratios_that_make_no_sense(text):
    with pytest.raises(OptionError, match="TRAIN:VALIDATION:TEST"):
        RatioSplit.parse(text)


@pytest.mark.parametrize("pattern", ["game_002.mp4", "game_00[2]*", "/games/game_002.mp4", "*/game_002.mp4"])
def test_names_paths_and_globs(pattern):
    splits = NamedSplit(validation=(pattern,)).assign(sources(5))
    assert [name for name, split in splits.items() if split == "validation"] == ["game_002.mp4"]
    assert counts(splits) == [4, 1, 0]


def test_a_folder_of_the_data_set_as_glob():
    named = {"train/a.mp4": Path("x/train/a.mp4"), "held/b.mp4": Path("x/held/b.mp4")}
    assert NamedSplit(test=("held/*",)).assign(named) == {"train/a.mp4": "train", "held/b.mp4": "test"}


def test_a_pattern_of_nothing_is_refused():
    with pytest.raises(OptionError, match=r"--test nobody\.mp4: none"):
        NamedSplit(test=("nobody.mp4",)).assign(sources(3))


def test_a_recording_in_two_splits_is_refused():
    with pytest.raises(OptionError, match=r"game_001\.mp4: is named for both validation and test"):
        NamedSplit(validation=("game_001.mp4",), test=("game_00*",)).assign(sources(3))


def test_the_recipes_of_the_project_can_be_read():
    pacman = RecipeSplit.read(RECIPES / "pacman.json")
    assert counts(pacman.splits) == [25, 4, 1]
    arcade = RecipeSplit.read(RECIPES / "arcade.json")
    assert min(counts(arcade.splits)) >= 8


def test_recipe_names_what_is_missing_and_refuses_what_it_does_not_name(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(
        json.dumps({"recordings": [{"file": "a.mp4", "split": "train"}, {"file": "b.mp4", "split": "test"}]})
    )
    recipe = RecipeSplit.read(path)
    assert recipe.missing({"a.mp4": Path("a.mp4")}) == ["b.mp4"]
    with pytest.raises(OptionError, match=r"c\.mp4: is not in the recipe"):
        recipe.assign({"c.mp4": Path("c.mp4")})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"recordings": 3}',
        '{"recordings": [{"file": "a"}]}',
        '{"recordings": [{"file": "a", "split": "x"}]}',
    ],
)
def test_bad_recipes_are_refused(tmp_path, text):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"recipe\.json: "):
        RecipeSplit.read(path)


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json: No such file"):
        RecipeSplit.read(tmp_path / "nowhere.json")
