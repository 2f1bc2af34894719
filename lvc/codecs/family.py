"""The models by name: which class, and which options it has by default. A family is imported when it is first asked for."""

import dataclasses
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from lvc.errors import OptionError
from lvc.frames import Geometry

if TYPE_CHECKING:
    from lvc.codecs.networks.model import Model
    from lvc.codecs.palette.model import Palette


@dataclass(frozen=True)
class Family:
    """Where a family lies in lvc/codecs, the class of its models and of their options, and a name's own defaults; arrays: whether its weights are numpy arrays, and no torch is needed."""

    module: str
    model: str
    config: str
    defaults: dict = field(default_factory=dict)
    arrays: bool = False

    def load(self) -> tuple[type, partial]:
        """The class, and its config with the defaults; width and height are to be added."""
        module = import_module(f"lvc.codecs.{self.module}")
        return getattr(module, self.model), partial(getattr(module, self.config), **self.defaults)

    def weights(self) -> ModuleType:
        """What keeps the weights of such models in files: `in_numpy` or `in_torch`."""
        return import_module(f"lvc.codecs.{'in_numpy' if self.arrays else 'in_torch'}")


MODELS = {
    "fc-vanilla": Family("networks.fully_connected", "FullyConnected", "FullyConnectedConfig", {"code": 1000, "hidden": ()}),
    "fc-multilayer": Family("networks.fully_connected", "FullyConnected", "FullyConnectedConfig", {"code": 1000, "hidden": (3000, 2000)}),
    "conv4": Family("networks.convolutional", "Convolutional", "ConvolutionalConfig", {"stages": 4}),
    "conv5": Family("networks.convolutional", "Convolutional", "ConvolutionalConfig", {"stages": 5}),
    "vae": Family("networks.variational", "Variational", "VariationalConfig"),
    "resnet18": Family("networks.resnet", "ResNet", "ResNetConfig"),
    "gdn-attention": Family("networks.attention", "GdnAttention", "AttentionConfig"),
    # The 3x3 kernels of the first are 5x5 in the second: 1,841,280 and 2,365,568 parameters of the encoder.
    "edge3": Family("networks.chain", "Chain", "Edge3Config"),
    "edge5": Family("networks.chain", "Chain", "Edge5Config"),
    "chain": Family("networks.chain", "Chain", "Edge3Config"),
    "temporal": Family("temporal.model", "Temporal", "TemporalConfig"),
    "temporal-palette": Family("palette.model", "Palette", "PaletteConfig", arrays=True),
}


def family_of(name: str) -> Family:
    """Raises OptionError for an unknown name, listing the choices."""
    if name not in MODELS:
        raise OptionError(f"there is no model {name!r}; choose from {', '.join(MODELS)}")
    return MODELS[name]


def build(name: str, *, geometry: Geometry, **options) -> "Model | Palette":
    """A model with fresh weights, for frames of `geometry`; `build(name, geometry=…, **asdict(config))` gives one like it.

    Raises what `build_empty` raises.
    """
    model = build_empty(name, geometry=geometry, **options)
    return type(model)(name, model.config)


def build_empty(name: str, *, geometry: Geometry, **options) -> "Model | Palette":
    """A model like that of `build` whose tensors take no memory.

    Raises OptionError for an unknown name or option, listing the choices, for a geometry that the model cannot take, and
    for one of more than 1.5 thousand million parameters.
    """
    known = option_names(name)
    made, configure = MODELS[name].load()
    for side in ("width", "height"):
        if options.pop(side, getattr(geometry, side)) != getattr(geometry, side):
            raise OptionError(f"model {name}: its stored {side} is not that of {geometry}")
    for option in options:
        if option not in known:
            raise OptionError(f"model {name} has no option {option!r}; it has {', '.join(known)}")
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    return MODELS[name].weights().empty(made, name, configure(width=geometry.width, height=geometry.height, **options))


def option_names(name: str) -> tuple[str, ...]:
    """The options of a model beside its geometry."""
    configure = family_of(name).load()[1]
    return tuple(option.name for option in dataclasses.fields(configure.func) if option.name not in ("width", "height"))
