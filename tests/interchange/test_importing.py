import os

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from lvc.codecs.family import build
from lvc.errors import LvcError, ModelError, OptionError
from lvc.frames import Geometry
from lvc.interchange.importing import import_onnx

# Both sum a layer's products in float32, in another order: 1e-6 of values near 1, and a chain has ten layers.
TOLERANCE = 1e-5


def in_onnxruntime(path, batch):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: batch.numpy()})[0]


def frames(count=2, height=32, width=48):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def conv(outputs_weight, *more, **attributes):
    return ("Conv", [outputs_weight, *more], {"strides": [2, 2], "pads": [1, 1, 1, 1], **attributes})


def small_encoder(weights):
    """Two convolutions with a stride of 2 and a kernel of 3, as CompressAI names them: 8 latent channels."""
    nodes = [conv("g_a.0.weight", "g_a.0.bias"), ("Relu", [], {}), conv("g_a.2.weight", "g_a.2.bias")]
    return nodes, {
        "g_a.0.weight": weights(6, 3, 3, 3),
        "g_a.0.bias": weights(6),
        "g_a.2.weight": weights(8, 6, 3, 3),
        "g_a.2.bias": weights(8),
    }


def small_decoder(weights):
    up = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    nodes = [
        ("ConvTranspose", ["g_s.0.weight"], up),
        ("Relu", [], {}),
        ("ConvTranspose", ["g_s.2.weight", "g_s.2.bias"], up),
    ]
    return nodes, {"g_s.0.weight": weights(8, 6, 3, 3), "g_s.2.weight": weights(6, 3, 3, 3), "g_s.2.bias": weights(3)}


@pytest.mark.parametrize("name, middle", [("edge3", 3), ("edge5", 5)])
def test_an_edge_encoder_is_known_by_its_layers(onnx_file, weights, name, middle):
    shapes = [(128, 3, 5), (128, 128, middle), (128, 128, middle), (192, 128, 5), (192, 192, 5)]
    nodes, tensors = [], {}
    for number, (outputs, inputs, kernel) in enumerate(shapes):
        label = f"g_a.{2 * number}"
        tensors |= {f"{label}.weight": weights(outputs, inputs, kernel, kernel), f"{label}.bias": weights(outputs)}
        stride = 1 if number == 2 else 2
        nodes += [("LeakyRelu", [], {"alpha": 0.01})] if number else []
        nodes.append(
            ("Conv", [f"{label}.weight", f"{label}.bias"], {"strides": [stride] * 2, "pads": [kernel // 2] * 4})
        )
    made = import_onnx(onnx_file(nodes, tensors, shape=("n", 3, 768, 1024)), name="edge")
    assert (made.metadata.model, made.geometry) == (name, Geometry(1024, 768))
    assert made.quantiser["name"] == "scale" and "not trained" in made.metadata.description
    for label, tensor in tensors.items():
        assert np.array_equal(made.model.state_dict()[label].numpy(), tensor)
    assert made.model.latent_shape() == (192, 48, 64)


def test_every_layer_that_can_be_mapped_gives_what_onnxruntime_gives(onnx_file, weights):
    nodes = [
        ("Conv", ["a", "a_bias"], {"strides": [2, 2], "pads": [1, 0, 2, 1], "kernel_shape": [5, 3]}),
        ("BatchNormalization", ["scale", "shift", "mean", "variance"], {"epsilon": 1e-3}),
        ("PRelu", ["slopes"], {}),
        ("Conv", ["b"], {"auto_pad": "SAME_UPPER", "strides": [2, 2], "group": 2}),
        ("Elu", [], {"alpha": 0.5}),
        ("Identity", [], {}),
        ("Conv", ["c"], {"pads": [2, 2, 2, 2], "dilations": [2, 2]}),
        ("LeakyRelu", [], {"alpha": 0.3}),
        ("Conv", ["d"], {"auto_pad": "SAME_LOWER", "strides": [1, 1]}),
        ("Clip", ["low", "high"], {}),
        ("Conv", ["e"], {"auto_pad": "VALID"}),
        ("Sigmoid", [], {}),
    ]
    tensors = {
        "a": weights(8, 3, 5, 3),
        "a_bias": weights(8),
        "scale": weights(8),
        "shift": weights(8),
        "mean": weights(8),
        "variance": np.abs(weights(8)) + 0.1,
        "slopes": weights(8, 1, 1),
        "b": weights(6, 4, 3, 3),
        "c": weights(6, 6, 3, 3),
        "d": weights(6, 6, 2, 2),
        "e": weights(4, 6, 1, 1),
        "low": np.array(-0.5, np.float32),
        "high": np.array(0.75, np.float32),
    }
    encoder = onnx_file(nodes, tensors)
    up = [
        ("ConvTranspose", ["f", "f_bias"], {"strides": [2, 2], "pads": [1, 1, 0, 0]}),
        ("Tanh", [], {}),
        ("PRelu", ["slope"], {}),
        ("ConvTranspose", ["g"], {"strides": [2, 2], "group": 2}),
        ("Conv", ["h"], {"pads": [1, 1, 1, 1]}),
        ("Clip", ["zero", "one"], {}),
    ]
    tensors = {
        "f": weights(4, 6, 3, 3),
        "f_bias": weights(6),
        "slope": np.array([0.2], np.float32),
        "g": weights(6, 4, 2, 2),
        "h": weights(3, 8, 3, 3),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    decoder = onnx_file(up, tensors, name="decoder.onnx", shape=("n", 4, 8, 12))
    made = import_onnx(encoder, decoder, name="all")
    assert (
        made.metadata.model == "chain" and made.quantiser["name"] == "naive" and made.model.latent_range == (0.0, 1.0)
    )
    latents = made.model.analyse(frames())
    assert np.abs(latents.detach().numpy() - in_onnxruntime(encoder, frames())).max() < TOLERANCE
    pixels = made.model.synthesise(latents)
    assert np.abs(pixels.detach().numpy() - in_onnxruntime(decoder, latents.detach())).max() < TOLERANCE
    assert 0.01 < pixels.std(), "constant frames would show nothing"


@pytest.mark.parametrize("between, quantiser", [([], "scale"), ([("Round", [], {})], "round")])
def test_one_file_may_hold_both_halves(onnx_file, weights, between, quantiser):
    (down, tensors), (up, more) = small_encoder(weights), small_decoder(weights)
    path = onnx_file([*down, *between, *up], tensors | more)
    made = import_onnx(path, name="both")
    assert (made.quantiser["name"], made.model.latent_shape()) == (quantiser, (8, 8, 12))
    latents = made.model.analyse(frames())
    latents = latents.round() if between else latents
    expected = in_onnxruntime(path, frames()).clip(0, 1)
    assert np.abs(made.model.synthesise(latents).detach().numpy() - expected).max() < TOLERANCE


def test_without_names_the_first_transposed_convolution_begins_the_decoder(onnx_file, weights):
    (down, tensors), (up, more) = small_encoder(weights), small_decoder(weights)
    plain = {label: f"w{number}" for number, label in enumerate(tensors | more)}
    nodes = [(op, [plain[one] for one in inputs], attributes) for op, inputs, attributes in [*down, *up]]
    made = import_onnx(
        onnx_file(nodes, {plain[label]: tensor for label, tensor in (tensors | more).items()}), name="both"
    )
    assert made.model.latent_shape() == (8, 8, 12)


def test_an_encoder_alone_gets_a_mirrored_decoder(onnx_file, weights):
    made = import_onnx(onnx_file(*small_encoder(weights)), name="half", quantiser={"name": "round", "step": 0.25})
    assert made.metadata.config["synthesis"] == [] and made.quantiser == {"name": "round", "step": 0.25}
    assert made.model.synthesise(made.model.analyse(frames())).shape == (2, 3, 32, 48)


def test_the_size_may_be_chosen_where_the_file_leaves_it_open(onnx_file, weights):
    path = onnx_file(*small_encoder(weights), shape=("n", 3, "h", "w"))
    assert import_onnx(path, name="open").geometry == Geometry(200, 160)
    assert import_onnx(path, name="open", geometry=Geometry(64, 40)).geometry == Geometry(64, 40)


# Refusals


def branch(model):
    model.graph.node.append(helper.make_node("Add", ["x0", "x1"], ["sum"], name="skip"))


def elsewhere(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def short(model):
    model.graph.initializer[0].raw_data = b"1234"


def huge(model):
    tensor = model.graph.initializer[0]
    tensor.dims[:] = [1 << 20, 1 << 20, 3, 3]


def of_integers(model):
    tensor = model.graph.initializer[0]
    tensor.data_type = TensorProto.INT32


def not_finite(model):
    tensor = model.graph.initializer[0]
    tensor.raw_data = np.full(tensor.dims, np.nan, np.float32).tobytes()


def computed(model):
    model.graph.node[0].input[1] = "x1"


def no_output(model):
    model.graph.output[0].name = "nowhere"


def loop(model):
    model.graph.node[1].output[0] = "input"


def two_inputs(model):
    model.graph.input.add().name = "other"


def foreign(model):
    model.graph.node[1].domain = "com.example"


def wide(model):
    model.graph.node[0].attribute[0].ints.append(2)


@pytest.mark.parametrize(
    "mutate, reason",
    [
        (branch, "makes a branch"),
        (elsewhere, "'g_a.0.weight' is kept in another file"),
        (short, "tensor 'g_a.0.weight' .* cannot be read"),
        (huge, r"tensor 'g_a.0.weight' has the shape \[1048576"),
        (of_integers, "'conv_0' .* floats were expected"),
        (not_finite, "'conv_0' .* not finite"),
        (computed, "makes a branch|computed"),
        (no_output, "nothing leads on"),
        (loop, "nothing leads on|makes a branch"),
        (two_inputs, "2 inputs"),
        (foreign, "'relu_1' .* domain 'com.example'"),
        (wide, "'conv_0' .* pads"),
    ],
)
def test_graphs_that_are_no_chain_are_refused_with_the_reason(onnx_file, weights, mutate, reason):
    with pytest.raises(ModelError, match=reason):
        import_onnx(onnx_file(*small_encoder(weights), mutate=mutate), name="bad")


@pytest.mark.parametrize(
    "node, reason",
    [
        (("MaxPool", [], {"kernel_shape": [2, 2]}), r"node 'maxpool_1' \(MaxPool\): it is no layer of a plain chain"),
        (("Add", ["one"], {}), r"node 'add_1' \(Add\)"),
        (("Pad", ["pads"], {"mode": "reflect"}), r"node 'pad_1' \(Pad\): it pads otherwise"),
        (("Round", [], {}), r"node 'round_1' \(Round\)"),
        (("ConvTranspose", ["square"], {"auto_pad": "SAME_UPPER"}), r"node 'convtranspose_1' .* auto_pad"),
        (
            ("Conv", ["square"], {"group": 5}),
            r"node 'conv_1' .*: (its weight .* takes 30 channels and gets 6|.*groups)",
        ),
        (("Conv", ["narrow"], {}), r"node 'conv_1' .* takes 4 channels and gets 6"),
        (("Conv", ["flat"], {}), r"node 'conv_1' .* four dimensions"),
        (("Conv", ["square"], {"strides": [0, 2]}), r"node 'conv_1' .* stride"),
        (("Conv", ["square"], {"pads": [-1, 0, 0, 0]}), r"node 'conv_1' .* padding"),
        (("Conv", ["square", "one"], {}), r"node 'conv_1' .* its bias has the shape \[1\]"),
        (("PRelu", ["one_row"], {}), r"node 'prelu_1' .* slopes"),
        (("Clip", ["one"], {}), r"node 'clip_1' .* bounds"),
    ],
)
def test_nodes_that_cannot_be_mapped_are_named(onnx_file, weights, node, reason):
    nodes, tensors = small_encoder(weights)
    tensors |= {
        "one": np.ones(1, np.float32),
        "square": weights(6, 6, 3, 3),
        "narrow": weights(6, 4, 3, 3),
        "flat": weights(6, 6),
    }
    tensors |= {"one_row": weights(6), "pads": np.zeros(8, np.int64)}
    with pytest.raises(ModelError, match=reason):
        import_onnx(onnx_file([nodes[0], node, *nodes[1:]], tensors), name="bad")


def test_two_decoders_and_frames_of_other_channels_are_refused(onnx_file, weights):
    (down, tensors), (up, more) = small_encoder(weights), small_decoder(weights)
    both = onnx_file([*down, *up], tensors | more)
    decoder = onnx_file(up, more, name="decoder.onnx")
    with pytest.raises(ModelError, match="holds a decoder too"):
        import_onnx(both, decoder, name="bad")
    with pytest.raises(ModelError, match="1 channels; frames have 3"):
        import_onnx(onnx_file(down, tensors, shape=("n", 1, 32, 48)), decoder, name="bad")


def test_a_decoder_that_makes_other_frames_is_refused(onnx_file, weights):
    up, more = small_decoder(weights)
    with pytest.raises(ModelError, match="of 48x32; frames of the same size"):
        import_onnx(
            onnx_file(*small_encoder(weights)),
            onnx_file([*up[:2], ("Conv", ["g"], {})], more | {"g": weights(3, 6, 1, 1)}, name="d.onnx"),
            name="bad",
        )


def test_quantisers_that_do_not_fit_are_refused(onnx_file, weights):
    with pytest.raises(OptionError, match="naive needs latents of known bounds"):
        import_onnx(onnx_file(*small_encoder(weights)), name="bad", quantiser={"name": "naive"})


# Hostile files


def test_no_damage_escapes_as_another_error(onnx_file, weights, tmp_path):
    """Cut at many places and with bytes changed, a file is either still a chain or refused; nothing else is raised."""
    (down, tensors), (up, more) = small_encoder(weights), small_decoder(weights)
    whole = onnx_file([*down, *up], tensors | more).read_bytes()
    rng = np.random.default_rng(0)
    path, refused = tmp_path / "damaged.onnx", 0
    # The numbers of the weights are in the middle and say nothing: most changes go to what is around them.
    structure = [place for place in range(len(whole)) if whole[place : place + 1].isalnum() or whole[place] < 16]
    for number in range(160):
        damaged = bytearray(whole)
        if number % 4 == 0:
            damaged = damaged[: rng.integers(1, len(whole))]
        for place in rng.choice(structure, 3):
            if place < len(damaged):
                damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            import_onnx(path, name="damaged")
        except LvcError:
            refused += 1
    assert refused > 80


@pytest.mark.parametrize("data", [b"", b"no onnx at all", b"\x08\x07", b"\x3a\x00", bytes(100)])
def test_files_that_are_none_are_refused(tmp_path, data):
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="bad.onnx"):
        import_onnx(path, name="bad")


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    for name, reason in (("missing.onnx", "No such file"), ("pipe.onnx", "no regular file"), (".", "no regular file")):
        with pytest.raises(ModelError, match=reason):
            import_onnx(tmp_path / name, name="bad")


def test_one_tensor_that_many_nodes_share_is_read_once(onnx_file, weights):
    """A deep chain of one weight would otherwise hold a copy for each node."""
    nodes = [("Conv", ["w"], {"pads": [1, 1, 1, 1]})] * 2000
    with pytest.raises(ModelError, match="at most 128 layers"):
        import_onnx(onnx_file(nodes, {"w": weights(3, 3, 3, 3)}), name="bad")


def test_what_was_imported_is_what_build_gives_again(onnx_file, weights):
    made = import_onnx(
        onnx_file(*small_encoder(weights)), onnx_file(*small_decoder(weights), name="d.onnx"), name="again"
    )
    again = build(made.metadata.model, geometry=made.geometry, **made.metadata.config)
    assert again.config == made.model.config
    again.load_state_dict(made.model.state_dict())
