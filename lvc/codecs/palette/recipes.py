"""The recipes of the palette family, and how it is trained."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from lvc.codecs.learning.clips import Frames
from lvc.codecs.learning.progress import Progress
from lvc.codecs.learning.trainer import Recipe, RunSettings, Trainer
from lvc.codecs.palette.training import PaletteOptions, train_palette


def recipe(*, steps: int = 1500, description: str = "", **options) -> Recipe:
    return Recipe(
        "temporal-palette",
        options=options,
        quantiser={"name": "round"},
        entropy={"name": "mixing"},
        training=PaletteOptions(steps=steps),
        description=description,
    )


RECIPES = {
    "temporal-palette": recipe(),
    # The shipped weights.
    "pacman": recipe(
        steps=1000, colours=32, sprites=256, scenes=2, description="Ms. Pac-Man in its own 160x210 pixels"
    ),
    "arcade": recipe(
        description="many arcade games in their own 160x210 pixels, for those it never saw too: pictures of few colours"
    ),
}


class PaletteTrainer(Trainer):
    recipes: ClassVar = RECIPES
    fixed = (
        "is a temporal model, whose coding is in whole numbers for good; train another with --model temporal-palette"
    )

    def train(
        self, model: Any, training: Frames, validation: Frames, output: Path, *, recipe: Recipe, settings: RunSettings
    ) -> Iterator[Progress]:
        return train_palette(model, training, validation, output, options=recipe.training, settings=settings)


TRAINER = PaletteTrainer()
