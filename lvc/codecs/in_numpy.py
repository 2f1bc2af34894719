"""Weights of models that are numpy arrays, for their files; `in_torch` has the same functions for networks.

Such a model is made by `Model(name, config, arrays)`, gives its `arrays()` by name, and says by `blanks(config)`,
without memory for them, what shapes and types they have.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import save_file

FRAMEWORK = "numpy"
TYPES = {
    np.dtype(kind): name
    for kind, name in ((np.float32, "F32"), (np.int32, "I32"), (np.int16, "I16"), (np.int8, "I8"), (np.uint8, "U8"))
}


class ArrayModel(Protocol):
    name: str
    config: Any

    def __init__(self, name: str, config: Any, arrays: Mapping[str, np.ndarray] | None = None): ...

    @staticmethod
    def blanks(config: Any) -> dict[str, np.ndarray]: ...

    def arrays(self) -> dict[str, np.ndarray]: ...


def empty(family: type[ArrayModel], name: str, config: Any) -> ArrayModel:
    """A model whose parts take no memory."""
    return family(name, config, family.blanks(config))


def parts(model: ArrayModel) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type, as the file calls it, and shape of each part."""
    return {name: (TYPES[array.dtype], array.shape) for name, array in model.arrays().items()}


def takes(kept: str, wanted: str) -> bool:
    """Whether a part of one type may be kept as another."""
    return kept == wanted


def filled(model: ArrayModel, weights: Mapping[str, np.ndarray]) -> ArrayModel:
    """The model with these parts."""
    return type(model)(model.name, model.config, weights)


def placed(model: ArrayModel, _device: str) -> ArrayModel:
    """The model as it is: arrays are coded with on the processor, whatever the device."""
    return model


def storable(model: ArrayModel, *, half: bool) -> dict[str, np.ndarray]:
    """All parts as they are written; whole numbers stay what they are."""
    del half  # of floats, which these models have none of
    return {name: np.ascontiguousarray(array) for name, array in model.arrays().items()}


def save(parts: Mapping[str, np.ndarray], path: Path, metadata: dict[str, str]) -> None:
    save_file(dict(parts), path, metadata=metadata)
