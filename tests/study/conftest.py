import numpy as np
import pytest

from lvc.study.pictures import Pictures, PictureSet
from lvc.study.point import Settings


@pytest.fixture(scope="session")
def make_set():
    """`make_set(name, seed)`: mixtures of six coloured scenes of 16x8, so that a code of six numbers says all."""

    def make(name="scenes", seed=0, *, grey=False, counts=(96, 16, 24)):
        random = np.random.default_rng(seed)
        scenes = np.kron(random.random((6, 1 if grey else 3, 4, 8)), np.ones((1, 1, 2, 2)))
        weights = random.dirichlet(np.full(6, 0.4), sum(counts))
        pictures = np.rint(255 * np.einsum("ns,schw->nchw", weights, scenes)).astype(np.uint8)
        pictures = np.repeat(pictures, 3, axis=1) if grey else pictures
        parts = np.split(pictures, np.cumsum(counts)[:2])
        return PictureSet(name, *map(Pictures, parts), grey=grey)

    return make


@pytest.fixture
def settings():
    return Settings(steps=12, batch=16)
