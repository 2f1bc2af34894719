import dataclasses
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from lvc.codecs.family import build, model_names
from lvc.codecs.neural.quantize import build as build_quantiser
from lvc.errors import ModelError, OptionError
from lvc.frames import Geometry
from lvc.interchange import exporting
from lvc.interchange.exporting import export_onnx
from lvc.interchange.importing import import_onnx
from lvc.quality.metrics import psnr
from lvc.weights.checkpoints import Checkpoint, Metadata

SIZE = Geometry(52, 36)  # the convolutional ones pad it, each in its own way
# name: options that make each family small enough for a test, and the quantiser
MODELS_THAT_CAN = {
    "fc-vanilla": ({"code": 12}, {"name": "naive"}),
    "fc-multilayer": ({"code": 8, "hidden": (20, 14)}, {"name": "scale"}),
    "conv4": ({"channels": 4}, {"name": "naive"}),
    "conv5": ({"channels": 4, "latents": "rounded"}, {"name": "round", "step": 0.05}),
    "vae": ({"code": 20, "hidden": 16}, {"name": "scale"}),
    "edge3": ({}, {"name": "naive"}),
    "edge5": ({"latents": "rounded"}, {"name": "round", "step": 0.05}),
    "resnet18": ({"channels": 6, "code": 16}, {"name": "scale"}),
    "gdn-attention": ({"channels": 8, "code": 12}, {"name": "round", "step": 0.05}),
    "chain": (
        {
            "analysis": (
                "conv 8 k4 s2 p1",
                "prelu",
                "conv 6 k3 s2 p0,0,1,1",
                "batch_norm",
                "tanh",
                "conv 8 k3 d2 g2",
                "elu 0.5",
            )
        },
        {"name": "scale"},
    ),
}
CANNOT = {"temporal", "temporal-palette"}


def checkpoint(name, options, quantiser, geometry=SIZE):
    torch.manual_seed(0)
    model = build(name, geometry=geometry, **options).eval()
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # statistics of a trained one, that folding must not lose
            part.running_mean.uniform_(-0.1, 0.1)
            part.running_var.uniform_(0.5, 2)
    config = json.loads(json.dumps(dataclasses.asdict(model.config)))
    return Checkpoint(Metadata(name, name, config, geometry, quantiser, {"name": "adaptive"}), model)


def in_onnxruntime(data, batch):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: batch})[0]


def test_every_model_can_be_exported_or_says_why_not():
    assert set(model_names(weights=True)) == set(MODELS_THAT_CAN) | CANNOT


@pytest.mark.parametrize("name", MODELS_THAT_CAN)
def test_onnxruntime_gives_the_same_symbols_and_the_same_quality(name):
    options, spec = MODELS_THAT_CAN[name]
    made = checkpoint(name, options, spec)
    exported = export_onnx(made)
    frames = torch.rand(3, 3, SIZE.height, SIZE.width, generator=torch.Generator().manual_seed(5))
    quantiser = build_quantiser(**spec, latent_range=made.model.latent_range)
    with torch.inference_mode():
        expected = made.model.analyse(frames)
        found = torch.from_numpy(in_onnxruntime(exported.encoder, frames.numpy()))
        assert found.shape == expected.shape == (3, *exported.latent_shape)
        # Float32 sums in another order: 1e-6 of what is summed, and what is summed is near 1.
        assert (found - expected).abs().max() < 1e-4
        symbols, theirs = quantiser.quantise(expected), quantiser.quantise(found)
        # The same symbols, but for a latent that lies as near as 1e-4 to the border between two:
        # one in a thousand at most.
        differing = (symbols.symbols - theirs.symbols).abs()
        assert differing.max() <= 1 and differing.count_nonzero() <= max(1, differing.numel() // 1000)
        latents = quantiser.dequantise(symbols.symbols, symbols.parameters)
        pixels = made.model.synthesise(latents).numpy()
    again = in_onnxruntime(exported.decoder, latents.numpy())
    levels = [(one * 255).round().astype(np.uint8) for one in (frames.numpy(), pixels, again)]
    for source, ours, other in zip(*levels):
        assert abs(psnr(source, ours) - psnr(source, other)) < 0.01


def test_any_number_of_frames_at_once_and_one_size():
    made = checkpoint("conv4", {"channels": 4}, {"name": "naive"})
    exported = export_onnx(made, geometry=Geometry(40, 24))
    for count in (1, 7):
        latents = in_onnxruntime(exported.encoder, np.zeros((count, 3, 24, 40), np.float32))
        assert in_onnxruntime(exported.decoder, latents).shape == (count, 3, 24, 40)
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        in_onnxruntime(exported.encoder, np.zeros((1, 3, 36, 52), np.float32))


def test_a_file_says_what_it_is_and_nothing_of_this_machine():
    made = checkpoint("edge3", {}, {"name": "naive"})
    exported = export_onnx(made)
    for data in (exported.encoder, exported.decoder):
        model = onnx.ModelProto.FromString(data)
        onnx.checker.check_model(model)
        about = json.loads({entry.key: entry.value for entry in model.metadata_props}["lvc"])
        assert (about["model"], about["width"], about["height"], about["quantiser"]) == (
            "edge3",
            52,
            36,
            {"name": "naive"},
        )
        assert __file__.encode().rpartition(b"/tests")[0] not in data
    names = {tensor.name for tensor in onnx.ModelProto.FromString(exported.encoder).graph.initializer}
    assert {f"g_a.{number}.weight" for number in (0, 2, 4, 6, 8)} <= names


@pytest.mark.parametrize("name", ["edge3", "chain"])
def test_what_was_exported_can_be_imported_again(name, tmp_path):
    options, spec = MODELS_THAT_CAN[name]
    made = checkpoint(name, options, spec)
    exported = export_onnx(made)
    (tmp_path / "e.onnx").write_bytes(exported.encoder)
    (tmp_path / "d.onnx").write_bytes(exported.decoder)
    again = import_onnx(tmp_path / "e.onnx", tmp_path / "d.onnx", name=name)
    assert (again.metadata.model, again.geometry, again.quantiser["name"]) == (name, SIZE, spec["name"])
    frames = torch.rand(2, 3, SIZE.height, SIZE.width)
    with torch.inference_mode():
        latents = made.model.analyse(frames)
        # The exporter folds batch normalisation into the layer before it.
        assert torch.allclose(again.model.analyse(frames), latents, atol=1e-5)
        assert torch.allclose(again.model.synthesise(latents), made.model.synthesise(latents), atol=1e-5)


def test_a_temporal_model_is_refused_with_the_reason():
    with pytest.raises(OptionError, match="temporal model.*Models of single frames can be exported"):
        export_onnx(checkpoint("temporal", {"features": 16, "detail": 8, "trunk": 16, "context": 8}, {"name": "round"}))


def test_another_geometry_is_refused_where_the_weights_are_for_pixels():
    with pytest.raises(OptionError, match="52x36"):
        export_onnx(checkpoint("vae", {"code": 20, "hidden": 16}, {"name": "scale"}), geometry=Geometry(64, 32))


def test_more_weights_than_a_file_may_hold_are_refused(monkeypatch):
    monkeypatch.setattr(exporting, "MAX_FILE_BYTES", (1 << 20) + 1000)
    with pytest.raises(ModelError, match="an ONNX file holds at most 2"):
        export_onnx(checkpoint("vae", {"code": 20, "hidden": 16}, {"name": "scale"}))


def test_a_graph_that_computes_something_else_is_not_given_away(monkeypatch):
    made = checkpoint("conv4", {"channels": 4}, {"name": "naive"})
    real = exporting.graph_of
    monkeypatch.setattr(
        exporting, "graph_of", lambda part, *more: real(part if "frames" == more[1] else Scaled(part), *more)
    )
    with pytest.raises(ModelError, match="the decoder as an ONNX graph gives other numbers"):
        export_onnx(made)


class Scaled(torch.nn.Module):
    def __init__(self, part):
        super().__init__()
        self.model = part

    def forward(self, latents):
        return self.model(latents) * 0.9


def test_what_cannot_be_expressed_is_refused_with_the_exporters_reason():
    class Drawing(torch.nn.Module):
        def forward(self, frames):
            return frames if frames.sum().item() > 0 else -frames

    with pytest.raises(ModelError, match="cannot be expressed as an ONNX graph"):
        exporting.graph_of(Drawing(), torch.rand(2, 3, 8, 8), "frames", "latents", {"name": "drawing"})
