"""One run over several processes: which rows are mine, everybody's projections with the exact gradient, summed gradients.

Every process computes the loss of the whole batch from the gathered projections and sends its own rows' gradient back
through its own network. The sum of the processes' weight gradients is then the gradient of one process holding the whole
batch. Averaging them, or keeping the local part of a gathered loss, scales it by the number of processes.

Legend: R processes ("ranks"), B images of the whole batch, B/R of them mine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from simclr_core.errors import ConfigError, sentence


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those of its run. A process on its own is rank 0 of 1, and every exchange returns at once."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    @property
    def here(self) -> int:
        """How many of the processes run on this machine, as torchrun says."""
        return int(os.environ.get("LOCAL_WORLD_SIZE", self.size)) if self.size > 1 else 1

    def mine(self, n: int) -> slice:
        """My share of n rows; `ConfigError` where they cannot be shared evenly."""
        if n % self.size:
            rule = f"a multiple of the number of processes ({self.size})"
            raise ConfigError(sentence("batch_size", rule, n, "choose another batch or number of processes"))
        share = n // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def gather(self, mine: Tensor) -> Tensor:
        """Everybody's rows in the order of the ranks; only my own carry a gradient."""
        if self.size == 1:
            return mine
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(parts, mine.detach().contiguous())
        parts[self.rank] = mine
        return torch.cat(parts)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, in one message."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        for g, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            g.copy_(total.view_as(g))

    def agree(self, flag: bool, device: torch.device) -> bool:
        """Whether any process says yes, so that all leave a loop at the same step."""
        if self.size == 1:
            return flag
        said = torch.tensor(int(flag), device=device)
        dist.all_reduce(said, dist.ReduceOp.MAX)
        return bool(said.item())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()


def launched() -> bool:
    """Whether torchrun started this process."""
    return dist.is_torchelastic_launched() or "WORLD_SIZE" in os.environ


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the other processes of a `torchrun` launch for the length of a block; alone, nothing happens.

    NCCL carries the messages between GPUs, one GPU a process; gloo those between CPUs.
    """
    if not launched():
        yield Ranks()
        return
    on_gpu = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
