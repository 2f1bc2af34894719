import torch

from lvc.codecs.networks.training.adversary import Adversary, step


def test_it_learns_to_tell_and_decoded_frames_learn_to_pass():
    torch.manual_seed(0)
    adversary = Adversary()
    optimiser = torch.optim.Adam(adversary.parameters(), lr=1e-3)
    target = torch.rand(4, 3, 24, 24)
    frames = torch.nn.functional.avg_pool2d(target, 5, stride=1, padding=2)  # blurred
    losses = [step(adversary.loss, optimiser, frames, target) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    assert adversary(target).mean() > adversary(frames).mean()
    moved = frames.clone().requires_grad_()
    before = adversary.fooled(moved)
    before.backward()
    assert adversary.fooled(moved.detach() - 0.1 * moved.grad / moved.grad.abs().max()) < before


def test_frames_smaller_than_a_patch_are_judged_too():
    assert torch.isfinite(Adversary().fooled(torch.rand(1, 3, 1, 5)))
