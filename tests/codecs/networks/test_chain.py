import pytest
import torch
import torch.nn.functional as F

from lvc.codecs.family import build
from lvc.codecs.networks.chain_layers import Filter, layer_of, stack
from lvc.errors import OptionError
from lvc.frames import Geometry


@pytest.mark.parametrize("name, parameters", [("edge3", 1_841_280), ("edge5", 2_365_568)])
def test_the_edge_encoders_are_those_of_the_paper(name, parameters):
    """S2: their parameters, their shapes by CompressAI's names, and the maps of a frame of 1024x768."""
    with torch.device("meta"):
        model = build(name, geometry=Geometry(1024, 768))
        assert sum(parameter.numel() for parameter in model.g_a.parameters()) == parameters
        middle = {"edge3": 3, "edge5": 5}[name]
        shapes = {
            label: list(tensor.shape)
            for label, tensor in model.state_dict().items()
            if label.startswith("g_a") and label.endswith("weight")
        }
        assert shapes == {
            "g_a.0.weight": [128, 3, 5, 5],
            "g_a.2.weight": [128, 128, middle, middle],
            "g_a.4.weight": [128, 128, middle, middle],
            "g_a.6.weight": [192, 128, 5, 5],
            "g_a.8.weight": [192, 192, 5, 5],
        }
    size, maps = (768, 1024), []
    for layer in model.encoder[::2]:
        size = layer.size(*size)
        maps.append(size[::-1])
    assert maps == [(512, 384), (256, 192), (256, 192), (128, 96), (64, 48)]
    assert model.latent_shape() == (192, 48, 64)
    assert model.latent_shape(Geometry(200, 160)) == (192, 10, 13)


@pytest.mark.parametrize(
    "line, meant",
    [
        ("conv 128 k5 s2", Filter(False, 128, (5, 5), (2, 2), (2, 2, 2, 2))),
        ("conv 8 k3x5 d2x1", Filter(False, 8, (3, 5), padding=(2, 2, 2, 2), dilation=(2, 1))),
        ("conv 8 k3 p0", Filter(False, 8, (3, 3))),
        ("conv 8 k5 s2 p1,1,2,2 g4 nobias", Filter(False, 8, (5, 5), (2, 2), (1, 1, 2, 2), groups=4, bias=False)),
        ("up 3 k5 s2", Filter(True, 3, (5, 5), (2, 2), (2, 2, 2, 2), (1, 1))),
        ("up 3 k4 s2", Filter(True, 3, (4, 4), (2, 2), (1, 1, 1, 1))),
        ("up 3 k4 s2 p0 e1x0", Filter(True, 3, (4, 4), (2, 2), extra=(1, 0))),
    ],
)
def test_a_line_says_a_layer_and_a_layer_its_line(line, meant):
    assert layer_of(line) == meant
    assert layer_of(str(meant)) == meant


@pytest.mark.parametrize(
    "line", ["relu", "leaky_relu 0.2", "elu 1", "clip -1 6", "batch_norm 0.001", "prelu", "sigmoid", "tanh"]
)
def test_activations_keep_their_numbers(line):
    assert str(layer_of(line)) == line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "conv",
        "conv 8",
        "conv k5",
        "conv 8x8 k3",
        "conv 8 k3 k3",
        "conv 8 k0",
        "conv 99999 k3",
        "conv 5000 k3",
        "conv 8 k65",
        "conv 8 k3 s17",
        "conv 8 k3 p1,1",
        "conv 8 k3 p1x1",
        "conv 8 k3x3x3",
        "conv 8 k3 e1 p1",
        "up 8 k3 s2 p1 e2",
        "up 8 k3 s2 p1,1,0,0",
        "up 8 k3 s2 e1",
        "conv 8 k3 g1x2",
        "relu 3",
        "elu nan",
        "clip 1 0",
        "batch_norm 0",
        "gelu",
        "conv 8 k\u0663",
        "conv -8 k3",
        "conv 8 k3 " + "d1 " * 100,
        7,
        None,
    ],
)
def test_lines_that_say_no_layer_are_refused(line):
    with pytest.raises(OptionError):
        layer_of(line)


@pytest.mark.parametrize(
    "line",
    [
        "conv 4 k5 s2",
        "conv 4 k3x1 s1x2 p0,1,2,0",
        "up 4 k5 s2",
        "up 4 k3 s3 p1 e2",
        "conv 4 k3 d3 p1",
        "up 4 k3 d2 p1 e1",
    ],
)
def test_sizes_are_those_that_torch_makes(line):
    layer, x = layer_of(line), torch.zeros(1, 2, 17, 12)
    assert stack(2, (layer,))(x).shape[2:] == layer.size(17, 12)


def test_uneven_padding_lies_where_it_is_said():
    layer = stack(1, (layer_of("conv 1 k3 p0,1,2,0"),))
    x = torch.rand(1, 1, 6, 5)
    padded = F.pad(x, (1, 0, 0, 2))  # left, right, top, bottom
    assert torch.equal(layer(x), F.conv2d(padded, layer[0].weight, layer[0].bias))


def test_an_empty_synthesis_is_the_analysis_mirrored():
    model = build(
        "chain",
        geometry=Geometry(48, 32),
        analysis=("conv 8 k5x3 s2x1", "relu", "conv 6 k3 s2 p0,0,1,1", "batch_norm", "prelu", "conv 5 k3", "tanh"),
    )
    assert [str(layer) for layer in model.decoder] == ["up 6 k3", "prelu", "up 8 k3 s2", "relu", "up 3 k5x3 s2x1"]
    assert model.synthesise(model.analyse(torch.rand(1, 3, 32, 48))).shape == (1, 3, 32, 48)


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"analysis": ("relu",)}, "no convolution"),
        ({"analysis": ()}, "no convolution"),
        ({"analysis": ("conv 4 k3 s2",) * 129}, "at most 128"),
        ({"analysis": ("conv 4 k3 s2",), "synthesis": ("up 4 k3 s2",)}, "4 channels; frames have 3"),
        ({"analysis": ("conv 4 k3 s2",), "synthesis": ("up 3 k3",)}, "frames of 24x16 of 48x32"),
        ({"analysis": ("conv 4 k3 s2",), "synthesis": ("up 3 k3 s2 p0 e0",)}, "frames of 49x33 of 48x32"),
        (
            {"analysis": ("conv 4 k3 s16", "up 4 k3 s16", "up 4 k3 s16", "up 4 k3 s16"), "synthesis": ("conv 3 k3",)},
            "larger layers",
        ),
        ({"analysis": ("conv 4 k3 s2", "conv 4 k64 p0"), "synthesis": ("up 3 k3 s2",)}, "nothing"),
        ({"analysis": ("conv 4 k3 s16",) * 3}, "stride"),
        ({"analysis": ("conv 4 k3 g2",), "synthesis": ("conv 3 k3",)}, "groups"),
        ({"analysis": ("conv 4 k3 s2", "up 4 k3 s2")}, "no mirror"),
        ({"analysis": ("conv 4 k1 s2 p1",)}, "frames of 50x34 of 48x32"),
        ({"analysis": ("conv 4096 k63",) * 20}, "parameters"),
    ],
)
def test_chains_that_make_no_frames_are_refused_with_the_reason(options, reason):
    with pytest.raises(OptionError, match=reason):
        build("chain", geometry=Geometry(48, 32), **options)
