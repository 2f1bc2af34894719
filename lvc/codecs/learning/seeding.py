"""Draws that depend on a seed and a step alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from lvc.codecs import family
from lvc.frames import Geometry


def new_model(name: str, *, geometry: Geometry, seed: int, **options) -> Any:
    """A model whose first weights depend on the seed alone; raises OptionError."""
    with seeded(seed, -1, torch.device("cpu")):
        return family.build(name, geometry=geometry, **options)


@contextmanager
def seeded(seed: int, step: int, device: torch.device, rank: int = 0) -> Iterator[None]:
    """Draws inside depend on (seed, step), and on the process among several;
    the caller's generators are left as they were.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(
            int(
                np.random.SeedSequence([seed, step + 1, rank] if rank else [seed, step + 1]).generate_state(
                    1, np.uint64
                )[0]
                >> np.uint64(1)
            )
        )
        yield
