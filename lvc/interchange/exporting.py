"""Models as ONNX graphs: one of analysis and one of synthesis, each checked in onnxruntime before it is given away."""

import json
import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lvc.codecs.family import traits_of
from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry
from lvc.interchange.graph import onnx_package
from lvc.interchange.importing import METADATA
from lvc.interchange.limits import MAX_FILE_BYTES
from lvc.weights.checkpoints import Checkpoint

OPSET = 18  # of 2022: what runtimes of edge devices read
MOST_AT_ONCE = 4096  # frames to a call; the number is free within
# Both sum in float32, in another order: 1e-6 of the largest sums within a layer, times some layers.
LATENT_TOLERANCE = 1e-3  # of the largest latent
FRAME_TOLERANCE = 1 / 255  # a level


@dataclass(frozen=True)
class Exported:
    """Two ONNX files: encoder takes "frames" float32 [N, 3, H, W] in 0..1 and gives "latents" [N, …] before quantising;
    decoder takes dequantised "latents" and gives "frames" within 0..1."""

    encoder: bytes
    decoder: bytes
    latent_shape: tuple[int, ...]


class Analysis(nn.Module):
    """frames [N, 3, H, W] -> latents. rate: what a model of variable rate takes beside."""

    def __init__(self, model: nn.Module, rate: dict):
        super().__init__()
        self.model, self.rate = model, rate

    def forward(self, frames: Tensor) -> Tensor:
        return self.model.analyse(frames, **self.rate)


class Synthesis(nn.Module):
    """latents -> frames [N, 3, H, W] within 0..1."""

    def __init__(self, model: nn.Module, geometry: Geometry, rate: dict):
        super().__init__()
        self.model, self.geometry, self.rate = model, geometry, rate

    def forward(self, latents: Tensor) -> Tensor:
        return self.model.synthesise(latents, geometry=self.geometry, **self.rate)


def export_onnx(checkpoint: Checkpoint, *, geometry: Geometry | None = None) -> Exported:
    """The graphs of a model for frames of one geometry (its own by default), any number of them at once.

    Raises OptionError for a model that has no such graphs or another geometry, ModelError where a graph would be larger
    than an ONNX file may be, or gives other numbers than the model.
    """
    onnx_package()
    traits = traits_of(checkpoint)
    if not traits.needs_torch:
        raise OptionError(f"{checkpoint.name} is no network; models of single frames can be exported")
    if traits.predicts:
        raise OptionError(
            f"{checkpoint.name} is a temporal model: a latent is rounded near the frame before, and a prior in whole "
            "numbers is asked pass by pass "
            "while symbols are coded; neither is a graph from frames to latents. Models of single frames can be "
            "exported"
        )
    geometry = geometry or checkpoint.geometry
    model = checkpoint.model.cpu().eval().for_coding()
    latent_shape = tuple(model.latent_shape(geometry))
    about = {
        "name": checkpoint.name,
        "sha256": checkpoint.sha256,
        "model": checkpoint.metadata.model,
        "width": geometry.width,
        "height": geometry.height,
        "quantiser": checkpoint.quantiser,
        "entropy": checkpoint.entropy,
    }
    frames = smooth_frames(geometry)
    with torch.inference_mode():
        latents = model.analyse(frames)
        made = model.synthesise(latents, geometry=geometry)
    encoder = graph_of(Analysis(model, {}), frames, "frames", "latents", about)
    decoder = graph_of(Synthesis(model, geometry, {}), latents.clone(), "latents", "frames", about)
    check_same(encoder, frames, latents, LATENT_TOLERANCE * max(1.0, latents.abs().max().item()), "encoder")
    check_same(decoder, latents, made, FRAME_TOLERANCE, "decoder")
    return Exported(encoder, decoder, latent_shape)


def smooth_frames(geometry: Geometry) -> Tensor:
    """Two frames [2, 3, H, W] that have something everywhere, for tracing and for comparing."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 12, 12, generator=rng)
    return nn.functional.interpolate(coarse, (geometry.height, geometry.width), mode="bilinear").contiguous()


def graph_of(part: nn.Module, example: Tensor, takes: str, gives: str, about: dict) -> bytes:
    """One part as the bytes of an ONNX file; raises ModelError where the exporter cannot, with its reason."""
    batch = torch.export.Dim("batch", min=1, max=MOST_AT_ONCE)
    try:
        with quiet_exporter():
            program = torch.onnx.export(
                part.eval(),
                (example,),
                input_names=[takes],
                output_names=[gives],
                dynamic_shapes=({0: batch},),
                dynamo=True,
                opset_version=OPSET,
                verbose=False,
            )
        if program is None:
            raise RuntimeError("this torch gives no graph back")
        size = sum(
            value.const_value.nbytes
            for value in program.model.graph.initializers.values()
            if value.const_value is not None
        )
    except ImportError as error:
        raise OptionError(f"exporting needs the packages of lvc[onnx]: pip install lvc[onnx] ({error})") from error
    except Exception as error:  # the exporter has no type of error of its own for what it cannot express
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{about['name']} cannot be expressed as an ONNX graph: {reason}") from error
    if size > MAX_FILE_BYTES - (1 << 20):
        raise ModelError(
            f"{about['name']}: the {takes} to {gives} have {size / 1e9:.1f} GB of weights, and an ONNX file holds at "
            "most 2"
        )
    model = program.model_proto
    rename(model.graph)
    for key in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info, model.graph):
        del key.metadata_props[:]  # traces of stacks, with the paths of this machine
        key.doc_string = ""
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(about, sort_keys=True)
    return model.SerializeToString()


@contextmanager
def quiet_exporter():
    """Silences what the exporter tells of other packages and of its own future."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def rename(graph) -> None:
    """Gives the tensors the names that they have in the model: g_a.0.weight, not model.g_a.0.weight."""
    prefix = "model."
    names = {one.name: one.name.removeprefix(prefix) for one in graph.initializer if one.name.startswith(prefix)}
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)


def session(data: bytes, *, threads: int = 1):
    """The graph in onnxruntime, on the processor."""
    try:
        import onnxruntime
    except ImportError as error:
        raise OptionError("exporting needs the packages of lvc[onnx]: pip install lvc[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def run_graph(graph, batch: Tensor | np.ndarray) -> np.ndarray:
    """What a session gives for one batch."""
    return graph.run(None, {graph.get_inputs()[0].name: np.ascontiguousarray(batch, np.float32)})[0]


def check_same(data: bytes, given: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    """Raises ModelError where the graph differs from the model by more than the sums' order explains,
    for a batch and for one frame.
    """
    graph = session(data)
    for count in (len(given), 1):
        found = run_graph(graph, given[:count])
        wanted = expected[:count].numpy()
        if found.shape != wanted.shape:
            raise ModelError(
                f"the {what} as an ONNX graph gives {list(found.shape)} where the model gives {list(wanted.shape)}"
            )
        difference = np.abs(found - wanted).max(initial=0)
        if not difference <= tolerance:
            raise ModelError(
                f"the {what} as an ONNX graph gives other numbers than the model: up to {difference:.3g} apart, "
                f"{tolerance:.3g} expected"
            )
