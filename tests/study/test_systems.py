import math

import pytest
import torch

from lvc.codecs.family import build
from lvc.errors import OptionError
from lvc.frames import Geometry
from lvc.study.systems import SYSTEMS, configuration


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("size", ["8x8", "33x17", "50x40", "1x1"])
def test_the_code_is_of_any_size_and_for_the_whole_picture(system, size):
    geometry = Geometry.parse(size)
    torch.manual_seed(0)
    for code in (1, 24):
        name, options = configuration(system, code, geometry)
        model = build(name, geometry=geometry, **options).eval()
        assert math.prod(model.latent_shape()) == code
        picture = torch.rand(1, 3, geometry.height, geometry.width, requires_grad=True)
        latents = model.analyse(picture)
        assert latents.shape[0] == 1 and latents.numel() == code
        # The first number of the code sees the picture's corners, and reaches all of it.
        latents.flatten()[0].backward()
        assert all(picture.grad[0, :, row, column].abs().max() > 0 for row in (0, -1) for column in (0, -1))
        assert model.synthesise(latents).shape == picture.shape


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_largest_pictures_and_codes_fit(system):
    geometry = Geometry(128, 128)
    name, options = configuration(system, 1024, geometry)
    with torch.device("meta"):
        assert math.prod(build(name, geometry=geometry, **options).latent_shape()) == 1024


def test_two_layers_are_one_more():
    geometry = Geometry(32, 32)
    convolutions = [
        sum(line.startswith("conv") for line in configuration(system, 8, geometry)[1]["analysis"])
        for system in ("conv1", "conv2")
    ]
    assert convolutions == [2, 3]  # the last one makes the code
    assert [len(configuration(system, 8, geometry)[1]["hidden"]) for system in ("mlp1", "mlp2")] == [0, 1]


def test_unknown_systems_are_refused():
    with pytest.raises(OptionError, match="no system 'mlp3' to study; choose from mlp1, mlp2, conv1, conv2"):
        configuration("mlp3", 8, Geometry(8, 8))
