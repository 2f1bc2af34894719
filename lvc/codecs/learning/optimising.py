"""What the trainings of networks have in common: learning rates, precision, and Adam's moments in files."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from lvc.errors import OptionError

SCHEDULES = ("cosine", "constant", "cyclic")
CYCLES, LOWEST_OF_CYCLE = 4, 0.1
WARM_UP_STEPS = 20  # Adam's second moments are guesses before
LOWEST_LR = 0.02  # of the highest, where the cosine ends


def learning_rate_at(highest: float, step: int, share: float, *, schedule: str = "cosine") -> float:
    """The learning rate of a step, when `share` of the run is done."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    if schedule == "constant":
        return highest * warm
    if schedule == "cyclic":
        height = 1 - abs(2 * (min(share, 1.0) * CYCLES % 1) - 1)
        return highest * warm * (LOWEST_OF_CYCLE + (1 - LOWEST_OF_CYCLE) * height)
    return highest * warm * (LOWEST_LR + (1 - LOWEST_LR) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def fast_bfloat16(model: nn.Module, device: torch.device) -> bool:
    """Whether bfloat16 pays: on CUDA, and for convolutions on processors with instructions for it.

    Measured on one core: conv4 and conv5 1.6 times as fast; fully connected ones no faster at 32 or 64 frames to a
    step, because their weights are converted at each.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    convolves = any(isinstance(part, torch.nn.Conv2d) for part in model.modules())
    return convolves and device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def adam(parameters: Iterable, **options) -> torch.optim.Adam:
    """Adam over parameters, or groups of them; OptionError where torch cannot make its compiler's folder.

    torch makes that folder with its first optimiser, whether anything is compiled or not.
    """
    try:
        return torch.optim.Adam(parameters, fused=True, **options)
    except OSError as error:
        raise OptionError(
            f"torch cannot make the folder of its compiler's cache, {error.filename}: {error.strerror or error}; "
            "TORCHINDUCTOR_CACHE_DIR names another one"
        ) from error


def moments_of(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """Adam's moments by name, as `restore_moments` takes them."""
    return {
        f"{prefix}.{number}.{name}": moment
        for number, moments in optimiser.state_dict()["state"].items()
        for name, moment in moments.items()
    }


def restore_moments(optimiser: torch.optim.Optimizer, prefix: str, tensors: dict[str, Tensor]) -> None:
    """Raises KeyError or ValueError where the tensors are not those of this optimiser."""
    state = {}
    for number, parameter in enumerate(parameter for group in optimiser.param_groups for parameter in group["params"]):
        state[number] = {"step": tensors[f"{prefix}.{number}.step"].clone()}
        for name in ("exp_avg", "exp_avg_sq"):
            stored = tensors[f"{prefix}.{number}.{name}"]
            if stored.shape != parameter.shape:
                raise ValueError(
                    f"{name} {number} has the shape {list(stored.shape)}, {list(parameter.shape)} expected"
                )
            # The fused step walks memory, so a moment is laid out as its parameter is.
            state[number][name] = torch.empty_like(parameter).copy_(stored)
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
