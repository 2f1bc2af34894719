"""The models by name: which class, and which options it has by default."""

import dataclasses
from functools import partial

import torch

from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.models.attention import AttentionConfig, GdnAttention
from lvc.models.chain import Chain, ChainConfig, edge
from lvc.models.convolutional import Convolutional, ConvolutionalConfig
from lvc.models.fully_connected import FullyConnected, FullyConnectedConfig
from lvc.models.model import Model
from lvc.models.palette import Palette, PaletteConfig
from lvc.models.resnet import ResNet, ResNetConfig
from lvc.models.temporal import Temporal, TemporalConfig
from lvc.models.unfilled import Unfilled
from lvc.models.variational import Variational, VariationalConfig

MAX_PARAMETERS = 1_500_000_000  # the largest of S1 has 832 million

# name: (class, its config with the defaults of that name; width and height are added)
MODELS = {
    "fc-vanilla": (FullyConnected, partial(FullyConnectedConfig, code=1000, hidden=())),
    "fc-multilayer": (FullyConnected, partial(FullyConnectedConfig, code=1000, hidden=(3000, 2000))),
    "conv4": (Convolutional, partial(ConvolutionalConfig, stages=4)),
    "conv5": (Convolutional, partial(ConvolutionalConfig, stages=5)),
    "vae": (Variational, VariationalConfig),
    "resnet18": (ResNet, ResNetConfig),
    "gdn-attention": (GdnAttention, AttentionConfig),
    # The 3x3 kernels of the first are 5x5 in the second: 1,841,280 and 2,365,568 parameters of the encoder.
    "edge3": (Chain, partial(ChainConfig, analysis=edge(3))),
    "edge5": (Chain, partial(ChainConfig, analysis=edge(5))),
    "chain": (Chain, partial(ChainConfig, analysis=edge(3))),
    "temporal": (Temporal, TemporalConfig),
    "temporal-palette": (Palette, PaletteConfig),
}

MANY_RATES = Temporal, Palette  # the families that look back in time, and are coded at a crf


def build(name: str, *, geometry: Geometry, **options) -> Model:
    """A model with fresh weights, for frames of `geometry`; `build(name, geometry=…, **asdict(config))` gives one like it.

    Raises what `build_empty` raises.
    """
    model = build_empty(name, geometry=geometry, **options)
    return MODELS[name][0](name, model.config)


def build_empty(name: str, *, geometry: Geometry, **options) -> Model:
    """A model like that of `build` whose tensors lie on the meta device, without memory.

    Raises OptionError for an unknown name or option, listing the choices, for a geometry that the model cannot take, and
    for one of more than 1.5 thousand million parameters.
    """
    if name not in MODELS:
        raise OptionError(f"there is no model {name!r}; choose from {', '.join(MODELS)}")
    family, configure = MODELS[name]
    for side in ("width", "height"):
        if options.pop(side, getattr(geometry, side)) != getattr(geometry, side):
            raise OptionError(f"model {name}: its stored {side} is not that of {geometry}")
    known = option_names(name)
    for option in options:
        if option not in known:
            raise OptionError(f"model {name} has no option {option!r}; it has {', '.join(known)}")
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    config = configure(width=geometry.width, height=geometry.height, **options)
    with torch.device("meta"), Unfilled():
        model = family(name, config)
    count = sum(parameter.numel() for parameter in model.parameters())
    if count > MAX_PARAMETERS:
        raise OptionError(f"model {name} for {geometry} would have {count:,} parameters; the limit is {MAX_PARAMETERS:,}")
    return model


def option_names(name: str) -> tuple[str, ...]:
    """The options of a model beside its geometry."""
    configure = MODELS[name][1]
    fields = dataclasses.fields(configure.func if isinstance(configure, partial) else configure)
    return tuple(field.name for field in fields if field.name not in ("width", "height"))
