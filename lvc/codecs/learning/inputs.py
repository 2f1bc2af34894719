"""Frames as networks take them."""

import numpy as np
import torch
from torch import Tensor


def to_input(frames: np.ndarray, device: torch.device) -> Tensor:
    """Frames uint8 [T, 3, H, W] as the models take them: float32 in 0..1, laid out channels last."""
    x = torch.from_numpy(np.ascontiguousarray(frames)).to(device)
    return x.contiguous(memory_format=torch.channels_last).float().div_(255)
