"""An ONNX file as a chain of layers with their tensors; what is no chain is refused by the name of the node."""

import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lvc.codecs.networks.chain_layers import BATCH_NORM, MAX_CHANNELS, PRELU, Filter, Layer, Pointwise
from lvc.errors import LvcError, ModelError, OptionError
from lvc.interchange.limits import MAX_FILE_BYTES, check_structure

MAX_NODES = 4096
MAX_TENSOR = 1 << 28  # numbers
SMALL = 64  # numbers of a tensor that is an argument, not a weight
NOTHING = ("Identity", "Dropout")


@dataclass(frozen=True)
class Step:
    """One node of the chain. layer: what it is, or None for one that stands for what every model does by itself:
    "pad", "crop", "clamp" or "round" in `role`. tensors: by the layer's own names. half: "g_a", "g_s" or "" by the
    tensors' names.
    size: rows and columns that a "pad" adds or a "crop" leaves."""

    node: str
    layer: Layer | None = None
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    half: str = ""
    role: str = ""
    size: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class OnnxChain:
    """What a file holds: its steps in order, the rows and columns of its input where they are fixed,
    and its metadata.
    """

    path: Path
    steps: tuple[Step, ...]
    input_channels: int | None
    input_size: tuple[int | None, int | None]
    metadata: dict[str, str]


def read_chain(path: str | os.PathLike) -> OnnxChain:
    """Reads and checks a file; raises ModelError for what is none, is no chain, or keeps its tensors elsewhere."""
    path = Path(path)
    data = bytes_of(path)
    try:
        check_structure(data)
        return chain_of(parsed(data), path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error.__cause__


def bytes_of(path: Path) -> bytes:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ModelError(f"{path}: is no regular file; an ONNX file was expected")
        if not 0 < facts.st_size <= MAX_FILE_BYTES:
            raise ModelError(f"{path}: has {facts.st_size:,} bytes; an ONNX file has 1 to {MAX_FILE_BYTES:,}")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error


def parsed(data: bytes):
    onnx = onnx_package()
    from google.protobuf.message import DecodeError

    try:
        return onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelError("it is no ONNX file, or damaged") from error


def onnx_package():
    """The package, which is an optional one; raises OptionError where it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise OptionError("ONNX files need the packages of lvc[onnx]: pip install lvc[onnx]") from error
    return onnx


def chain_of(model, path: Path) -> OnnxChain:
    graph = model.graph
    if len(graph.node) > MAX_NODES:
        raise ModelError(f"it has {len(graph.node):,} nodes; a chain of at most {MAX_NODES:,} was expected")
    if model.functions or graph.sparse_initializer:
        raise ModelError("it has functions or sparse tensors, which lvc does not read")
    tensors = Tensors(graph)
    inputs = [one for one in graph.input if one.name not in tensors]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelError(
            f"it has {len(inputs)} inputs and {len(graph.output)} outputs; frames or latents in, latents or frames "
            "out were expected"
        )
    shape = inputs[0].type.tensor_type.shape.dim
    sides = [one.dim_value if one.HasField("dim_value") and one.dim_value > 0 else None for one in shape]
    if len(sides) not in (0, 4):
        raise ModelError(
            f"its input {inputs[0].name!r} has {len(sides)} dimensions; [batch, channels, height, width] was expected"
        )
    _, channels, *size = sides or (None,) * 4
    steps = tuple(steps_of(graph, inputs[0].name, tensors))
    metadata = {one.key: one.value for one in model.metadata_props}
    return OnnxChain(path, steps, channels, tuple(size), metadata)


def steps_of(graph, name: str, tensors: "Tensors") -> Iterator[Step]:
    """The nodes from the input to the output, one after another."""
    nodes = list(graph.node)
    labels = [described(node, number) for number, node in enumerate(nodes)]
    users: dict[str, list[int]] = {}
    chained = 0  # nodes that the chain must have
    for number, node in enumerate(nodes):
        if node.op_type == "Constant" or (node.op_type == "Identity" and node.output and node.output[0] in tensors):
            continue
        chained += 1
        for one in set(node.input):
            if one and one not in tensors:
                users.setdefault(one, []).append(number)
    last = graph.output[0].name
    while name != last:
        found = users.pop(name, [])
        if not found:
            raise ModelError(f"nothing leads on from {name[:80]!r} to the output {last[:80]!r}")
        node, label = nodes[found[0]], labels[found[0]]
        if len(found) > 1:
            raise ModelError(
                f"{labels[found[1]]} makes a branch: it takes {name[:80]!r} as {label} does, and only plain chains "
                "can be mapped"
            )
        try:
            step = step_of(node, label, name, tensors)
        except LvcError as error:
            raise ModelError(f"{label}: {error}") from error
        if step is not None:
            yield step
        chained -= 1
        name = node.output[0]
    if chained:
        # Outside of the chain: the first whose input the chain did not use up.
        other = min((number for numbers in users.values() for number in numbers), default=len(nodes) - 1)
        raise ModelError(
            f"{labels[other]} is not on the way from the input to the output, and only plain chains can be mapped"
        )


def described(node, number: int) -> str:
    return f"node {node.name[:80]!r} ({node.op_type[:80]})" if node.name else f"node {number} ({node.op_type[:80]})"


class Tensors:
    """The tensors of a graph that are part of the file, checked before any is read; `in` knows their names."""

    def __init__(self, graph):
        self.protos: dict[str, Any] = {}
        self.kept: dict[str, Any] = {}
        for tensor in graph.initializer:
            self._add(tensor.name, tensor)
        for node in graph.node:
            if node.op_type == "Constant" and node.output:
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self._add(node.output[0], attribute.t)
            elif node.op_type == "Identity" and node.input and node.output and node.input[0] in self.protos:
                self.protos[node.output[0]] = self.protos[node.input[0]]  # how exporters say that two are one

    def _add(self, name: str, tensor) -> None:
        if tensor.data_location != 0 or tensor.external_data:
            raise ModelError(
                f"tensor {name!r} is kept in another file, which lvc does not open; save the model in one file"
            )
        if (
            any(side < 0 or side > MAX_TENSOR for side in tensor.dims)
            or len(tensor.dims) > 8
            or math.prod(tensor.dims) > MAX_TENSOR
        ):
            raise ModelError(
                f"tensor {name!r} has the shape {list(tensor.dims)[:9]}; at most {MAX_TENSOR:,} numbers were expected"
            )
        self.protos[name] = tensor

    def __contains__(self, name: str) -> bool:
        return name in self.protos

    def original(self, name: str) -> str:
        """The name under which a tensor was stored, behind any Identity."""
        return self.protos[name].name or name

    def read(self, name: str) -> np.ndarray:
        """The tensor as numpy holds it; raises ModelError where it has not the numbers that its shape asks for."""
        if name not in self:
            raise ModelError(f"{name!r} is computed, where a tensor of the file was expected")
        from onnx import numpy_helper

        tensor = self.protos[name]
        try:
            # Its shape is made of the numbers that are there: nothing is allocated beyond them.
            return numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, OverflowError) as error:
            raise ModelError(
                f"tensor {name!r} of shape {list(tensor.dims)} cannot be read: {str(error)[:100]}"
            ) from error

    def weights(self, name: str) -> np.ndarray:
        """The tensor as float32, read once; raises ModelError where it holds anything else than finite floats."""
        if name in self.kept:
            return self.kept[name]
        found = self.read(name)
        if found.dtype not in (np.float16, np.float32, np.float64):
            raise ModelError(f"tensor {name!r} holds {found.dtype}; floats were expected")
        with np.errstate(over="ignore"):
            found = np.array(found, np.float32)
        if not np.isfinite(found).all():
            raise ModelError(f"tensor {name!r} is not finite in float32")
        self.kept[name] = found
        return found

    def numbers(self, name: str) -> list:
        """A short tensor as a list of numbers."""
        found = self.read(name)
        if found.size > SMALL or found.dtype.kind not in "iuf":
            raise ModelError(f"tensor {name!r} has {found.size:,} numbers, where an argument was expected")
        return found.ravel().tolist()


class Arguments:
    """A node's attributes by name, each of the type that was expected or its default."""

    def __init__(self, node):
        self.found = {one.name: one for one in node.attribute}

    def whole(self, name: str, default: int) -> int:
        return self.found[name].i if name in self.found else default

    def decimal(self, name: str, default: float) -> float:
        return self.found[name].f if name in self.found else default

    def text(self, name: str, default: str) -> str:
        return self.found[name].s.decode("utf-8", "replace") if name in self.found else default

    def sides(self, name: str, default: tuple[int, ...]) -> Any:
        found = tuple(self.found[name].ints) if name in self.found else default
        if len(found) != len(default):
            raise ModelError(f"it has {name} {list(found)[:8]}, where {len(default)} numbers were expected")
        return found


def step_of(node, label: str, name: str, tensors: Tensors) -> Step | None:
    """What a node is, or None where it changes nothing; raises LvcError for one that cannot be mapped."""
    if node.domain not in ("", "ai.onnx"):
        raise ModelError(f"its domain {node.domain!r} is not that of ONNX")
    if not node.input or not node.output or node.input[0] != name:
        raise ModelError(f"it takes {name!r} as another input than its first")
    if sum(map(bool, node.output)) > 1 and node.op_type not in NOTHING:
        raise ModelError("it has several outputs")
    arguments = Arguments(node)
    extra = [one for one in node.input[1:] if one]
    match node.op_type:
        case op if op in NOTHING:
            return None
        case "Conv" | "ConvTranspose":
            return filter_step(node, label, arguments, tensors)
        case "BatchNormalization" if len(extra) == 4 and not arguments.whole("training_mode", 0):
            names = ("weight", "bias", "running_mean", "running_var")
            found = {own: tensors.weights(one) for own, one in zip(names, extra)}
            epsilon = as_written(arguments.decimal("epsilon", 1e-5))
            return Step(label, Pointwise(BATCH_NORM, (epsilon,)), found, half_of(tensors, extra))
        case "Round":
            return Step(label, role="round")
        case "Pad":
            return pad_step(node, label, arguments, tensors)
        case "Slice" if len(extra) >= 3:
            return crop_step(node, label, tensors)
    return activation_step(node, label, arguments, tensors, extra)


def activation_step(node, label: str, arguments: Arguments, tensors: Tensors, extra: list[str]) -> Step:
    """extra: names of the node's inputs beside the first."""
    simple = {"Relu": ("relu", ()), "Sigmoid": ("sigmoid", ()), "Tanh": ("tanh", ())}
    scaled = {"LeakyRelu": ("leaky_relu", 0.01), "Elu": ("elu", 1.0)}
    match node.op_type:
        case op if op in simple:
            return Step(label, Pointwise(*simple[op]))
        case op if op in scaled:
            kind, default = scaled[op]
            return Step(label, Pointwise(kind, (as_written(arguments.decimal("alpha", default)),)))
        case "PRelu" if len(extra) == 1:
            slopes = tensors.weights(extra[0])
            a_channel = slopes.ndim >= 3 and slopes.shape[-3] == slopes.size
            if slopes.size > MAX_CHANNELS or (slopes.size > 1 and not a_channel):
                raise ModelError(f"its slopes have the shape {list(slopes.shape)}; one, or one a channel, was expected")
            return Step(label, Pointwise(PRELU), {"weight": slopes.ravel()}, half_of(tensors, extra))
        case "Clip":
            return clip_step(node, label, arguments, tensors)
    raise ModelError(
        "it is no layer of a plain chain: Conv, ConvTranspose, BatchNormalization and activations can be mapped"
    )


def as_written(value: float) -> float:
    """The short number whose float32 is stored: 0.01 for 0.009999999776."""
    return float(f"{value:.7g}")


def half_of(tensors: Tensors, names: list[str]) -> str:
    """The half of an autoencoder that CompressAI's names tell: "g_a", "g_s", or "" where they do not."""
    parts = tensors.original(names[0]).replace("/", ".").split(".")
    return next((part for part in parts if part in ("g_a", "g_s")), "")


def filter_step(node, label: str, arguments: Arguments, tensors: Tensors) -> Step:
    up = node.op_type == "ConvTranspose"
    weight = tensors.weights(node.input[1] if len(node.input) > 1 else "")
    groups = arguments.whole("group", 1)
    if weight.ndim != 4 or not 1 <= groups <= MAX_CHANNELS:
        raise ModelError(
            f"its weight has the shape {list(weight.shape)} and it has {groups} groups; four dimensions were expected"
        )
    outputs = weight.shape[1] * groups if up else weight.shape[0]
    kernel = tuple(arguments.sides("kernel_shape", weight.shape[2:]))
    if kernel != weight.shape[2:]:
        raise ModelError(f"its kernel_shape {list(kernel)} is not that of its weight {list(weight.shape)}")
    stride, dilation = arguments.sides("strides", (1, 1)), arguments.sides("dilations", (1, 1))
    extra, padding = arguments.sides("output_padding", (0, 0)), arguments.sides("pads", (0, 0, 0, 0))
    automatic = arguments.text("auto_pad", "NOTSET")
    fixed = ("NOTSET", "VALID") if up else ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
    if "output_shape" in arguments.found or automatic not in fixed:
        raise ModelError("its output_shape or auto_pad depends on the input's size; explicit pads can be mapped")
    # Checks the sides before they are used
    plain = Filter(False, outputs, kernel, stride, dilation=dilation, groups=groups)
    if automatic.startswith("SAME"):
        # For sides that the stride divides, as they are here.
        total = [max(plain.reach(axis) - stride[axis], 0) for axis in (0, 1)]
        less, more = [one // 2 for one in total], [one - one // 2 for one in total]
        padding = (*less, *more) if automatic == "SAME_UPPER" else (*more, *less)
    elif automatic == "VALID":
        padding = (0, 0, 0, 0)
    if up:
        # The end's padding only takes rows away, so a smaller one is the same as rows added there.
        extra = tuple(extra[axis] + padding[axis] - padding[axis + 2] for axis in (0, 1))
        padding = padding[:2] * 2
    layer = Filter(up, outputs, kernel, stride, padding, extra, dilation, groups)
    given = [one for one in node.input[2:] if one]
    # A bias of zeros for none: the same sums, and one that training may move.
    bias = tensors.weights(given[0]) if given else np.zeros(outputs, np.float32)
    if bias.shape != (outputs,):
        raise ModelError(f"its bias has the shape {list(bias.shape)}, {[outputs]} expected")
    return Step(label, layer, {"weight": weight, "bias": bias}, half_of(tensors, [node.input[1]]))


def clip_step(node, label: str, arguments: Arguments, tensors: Tensors) -> Step:
    bounds = [arguments.decimal("min", -math.inf), arguments.decimal("max", math.inf)]
    for place, name in enumerate(node.input[1:3]):
        if name:
            (bounds[place],) = tensors.numbers(name) or [math.nan]
    if bounds == [0, 1]:
        return Step(label, Pointwise("clip", (0.0, 1.0)), role="clamp")
    if not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[1]:
        raise ModelError(f"it clips to {bounds[0]} and {bounds[1]}; two finite bounds were expected")
    return Step(label, Pointwise("clip", tuple(map(as_written, bounds))))


def pad_step(node, label: str, arguments: Arguments, tensors: Tensors) -> Step:
    pads = tensors.numbers(node.input[1]) if len(node.input) > 1 else list(arguments.sides("pads", (0,) * 8))
    if len(node.input) > 3 and node.input[3]:
        raise ModelError("it pads along chosen axes; pads of all four were expected")
    if arguments.text("mode", "constant") != "edge" or len(pads) != 8 or any(pads[:6]):
        raise ModelError("it pads otherwise than by repeating the last row and column, as lvc does")
    return Step(label, role="pad", size=(pads[6], pads[7]))


def crop_step(node, label: str, tensors: Tensors) -> Step:
    starts, ends, axes = (tensors.numbers(name) for name in node.input[1:4])
    steps = tensors.numbers(node.input[4]) if len(node.input) > 4 and node.input[4] else [1]
    if len(starts) != 1 or len(ends) != 1 or starts != [0] or steps != [1] or axes not in ([2], [3]):
        raise ModelError("it takes another part of the frame than its first rows or columns")
    return Step(label, role="crop", size=(ends[0], None) if axes == [2] else (None, ends[0]))
