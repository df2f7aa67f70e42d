"""Optimizers: AdamW, SGD, LARS and Muon, each with biases and normalisation weights free of decay.

A schedule multiplies every group's `full_lr`, so that groups may run at rates of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from simclr_core.config import TrainConfig

# Newton–Schulz coefficients of Jordan et al. 2024: steepest at 0, so that three steps bring most singular values near 1.
QUINTIC = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 3
MUON_MOMENTUM = 0.9
ADAM_SHARE = 0.15  # the rate of what is no matrix, as a share of Muon's
TRUST = 1e-3  # LARS: length of an update as a share of its weights' length, at a learning rate of 1
TEMPERATURE_RATE = 3e-3  # of ln τ, where the temperature is learned


def orthogonalised(gradient: Tensor) -> Tensor:
    """The gradient with its singular values moved towards 1; a convolution counts as (out, in·h·w).

    In float32: torch.optim.Muon takes matrices only and multiplies in bfloat16, a hundred times slower on a processor without
    bfloat16 instructions.
    """
    x = gradient.reshape(len(gradient), -1)
    x = x / x.norm().clamp(min=1e-7)
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    a, b, c = QUINTIC
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).reshape(gradient.shape)


class WithMomentum(torch.optim.Optimizer):
    """Moves every weight that has a gradient by a momentum of its own; `move` says how."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """One update of every weight that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    if not state:
                        state["momentum"] = torch.zeros_like(p)
                    self.move(p, p.grad, state["momentum"], group)

    def move(self, p: Tensor, gradient: Tensor, momentum: Tensor, group: dict[str, Any]) -> None:
        """Update momentum and weight in place."""
        raise NotImplementedError


class Muon(WithMomentum):
    """Nesterov momentum whose every matrix update is orthogonalised.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """

    def __init__(self, params: Any, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def move(self, p: Tensor, gradient: Tensor, momentum: Tensor, group: dict[str, Any]) -> None:
        momentum.mul_(MUON_MOMENTUM).add_(gradient)
        update = orthogonalised(gradient.add(momentum, alpha=MUON_MOMENTUM))
        tall = max(1.0, len(p) / p[0].numel()) ** 0.5
        p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * tall)


class Lars(WithMomentum):
    """Momentum whose every matrix moves by a fixed share of its own length; biases and normalisation weights as in SGD.

    Source: You et al. 2017, "Large batch training of convolutional networks"; without adaptation for one-dimensional weights,
    as Chen et al. 2020.
    """

    def __init__(self, params: Any, lr: float, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    def move(self, p: Tensor, gradient: Tensor, momentum: Tensor, group: dict[str, Any]) -> None:
        update = gradient.add(p, alpha=group["weight_decay"])
        if p.ndim > 1:
            length, pull = p.norm(), update.norm()
            known = (length > 0) & (pull > 0)
            update = update * torch.where(known, TRUST * length / pull.clamp(min=1e-12), 1.0)
        momentum.mul_(group["momentum"]).add_(update, alpha=group["lr"])
        p.sub_(momentum)


class Together:
    """Several optimizers used as one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        for group in self.param_groups:
            group["full_lr"] = group["lr"]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def set_rate(self, share: float) -> None:
        """Bring every group to a share of its full learning rate."""
        for group in self.param_groups:
            group["lr"] = share * group["full_lr"]

    @property
    def lr(self) -> float:
        """The rate of the first group, the one that a configuration names."""
        return float(self.param_groups[0]["lr"])

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def _muon(model: nn.Module, lr: float, decay: float) -> Together:
    matrices, rest = _groups(model, decay)
    small = torch.optim.AdamW([rest], lr=lr * ADAM_SHARE, fused=True)
    return Together(Muon([matrices], lr=lr, weight_decay=decay), small)


BUILDERS: dict[str, Callable[[nn.Module, float, float], Together]] = {
    "muon": _muon,
    "adamw": lambda model, lr, decay: Together(torch.optim.AdamW(_groups(model, decay), lr=lr, fused=True)),
    "sgd": lambda model, lr, decay: Together(
        torch.optim.SGD(_groups(model, decay), lr=lr, momentum=0.9, nesterov=True)
    ),
    "lars": lambda model, lr, decay: Together(Lars(_groups(model, decay), lr=lr)),
}


def make_optimizer(model: nn.Module, config: TrainConfig, extra: Iterable[nn.Parameter] = ()) -> Together:
    """The optimizer that a resolved configuration asks for; `extra` are the objective's own parameters."""
    assert config.lr is not None
    own = BUILDERS[config.optimizer](model, config.lr, config.weight_decay)
    parameters = list(extra)
    if not parameters:
        return own
    return Together(*own.parts, torch.optim.AdamW(parameters, lr=TEMPERATURE_RATE, weight_decay=0.0))
