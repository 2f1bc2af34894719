"""The recipes of the temporal family, and how it is trained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from lvc.codecs.learning.clips import Frames
from lvc.codecs.learning.progress import Progress
from lvc.codecs.learning.trainer import Recipe, RunSettings, Trainer
from lvc.codecs.temporal.training import TemporalOptions, train_temporal

RECIPES = {
    "temporal": Recipe(
        "temporal", quantiser={"name": "round"}, entropy={"name": "prediction"}, training=TemporalOptions()
    ),
    "pacman-latents": Recipe(
        "temporal",
        options={"channels": 24, "groups": (6, 4, 6, 8), "phases": (1, 4, 2, 1), "placed": 6, "finest": 12},
        quantiser={"name": "round"},
        entropy={"name": "prediction"},
        training=TemporalOptions(steps=20_000, joint_share=0.72),
        description="Ms. Pac-Man at 200x160: one game, every rate",
    ),
}


class TemporalTrainer(Trainer):
    recipes: ClassVar = RECIPES
    fixed = "is a temporal model, whose prior is in whole numbers for good; train another with --model temporal"

    def train(
        self, model: Any, training: Frames, validation: Frames, output: Path, *, recipe: Recipe, settings: RunSettings
    ) -> Iterator[Progress]:
        return train_temporal(model, training, validation, output, options=recipe.training, settings=settings)


TRAINER = TemporalTrainer()
