"""On frames of a game, which the network has never seen: it was trained on photographs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lvc.codecs.networks.training.perceptual import perceptual_distance


@pytest.fixture
def source(gameplay):
    return torch.from_numpy(np.stack(gameplay(2)).transpose(0, 3, 1, 2) / 255.0).float()


def blurred(frames, radius):
    size = 2 * radius + 1
    return F.avg_pool2d(F.pad(frames, (radius,) * 4, mode="replicate"), size, stride=1)


def test_the_same_is_nothing_and_more_is_more(source):
    assert perceptual_distance(source, source).item() == 0
    distances = [perceptual_distance(blurred(source, radius), source).item() for radius in (1, 2, 4)]
    assert 0.01 < distances[0] < distances[1] < distances[2] <= 2


def test_it_weighs_a_lost_edge_more_than_a_little_light(source):
    """What mean squares do the other way round: a shade of 4 % everywhere beside a blur of the same squared error or
    less.
    """
    soft = blurred(source, 1)
    error = (soft - source).square().mean().sqrt()
    lighter = source + error
    assert F.mse_loss(soft, source) <= F.mse_loss(lighter, source) * 1.001
    assert perceptual_distance(soft, source) > 1.5 * perceptual_distance(lighter, source)


def test_gradient_flows_to_the_frames_alone(source):
    frames = blurred(source, 1).requires_grad_()
    distance = perceptual_distance(frames, source)
    distance.backward()
    assert frames.grad.abs().max() > 0
    assert perceptual_distance(frames.detach() - 0.01 * frames.grad / frames.grad.abs().max(), source) < distance
