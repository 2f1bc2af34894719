"""The recipes of single-frame networks, and how they are trained."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from lvc.codecs.family import option_names
from lvc.codecs.learning.clips import Frames
from lvc.codecs.learning.progress import Progress
from lvc.codecs.learning.trainer import Recipe, RunSettings, Trainer
from lvc.codecs.networks.training.loop import train
from lvc.codecs.networks.training.options import TrainingOptions
from lvc.codecs.neural.quantize import build as build_quantiser

# Those named for a family train for S1's epochs; `lvc train --model` takes all but the epochs from them. Measured on
# Ms. Pac-Man at 200x160: conv4 reaches 29.8 dB with 400 steps of 8 frames, and 19.6 dB with 200 steps of 16 at a third
# of the learning rate: many small steps win, and batch normalisation has enough pixels in four frames. The fully
# connected models pay for each step by the size of their weights, so theirs are larger.
RECIPES = {
    "fc-vanilla": Recipe("fc-vanilla", training=TrainingOptions(epochs=60, batch=32, lr=1e-3)),
    "fc-multilayer": Recipe("fc-multilayer", training=TrainingOptions(epochs=30, batch=64, lr=3e-4)),
    "conv4": Recipe("conv4", training=TrainingOptions(epochs=320, batch=4, lr=1e-2)),
    "conv5": Recipe("conv5", training=TrainingOptions(epochs=320, batch=4, lr=1e-2)),
    "vae": Recipe("vae", training=TrainingOptions(epochs=220, batch=32, lr=3e-4)),
    "resnet18": Recipe(
        "resnet18",
        quantiser={"name": "bits", "bits": 2},
        entropy={"name": "adaptive"},
        training=TrainingOptions(epochs=100, batch=4, lr=2e-3),
    ),
    # Gradients are of a norm of 0.008 when they have settled: a longer one moves all weights of some thirty layers in a
    # row the same way, for which Adam is not prepared, and the loss goes to 1e27 for good.
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
    # As the edge codec was trained: mean absolute error, batches of 16, 5 epochs.
    # Longer steps undo the transform that it starts as.
    "edge3": Recipe("edge3", training=TrainingOptions(epochs=5, batch=16, lr=2e-4, distortion="mae", clip=0.1)),
    "edge5": Recipe("edge5", training=TrainingOptions(epochs=5, batch=16, lr=2e-4, distortion="mae", clip=0.1)),
    "pacman-conv4": Recipe(
        "conv4",
        options={"latents": "rounded"},
        quantiser={"name": "round", "step": 1.0},
        training=TrainingOptions(epochs=60, batch=4, lr=1e-2, rate_weight=1e-3),
        description="Ms. Pac-Man at 200x160, conv4 trained with its rate",
    ),
}


def entropy_for(quantiser: dict) -> dict:
    """The entropy model to train with for a quantiser's spec, where none was asked for."""
    return {"name": {"none": "raw", "kmeans": "adaptive"}.get(quantiser["name"], "factorised")}


class NetworkTrainer(Trainer):
    recipes: ClassVar = RECIPES

    def first_try(self, model: str) -> Recipe:
        """The model's own recipe, at fewer epochs."""
        recipe = RECIPES.get(model) or Recipe(model, training=TrainingOptions())
        return dataclasses.replace(
            recipe, training=dataclasses.replace(recipe.training, epochs=TrainingOptions().epochs)
        )

    def chosen(
        self,
        recipe: Recipe,
        *,
        options: dict,
        training: dict,
        quantiser: dict | None = None,
        entropy: dict | None = None,
        start: bool = False,
    ) -> Recipe:
        """Latents are made for rounding where the quantiser rounds; the entropy model is one that suits a quantiser
        that was given.
        """
        if (quantiser or recipe.quantiser)["name"] == "round" and "latents" in option_names(recipe.model):
            options = {"latents": "rounded", **recipe.options, **options}
        if quantiser and not entropy:
            entropy = entropy_for(quantiser)
        return super().chosen(
            recipe, options=options, training=training, quantiser=quantiser, entropy=entropy, start=start
        )

    def train(
        self, model: Any, training: Frames, validation: Frames, output: Path, *, recipe: Recipe, settings: RunSettings
    ) -> Iterator[Progress]:
        quantiser = build_quantiser(**recipe.quantiser, latent_range=model.latent_range)
        return train(
            model,
            training,
            validation,
            output,
            quantiser=quantiser,
            entropy=recipe.entropy,
            options=recipe.training,
            settings=settings,
        )


TRAINER = NetworkTrainer()
