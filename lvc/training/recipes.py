"""Named recipes: all that is chosen to train a set of weights. Each family has its own; here they are found by name."""

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.family import family_of, model_names
from lvc.codecs.learning.trainer import Recipe, Trainer
from lvc.errors import OptionError


def trainer_of(model: str) -> Trainer:
    """How a model of that name is trained; raises OptionError where it is not."""
    if model not in trained_models():
        raise OptionError(f"there is no model {model!r} to train; choose from {', '.join(trained_models())}")
    return family_of(model).trainer()


def trained_models() -> list[str]:
    """Models that can be trained, by name."""
    return [model for model in model_names() if family_of(model).trained]


def recipes() -> dict[str, Recipe]:
    """The recipes of all families by name."""
    return {name: recipe for model in trained_models() for name, recipe in trainer_of(model).recipes.items()}


def recipe_of(name: str) -> Recipe:
    """The recipe of that name; raises OptionError."""
    found = recipes()
    if name not in found:
        raise OptionError(f"there is no recipe {name!r}; choose from {', '.join(found)}")
    return found[name]


def first_try(model: str) -> Recipe:
    """The recipe for a model of which nothing else is said; raises OptionError."""
    return trainer_of(model).first_try(model)


def continuing(checkpoint: Checkpoint) -> Recipe:
    """The recipe that begins with trained weights; raises OptionError where training cannot."""
    return trainer_of(checkpoint.metadata.model).continuing(checkpoint)
