"""The layers of plain chains, each written as a line of text.

conv 128 k5 s2           a convolution with 128 outputs, a 5x5 kernel and a stride of 2, padded by 2
up 128 k5 s2             its transpose, which doubles the sides exactly
conv 64 k5x3 s2x1 p2,1,2,1 d1x1 g4 nobias       height before width; padding at top, left, bottom and right
up 64 k4 s2 p1 e0        with another padding than goes without saying, and rows and columns added at the end
relu, sigmoid, tanh, prelu, leaky_relu 0.01, elu 1, clip 0 1, batch_norm 1e-05
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from lvc.codecs.networks.model import check_count
from lvc.errors import OptionError

MAX_LINE = 120
MAX_CHANNELS = 4096
MAX_SIDE = 64  # of kernels and paddings
MAX_STEP = 16  # of strides and dilations

# activation: its module, and the defaults of the numbers that may follow its name
ACTIVATIONS = {
    "relu": (nn.ReLU, ()),
    "sigmoid": (nn.Sigmoid, ()),
    "tanh": (nn.Tanh, ()),
    "leaky_relu": (nn.LeakyReLU, (0.01,)),
    "elu": (nn.ELU, (1.0,)),
    "clip": (nn.Hardtanh, (0.0, 1.0)),
}
BATCH_NORM, PRELU = "batch_norm", "prelu"


@dataclass(frozen=True)
class Filter:
    """A convolution, or with `up` a transposed one. kernel, stride, dilation, extra: height and width.
    padding: top, left, bottom, right. extra: rows and columns that a transposed one adds at the end."""

    up: bool
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    extra: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = True

    def __post_init__(self):
        check_count("a layer's outputs", self.outputs, most=MAX_CHANNELS)
        check_count("groups", self.groups, most=MAX_CHANNELS)
        for what, values, least, most in (
            ("a kernel's side", self.kernel, 1, MAX_SIDE),
            ("a stride", self.stride, 1, MAX_STEP),
            ("a dilation", self.dilation, 1, MAX_STEP),
            ("a padding", self.padding, 0, MAX_SIDE),
            ("an output padding", self.extra, 0, MAX_STEP),
        ):
            for value in values:
                check_count(what, value, least=least, most=most)
        if not self.up and any(self.extra):
            raise OptionError("only a transposed convolution has an output padding")
        if self.up and self.padding[:2] != self.padding[2:]:
            raise OptionError(
                "a transposed convolution has the same padding at both ends, and an output padding where one is larger"
            )
        if self.up and any(extra >= max(steps) for extra, *steps in zip(self.extra, self.stride, self.dilation)):
            raise OptionError("an output padding is smaller than the stride or the dilation")

    def size(self, rows: int, columns: int) -> tuple[int, int]:
        """Height and width of what it makes of so many rows and columns; 0 or less where it makes nothing."""
        return self._length(0, rows), self._length(1, columns)

    def _length(self, axis: int, length: int) -> int:
        padding = self.padding[axis] + self.padding[axis + 2]
        if self.up:
            return self.stride[axis] * (length - 1) + self.reach(axis) - padding + self.extra[axis]
        return (length + padding - self.reach(axis)) // self.stride[axis] + 1

    def reach(self, axis: int) -> int:
        """Rows or columns from the kernel's first tap to its last."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def module(self, inputs: int) -> nn.Module:
        if inputs % self.groups or self.outputs % self.groups:
            raise OptionError(f"{self.groups} groups do not divide {inputs} inputs and {self.outputs} outputs")
        options = {
            "stride": self.stride,
            "padding": self.padding[:2],
            "dilation": self.dilation,
            "groups": self.groups,
            "bias": self.bias,
        }
        if self.up:
            return nn.ConvTranspose2d(inputs, self.outputs, self.kernel, output_padding=self.extra, **options)
        if self.padding[:2] == self.padding[2:]:
            return nn.Conv2d(inputs, self.outputs, self.kernel, **options)
        return UnevenConv2d(inputs, self.outputs, self.kernel, uneven=self.padding, **{**options, "padding": 0})

    def mirrored(self, outputs: int) -> "Filter":
        """The transposed convolution that multiplies sides by the stride that this one divides them by."""
        if self.up:
            raise OptionError(f"the layer {str(self)!r} has no mirror; give a decoder too")
        return Filter(True, outputs, self.kernel, self.stride, dilation=self.dilation, groups=self.groups).same()

    def same(self) -> "Filter":
        """Itself with the padding that goes without saying."""
        half = [(self.reach(axis) - 1) // 2 for axis in (0, 1)]
        padding = half[0], half[1], half[0], half[1]
        rows, columns = (max(0, self.stride[axis] - self.reach(axis) + 2 * half[axis]) * self.up for axis in (0, 1))
        extra = rows, columns
        return Filter(
            self.up, self.outputs, self.kernel, self.stride, padding, extra, self.dilation, self.groups, self.bias
        )

    def __str__(self) -> str:
        words = ["up" if self.up else "conv", str(self.outputs), f"k{pair_text(self.kernel)}"]
        if self.stride != (1, 1):
            words.append(f"s{pair_text(self.stride)}")
        same = self.same()
        if (self.padding, self.extra) != (same.padding, same.extra):
            words.append("p" + ",".join(map(str, self.padding)))
            if any(self.extra):
                words.append(f"e{pair_text(self.extra)}")
        if self.dilation != (1, 1):
            words.append(f"d{pair_text(self.dilation)}")
        if self.groups != 1:
            words.append(f"g{self.groups}")
        return " ".join(words if self.bias else [*words, "nobias"])


@dataclass(frozen=True)
class Pointwise:
    """A layer that changes each value alone: an activation, or a batch normalisation with its epsilon."""

    kind: str
    numbers: tuple[float, ...] = ()

    def module(self, channels: int) -> nn.Module:
        if self.kind == BATCH_NORM:
            return nn.BatchNorm2d(channels, eps=self.numbers[0])
        if self.kind == PRELU:
            return nn.PReLU(channels)
        return ACTIVATIONS[self.kind][0](*self.numbers)

    def __str__(self) -> str:
        return " ".join([self.kind, *(f"{number:.7g}" for number in self.numbers)])


Layer = Filter | Pointwise


class UnevenConv2d(nn.Conv2d):
    """A convolution whose paddings (top, left, bottom, right) differ."""

    def __init__(self, *sizes, uneven: tuple[int, int, int, int], **options):
        super().__init__(*sizes, **options)
        top, left, bottom, right = uneven
        self.uneven = (left, right, top, bottom)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.uneven))


def layer_of(line: str) -> Layer:
    """Reads a layer as the top of this file describes it; raises OptionError."""
    if not isinstance(line, str) or not line.strip() or len(line) > MAX_LINE:
        raise OptionError(f"a layer is a line of text, as 'conv 128 k5 s2' or 'relu', not {str(line)[:MAX_LINE]!r}")
    kind, *words = line.split()
    if kind in ("conv", "up"):
        return filter_of(line, kind == "up", words)
    known = {BATCH_NORM: (1e-5,), PRELU: (), **{name: numbers for name, (_, numbers) in ACTIVATIONS.items()}}
    if kind not in known:
        raise OptionError(f"there is no layer {kind!r}; choose from conv, up, {', '.join(known)}")
    try:
        numbers = tuple(float(word) for word in words) or known[kind]
    except ValueError:
        numbers = (math.nan,)
    if (
        len(numbers) != len(known[kind])
        or not all(map(math.isfinite, numbers))
        or (kind == BATCH_NORM and numbers[0] <= 0)
        or (kind == "clip" and numbers[0] >= numbers[1])
    ):
        raise OptionError(
            f"the layer {line!r} was expected with {len(known[kind])} numbers, as {str(Pointwise(kind, known[kind]))!r}"
        )
    return Pointwise(kind, numbers)


def filter_of(line: str, up: bool, words: list[str]) -> Filter:
    parts: dict[str, str] = {}
    for number, word in enumerate(words):
        match = re.fullmatch(r"(nobias)|([kspedg]?)([0-9]{1,4}(?:[x,][0-9]{1,4}){0,3})", word, re.ASCII)
        key = "" if match is None else match[1] or match[2]
        if match is None or key in parts or (key == "") != (number == 0):
            raise OptionError(
                f"the layer {line!r} has {word!r}, where words as in 'conv 128 k5 s2 p2,2,2,2 d1 g1 nobias' were "
                "expected"
            )
        parts[key] = match[3] or ""
    if "" not in parts or "k" not in parts or "x" in parts[""] + parts.get("p", "") + parts.get("g", ""):
        raise OptionError(f"the layer {line!r} lacks its outputs or its kernel, as in 'conv 128 k5'")
    pairs: dict[str, Any] = {
        name: pair_of(parts[key], line)
        for key, name in (("k", "kernel"), ("s", "stride"), ("d", "dilation"), ("e", "extra"))
        if key in parts
    }
    extra = pairs.pop("extra", (0, 0))
    plain = Filter(
        up, whole(parts[""], line), groups=whole(parts.get("g", "1"), line), bias="nobias" not in parts, **pairs
    )
    if "p" not in parts:
        if any(extra):
            raise OptionError(f"the layer {line!r} gives an output padding without a padding")
        return plain.same()
    padding: Any = tuple(int(number) for number in parts["p"].split(","))
    if len(padding) not in (1, 4):
        raise OptionError(f"the layer {line!r} has a padding of {len(padding)} numbers; one or four were expected")
    return Filter(
        up,
        plain.outputs,
        plain.kernel,
        plain.stride,
        padding * 4 if len(padding) == 1 else padding,
        extra,
        plain.dilation,
        plain.groups,
        plain.bias,
    )


def whole(text: str, line: str) -> int:
    if not text.isdigit():
        raise OptionError(f"the layer {line!r} has {text!r} where one whole number was expected")
    return int(text)


def pair_of(text: str, line: str) -> tuple[int, int]:
    numbers = [whole(number, line) for number in text.split("x")]
    if len(numbers) > 2:
        raise OptionError(f"the layer {line!r} has {text!r} where a side or height x width was expected")
    return numbers[0], numbers[-1]


def pair_text(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def mirrored(analysis: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The transposed layers that turn the latents into frames again: activations lie between the same filters."""
    filters = [(place, layer) for place, layer in enumerate(analysis) if isinstance(layer, Filter)]
    inputs = [3, *(layer.outputs for _, layer in filters)]
    layers: list[Layer] = []
    for number in reversed(range(len(filters))):
        place, layer = filters[number]
        layers.append(layer.mirrored(inputs[number]))
        if number:
            between = analysis[filters[number - 1][0] + 1 : place]
            layers += [one for one in between if isinstance(one, Pointwise) and one.kind != BATCH_NORM]
    return tuple(layers)


def stack(channels: int, layers: tuple[Layer, ...]) -> nn.Sequential:
    modules = []
    for layer in layers:
        modules.append(layer.module(channels))
        channels = layer.outputs if isinstance(layer, Filter) else channels
    return nn.Sequential(*modules)


def through(layers: tuple[Layer, ...], size: tuple[int, int], most: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns after all layers; None where one leaves nothing, or more than `most`."""
    for layer in layers:
        if isinstance(layer, Filter):
            size = layer.size(*size)
            if min(size) < 1 or size[0] > most[0] or size[1] > most[1]:
                return None
    return size
