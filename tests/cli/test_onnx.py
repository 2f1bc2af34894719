"""Networks from elsewhere through every command, and back to where they can run."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from lvc.weights import checkpoints

SAMPLING = ("--every", "2", "--size", "48x32")
ADDED = {"strides": [2, 2], "pads": [1, 1, 1, 1]}


def write_onnx(path, tensors, nodes, shape, gives):
    made = [
        helper.make_node(op, inputs, [output], name=f"{op.lower()}_{output}", **attributes)
        for op, inputs, output, attributes in nodes
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)
        for name, sides in (("input", shape), (nodes[-1][2], gives))
    ]
    graph = helper.make_graph(
        made, "g", ends[:1], ends[1:], [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.fixture
def pair(game):
    """encoder.onnx and decoder.onnx in the working folder, of random weights."""
    rng = np.random.default_rng(0)

    def weights(*shape):
        return (rng.standard_normal(shape) / 5).astype(np.float32)

    tensors = {
        "g_a.0.weight": weights(8, 3, 3, 3),
        "g_a.0.bias": weights(8),
        "g_a.2.weight": weights(4, 8, 3, 3),
        "g_a.2.bias": weights(4),
    }
    nodes = [
        ("Conv", ["input", "g_a.0.weight", "g_a.0.bias"], "a", ADDED),
        ("Relu", ["a"], "b", {}),
        ("Conv", ["b", "g_a.2.weight", "g_a.2.bias"], "latents", ADDED),
    ]
    write_onnx("encoder.onnx", tensors, nodes, [1, 3, 32, 48], [1, 4, 8, 12])
    tensors = {
        "g_s.0.weight": weights(4, 8, 3, 3),
        "g_s.0.bias": weights(8),
        "g_s.2.weight": weights(8, 3, 3, 3),
        "g_s.2.bias": weights(3),
    }
    up = {**ADDED, "output_padding": [1, 1]}
    nodes = [("ConvTranspose", ["input", "g_s.0.weight", "g_s.0.bias"], "a", up), ("Relu", ["a"], "b", {})]
    nodes += [("ConvTranspose", ["b", "g_s.2.weight", "g_s.2.bias"], "frames", up)]
    write_onnx("decoder.onnx", tensors, nodes, [1, 4, 8, 12], [1, 3, 32, 48])
    assert Path.cwd() == game.parent
    return "encoder.onnx", "decoder.onnx"


def test_import_encode_decode_train_on_and_export(lvc, game, pair, dataset):
    shown = lvc("import-onnx", *pair, "-o", "m.safetensors")
    assert (
        shown.code == 0
        and shown.out == ""
        and "chain at 48x32, 1,031 parameters, quantiser scale: imported from ONNX" in shown.err[-1]
    )
    described = json.loads(lvc("models", "m.safetensors", "--json").out)
    assert (described["model"], described["parameters"], described["name"]) == ("chain", 1031, "m")
    for quantiser in ("none", "scale", "kmeans", "round"):
        assert (
            lvc(
                "encode",
                game,
                "-o",
                f"{quantiser}.lvc",
                "--model",
                "m.safetensors",
                *SAMPLING,
                "--quantiser",
                quantiser,
                "-q",
            ).code
            == 0
        )
        assert lvc("verify", "--symbols", f"{quantiser}.lvc", "--model", "m.safetensors", "-q").code == 0
    assert lvc("decode", "scale.lvc", "-o", "scale.npy", "--model", "m.safetensors", "-q").code == 0
    assert np.load("scale.npy").shape == (30, 3, 32, 48)

    train = (
        "train",
        dataset,
        "--start-from",
        "m.safetensors",
        "-o",
        "n.safetensors",
        "--steps",
        3,
        "--batch",
        4,
        "--lr",
        1e-5,
        "--threads",
        1,
        "-q",
    )
    assert lvc(*train).code == 0
    before, after = (checkpoints.load(Path(name)).model.state_dict() for name in ("m.safetensors", "n.safetensors"))
    # From there on: three steps of Adam move a weight by three times the learning rate.
    assert all(0 < (before[name] - after[name]).abs().max() < 1e-4 for name in before)
    assert lvc(*train[:-1], "--resume", "--steps", 4, "-q").code == 0

    shown = lvc("export-onnx", "n.safetensors", "-o", "n.onnx")
    assert shown.code == 0 and len(shown.err) == 2
    frames = np.random.default_rng(0).random((2, 3, 32, 48), np.float32)
    session = onnxruntime.InferenceSession("n.encoder.onnx", providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = checkpoints.load(Path("n.safetensors")).model.analyse(torch.from_numpy(frames))
    assert np.abs(session.run(None, {"frames": frames})[0] - expected.numpy()).max() < 1e-5
    assert lvc("export-onnx", "n.safetensors", "-o", "n.onnx").code == 1
    assert lvc("export-onnx", "n.safetensors", "-o", "n.onnx", "-n").code == 0
    assert lvc("export-onnx", "n.safetensors", "-o", "n.onnx", "-y", "-q").err == []


@pytest.mark.usefixtures("game")
def test_refusals_are_one_line_and_leave_nothing_behind(lvc, pair, temporal_model, dataset):
    Path("bad.onnx").write_bytes(Path("encoder.onnx").read_bytes()[:-40])
    before = sorted(path.name for path in Path().iterdir())
    lines = {
        ("import-onnx", "bad.onnx", "-o", "m.safetensors"): "bad.onnx: it is no ONNX file, or cut short",
        ("import-onnx", "encoder.onnx", "-o", "encoder.onnx"): "a name ending in .safetensors",
        ("import-onnx", "decoder.onnx", "-o", "m.safetensors"): "decoder.onnx",
        ("import-onnx", *pair, "-o", "m.safetensors", "--quantiser", "naive"): "known bounds",
        ("import-onnx", *pair, "-o", "m.safetensors", "--size", "big"): "big",
        ("export-onnx", temporal_model, "-o", "t.onnx"): "moving is a temporal model",
        ("export-onnx", "nosuch", "-o", "t.onnx"): "nosuch",
        ("export-onnx", temporal_model, "-o", "t.pt"): "a name ending in .onnx",
        ("train", dataset, "--start-from", temporal_model, "-o", "m.safetensors"): "is a temporal model",
    }
    for arguments, reason in lines.items():
        shown = lvc(*arguments)
        assert shown.code == 1 and len(shown.err) == 1 and reason in shown.err[0], (arguments, shown)
        assert shown.err[0].startswith(f"lvc {arguments[0]}: ")
        assert sorted(path.name for path in Path().iterdir()) == before
