"""A model with all that coding with it needs, as a weights file holds it:
`lvc.weights.checkpoints` reads and writes those.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lvc.entropy.tables import Tables
from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry

FORMAT = "lvc weights"
VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Metadata:
    """What a weights file says of itself.

    name: what `.lvc` files coded with these weights call them. model, config: which of a family's models, and its
    options.
    geometry: of the frames trained on. quantiser, entropy: specs that were trained for, and are the default.
    training: data set, epochs, figures. latents: statistics of latents on validation frames, for out-of-domain
    warnings.
    """

    name: str
    model: str
    config: dict
    geometry: Geometry
    quantiser: dict
    entropy: dict
    description: str = ""
    training: dict = field(default_factory=dict)
    latents: dict = field(default_factory=dict)

    def __post_init__(self):
        if not NAME.fullmatch(self.name):
            raise ModelError(
                f"a model's name has up to 64 letters, digits, dots, dashes and underscores, not {self.name!r}"
            )

    def to_json(self) -> str:
        content = {part.name: getattr(self, part.name) for part in dataclasses.fields(self)}
        content["geometry"] = [self.geometry.width, self.geometry.height]
        return json.dumps({"format": FORMAT, "version": VERSION, **content}, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Metadata":
        """Raises ModelError where the text is anything else than `to_json` gives."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"its metadata is no JSON: {error}") from error
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise ModelError(f'its metadata is not that of lvc: "format": "{FORMAT}" was expected')
        if (version := content.pop("version", None)) != VERSION:
            raise ModelError(f"it has version {version!r}; this lvc reads version {VERSION}")
        names = {part.name for part in dataclasses.fields(cls)}
        if set(content) != names:
            raise ModelError(f"its metadata should have {', '.join(sorted(names))}, not {', '.join(sorted(content))}")
        kinds = {"name": str, "model": str, "description": str, "geometry": list}
        for name, value in content.items():
            if not isinstance(value, kinds.get(name, dict)):
                raise ModelError(f"its metadata has {name} of type {type(value).__name__}")
        for name in ("quantiser", "entropy"):
            if not isinstance(content[name].get("name"), str):
                raise ModelError(f"its metadata names no {name}")
        if len(content["geometry"]) != 2:
            raise ModelError("its metadata has a geometry that is not [width, height]")
        width, height = content.pop("geometry")
        try:
            return cls(geometry=Geometry(width=width, height=height), **content)
        except OptionError as error:
            raise ModelError(f"its metadata has a wrong geometry: {error}") from error


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that coding with it needs.

    model: as its family builds it; None for a family without weights. tables: frequency tables by the set's name.
    sha256: of the file's bytes, in hex; None before it is saved, `NO_WEIGHTS` of the container's header where there is
    no file.
    """

    metadata: Metadata
    model: Any
    tables: Mapping[str, Tables] = field(default_factory=dict)
    sha256: str | None = None

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def geometry(self) -> Geometry:
        return self.metadata.geometry

    @property
    def quantiser(self) -> dict:
        return self.metadata.quantiser

    @property
    def entropy(self) -> dict:
        return self.metadata.entropy

    def __repr__(self) -> str:
        return (
            f"Checkpoint({self.name}, {self.metadata.model} at {self.geometry}, sha256 "
            f"{(self.sha256 or 'unsaved')[:12]})"
        )
