"""The codec families, each registered in a line, and how their codecs are opened and their models built.
A family is imported when it is first asked for.
"""

import dataclasses
import os
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from lvc.codecs.checkpoint import Checkpoint
from lvc.codecs.codec import NO_RESTORATION, Family, GroupCodec, ModelKind, Settings, Traits
from lvc.codecs.crf import CRF_LEVELS, DEFAULT_CRF
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.native.pixel_grid import PixelGrid

# A file of 400 bytes may ask for frames of any size. These cost less than 1 GB in all with the shipped weights:
# 4K fits.
MAX_PIXELS = 1 << 23
MAX_PIXELS_VARIABLE = "LVC_MAX_PIXELS"
EFFORTS = range(3)  # that may be asked for; a family whose own end earlier does its best
LOOKING_BACK = ("adaptive",)  # entropy models that any family may use, whose frames need those before them


@dataclass(frozen=True)
class Registration:
    """module: has the family as FAMILY. models: names of its models. entropies: its own entropy models whose frames
    need those before them.
    weights: whether its models come from weights files.
    """

    module: str
    models: tuple[str, ...]
    entropies: tuple[str, ...] = ()
    weights: bool = True


_families: dict[str, Registration] = {}


def register(
    name: str, module: str, *, models: tuple[str, ...], entropies: tuple[str, ...] = (), weights: bool = True
) -> None:
    """Makes a family known; all of `Registration`. One of the same name gives way."""
    _families[name] = Registration(module, models, entropies, weights)


def forget(name: str) -> None:
    """Undoes `register`."""
    del _families[name]


register(
    "networks",
    "lvc.codecs.networks.family",
    models=(
        "fc-vanilla",
        "fc-multilayer",
        "conv4",
        "conv5",
        "vae",
        "resnet18",
        "gdn-attention",
        "edge3",
        "edge5",
        "chain",
    ),
)
register("temporal", "lvc.codecs.temporal.family", models=("temporal",), entropies=("prediction",))
register("palette", "lvc.codecs.palette.family", models=("temporal-palette",), entropies=("mixing",))
register(
    "standard",
    "lvc.codecs.standard.family",
    models=("av1", "hevc", "lossless"),
    entropies=("av1", "hevc", "lossless"),
    weights=False,
)
register("hybrid", "lvc.codecs.hybrid.family", models=("hybrid",), entropies=("hybrid",), weights=False)


def registrations() -> dict[str, Registration]:
    """The families that are known, by name."""
    return dict(_families)


def model_names(*, weights: bool | None = None) -> list[str]:
    """All models by name; weights: only those that come from weights files, or only those that need none."""
    return [model for family in _families.values() if weights in (None, family.weights) for model in family.models]


def family_of(model: str) -> Family:
    """The family of a model's name; raises OptionError for an unknown one, listing the choices."""
    for registered in _families.values():
        if model in registered.models:
            return import_module(registered.module).FAMILY
    raise OptionError(f"there is no model {model!r}; choose from {', '.join(model_names())}")


def looks_back(entropy: str) -> bool:
    """Whether a frame that is coded with this entropy model needs those of its group before it."""
    return entropy in LOOKING_BACK or any(entropy in family.entropies for family in _families.values())


def traits_of(checkpoint: Checkpoint) -> Traits:
    return family_of(checkpoint.metadata.model).traits_of(checkpoint)


# Codecs


def open_codec(
    checkpoint: Checkpoint,
    *,
    geometry: Geometry,
    quantiser: dict | None = None,
    entropy: dict | None = None,
    crf: int | None = None,
    effort: int | None = None,
    device: Any = "cpu",
    grid: PixelGrid | None = None,
    without: frozenset[str] = NO_RESTORATION,
) -> GroupCodec:
    """The codec of some weights at one frame geometry.

    quantiser and entropy: specs (JSON objects with a name), by default those the weights were trained with.
    crf: 0 (best) to 63 for models of variable rate, else None. effort: how hard their encoder looks for cheap symbols,
    of their traits' efforts.
    grid: the game's own pixels, for models that take them: frames are coded as those, and shown at the geometry.
    without: tools that an encoder leaves out, by the names of the family's traits, and restoration, which a decoder
    does as the quantiser's spec says.
    Raises OptionError for what cannot go together.
    """
    check_pixels(geometry)
    family = family_of(checkpoint.metadata.model)
    traits = family.traits_of(checkpoint)
    device = device_of(device)
    crf, effort = checked_crf(crf, checkpoint, traits), checked_effort(effort, checkpoint, traits)
    if unknown := without - NO_RESTORATION - set(traits.tools):
        known = ", ".join(traits.tools) or "none to leave out"
        raise OptionError(f"{checkpoint.name} has no tool {min(unknown)!r:.40}: it has {known}")
    if grid is not None:
        if not traits.takes_native:
            raise OptionError(f"a game's own pixels are for models of colours, and {checkpoint.name} is none")
        check_pixels(grid.native)
    return family.open(
        checkpoint,
        Settings(
            geometry=geometry,
            quantiser=quantiser,
            entropy=entropy,
            crf=crf,
            effort=effort,
            device=device,
            grid=grid,
            without=without,
        ),
    )


def checked_crf(crf: int | None, checkpoint: Checkpoint, traits: Traits) -> int | None:
    if not traits.variable_rate:
        if crf is not None:
            raise OptionError(
                f"crf is for models of variable rate; {checkpoint.name} has one rate (choose another quantiser)"
            )
        return None
    crf = DEFAULT_CRF if crf is None else crf
    if not (type(crf) is int and 0 <= crf < CRF_LEVELS):  # true is an int too, and would choose by a mask
        raise OptionError(f"crf must be a whole number from 0 (best) to {CRF_LEVELS - 1}, not {crf!r}")
    return crf


def checked_effort(effort: int | None, checkpoint: Checkpoint, traits: Traits) -> int:
    if effort is None:
        return traits.usual_effort
    if not traits.efforts:
        raise OptionError(
            f"effort is for models of variable rate; {checkpoint.name} has one rate, and no choice of symbols"
        )
    if not (type(effort) is int and effort in EFFORTS):
        raise OptionError(f"effort must be a whole number from {EFFORTS[0]} to {EFFORTS[-1]}, not {effort!r}")
    return min(effort, traits.efforts[-1])


def check_pixels(geometry: Geometry) -> None:
    """Raises OptionError for frames of more pixels than MAX_PIXELS, or than the environment's LVC_MAX_PIXELS allows."""
    given = os.environ.get(MAX_PIXELS_VARIABLE, "")
    if given and not (given.isascii() and given.isdigit()):
        raise OptionError(f"{MAX_PIXELS_VARIABLE} is a number of pixels, not {given!r}")
    most = int(given) if given else MAX_PIXELS
    if geometry.width * geometry.height > most:
        raise OptionError(
            f"frames of {geometry} have more than {most:,} pixels; where the memory is there, allow more with "
            f"{MAX_PIXELS_VARIABLE}"
        )


def device_of(device: Any) -> str:
    """The name of a device; OptionError where there is none, here or at all."""
    if str(device) in ("cpu", "cpu:0"):  # there is one, by two names; it asks for no torch
        return "cpu"
    from lvc.codecs.in_torch import device_of

    return str(device_of(device))


# Models of weights files


def build(name: str, *, geometry: Geometry, **options) -> Any:
    """A model with fresh weights, for frames of `geometry`; `build(name, geometry=…, **asdict(config))` gives one like
    it.

    Raises what `build_empty` raises.
    """
    model = build_empty(name, geometry=geometry, **options)
    return type(model)(name, model.config)


def build_empty(name: str, *, geometry: Geometry, **options) -> Any:
    """A model like that of `build` whose tensors take no memory.

    Raises OptionError for an unknown name or option, listing the choices, for a geometry that the model cannot take,
    and for one of more than 1.5 thousand million parameters.
    """
    known = option_names(name)
    family = family_of(name)
    made, configure = loaded(family.models[name])
    for side in ("width", "height"):
        if options.pop(side, getattr(geometry, side)) != getattr(geometry, side):
            raise OptionError(f"model {name}: its stored {side} is not that of {geometry}")
    for option in options:
        if option not in known:
            raise OptionError(f"model {name} has no option {option!r}; it has {', '.join(known)}")
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    return family.tensors().empty(made, name, configure(width=geometry.width, height=geometry.height, **options))


def option_names(name: str) -> tuple[str, ...]:
    """The options of a model beside its geometry; raises OptionError for one that comes from no weights file."""
    family = family_of(name)
    if name not in family.models:
        raise OptionError(f"model {name} has no weights, and so no options of them")
    configure: partial = loaded(family.models[name])[1]
    config: Any = configure.func  # a dataclass
    return tuple(option.name for option in dataclasses.fields(config) if option.name not in ("width", "height"))


def loaded(kind: ModelKind) -> tuple[type, partial]:
    """The class of such models, and of their options with the name's own defaults; width and height are to be added."""
    module = import_module(kind.module)
    return getattr(module, kind.model), partial(getattr(module, kind.config), **kind.defaults)
