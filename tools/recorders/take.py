"""What is to be recorded: takes, and the recipes of datasets/ that name them."""

import json
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "validation", "test")
# Never trained on, by no recipe: what lvc is judged on. ViZDoom is here for Freedoom's art.
RESERVED = frozenset(
    (
        *("openarena", "supertuxkart", "openttd", "extremetuxracer", "minetest", "chromium-bsu", "supertux"),
        *("frozen-bubble", "vizdoom", "freedoom", "freedoom1", "freedoom2", "doom", "prboom", "cig", "deathmatch"),
        *("coinrun", "starpilot", "neverball", "neverputt", "wesnoth"),
    )
)


class RecipeError(ValueError):
    """A recipe that cannot be followed; its message says why."""


@dataclass(frozen=True)
class Take:
    """One recording: a game of a source, played from a seed for some seconds, as a picture of a size in a file.

    crf: of the H.264 that a screen recorder would write. split: train, validation or test.
    """

    source: str
    game: str
    seed: int
    seconds: float
    path: Path
    width: int
    height: int
    crf: int = 18
    split: str = "train"


def takes_of_recipe(recipe: Path, folder: Path, only: str | None = None) -> list[Take]:
    """The takes of a recipe, into a folder; of one split where `only` names it.

    A recipe is a JSON object with `size` [width, height] and `recordings`, each with file, game, seed, seconds and
    split. `source` (default "ale"), `crf` (default 18) and `size` may stand in the recipe, for all, and in a recording.
    A file or a game with its seed twice, a game in two splits where `split_by` is "game", and a reserved game to train
    on are refused: RecipeError.
    """
    content = json.loads(recipe.read_text())
    takes = [_take(content, entry, folder) for entry in content["recordings"]]
    _refuse(recipe, "file", [take.path.name for take in takes])
    _refuse(recipe, "game and seed", [(take.source, take.game, take.seed) for take in takes])
    reserved = sorted({take.game for take in takes if take.split == "train" and is_reserved(take.game)})
    if reserved:
        raise RecipeError(f"{recipe}: reserved, not to be trained on: {', '.join(reserved)}")
    if content.get("split_by") == "game":
        split_of: dict = {}
        for take in takes:
            if split_of.setdefault(take.game, take.split) != take.split:
                raise RecipeError(f"{recipe}: {take.game} stands in two splits, where games are to stand in one")
    return [take for take in takes if only is None or take.split == only]


def is_reserved(game: str) -> bool:
    """True for a game that is never trained on, and for a level or a scene of one, as in "neverball-easy"."""
    name = game.lower().replace("_", "-")
    return any(name == reserved or name.startswith(reserved + "-") for reserved in RESERVED)


def _take(content: dict, entry: dict, folder: Path) -> Take:
    if entry["split"] not in SPLITS:
        raise RecipeError(f"{entry['file']}: the split is {entry['split']!r}, not one of {', '.join(SPLITS)}")
    if Path(entry["file"]).name != entry["file"] or entry["seconds"] <= 0:
        raise RecipeError(f"{entry['file']}: a plain file name and more than no seconds are wanted")
    width, height = entry.get("size", content.get("size"))
    if width % 2 or height % 2:
        raise RecipeError(f"{entry['file']}: {width}x{height}, but yuv420p has even sides")
    source, crf = (entry.get(key, content.get(key, default)) for key, default in (("source", "ale"), ("crf", 18)))
    path = folder / entry["file"]
    return Take(source, entry["game"], entry["seed"], entry["seconds"], path, width, height, crf, entry["split"])


def _refuse(recipe: Path, what: str, values: list) -> None:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise RecipeError(f"{recipe}: the same {what} twice: {', '.join(twice)}")
