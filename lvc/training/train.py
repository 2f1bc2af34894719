"""From a data set and a recipe to a weights file, whichever the family."""

from collections.abc import Iterator
from pathlib import Path

from lvc.codecs.learning.clips import Frames
from lvc.codecs.learning.progress import Progress
from lvc.codecs.learning.seeding import new_model
from lvc.codecs.learning.trainer import Recipe, RunSettings
from lvc.training.recipes import trainer_of
from lvc.weights import checkpoints


def train(
    recipe: Recipe, training: Frames, validation: Frames, output: Path, *, name: str, description: str = "", **settings
) -> Iterator[Progress]:
    """Trains a fresh model of the training frames' geometry as the recipe says, and writes its weights; a record after
    each step.

    settings: of `RunSettings`. What is raised: as of `Trainer.train`.
    """
    model = new_model(recipe.model, geometry=training.geometry, seed=recipe.training.seed, **recipe.options)
    run = RunSettings(files=checkpoints, name=name, description=description or recipe.description, **settings)
    return trainer_of(recipe.model).train(model, training, validation, output, recipe=recipe, settings=run)
