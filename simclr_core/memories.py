"""What an objective remembers of earlier batches: unit rows without gradient, in buffers, so that a checkpoint holds them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from simclr_core.losses import unit_rows

EMPTY = -1  # of a slot that holds no image's row


class Queue(nn.Module):
    """The newest `size` rows and whose they are: first in, first out. He et al. 2020, algorithm 1."""

    rows: Tensor
    index: Tensor
    place: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(size, dim))
        self.register_buffer("index", torch.full((size,), EMPTY))
        self.register_buffer("place", torch.tensor(0))  # the slot that is written next

    def hidden(self, index: Int[Tensor, " n"]) -> Bool[Tensor, "n size"]:
        """Slots that are no negative of an image: the empty ones, and its own older rows."""
        return (self.index == EMPTY) | (self.index == index[:, None])

    @torch.no_grad()
    def push(self, z: Float[Tensor, "m dim"], index: Int[Tensor, " m"]) -> None:
        """Write rows over the oldest ones; of more than the queue holds, the last."""
        size = len(self.rows)
        slots = (self.place + torch.arange(len(z), device=z.device)) % size
        self.rows[slots[-size:]] = unit_rows(z)[-size:].to(self.rows.dtype)
        self.index[slots[-size:]] = index[-size:]
        self.place.add_(len(z)).remainder_(size)


class Slots(nn.Module):
    """One row for every image of the training set, that follows the image's rows slowly. Wu et al. 2018, section 3.1."""

    rows: Tensor
    filled: Tensor
    step: Tensor

    def __init__(self, images: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(images, dim))
        self.register_buffer("filled", torch.zeros(images, dtype=torch.bool))
        self.register_buffer("step", torch.tensor(0))

    def drawn(self, most: int, seed: int) -> Int[Tensor, " k"]:
        """All slots, or `most` of them, drawn by (seed, step) where there are more."""
        if len(self.rows) <= most:
            return torch.arange(len(self.rows), device=self.rows.device)
        mixed = np.random.SeedSequence([seed, int(self.step)]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(mixed >> 1))
        return torch.randperm(len(self.rows), generator=generator)[:most].to(self.rows.device)

    @torch.no_grad()
    def write(self, u: Float[Tensor, "n dim"], index: Int[Tensor, " n"], *, momentum: float) -> None:
        """Move images' slots towards new unit rows, keeping `momentum` of what they held; a first row is taken whole."""
        moved = momentum * self.rows[index] + (1 - momentum) * u.to(self.rows.dtype)
        self.rows[index] = functional.normalize(moved, dim=1)  # of an empty slot, which is 0, the new row is left
        self.filled[index] = True
        self.step.add_(1)
