"""Several processes that train one model, each on its part of every batch: what they share at each step.

torchrun starts them (`torchrun --nproc-per-node 2 -m lvc train …`). Gradients are averaged by DistributedDataParallel
and batches are normalised by the statistics of all parts, so that the parts add up to one batch. Only the first
process, which leads, writes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.parallel import DistributedDataParallel

from lvc.errors import OptionError


@dataclass(frozen=True)
class Team:
    """This process, number `rank` of `count`, and what it exchanges with the others; alone by default, when nothing is
    exchanged.

    All processes make the same calls in the same order.
    """

    rank: int = 0
    count: int = 1
    device: torch.device | str = "cpu"

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def over(self, function: Callable, *modules: nn.Module, all_used: bool = True) -> Callable:
        """The function, whose loss of the modules' parameters then has the gradients of all processes' losses,
        averaged.

        all_used: whether each call uses every parameter; others have to be looked for. Starts every process from the
        leader's parameters.
        """
        if self.count == 1:
            return function
        for module in modules:
            share_norms(module)
        return DistributedDataParallel(Function(function, modules), find_unused_parameters=not all_used)

    def mean(self, figures: dict[str, float]) -> dict[str, float]:
        """The means of the processes' figures, which have the same names."""
        if self.count == 1:
            return figures
        values = torch.tensor(list(figures.values()), dtype=torch.float64, device=self.device)
        distributed.all_reduce(values)
        return dict(zip(figures, (values / self.count).tolist()))

    def largest(self, *values: float) -> list[float]:
        """The largest of the processes' first values, of their second values, and so on."""
        if self.count == 1:
            return list(values)
        largest = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return largest.tolist()

    def broadcast(self, make: Callable[[], Any]) -> Any:
        """What the leader makes, which the others wait for."""
        if self.count == 1:
            return make()
        sent = [make() if self.leads else None]
        distributed.broadcast_object_list(sent, src=0)
        return sent[0]


ALONE = Team()


@contextmanager
def joined(device: str) -> Iterator[Team]:
    """The team that torchrun has started this process for, over NCCL with CUDA and gloo without;
    ALONE where it has not.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or not distributed.is_torchelastic_launched():
        yield ALONE
        return
    own = torch.device(device)
    if own.type == "cuda":
        own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        if own.index >= torch.cuda.device_count():
            raise OptionError(
                f"there are {torch.cuda.device_count()} CUDA devices for more processes: one each was expected "
                "(torchrun --nproc-per-node)"
            )
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield Team(distributed.get_rank(), count, own)
    finally:
        distributed.destroy_process_group()


class Function(nn.Module):
    """A function of modules as one that DistributedDataParallel takes, which sees what goes through `forward` alone."""

    def __init__(self, function: Callable, modules: tuple[nn.Module, ...]):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(modules)

    def forward(self, *arguments, **options):
        return self.function(*arguments, **options)


def share_norms(module: nn.Module) -> None:
    """Makes batch normalisations count over all processes."""
    for part in module.modules():
        if type(part) is nn.BatchNorm2d:
            part.__class__ = SharedBatchNorm2d


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Normalises by mean and variance over all processes' batches, of the same shape, as one batch of all of them
    would.

    torch's own SyncBatchNorm is for CUDA alone.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float()
        processes = distributed.get_world_size()
        mean = all_reduce(values.mean(dim=(0, 2, 3))) / processes
        centred = values - mean[:, None, None]
        variance = all_reduce(centred.square().mean(dim=(0, 2, 3))) / processes
        with torch.no_grad():
            count = processes * values.numel() // values.shape[1]
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)
