"""What learns: the network, its objective and optimizer, its running averages; and one step of it.

A step draws the views of its whole batch from (seed, step) alone. How the batch is then cut, into chunks (GradCache) or over
processes, changes who computes what and not what is computed: projections of all views are gathered, the loss gives
each row its gradient, and every chunk sends its rows' share back through the network.

    draw ─► views of a chunk ─► network ─► z ─┐
                                              ├─► gather ─► loss ─► ∂L/∂z ─► chunk by chunk back through the network
    draw ─► views of a chunk ─► network ─► z ─┘                              ─► sum over processes ─► optimizer

Exact outright where the network looks at one picture at a time (`model.norm=group`). BatchNorm sees a chunk, or a process's
share, instead of the batch: exact with respect to that.

Legend: B images of the whole batch, V views of each, c images of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from simclr_core.augment import Draws, apply, draw
from simclr_core.batches import Batches
from simclr_core.config import RunConfig, TrainConfig
from simclr_core.device import choose_device, choose_precision
from simclr_core.distributed import Ranks
from simclr_core.errors import ConfigError, sentence
from simclr_core.model import SimClr, build_model
from simclr_core.objectives import Batch, make_objective
from simclr_core.optimizers import make_optimizer
from simclr_core.records import ImageSet
from simclr_core.schedules import rate_at, temperature_at

_STREAMS = {"order": 0x9E37, "views": 0x79B9}
MOVING_STATISTICS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)


def stream(seed: int, name: str, position: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of one epoch's order or one step's views, whatever was drawn before."""
    mixed = np.random.SeedSequence([seed, _STREAMS[name], position]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(mixed >> 1))


@contextmanager
def still_statistics(model: nn.Module) -> Iterator[None]:
    """BatchNorm normalises by the batch but leaves its running statistics: for a pass that will be made again."""
    layers = [m for m in model.modules() if isinstance(m, MOVING_STATISTICS) and m.track_running_stats]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


def averaged(model: SimClr, decay: float) -> AveragedModel:
    """An exponential moving average of weights and statistics; never trained itself."""
    copy = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    return copy.requires_grad_(False).eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step did: loss in nats, gradient norm before clipping, all images' z of each view, τ."""

    loss: Tensor
    grad_norm: Tensor
    views: tuple[Tensor, ...]
    temperature: float


class Learner:
    """A network in training. `step(k, steps)` makes step k of a run; `state()` and `load()` carry it over a break.

    Args:
        config: resolved for these pictures.
        images: the training pictures; every process holds the same.
        ranks: this process among those of the run.
        after_part: called after each chunk of a step that is cut into chunks.
    """

    def __init__(
        self,
        config: RunConfig,
        images: ImageSet,
        ranks: Ranks = Ranks(),  # noqa: B008  frozen
        after_part: Callable[[], None] = lambda: None,
    ) -> None:
        train = config.train
        self._after_part = after_part
        self.config, self.ranks = config, ranks
        self.device = choose_device(train.device)
        self.precision = choose_precision(train.precision, self.device)
        self.share = ranks.mine(train.batch_size)
        self.batches = Batches(images, self.device)
        self.size = config.image_size or images.image.shape[1]
        self._label = None if images.label is None else torch.from_numpy(images.label.astype(np.int64))
        self._n = len(images)
        self._augments = config.view_augments
        self._order = lru_cache(maxsize=2)(
            self._shuffled
        )  # this epoch's, and the next one's while batches are fetched ahead
        self.model = self._network()
        self.objective = make_objective(train, images=len(images), dim=config.model.proj_dim).to(self.device)
        if "label" in self.objective.needs and images.label is None:
            raise ConfigError(
                sentence("objective", "one without labels for these pictures", train.objective, "label them")
            )
        self.average = averaged(self.model, train.ema) if train.ema else None
        self.key_encoder = (
            averaged(self.model, self.objective.momentum) if self.objective.momentum is not None else None
        )
        self.optimizer = make_optimizer(self.model, train, extra=self.objective.parameters())
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == torch.float16)
        self._forward = _compiled(self.model, train)

    def _network(self) -> SimClr:
        model = build_model(self.config.model, self.config.train.seed).to(self.device)
        if not self.config.train.sync_bn or self.ranks.size == 1:
            return model
        if self.device.type != "cuda":
            raise ConfigError(
                sentence("sync_bn", "false on a CPU", True, "set model.norm=group, which needs no sharing")
            )
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)

    # -- the batch ---------------------------------------------------------------------------------------------------
    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the pictures; the rest of an epoch is left out and differs from epoch to epoch."""
        return self._n // self.config.train.batch_size

    def _shuffled(self, epoch: int) -> Tensor:
        return torch.randperm(self._n, generator=stream(self.config.train.seed, "order", epoch))

    def rows(self, step: int) -> Tensor:
        """Positions of a step's images, the whole batch."""
        epoch, place = divmod(step, self.steps_per_epoch)
        size = self.config.train.batch_size
        return self._order(epoch)[place * size : (place + 1) * size]

    def _draws(self, step: int) -> list[Draws]:
        """Each view's random choices for my images, out of those of the whole batch."""
        generator = stream(self.config.train.seed, "views", step, self.device)
        height, width = self.batches.size
        size = self.config.train.batch_size
        return [draw(size, augment, generator, height=height, width=width)[self.share] for augment in self._augments]

    def _views(self, pixels: Tensor, draws: list[Draws], part: slice) -> Tensor:
        """All views of some images, one view after the other."""
        return torch.cat([apply(pixels[part], d[part], size=self.size) for d in draws])

    # -- one step ----------------------------------------------------------------------------------------------------
    def _z(self, views: Tensor) -> tuple[Tensor, ...]:
        """Float32 projections, one matrix a view."""
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            _, z = self._forward(views)
        return z.float().chunk(len(self.config.views))

    def _keys(self, views: Tensor) -> tuple[Tensor, ...]:
        """The momentum encoder's projections, with its averaged statistics, so that a batch cannot leak through them.

        Source: He et al. 2020; averaged BatchNorm statistics: Cai et al. 2021 (EMAN).
        """
        assert self.key_encoder is not None
        with torch.no_grad(), torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            _, z = self.key_encoder(views)
        return z.float().chunk(len(self.config.views))

    def _loss(self, mine: tuple[Tensor, ...], keys: tuple[Tensor, ...] | None, rows: Tensor) -> tuple[Tensor, Batch]:
        gather = self.ranks.gather
        batch = Batch(
            views=tuple(gather(z) for z in mine),
            keys=None if keys is None else tuple(gather(k) for k in keys),
            index=rows.to(self.device),
            label=None if self._label is None else self._label[rows].to(self.device),
        )
        return self.objective(batch), batch

    def _whole(self, pixels: Tensor, draws: list[Draws], rows: Tensor) -> tuple[Tensor, Batch]:
        views = self._views(pixels, draws, slice(None))
        keys = self._keys(views) if self.key_encoder else None
        loss, batch = self._loss(self._z(views), keys, rows)
        self.scaler.scale(loss).backward()
        return loss, batch

    def _in_chunks(self, pixels: Tensor, draws: list[Draws], rows: Tensor, chunk: int) -> tuple[Tensor, Batch]:
        """The whole batch's gradient at the memory of one chunk. Source: Gao et al. 2021, "Scaling deep contrastive learning
        batch size under memory limited setup" (GradCache). Views are drawn again, never stored."""
        parts = [slice(i, i + chunk) for i in range(0, len(pixels), chunk)]
        found: list[tuple[Tensor, ...]] = []
        keys: list[tuple[Tensor, ...]] = []
        with torch.no_grad(), still_statistics(self.model):
            for part in parts:
                views = self._views(pixels, draws, part)
                found.append(tuple(z.clone() for z in self._z(views)))  # a CUDA graph writes its next result there
                if self.key_encoder:
                    keys.append(self._keys(views))
                self._after_part()
        mine = tuple(torch.cat(z).requires_grad_() for z in zip(*found, strict=True))
        theirs = tuple(torch.cat(k) for k in zip(*keys, strict=True)) or None
        loss, batch = self._loss(mine, theirs, rows)
        self.scaler.scale(loss).backward()
        for part in parts:
            again = self._z(self._views(pixels, draws, part))
            torch.autograd.backward(again, [z.grad[part] for z in mine])
            self._after_part()
        return loss, batch

    def step(self, step: int, steps: int) -> Step:
        """Make step number `step` of `steps`."""
        train = self.config.train
        rows = self.rows(step)
        pixels = self.batches.take(rows[self.share])
        if step + 1 < steps:
            self.batches.expect(self.rows(step + 1)[self.share])
        if train.temperature_schedule == "cosine":
            self.objective.set_temperature(temperature_at(train, step, steps))
        self.model.train()
        self.optimizer.zero_grad()
        draws = self._draws(step)
        if train.chunk is None or train.chunk >= len(pixels):
            loss, batch = self._whole(pixels, draws, rows)
        else:
            loss, batch = self._in_chunks(pixels, draws, rows, train.chunk)
        norm = self._update(rate_at(step, steps, warmup=train.warmup))
        self.objective.update(batch)
        views = tuple(z.detach() for z in batch.views)
        return Step(loss=loss.detach(), grad_norm=norm, views=views, temperature=self.objective.temperature)

    def _update(self, rate: float) -> Tensor:
        self.ranks.sum_gradients(
            self.model.parameters()
        )  # scaled: all processes then see the same overflow, and skip alike
        for part in self.optimizer.parts:
            self.scaler.unscale_(part)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.train.clip_norm or math.inf)
        self.optimizer.set_rate(rate)
        # Where a scaled gradient overflowed, no part may step: the norm, and what was clipped by it, are no numbers.
        if not self.scaler.is_enabled() or torch.isfinite(norm):
            for part in self.optimizer.parts:
                self.scaler.step(part)
        self.scaler.update()
        for average in (self.average, self.key_encoder):
            if average is not None:
                average.update_parameters(self.model)
        return norm

    # -- over a break ------------------------------------------------------------------------------------------------
    @property
    def encoder(self) -> SimClr:
        """The network to encode with: the averaged one where there is one."""
        return self.average.module if self.average is not None else self.model

    def state(self) -> dict[str, Any]:
        """Everything but the network's own weights."""
        averages = {"ema": self.average, "key_encoder": self.key_encoder}
        return {
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state_dict(),
            "scaler": self.scaler.state_dict(),
            **{name: average.state_dict() for name, average in averages.items() if average is not None},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.objective.load_state_dict(state["objective"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["ema"])
        if self.key_encoder is not None:
            self.key_encoder.load_state_dict(state["key_encoder"])


def _compiled(model: SimClr, config: TrainConfig) -> Any:
    if config.compile == "off":
        return model
    return torch.compile(model, mode="reduce-overhead" if config.compile == "graphs" else None)
