"""Scenes of chance actors, for a writer that is told them."""

from dataclasses import dataclass

import numpy as np

from lvc.codecs.palette.actors import REACH
from lvc.codecs.palette.past import BORDER
from lvc.codecs.palette.stage import CAST, ENTERED, SPRITE, Scene, Stage, X, Y
from lvc.codecs.palette.walk import Known, PaletteFrames


@dataclass(frozen=True)
class Acting(Known):
    """A frame whose actors are drawn when they are asked for, of those that there are then."""

    coding: PaletteFrames | None = None
    generator: np.random.Generator | None = None

    def actors(self) -> Scene:
        return random_scene(self.coding.past.stage, self.generator)


def random_scene(stage: Stage, generator: np.random.Generator, *, most: int = 4) -> Scene:
    """Some of the actors, gone some way, at times with another look, and a few new ones."""
    height, width = (side - 2 * BORDER for side in stage.background.shape)
    sprites, scene, new = np.flatnonzero(stage.sizes[:, 0]), Scene.nothing(), []
    if not len(sprites):
        return scene
    for number in range(int(stage.counts[ENTERED])):
        actor, step = stage.cast[number], generator.integers(-REACH, REACH + 1, 2) if generator.random() < 0.3 else generator.integers(-1, 2, 2)
        sprite = generator.choice(sprites) if generator.random() < 0.2 else actor[SPRITE]
        place = np.clip(actor[[Y, X]] + step, 0, (height - 1, width - 1))
        scene.again[number] = generator.random() < 0.7, sprite, *place
    for _ in range(generator.integers(0, most + 1)):
        new.append((generator.choice(sprites), generator.integers(height), generator.integers(width)))
    return Scene(scene.again, np.array(new[:CAST], np.int64).reshape(-1, 3))


def acted(coding: PaletteFrames, symbols: np.ndarray, generator: np.random.Generator) -> list[Acting]:
    """Frames of colours int32 [T, 1, H, W] with chance actors."""
    return [Acting(picture[0], coding=coding, generator=generator) for picture in symbols]
