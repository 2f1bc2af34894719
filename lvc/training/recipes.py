"""Named recipes: all that is chosen to train a set of weights, as data."""

from dataclasses import dataclass, field

from lvc.errors import OptionError
from lvc.training.loop import TrainingOptions
from lvc.training.temporal import TemporalOptions


@dataclass(frozen=True)
class Recipe:
    """model: a family by name, or None where it is still to be chosen. options: its own. quantiser, entropy: specs."""

    model: str | None
    options: dict = field(default_factory=dict)
    quantiser: dict = field(default_factory=lambda: {"name": "naive"})
    entropy: dict = field(default_factory=lambda: {"name": "factorised"})
    training: TrainingOptions | TemporalOptions = field(default_factory=TrainingOptions)
    description: str = ""


# The epochs and batches of S1 are named where they are known; the rest was chosen by short runs on one game.
RECIPES = {
    "fc-vanilla": Recipe("fc-vanilla", training=TrainingOptions(epochs=60, batch=64, lr=3e-4)),
    "fc-multilayer": Recipe("fc-multilayer", training=TrainingOptions(epochs=30, batch=64, lr=3e-4)),
    "conv4": Recipe("conv4", training=TrainingOptions(epochs=320, batch=16, lr=2e-3)),
    "conv5": Recipe("conv5", training=TrainingOptions(epochs=320, batch=16, lr=2e-3)),
    "vae": Recipe("vae", training=TrainingOptions(epochs=220, batch=64, lr=3e-4)),
    "temporal": Recipe("temporal", quantiser={"name": "round"}, entropy={"name": "prediction"}, training=TemporalOptions()),
    # The shipped weights.
    "pacman": Recipe(
        "temporal",
        options={"maps": True},
        quantiser={"name": "round"},
        entropy={"name": "prediction"},
        training=TemporalOptions(steps=20_000),
        description="Ms. Pac-Man at 200x160: one game, every rate",
    ),
    "pacman-conv4": Recipe(
        "conv4",
        options={"latents": "rounded"},
        quantiser={"name": "round", "step": 1.0},
        training=TrainingOptions(epochs=60, batch=16, lr=2e-3, rate_weight=1e-3),
        description="Ms. Pac-Man at 200x160, conv4 trained with its rate",
    ),
}


def recipe_of(name: str) -> Recipe:
    """The recipe of that name; raises OptionError."""
    if name not in RECIPES:
        raise OptionError(f"there is no recipe {name!r}; choose from {', '.join(RECIPES)}")
    return RECIPES[name]
