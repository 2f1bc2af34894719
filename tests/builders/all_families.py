"""One small model of every family that is registered, for tests that none may be left out of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lvc.codecs import family as families
from lvc.codecs.checkpoint import Checkpoint, Metadata
from lvc.codecs.family import build, family_of
from lvc.frames import Geometry
from lvc.weights import checkpoints

SIZE = Geometry(40, 32)
# Where a family's first model takes long: the smallest that does not.
CHOSEN = {"networks": "conv4"}
SAVED = ("conv4", "temporal", "temporal-palette")  # by the fixture save_small


def model_of(family: str) -> str:
    """The model by which a registered family is tried."""
    return CHOSEN.get(family, families.registrations()[family].models[0])


def models() -> list[str]:
    """A model of each family that is registered, and of one that only tests know: `with toy():` where it is used.

    It stands for the families to come: what is tried over these leaves none of them out.
    """
    with toy():
        return [model_of(name) for name in families.registrations()]


def all_models() -> list[str]:
    """As `models`, and all of those that come from no weights file, each of which has a codec of its own."""
    return list(dict.fromkeys([*models(), *families.model_names(weights=False)]))


@contextmanager
def toy() -> Iterator[None]:
    """Registers the family of tests/codecs/toy_family.py, once however often this is entered."""
    if "toy" in families.registrations():
        yield
        return
    families.register("toy", "tests.codecs.toy_family", models=("toy",))
    try:
        yield
    finally:
        families.forget("toy")


def frames_of(count: int, seed: int = 0) -> np.ndarray:
    """uint8 [T, H, W, 3] of 40x32: a square over tiles, with a little noise in one corner."""
    random = np.random.default_rng(seed)
    tiles = np.kron(random.integers(0, 200, (4, 5, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    frames = np.repeat(tiles[None], count, axis=0)
    for number in range(count):
        left = 2 * number % 32
        frames[number, 10:18, left : left + 8] = (250, 220, 10)
        frames[number, :4, :4] = random.integers(0, 256, (4, 4, 3))
    return frames


def small_model(model: str, folder: Path, save_small) -> tuple[Checkpoint, Path | None]:
    """Weights of 40x32 and their file, `folder/MODEL-small.safetensors`; what stands for them, and None, where a family
    has none.

    save_small: the fixture of that name. Other families are saved as they are built, with what their trainer tries
    first.
    """
    family = family_of(model)
    path = folder / f"{model}-small.safetensors"
    if model not in families.model_names(weights=True):
        return family.without_weights(model), None
    if model in SAVED:
        save_small(path, model)
    else:
        recipe, made = family.trainer().first_try(model), build(model, geometry=SIZE)
        checkpoints.save(path, Checkpoint(Metadata(path.stem, model, {}, SIZE, recipe.quantiser, recipe.entropy), made))
    return checkpoints.load(path), path
