"""Weights of networks, for their files; `in_numpy` has the same functions for models of numpy arrays."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lvc.codecs.unfilled import Unfilled
from lvc.errors import ModelError, OptionError

FRAMEWORK = "pt"
TYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
WIDENED = ("F16", "BF16")
# A forked process has its parent's OpenMP without its threads, and waits for these for ever once it needs them: it
# uses none, as torch's own DataLoader has its workers do.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))

MAX_PARAMETERS = 1_500_000_000  # the largest of S1 has 832 million


def empty(family: type[nn.Module], name: str, config) -> nn.Module:
    """A model whose tensors lie on the meta device, without memory; raises OptionError for one of more than 1.5
    thousand million parameters.
    """
    with torch.device("meta"), Unfilled():
        model = family(name, config)
    count = sum(parameter.numel() for parameter in model.parameters())
    if count > MAX_PARAMETERS:
        raise OptionError(
            f"model {name} for {model.geometry} would have {count:,} parameters; the limit is {MAX_PARAMETERS:,}"
        )
    return model


def parts(model: nn.Module) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type, as the file calls it, and shape of each tensor."""
    return {name: (TYPES[tensor.dtype], tuple(tensor.shape)) for name, tensor in model.state_dict().items()}


def takes(kept: str, wanted: str) -> bool:
    """Whether a tensor of one type may be kept as another."""
    return kept == wanted or (wanted == "F32" and kept in WIDENED)


def filled(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The model with these tensors, which are not copied but where they are widened."""
    wanted = model.state_dict()
    model.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in weights.items()}, assign=True)
    return model.eval()


def placed(model: nn.Module, device: str) -> nn.Module:
    """The model on a device."""
    return model if device == "cpu" else model.to(device)


def storable(model: nn.Module, *, half: bool) -> dict[str, Tensor]:
    """All tensors as they are written, floats as float16 where they are to take half the size;
    raises ModelError where one is not finite.
    """
    tensors = {}
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(f"{name} is not finite, training has failed; nothing was written")
        if half and tensor.dtype == torch.float32:
            # Beyond float16 is infinity, which nobody could read again.
            tensor = tensor.clamp(-65504, 65504).half()
        tensors[name] = tensor.detach().contiguous()
    return tensors


def save(parts: Mapping[str, Tensor | np.ndarray], path: Path, metadata: dict[str, str]) -> None:
    save_file(
        {
            name: torch.from_numpy(part) if isinstance(part, np.ndarray) else part.detach().contiguous()
            for name, part in parts.items()
        },
        path,
        metadata=metadata,
    )


def device_of(device: str | torch.device) -> torch.device:
    """The device of that name; OptionError where there is none, here or at all."""
    try:
        device = torch.device(device)
        torch.empty(0, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise OptionError(f"there is no device {str(device)!r} here; cpu always works") from error
    return device
