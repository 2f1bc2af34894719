"""ONNX encoders and decoders that are plain chains become weights of lvc."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from lvc.codecs.family import build
from lvc.codecs.networks.chain import Chain, edge
from lvc.codecs.networks.chain_layers import PRELU, Filter, Pointwise, layer_of, mirrored
from lvc.codecs.networks.model import BOUNDED, ROUNDED
from lvc.codecs.neural.quantize import build as build_quantiser
from lvc.codecs.neural.quantize import check_combination
from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry
from lvc.interchange.graph import OnnxChain, Step, read_chain
from lvc.weights.checkpoints import Checkpoint, Metadata

DEFAULT_GEOMETRY = Geometry(200, 160)
METADATA = "lvc"  # the key of what `lvc export-onnx` leaves in a file, JSON
NAMED = {"edge3": edge(3), "edge5": edge(5)}  # chains that have a name of their own


def import_onnx(
    encoder: Path,
    decoder: Path | None = None,
    *,
    name: str,
    geometry: Geometry | None = None,
    quantiser: dict | None = None,
) -> Checkpoint:
    """The weights that an encoder and a decoder hold together; one file may hold both.

    Without any decoder a mirrored one with fresh weights is made, to be trained. geometry: of the frames, by default
    that of the encoder's input where it is fixed, else 200x160. quantiser: by default what the file says, "round" where
    a node rounds, "naive" for latents within 0..1, else "scale". Raises ModelError for files that are no chains, with
    the node's name.
    """
    first = read_chain(encoder)
    analysis, synthesis = halves(first)
    files = [first]
    if decoder is not None:
        if synthesis:
            raise ModelError(f"{encoder}: holds a decoder too ({synthesis[0].node}); a second file is not needed")
        files.append(read_chain(decoder))
        synthesis = list(files[1].steps)
    if first.input_channels not in (None, 3):
        raise ModelError(f"{encoder}: its input has {first.input_channels} channels; frames have 3")
    geometry = geometry or geometry_of(first)
    bounded, rounds, analysis = latents_of(analysis)
    rounds |= bool(synthesis) and synthesis[0].role == "round"
    synthesis = [step for step in synthesis if step.role != "round"]
    if synthesis and synthesis[-1].role == "clamp":
        synthesis = synthesis[:-1]  # as synthesis of every model does
    check_roles(analysis, synthesis, geometry, files)
    analysis, synthesis = ([step for step in steps if step.layer] for steps in (analysis, synthesis))
    model = model_of(analysis, synthesis, geometry, bounded=bounded, file=encoder)
    load(model.g_a, analysis, encoder)
    load(model.g_s, synthesis, decoder or encoder)
    chosen = quantiser or said_quantiser(first) or {"name": "round" if rounds else "naive" if bounded else "scale"}
    spec = build_quantiser(**chosen, latent_range=model.latent_range).spec()
    metadata = Metadata(
        name=name,
        model=model.name,
        config=json.loads(json.dumps(asdict(model.config))),
        geometry=geometry,
        quantiser=spec,
        entropy={"name": "raw" if spec["name"] == "none" else "adaptive"},
        description="imported from ONNX" if synthesis else "encoder imported from ONNX, its decoder not trained yet",
        training={},
    )
    checkpoint = Checkpoint(metadata, model.eval())
    check_combination(checkpoint, metadata.quantiser, metadata.entropy)
    return checkpoint


def halves(chain: OnnxChain) -> tuple[list[Step], list[Step]]:
    """The steps of the encoder, and of the decoder where the file holds one: from the first tensor of g_s on, behind a
    rounding
    between filters, or else from the first transposed convolution on."""
    steps = list(chain.steps)
    is_filter = [isinstance(step.layer, Filter) for step in steps]
    for place, step in enumerate(steps):
        rounds = step.role == "round" and any(is_filter[place:]) and all(later.half != "g_a" for later in steps[place:])
        if step.half == "g_s" or rounds or (step.half != "g_a" and isinstance(step.layer, Filter) and step.layer.up):
            return steps[:place], steps[place:]
    return steps, []


def latents_of(analysis: list[Step]) -> tuple[bool, bool, list[Step]]:
    """Whether the latents are bounded by a sigmoid and whether they are rounded, and the steps without either."""
    rounds = bool(analysis) and analysis[-1].role == "round"
    analysis = analysis[:-1] if rounds else analysis
    bounded = bool(analysis) and analysis[-1].layer == Pointwise("sigmoid")
    return bounded, rounds, analysis[:-1] if bounded else analysis


def check_roles(analysis: list[Step], synthesis: list[Step], geometry: Geometry, files: list[OnnxChain]) -> None:
    """Pads of the first node and crops of the last ones are what lvc does by itself, if they are as large."""
    stride = np.prod(
        [step.layer.stride for step in analysis if isinstance(step.layer, Filter)], axis=0, dtype=np.int64
    ).tolist()
    rows, columns = geometry.height, geometry.width
    ends = set()
    for step in reversed(synthesis):
        if step.role != "crop":
            break
        ends.add(id(step))
        if step.size[0] not in (None, rows) or step.size[1] not in (None, columns):
            raise ModelError(f"{files[-1].path}: {step.node} leaves another part of the frame than {geometry}")
    for steps, file in ((analysis, files[0]), (synthesis, files[-1])):
        for place, step in enumerate(steps):
            if step.role == "pad" and steps is analysis and place == 0:
                if step.size != (-rows % stride[0], -columns % stride[1]):
                    raise ModelError(
                        f"{file.path}: {step.node} pads {list(step.size)} rows and columns, which {geometry} does not "
                        "need"
                    )
            elif not step.layer and id(step) not in ends:
                raise ModelError(
                    f"{file.path}: {step.node} rounds, pads or crops in the middle of the chain, and cannot be mapped"
                )


def geometry_of(chain: OnnxChain) -> Geometry:
    rows, columns = chain.input_size
    if rows is None or columns is None:
        return DEFAULT_GEOMETRY
    try:
        return Geometry(columns, rows)
    except OptionError as error:
        raise ModelError(f"{chain.path}: its input is no frame: {error}") from error


def model_of(analysis: list[Step], synthesis: list[Step], geometry: Geometry, *, bounded: bool, file: Path) -> Chain:
    """The model of these layers, edge3 or edge5 where it is one of them, with weights of its own."""
    options = {"analysis": [str(step.layer) for step in analysis], "latents": BOUNDED if bounded else ROUNDED}
    if synthesis:
        options["synthesis"] = [str(step.layer) for step in synthesis]
    try:
        for name, lines in NAMED.items():
            known = tuple(map(layer_of, lines))
            if known == tuple(step.layer for step in analysis) and (
                not synthesis or mirrored(known) == tuple(step.layer for step in synthesis)
            ):
                return build(name, geometry=geometry, latents=options["latents"])
        check_inputs(analysis, 3, file)
        return build("chain", geometry=geometry, **options)
    except OptionError as error:
        raise ModelError(f"{file}: {error}") from error


def check_inputs(steps: list[Step], channels: int, file: Path) -> None:
    """Raises ModelError at the first node that does not take what the one before gives."""
    for step in steps:
        if isinstance(step.layer, Filter):
            weight = step.tensors["weight"].shape
            takes = weight[0] if step.layer.up else weight[1] * step.layer.groups
            if takes != channels:
                raise ModelError(
                    f"{file}: {step.node}: its weight {list(weight)} takes {takes} channels and gets {channels}"
                )
            channels = step.layer.outputs


def load(modules: torch.nn.Sequential, steps: list[Step], file: Path) -> None:
    """Puts the tensors of the steps into the layers that were made of them;
    without steps the layers stay as they are.
    """
    for module, step in zip(modules, steps):
        tensors = dict(step.tensors)
        if step.layer == Pointwise(PRELU):
            tensors["weight"] = (
                np.broadcast_to(tensors["weight"], module.weight.shape)
                if tensors["weight"].size == 1
                else tensors["weight"]
            )
        expected = module.state_dict()
        for name, tensor in tensors.items():
            if tuple(tensor.shape) != tuple(expected[name].shape):
                raise ModelError(
                    f"{file}: {step.node}: its {name} has the shape {list(tensor.shape)}, "
                    f"{list(expected[name].shape)} expected"
                )
            expected[name].copy_(torch.from_numpy(np.ascontiguousarray(tensor)))


def said_quantiser(chain: OnnxChain) -> dict | None:
    """The quantiser that a file of `lvc export-onnx` names, or None."""
    try:
        said = json.loads(chain.metadata[METADATA])["quantiser"]
        return dict(said) if isinstance(said["name"], str) else None
    except (KeyError, ValueError, TypeError, RecursionError):
        return None
