"""Weights of models that are numpy arrays, for their files; `in_torch` has the same functions for networks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from lvc.codecs.palette.model import Palette, blanks

FRAMEWORK = "numpy"
TYPES = {np.dtype(np.int32): "I32", np.dtype(np.int16): "I16", np.dtype(np.uint8): "U8"}


def empty(family: type[Palette], name: str, config) -> Palette:
    """A model whose parts take no memory."""
    return family(name, config, blanks(config))


def parts(model: Palette) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type, as the file calls it, and shape of each part."""
    return {name: (TYPES[array.dtype], array.shape) for name, array in model.arrays().items()}


def takes(kept: str, wanted: str) -> bool:
    """Whether a part of one type may be kept as another."""
    return kept == wanted


def filled(model: Palette, weights: Mapping[str, np.ndarray]) -> Palette:
    """The model with these parts."""
    return type(model)(model.name, model.config, weights)


def storable(model: Palette, *, half: bool) -> dict[str, np.ndarray]:
    """All parts as they are written; whole numbers stay what they are."""
    return {name: np.ascontiguousarray(array) for name, array in model.arrays().items()}


def save(parts: Mapping[str, np.ndarray], path: Path, metadata: dict[str, str]) -> None:
    save_file(dict(parts), path, metadata=metadata)
