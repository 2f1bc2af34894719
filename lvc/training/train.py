"""From a data set and a recipe to a weights file, whichever the family."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lvc.codecs.learning.clips import Frames
from lvc.codecs.learning.progress import Progress
from lvc.codecs.learning.seeding import new_model
from lvc.codecs.learning.team import ALONE, Team
from lvc.codecs.learning.trainer import Recipe
from lvc.training.recipes import trainer_of
from lvc.weights import checkpoints


def train(
    recipe: Recipe,
    training: Frames,
    validation: Frames,
    output: Path,
    *,
    name: str,
    description: str = "",
    dataset: dict | None = None,
    device: Any = "cpu",
    workers: int = 1,
    resume: bool = False,
    start: Path | None = None,
    overwrite: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> Iterator[Progress]:
    """Trains a fresh model of the training frames' geometry as the recipe says, and writes its weights; a record after
    each step.

    The options, and what is raised: as of `lvc.codecs.learning.trainer.Trainer.train`.
    """
    model = new_model(recipe.model, geometry=training.geometry, seed=recipe.training.seed, **recipe.options)
    return trainer_of(recipe.model).train(
        model,
        training,
        validation,
        output,
        recipe=recipe,
        files=checkpoints,
        name=name,
        description=description or recipe.description,
        dataset=dataset,
        device=device,
        workers=workers,
        resume=resume,
        start=start,
        overwrite=overwrite,
        should_stop=should_stop,
        team=team,
    )
