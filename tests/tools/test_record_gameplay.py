"""Recorders of gameplay: recipes and what they refuse, splits by game, what is reserved, and short recordings."""

import importlib
import json
import os
import shutil
import subprocess
import sys

import av
import pytest
from recorders import take as takes
from recorders.clock import GameClock
from recorders.take import RecipeError, is_reserved, takes_of_recipe
from recorders.window_player import Play, WindowPlayer

from tests import ROOT
from tests.builders.tools import run

DATASETS = ROOT / "datasets"
RECIPES = sorted(path for path in DATASETS.glob("*.json") if "recordings" in json.loads(path.read_text()))
ENTRY = {"file": "a.mp4", "game": "pong", "seed": 1, "seconds": 0.2, "split": "train"}


def recipe_of(folder, *entries, **more):
    path = folder / "recipe.json"
    path.write_text(json.dumps({"size": [320, 210], **more, "recordings": [{**ENTRY, **entry} for entry in entries]}))
    return path


def test_a_recording_takes_from_its_recipe_what_it_does_not_say_itself(tmp_path):
    recipe = recipe_of(
        tmp_path,
        {},
        {"file": "b.mp4", "game": "bigfish", "source": "procgen", "size": [512, 400], "crf": 30, "split": "test"},
        crf=23,
    )
    first, second = takes_of_recipe(recipe, tmp_path / "out")
    assert (first.source, first.crf, first.width, first.height) == ("ale", 23, 320, 210)
    assert (second.source, second.crf, second.width, second.height) == ("procgen", 30, 512, 400)
    assert first.path == tmp_path / "out" / "a.mp4"
    assert [take.game for take in takes_of_recipe(recipe, tmp_path, only="test")] == ["bigfish"]


@pytest.mark.parametrize(
    ("second", "more", "said"),
    [
        ({}, {}, "the same file twice: a.mp4"),
        ({"file": "b.mp4"}, {}, "the same game and seed twice"),
        ({"file": "b.mp4", "seed": 2, "split": "dev"}, {}, "'dev'"),
        ({"file": "../b.mp4", "seed": 2}, {}, "a plain file name"),
        ({"file": "b.mp4", "seed": 2, "seconds": 0}, {}, "more than no seconds"),
        ({"file": "b.mp4", "seed": 2, "size": [321, 210]}, {}, "even sides"),
        ({"file": "b.mp4", "seed": 2, "split": "test"}, {"split_by": "game"}, "pong stands in two splits"),
        ({"file": "b.mp4", "game": "neverball-easy"}, {}, "reserved, not to be trained on: neverball-easy"),
    ],
)
def test_a_recipe_that_would_mix_up_recordings_is_refused(tmp_path, second, more, said):
    with pytest.raises(RecipeError, match=said):
        takes_of_recipe(recipe_of(tmp_path, {}, second, **more), tmp_path)


def test_reserved_games_may_be_tested_on(tmp_path):
    assert takes_of_recipe(recipe_of(tmp_path, {"game": "supertux", "split": "test"}), tmp_path)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_no_recipe_trains_on_a_reserved_game(recipe):
    trained = {entry["game"] for entry in json.loads(recipe.read_text())["recordings"] if entry["split"] == "train"}
    assert trained and not {game for game in trained if is_reserved(game)}
    assert takes_of_recipe(recipe, DATASETS)  # its other promises


def test_what_arcade_is_tested_on_no_recipe_trains_on():
    tested = {take.game for take in takes_of_recipe(DATASETS / "arcade.json", DATASETS, only="test")}
    trained = {take.game for recipe in RECIPES for take in takes_of_recipe(recipe, DATASETS, only="train")}
    assert len(tested) == 8 and not tested & trained


def test_what_is_reserved_is_what_the_project_says():
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    for game in ("openarena", "supertuxkart", "openttd", "extremetuxracer", "minetest", "chromium-bsu", "supertux"):
        assert game in contributing and is_reserved(game)
    assert "frozen-bubble" in contributing and is_reserved("Frozen_Bubble") and is_reserved("vizdoom")
    assert not is_reserved("ms_pacman") and not is_reserved("superman")


def test_rich_is_split_by_game_and_names_games_that_its_sources_have():
    rich = takes_of_recipe(DATASETS / "rich.json", DATASETS)
    splits = {split: {take.game for take in rich if take.split == split} for split in takes.SPLITS}
    assert len(splits["train"]) >= 15 and splits["validation"] and not splits["train"] & splits["validation"]
    for take in rich:
        assert take.game in importlib.import_module(f"recorders.{take.source}").GAMES
    # Tracks and rooms of one game are one game.
    for game in ("torcs", "miniworld"):
        assert len({take.split for take in rich if take.game.startswith(game)}) == 1


def test_a_missing_package_is_named_and_the_others_are_recorded(tmp_path, monkeypatch):
    recipe = recipe_of(tmp_path, {}, {"file": "b.mp4", "game": "gltron", "source": "windowed"})
    monkeypatch.setenv("PATH", str(tmp_path))  # no Xvfb, no compiler
    done = run("record_gameplay", "--recipe", recipe, "-o", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert "b.mp4: not recorded, gltron needs apt xvfb, apt gcc" in done.stderr
    assert done.stdout.split() == [str(tmp_path / "out" / "a.mp4")]
    with av.open(str(tmp_path / "out" / "a.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(pictures) == 6 and pictures[0].shape == (210, 320, 3)


def test_an_unknown_game_or_source_is_refused_before_anything_is_recorded(tmp_path):
    for entry, said in (
        ({"game": "doom2", "source": "procgen", "split": "test"}, "procgen has no game 'doom2'"),
        ({"source": "radio"}, "no source is called 'radio'"),
    ):
        done = run("record_gameplay", "--recipe", recipe_of(tmp_path, {"file": "z.mp4"}, entry), "-o", tmp_path / "out")
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "source", "game", "size"),
    [
        ("ale_py", "ale", "pong", "320x210"),
        ("Box2D", "gymnasium", "lunar-lander", "300x200"),
        ("mujoco", "gymnasium", "ant", "160x128"),
        ("crafter", "crafter", "crafter", "128x128"),
    ],
)
def test_an_environment_is_recorded_and_again_to_the_same_bytes(tmp_path, module, source, game, size):
    pytest.importorskip(module)
    common = ("--source", source, "--game", game, "--seed", 3, "--seconds", 1, "--size", size)
    for name in ("a.mp4", "b.mp4"):
        done = run("record_gameplay", *common, "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with av.open(str(tmp_path / "a.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(pictures) == 30 and f"{pictures[0].shape[1]}x{pictures[0].shape[0]}" == size
    assert (pictures[0] != pictures[-1]).any() and not list(tmp_path.glob("*.part"))


class KeyboardOnly:
    """A display that keeps what is done before it."""

    width, height = 640, 480

    def __init__(self):
        self.frame, self.since, self.done = 0, {}, []

    def key(self, name, *, down):
        assert (name in self.since) != down  # neither pressed twice nor let go twice
        if down:
            self.since[name] = self.frame
        else:
            del self.since[name]
        self.done.append((name, down))

    button = key

    def move(self, x, y):
        assert 0 <= x <= self.width and 0 <= y <= self.height
        self.done.append((x, y))


def test_a_player_plays_the_same_from_the_same_seed_and_holds_no_key_for_ever():
    play = Play(
        keys={"Left": (1, 0.1, 0.5), "z": (2, 0.1, 1.0)},
        strokes="position",
        buttons={"left": 30},
        regular={"Return": 2},
    )
    played = []
    for seed in (5, 5, 6):
        display = KeyboardOnly()
        player = WindowPlayer(play, seed, display)
        for display.frame in range(900):
            player.next()
            # A second is the longest that a key of this play is held.
            assert all(display.frame - since < 30 for since in display.since.values())
        played.append(display.done)
    assert played[0] == played[1] != played[2]
    assert {("z", True), ("Left", True), ("left", True), ("Return", True)} <= set(played[0])


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("gcc") is None, reason="the clock is for Linux"
)
def test_a_game_has_the_recorders_time(tmp_path):
    clock = GameClock(tmp_path)
    game = "import time\nstart = time.monotonic()\ntime.sleep(5)\nprint(time.time(), time.monotonic() - start)"
    command = [sys.executable, "-S", "-c", game]
    process = subprocess.Popen(command, env={**os.environ, **clock.environment()}, stdout=subprocess.PIPE, text=True)
    steps = 0
    while process.poll() is None and steps < 2000:
        assert not clock.step(0.1)  # it shows no pictures
        steps += 1
    calendar, slept = map(float, process.communicate()[0].split())
    # A step of 0.1 s is the grain in which its time passes.
    assert 5 <= slept <= 5.2
    assert 1.7e9 + 5 <= calendar <= 1.7e9 + 0.1 * steps
