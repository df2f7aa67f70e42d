"""What is minimised: `OBJECTIVES`, each a module that holds its temperature and, where it remembers, its state.

`forward` is pure; what a step leaves behind is written by `update`, after the optimizer's step. All state is in buffers, so
that it goes into a checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simclr_core.config import TrainConfig
from simclr_core.errors import ConfigError, sentence
from simclr_core.losses import alignment_only, decoupled, nt_xent, nt_xent_tiled, nt_xent_views
from simclr_core.registry import Choice, Label, Params, make_params, number, pick
from simclr_core.similarity import loss_ceiling, loss_floor, loss_uniform_sphere

__all__ = ["OBJECTIVES", "Batch", "Objective", "make_objective", "nt_xent", "nt_xent_tiled"]

CEILING, FLOOR = "ceiling", "floor"  # the two lines that the diagnosis of a run reads
LEARNED_TEMPERATURES = (0.01, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The projections of one step, of all ranks.

    views: V ≥ 2 matrices (n, d), row i of each from image i, of any scale, with gradient. index: (n,) the images' rows in
    the training set. label: (n,) class numbers, where they are known. keys: the momentum encoder's z of the same views,
    without gradient, for the objectives that need them.
    """

    views: tuple[Tensor, ...]
    index: Tensor
    label: Tensor | None = None
    keys: tuple[Tensor, ...] | None = None


class ReferenceLine(NamedTuple):
    """A value of the loss that means something: `id` for programs, `label` for people."""

    id: str
    value: float
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an objective is made for: the run's temperature and seed, the number of its images, the width of z."""

    temperature: float
    learned: bool = False  # the temperature is a parameter
    images: int
    dim: int
    seed: int = 0


class Objective(nn.Module):
    """An objective made for one run: the loss of a batch, what it remembers, and what its values are read against.

    `needs` names what a batch must bring beyond views and index ("keys", "label"); `momentum` is the momentum encoder's, for
    those that need keys.
    """

    needs: frozenset[str] = frozenset()
    momentum: float | None = None

    def __init__(self, params: Any, setting: Setting) -> None:
        super().__init__()
        self.params, self.setting = params, setting
        self._fixed = setting.temperature
        low, high = LEARNED_TEMPERATURES
        if setting.learned and not low <= setting.temperature <= high:
            rule = f"from {low:g} to {high:g} where it is learned"
            raise ConfigError(sentence("temperature", rule, setting.temperature, "start inside"))
        start = nn.Parameter(torch.tensor(math.log(setting.temperature))) if setting.learned else None
        self.register_parameter("log_temperature", start)

    @property
    def tau(self) -> float | Tensor:
        """The temperature as the loss uses it: a tensor with its gradient where it is learned."""
        if self.log_temperature is None:
            return self._fixed
        low, high = map(math.log, LEARNED_TEMPERATURES)
        return self.log_temperature.clamp(low, high).exp()

    @property
    def temperature(self) -> float:
        """The temperature now."""
        return torch.as_tensor(self.tau).item()

    def set_temperature(self, value: float) -> None:
        """Take the temperature that a schedule gives."""
        if not value > 0:
            raise ConfigError(sentence("temperature", "larger than 0", value, "SimCLR uses 0.1 to 0.5"))
        if self.log_temperature is None:
            self._fixed = float(value)
        else:
            self.log_temperature.data.fill_(math.log(value))

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """The loss in nats, float32 or wider; changes nothing."""
        raise NotImplementedError

    def update(self, batch: Batch) -> None:
        """After the optimizer's step: remember what the objective remembers of this batch; bring τ back into its range."""
        if self.log_temperature is not None:
            self.log_temperature.data.clamp_(*map(math.log, LEARNED_TEMPERATURES))

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        """The lines of a batch of n images whose z has dim columns; empty where nothing is known.

        Lines called "ceiling" and "floor" are also written into every report, and a diagnosis judges by them.
        """
        return ()

    def value_at(self, line: str, n: int, dim: int, views: int = 2) -> float | None:
        """The value of one line; None where the objective has no such line."""
        return next((found.value for found in self.lines(n, dim, views) if found.id == line), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileParams(Params):
    """How NT-Xent is computed; the value does not depend on it."""

    tile: int | None = number(
        None,
        16,
        65536,
        Label("Tile (rows)", "分块行数"),
        Label("automatic: whole below 2,048 images, tiles above", "自动：2048 张以下整块，以上分块"),
        integer=True,
        log=True,
        auto=Label("automatic", "自动"),
    )


class NtXentObjective(Objective):
    """NT-Xent of any number of views."""

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        return nt_xent_views(batch.views, temperature=self.tau, tile=self.params.tile)

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        if views != 2:
            return ()
        m = 2 * n - 1
        even = Label(f"even on the sphere, d = {dim}", f"球面均匀分布，d = {dim}")
        return (
            ReferenceLine(CEILING, loss_ceiling(n), Label(f"all equal: ln {m}", f"全部相同：ln {m}")),
            ReferenceLine("uniform", loss_uniform_sphere(n, dim, self.temperature), even),
            ReferenceLine(FLOOR, loss_floor(n, self.temperature), Label("least possible", "理论最小值")),
        )


class Decoupled(Objective):
    """NT-Xent without the positives in the denominator."""

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        return decoupled(batch.views, temperature=self.tau)


class AlignmentOnly(Objective):
    """The squared distance of views; it has no temperature."""

    def __init__(self, params: Any, setting: Setting) -> None:
        if setting.learned:
            remedy = "this objective has no temperature to learn"
            raise ConfigError(sentence("temperature_schedule", "constant with alignment", "learned", remedy))
        super().__init__(params, setting)

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        return alignment_only(batch.views)


OBJECTIVES: dict[str, Choice[Callable[[Any, Setting], Objective]]] = {
    "nt_xent": Choice(
        label=Label("NT-Xent (SimCLR)", "NT-Xent（SimCLR）"),
        run=NtXentObjective,
        params=TileParams,
        source="Chen et al. 2020, equation 1",
    ),
    "dcl": Choice(
        label=Label("Decoupled (DCL), for small batches", "解耦损失（DCL），适合小批次"),
        run=Decoupled,
        source="Yeh et al. 2022, equation 6",
    ),
    "alignment": Choice(
        label=Label("Alignment only (collapses: a lesson)", "只有对齐项（会坍缩：教学用）"),
        run=AlignmentOnly,
        source="Wang & Isola 2020, the alignment term alone",
    ),
}


def make_objective(config: TrainConfig, *, images: int, dim: int, temperature_schedule: str = "constant") -> Objective:
    """The objective that a run's settings name, with its temperature and parameters.

    Args:
        config: the run's training settings.
        images: pictures of the training set, one slot each where an objective remembers them.
        dim: width of z.
        temperature_schedule: "learned" makes τ a parameter; any other is the trainer's, by `set_temperature`.

    Raises:
        ConfigError: an unknown objective or parameter, or a learned temperature that starts out of range.
    """
    entry = pick(OBJECTIVES, config.objective, "objective")
    setting = Setting(
        temperature=config.temperature,
        learned=temperature_schedule == "learned",
        images=images,
        dim=dim,
        seed=config.seed,
    )
    return entry.run(make_params(entry.params, config.objective_params), setting)
