"""Named recipes: all that is chosen to train a set of weights, as data."""

from dataclasses import dataclass, field

from lvc.codecs.palette.training import PaletteOptions
from lvc.codecs.temporal.training import TemporalOptions
from lvc.errors import OptionError
from lvc.training.loop import TrainingOptions


@dataclass(frozen=True)
class Recipe:
    """model: a family by name. options: its own. quantiser, entropy: specs."""

    model: str
    options: dict = field(default_factory=dict)
    quantiser: dict = field(default_factory=lambda: {"name": "naive"})
    entropy: dict = field(default_factory=lambda: {"name": "factorised"})
    training: TrainingOptions | TemporalOptions | PaletteOptions = field(default_factory=TrainingOptions)
    description: str = ""


# Those named for a family train for S1's epochs; `lvc train --model` takes all but the epochs from them. Measured on Ms. Pac-Man at 200x160: conv4 reaches
# 29.8 dB with 400 steps of 8 frames, and 19.6 dB with 200 steps of 16 at a third of the learning rate: many small
# steps win, and batch normalisation has enough pixels in four frames. The fully connected models pay for each step by
# the size of their weights, so theirs are larger.
RECIPES = {
    "fc-vanilla": Recipe("fc-vanilla", training=TrainingOptions(epochs=60, batch=32, lr=1e-3)),
    "fc-multilayer": Recipe("fc-multilayer", training=TrainingOptions(epochs=30, batch=64, lr=3e-4)),
    "conv4": Recipe("conv4", training=TrainingOptions(epochs=320, batch=4, lr=1e-2)),
    "conv5": Recipe("conv5", training=TrainingOptions(epochs=320, batch=4, lr=1e-2)),
    "vae": Recipe("vae", training=TrainingOptions(epochs=220, batch=32, lr=3e-4)),
    "resnet18": Recipe("resnet18", quantiser={"name": "bits", "bits": 2}, entropy={"name": "adaptive"}, training=TrainingOptions(epochs=100, batch=4, lr=2e-3)),
    # Gradients are of a norm of 0.008 when they have settled: a longer one moves all weights of some thirty layers in a row the same
    # way, for which Adam is not prepared, and the loss goes to 1e27 for good.
    "gdn-attention": Recipe(
        "gdn-attention",
        options={"channels": 32, "deep": 128, "code": 128},
        quantiser={"name": "round", "step": 1.0},
        training=TrainingOptions(epochs=100, batch=4, lr=7e-4, rate_weight=1e-3, clip=0.005),
    ),
    "gdn-hyperprior": Recipe(
        "gdn-attention",
        options={"channels": 32, "deep": 128, "code": 128, "hyper": 48},
        quantiser={"name": "round", "step": 1.0},
        entropy={"name": "hyperprior"},
        training=TrainingOptions(epochs=100, batch=4, lr=7e-4, rate_weight=1e-3, clip=0.005),
        description="gdn-attention with side information",
    ),
    # As the edge codec was trained: mean absolute error, batches of 16, 5 epochs. Longer steps undo the transform that it starts as.
    "edge3": Recipe("edge3", training=TrainingOptions(epochs=5, batch=16, lr=2e-4, distortion="mae", clip=0.1)),
    "edge5": Recipe("edge5", training=TrainingOptions(epochs=5, batch=16, lr=2e-4, distortion="mae", clip=0.1)),
    "temporal": Recipe("temporal", quantiser={"name": "round"}, entropy={"name": "prediction"}, training=TemporalOptions()),
    "temporal-palette": Recipe("temporal-palette", quantiser={"name": "round"}, entropy={"name": "mixing"}, training=PaletteOptions()),
    # The shipped weights.
    "pacman": Recipe(
        "temporal-palette",
        options={"colours": 32, "sprites": 256, "scenes": 2},
        quantiser={"name": "round"},
        entropy={"name": "mixing"},
        training=PaletteOptions(steps=1000),
        description="Ms. Pac-Man in its own 160x210 pixels",
    ),
    "arcade": Recipe(
        "temporal-palette",
        quantiser={"name": "round"},
        entropy={"name": "mixing"},
        training=PaletteOptions(),
        description="many arcade games in their own 160x210 pixels, for those it never saw too: pictures of few colours",
    ),
    "pacman-latents": Recipe(
        "temporal",
        options={"channels": 24, "groups": (6, 4, 6, 8), "phases": (1, 4, 2, 1), "placed": 6, "finest": 12},
        quantiser={"name": "round"},
        entropy={"name": "prediction"},
        training=TemporalOptions(steps=20_000, joint_share=0.72),
        description="Ms. Pac-Man at 200x160: one game, every rate",
    ),
    "pacman-conv4": Recipe(
        "conv4",
        options={"latents": "rounded"},
        quantiser={"name": "round", "step": 1.0},
        training=TrainingOptions(epochs=60, batch=4, lr=1e-2, rate_weight=1e-3),
        description="Ms. Pac-Man at 200x160, conv4 trained with its rate",
    ),
}


def recipe_of(name: str) -> Recipe:
    """The recipe of that name; raises OptionError."""
    if name not in RECIPES:
        raise OptionError(f"there is no recipe {name!r}; choose from {', '.join(RECIPES)}")
    return RECIPES[name]


def entropy_for(quantiser: dict) -> dict:
    """The entropy model to train with for a quantiser's spec, where none was asked for."""
    return {"name": {"none": "raw", "kmeans": "adaptive"}.get(quantiser["name"], "factorised")}
