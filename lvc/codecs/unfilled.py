"""Builds a model without memory for its tensors, and without the seconds that torch takes to load its own Python
kernels for that.
"""

import torch
from torch.overrides import TorchFunctionMode

# What only fills a tensor, by name: `Tensor.normal_` and `init.normal_` alike.
FILLING = {"normal_", "uniform_", "zero_", "fill_", "copy_", "kaiming_normal_", "kaiming_uniform_"}
SCALING = {"neg", "mul", "add"}  # by numbers


class Unfilled(TorchFunctionMode):
    """Leaves tensors of the meta device as they are, where torch would import a thousand modules to fill them with
    nothing.

    Only the kernels that models start their weights with are replaced; others give the same shapes, later.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        if name in FILLING:
            return args[0] if args else kwargs["tensor"]
        if name in SCALING and not any(isinstance(more, torch.Tensor) for more in args[1:]):
            return torch.empty(args[0].shape, dtype=args[0].dtype)
        if function is torch.randn:
            return torch.empty(*args, **kwargs)
        if function is torch.eye:
            return torch.empty(args[0], args[-1])
        if function is torch.linspace:
            return torch.empty(args[2])
        if function is torch.Tensor.repeat:
            return torch.empty([size * times for size, times in zip(args[0].shape, args[1:], strict=True)])
        if function is torch.linalg.qr:
            rows, columns = args[0].shape
            return torch.return_types.linalg_qr(
                (torch.empty(rows, min(rows, columns)), torch.empty(min(rows, columns), columns))
            )
        return function(*args, **kwargs)
