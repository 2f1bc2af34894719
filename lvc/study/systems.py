"""The autoencoders of the study, each a configuration of a model that there is: a fully connected one, or a chain of
convolutions (S5).

The code is one vector of any size for the whole picture. That of the convolutional ones is made by a kernel as large as
what the convolutions leave, which is a fully connected layer written as a convolution.
"""

from dataclasses import dataclass

from lvc.codecs.networks.model import BOUNDED
from lvc.errors import OptionError
from lvc.frames import Geometry

HIDDEN = 512  # width of the layer on either side of the code, in mlp2
CHANNELS = 16  # of the first convolution, doubled at the second


@dataclass(frozen=True)
class System:
    """convolves: or else is fully connected. layers: from the picture to the code, in convolutional ones before the one
    that
    makes it. learning_rate: the better of 1e-3 and 2e-3 after 400 steps on photographs, at a code of 64."""

    convolves: bool
    layers: int
    learning_rate: float


SYSTEMS = {
    "mlp1": System(False, 1, 2e-3),
    "mlp2": System(False, 2, 1e-3),
    "conv1": System(True, 1, 2e-3),
    "conv2": System(True, 2, 2e-3),
}


def system_of(name: str) -> System:
    """Raises OptionError for an unknown name."""
    if name not in SYSTEMS:
        raise OptionError(f"there is no system {name!r} to study; choose from {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def configuration(name: str, code: int, geometry: Geometry, *, latents: str = BOUNDED) -> tuple[str, dict]:
    """The model's name and options, as `lvc.codecs.family.build` takes them; raises OptionError for an unknown system.

    mlp1: one layer to the code and one back. mlp2: a hidden layer of 512 on either side. conv1, conv2: one or two
    convolutions that halve the sides, before the layer that makes the code, and mirrored.
    """
    system = system_of(name)
    if system.convolves:
        return "chain", {**chain_of(system.layers, code, geometry), "latents": latents}
    return "fc-vanilla", {
        "code": code,
        "hidden": (HIDDEN,) * (system.layers - 1),
        "rows": 1,
        "columns": 1,
        "latents": latents,
    }


def chain_of(layers: int, code: int, geometry: Geometry) -> dict:
    """Lines of analysis and synthesis for pictures of this size."""
    stride = 1 << layers
    kernel = f"k{-(-geometry.height // stride)}x{-(-geometry.width // stride)} p0"
    widths = [CHANNELS << layer for layer in range(layers)]
    analysis = [line for width in widths for line in (f"conv {width} k4 s2 p1", "relu")]
    synthesis = [f"up {widths[-1]} {kernel}"]
    for width in (*reversed(widths[:-1]), 3):
        synthesis += ["relu", f"up {width} k4 s2 p1"]
    return {"analysis": (*analysis, f"conv {code} {kernel}"), "synthesis": tuple(synthesis)}
