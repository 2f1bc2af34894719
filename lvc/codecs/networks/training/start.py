"""Weights of other files to start training from: a model's own, or a classifier's for the encoder that has its
layers.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from lvc.codecs.networks.model import Model
from lvc.errors import ModelError

# What files hold beside a model's own tensors, or where the classifier ends.
LEFT_OUT = ("entropy.", "training.", "fc.")
COUNTER = "num_batches_tracked"  # of normalisations; many files leave it out


@torch.no_grad()
def start_from(model: Model, path: Path) -> int:
    """Puts a .safetensors file's tensors in the place of the model's first weights; gives how many.

    The file is an lvc weights file of the same model, or one of tensors named as a ResNet18 classifier's, for the
    encoder of `resnet18`. Raises ModelError where it cannot be read, or its tensors are not just those that the model
    needs.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = {name.removeprefix("model."): name for name in file.keys() if not name.startswith(LEFT_OUT)}  # noqa: SIM118, no mapping
            target, what = part_for(model, names)
            wanted = target.state_dict()
            missing = [name for name in wanted if name not in names and not name.endswith(COUNTER)]
            foreign = [name for name in names if name not in wanted]
            if missing or foreign:
                told = f"it lacks {missing[0]}" if missing else f"it has {foreign[0]}, which {what} has not"
                raise ModelError(f"{path}: does not hold the weights of {what}: {told}")
            for name in names:
                # Before anything is read: the shape alone.
                shape = tuple(file.get_slice(names[name]).get_shape())
                if shape != tuple(wanted[name].shape):
                    raise ModelError(
                        f"{path}: {names[name]} has the shape {list(shape)}, {list(wanted[name].shape)} expected in "
                        f"{what}"
                    )
            for name in names:
                tensor = file.get_tensor(names[name])
                if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                    raise ModelError(f"{path}: {names[name]} is not finite")
                wanted[name].copy_(tensor)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such weights file") from error
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read as .safetensors: {error}") from error
    return len(names)


def part_for(model: Model, names) -> tuple[nn.Module, str]:
    """The part of the model that tensors of these names are for, and what to call it."""
    encoder = getattr(model, "encoder", None)
    if isinstance(encoder, nn.Module) and "conv1.weight" in names and "conv1.weight" in encoder.state_dict():
        return encoder, f"the encoder of {model.name}"
    return model, model.name
