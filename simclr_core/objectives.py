"""What is minimised: `OBJECTIVES`, each a module that holds its temperature and, where it remembers, its state.

`forward` is pure; what a step leaves behind is written by `update`, after the optimizer's step. All state is in buffers, so
that it goes into a checkpoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from simclr_core.config import TrainConfig
from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.losses import (
    alignment_only,
    decoupled,
    memory_contrast,
    nt_xent,
    nt_xent_tiled,
    nt_xent_views,
    supcon,
    unit_views,
)
from simclr_core.memories import Queue, Slots
from simclr_core.registry import Choice, Label, Params, make_params, number, pick
from simclr_core.similarity import loss_ceiling, loss_floor, loss_uniform_sphere

__all__ = ["OBJECTIVES", "Batch", "Objective", "make_objective", "nt_xent", "nt_xent_tiled"]

CEILING, FLOOR = "ceiling", "floor"  # the two lines that the diagnosis of a run reads
LEARNED_TEMPERATURES = (0.01, 10.0)
HAIR = 1e-5  # inside of the range's ends, where a clamp still has a slope


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
    those that need keys. `negatives` says where they come from: the batch, a memory of earlier batches, or nowhere.
    """

    needs: frozenset[str] = frozenset()
    negatives: Literal["batch", "memory", "none"] = "batch"
    momentum: float | None = None

    def __init__(self, params: Any, setting: Setting) -> None:
        super().__init__()
        self.params, self.setting = params, setting
        self._fixed = float(setting.temperature)
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
        tau = self.tau
        return tau.item() if isinstance(tau, Tensor) else tau

    def set_temperature(self, value: float) -> None:
        """Take the temperature that a schedule gives."""
        if not value > 0:
            raise ConfigError(sentence("temperature", "larger than 0", value, "SimCLR uses 0.1 to 0.5"))
        if self.log_temperature is None:
            self._fixed = float(value)
        else:
            self.log_temperature.data.fill_(math.log(value))

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """The loss in nats, float32 or wider; changes nothing.

        Raises:
            DataError: the batch lacks what `needs` names.
        """
        for name in sorted(self.needs):
            if getattr(batch, name) is None:
                remedy = "give them with every batch, or choose another objective"
                raise DataError(sentence(name, "known for this objective", None, remedy))
        return self._loss(batch)

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        raise NotImplementedError

    def update(self, batch: Batch) -> None:
        """After the optimizer's step: remember what the objective remembers of this batch; bring τ back into its range."""
        if self.log_temperature is not None:
            low, high = map(math.log, LEARNED_TEMPERATURES)
            self.log_temperature.data.clamp_(low + HAIR, high - HAIR)

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        """The lines of a batch of n images whose z has dim columns; empty where nothing is known.

        Lines called "ceiling" and "floor" are also written into every report, and a diagnosis judges by them.
        """
        return ()

    def value_at(self, line: str, n: int, dim: int, views: int = 2) -> float | None:
        """The value of one line; None where the objective has no such line."""
        return next((found.value for found in self.lines(n, dim, views) if found.id == line), None)


def _all_equal(value: float, candidates: int) -> ReferenceLine:
    """The loss where every candidate looks the same."""
    return ReferenceLine(CEILING, value, Label(f"all equal: ln {candidates}", f"全部相同：ln {candidates}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TileParams(Params):
    """How NT-Xent is computed; the value does not depend on it."""

    tile: int | None = number(
        None,
        16,
        65536,
        Label("Tile (rows)", "分块行数"),
        Label("automatic: whole up to 4,096 views, tiles above", "自动：4096 个视图以内整块，以上分块"),
        integer=True,
        log=True,
        auto=Label("automatic", "自动"),
    )


class NtXentObjective(Objective):
    """NT-Xent of any number of views."""

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        return nt_xent_views(batch.views, temperature=self.tau, tile=self.params.tile)

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        even = Label(f"even on the sphere, d = {dim}", f"球面均匀分布，d = {dim}")
        floor = loss_floor(n, self.temperature, views)
        return (
            _all_equal(loss_ceiling(n, views), views * n - 1),
            ReferenceLine("uniform", loss_uniform_sphere(n, dim, self.temperature, views), even),
            ReferenceLine(FLOOR, floor, Label("least possible", "理论最小值")),
        )


class Decoupled(Objective):
    """NT-Xent without the positives in the denominator."""

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        return decoupled(batch.views, temperature=self.tau)

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        negatives = views * (n - 1)
        return (_all_equal(math.log(negatives), negatives),) if n > 1 else ()


class SupCon(Objective):
    """NT-Xent with all rows of a class as positives."""

    needs = frozenset({"label"})

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        assert batch.label is not None  # `needs`
        return supcon(batch.views, batch.label, temperature=self.tau)

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        return (_all_equal(loss_ceiling(n, views), views * n - 1),)


@dataclass(frozen=True, slots=True, kw_only=True)
class MocoParams(Params):
    """How many keys are remembered, and how slowly their encoder follows."""

    queue: int = number(
        4096,
        1,
        1_048_576,
        Label("Queue (keys)", "队列长度（键）"),
        Label("the newest keys, which are the negatives", "最新的键，用作负样本"),
        integer=True,
        log=True,
    )
    momentum: float = number(
        0.99,
        0,
        0.99999,
        Label("Momentum of the encoder", "编码器动量"),
        Label("share of its old weights it keeps in a step", "每步保留旧权重的比例"),
    )


class Moco(Objective):
    """Momentum contrast: a view's z against the momentum encoder's z of another view, the negatives from a queue of keys.

    Symmetric: every ordered pair of views is asked, and the keys of all views enter the queue. An empty slot is no negative,
    and neither is an older key of the anchor's own image; the first step, which has none at all, is 0 and flat.
    """

    negatives = "memory"

    needs = frozenset({"keys"})

    def __init__(self, params: MocoParams, setting: Setting) -> None:
        super().__init__(params, setting)
        self.momentum = params.momentum
        self.queue = Queue(params.queue, setting.dim)

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        assert batch.keys is not None  # `needs`
        u = unit_views(batch.views, self.tau)
        pairs = [(a, b) for a in range(len(u)) for b in range(len(u)) if a != b]
        query, key = torch.tensor(pairs, device=u.device).T
        target = unit_views(batch.keys, self.tau).detach()[key]
        hidden = self.queue.hidden(batch.index)
        return memory_contrast(u, target, query, self.queue.rows, hidden, temperature=self.tau)

    def update(self, batch: Batch) -> None:
        super().update(batch)
        assert batch.keys is not None  # `needs`
        self.queue.push(torch.cat(batch.keys).detach(), batch.index.repeat(len(batch.keys)))

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        k = self.params.queue
        return (_all_equal(math.log(1 + k), 1 + k),)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankParams(Params):
    """How slots follow their images, and how many of them an anchor is told from."""

    slot_momentum: float = number(
        0.5,
        0,
        0.999,
        Label("Momentum of a slot", "槽的动量"),
        Label("share of its old content it keeps", "保留旧内容的比例"),
    )
    negatives: int = number(
        16384,
        1,
        1_048_576,
        Label("Negatives at most", "负样本上限"),
        Label("drawn anew every step where there are more images", "图像更多时每步重新抽取"),
        integer=True,
        log=True,
    )


class Bank(Objective):
    """A memory bank with one slot an image: a view's z against its image's slot, the negatives the other images' slots.

    With more images than `negatives`, that many slots are drawn by (seed, step). An empty slot is no negative. An image not
    seen before has an empty slot itself; its target is then the mean of its other views, without gradient.
    """

    negatives = "memory"

    def __init__(self, params: BankParams, setting: Setting) -> None:
        super().__init__(params, setting)
        self.bank = Slots(setting.images, setting.dim)

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        u = unit_views(batch.views, self.tau)
        others = functional.normalize(u.detach().sum(0) - u.detach(), dim=-1)
        known = self.bank.filled[batch.index, None]
        target = torch.where(known, self.bank.rows[batch.index].to(u.dtype), others)
        slots = self.bank.drawn(self.params.negatives, self.setting.seed)
        hidden = ~self.bank.filled[slots] | (slots == batch.index[:, None])
        every = torch.arange(len(u), device=u.device)
        return memory_contrast(u, target, every, self.bank.rows[slots], hidden, temperature=self.tau)

    def update(self, batch: Batch) -> None:
        super().update(batch)
        seen = functional.normalize(unit_views(batch.views, self.tau).detach().mean(0), dim=-1)
        self.bank.write(seen, batch.index, momentum=self.params.slot_momentum)

    def lines(self, n: int, dim: int, views: int = 2) -> tuple[ReferenceLine, ...]:
        k = min(len(self.bank.rows) - 1, self.params.negatives)
        return (_all_equal(math.log(1 + k), 1 + k),)


class AlignmentOnly(Objective):
    """The squared distance of views; it has no temperature."""

    negatives = "none"

    def __init__(self, params: Any, setting: Setting) -> None:
        if setting.learned:
            remedy = "this objective has no temperature to learn"
            raise ConfigError(sentence("temperature_schedule", "constant with alignment", "learned", remedy))
        super().__init__(params, setting)

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        return alignment_only(batch.views)


OBJECTIVES: dict[str, Choice[type[Objective]]] = {
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
    "supcon": Choice(
        label=Label("Supervised (SupCon), with labels", "有监督对比（SupCon），需要标签"),
        run=SupCon,
        source="Khosla et al. 2020, equation 2 (L_out)",
    ),
    "moco": Choice(
        label=Label("Momentum contrast with a queue (MoCo)", "动量对比与队列（MoCo）"),
        run=Moco,
        params=MocoParams,
        source="He et al. 2020, algorithm 1; symmetric and with all views enqueued as in its authors' CIFAR code",
    ),
    "bank": Choice(
        label=Label("Memory bank, one slot an image", "记忆库，每图一槽"),
        run=Bank,
        params=BankParams,
        source="Wu et al. 2018, with a softmax over slots instead of its noise-contrastive estimate",
    ),
    "alignment": Choice(
        label=Label("Alignment only (collapses: a lesson)", "只有对齐项（会坍缩：教学用）"),
        run=AlignmentOnly,
        source="Wang & Isola 2020, the alignment term alone",
    ),
}


def make_objective(config: TrainConfig, *, images: int, dim: int) -> Objective:
    """The objective that a run's settings name, with its temperature and parameters.

    Args:
        config: the run's training settings; a learned temperature becomes a parameter, any other schedule is the trainer's,
            by `set_temperature`.
        images: pictures of the training set, one slot each where an objective remembers them.
        dim: width of z.

    Raises:
        ConfigError: an unknown objective or parameter, or a learned temperature that starts out of range.
    """
    entry = pick(OBJECTIVES, config.objective, "objective")
    setting = Setting(
        temperature=config.temperature,
        learned=config.temperature_schedule == "learned",
        images=images,
        dim=dim,
        seed=config.seed,
    )
    return entry.run(make_params(entry.params, config.objective_params), setting)
