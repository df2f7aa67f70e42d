"""The training loop: `train(config, images)` yields a `TrainStep` now and then, and can be stopped with a result.

Nothing random outlives a step: the order of an epoch comes from (seed, epoch) and a step's views from (seed, step), so
a resumed run draws exactly what an undisturbed one would have drawn.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from simclr_core.augment import augment_pair
from simclr_core.config import RunConfig, run_id, to_dict
from simclr_core.device import ThreadGovernor, choose_device, choose_precision
from simclr_core.errors import ConfigError, DataError, RunError, sentence
from simclr_core.losses import unit_rows
from simclr_core.model import SimClr, build_model
from simclr_core.objectives import CEILING, FLOOR, Batch, Objective, make_objective
from simclr_core.optimizers import make_optimizer
from simclr_core.records import ImageSet, TrainStep
from simclr_core.store import RunDir, read_json, require_space

FORMAT = "simclr-explorer"
REPORTS = 400  # TrainSteps a run at most
CHECKPOINT_STEPS = 1000  # the most that a killed run repeats, where an epoch is longer than that
PAUSE_POLL_SECONDS = 0.1
_STREAMS = {"order": 0x9E37, "views": 0x79B9}


def stream(seed: int, name: str, position: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of one epoch's order or one step's views, whatever was drawn before."""
    mixed = np.random.SeedSequence([seed, _STREAMS[name], position]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(mixed >> 1))


def rate_at(step: int, steps: int, *, warmup: float) -> float:
    """Share of the full learning rate: linear warm-up over a share of the steps, then half a cosine down to 0."""
    warm = round(warmup * steps)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def batch_statistics(z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"]) -> dict[str, float]:
    """What a batch says of the space: contrastive accuracy, mean positive and negative cosine, std ratio of z."""
    n = len(z_a)
    u = unit_rows(torch.cat([z_a, z_b]))
    s = torch.mm(u, u.T)
    twin = torch.cat([s.diagonal(n), s.diagonal(n)])
    negatives = s.sum() - s.diagonal().sum() - 2 * twin[:n].sum()
    right = s.fill_diagonal_(-2).amax(1) <= twin
    return {
        "contrastive_accuracy": right.float().mean().item(),
        "positive_cosine": twin.mean().item(),
        "negative_cosine": (negatives / max(1, 2 * n * (2 * n - 2))).item(),
        "std_ratio": (u.std(0).mean() * u.shape[1] ** 0.5).item(),
    }


def image_tensor(images: ImageSet, device: torch.device) -> Tensor:
    """Pictures as uint8 (n, 3, h, w) on the device."""
    return torch.from_numpy(images.image).permute(0, 3, 1, 2).contiguous().to(device)


class Training:
    """One run in progress: iterate for its reports, `stop()` it, take its `model`.

    Iterating to the end, or until `stop()`, leaves a usable model either way. With a run directory every report, checkpoint
    and state is also written there, and `control` is obeyed.
    """

    def __init__(self, config: RunConfig, images: ImageSet, *, run: RunDir | None = None, resume: bool = False) -> None:
        n, batch = len(images), config.train.batch_size
        if batch < 2:
            raise ConfigError(sentence("batch_size", "2 or larger", batch, "one image has no negatives to learn from"))
        if n < batch:
            remedy = "choose a smaller batch or more images"
            raise ConfigError(sentence("batch_size", f"at most the number of training images ({n})", batch, remedy))
        self.config = config.resolved(n)
        self.images = images
        self.run = run
        self.steps_per_epoch = n // batch
        self.steps = self.steps_per_epoch * (self.config.train.epochs or 1)
        self.step = 0
        self.seconds = 0.0
        self.last_row: dict[str, Any] = {}
        self._stop = False
        self._prepare(read_json(run.path / "status.json").get("threads") if run is not None and resume else None)
        if run is not None:
            self._open(run, resume)

    def _prepare(self, threads_before: int | None) -> None:
        train = self.config.train
        self.device = choose_device(train.device)
        self.precision = choose_precision(train.precision, self.device)
        self.objective = self._make_objective().to(self.device)
        self.governor = ThreadGovernor(train.threads, threads_before)
        self.model = build_model(self.config.model, train.seed).to(self.device)
        self.optimizer = make_optimizer(self.model, train)
        self._pixels = image_tensor(self.images, self.device)

    def _make_objective(self) -> Objective:
        made = make_objective(self.config.train, images=len(self.images), dim=self.config.model.proj_dim)
        if missing := made.needs - ({"label"} if self.images.label is not None else set()):
            remedy = "choose another objective, or pictures with labels"
            raise ConfigError(
                sentence(
                    "objective", f"one that can do without {', '.join(missing)}", self.config.train.objective, remedy
                )
            )
        return made

    # -- the run directory -------------------------------------------------------------------------------------------
    def _open(self, run: RunDir, resume: bool) -> None:
        identity = run_id(self.config, self.images.digest)
        known = run.info.get("run_id")
        if run.exists and not resume:
            raise RunError(sentence("out", "a new directory", str(run.path), "add --resume or choose another name"))
        if resume and known is not None and known != identity:
            remedy = "resume with the configuration and pictures it began with, or choose another name"
            raise RunError(sentence("out", f"a run with this configuration (id {identity})", known, remedy))
        size = sum(t.nbytes for t in self.model.state_dict().values())
        require_space(run.path, 4 * 3 * size)  # weights and two moments, two kept and one being written
        if not run.exists:
            lines = [
                {"id": line.id, "value": line.value, "en": line.label.en, "zh": line.label.zh}
                for line in self.objective.lines(self.config.train.batch_size, self.config.model.proj_dim)
            ]
            about = {"data_digest": self.images.digest, "images": len(self.images), "reference_lines": lines}
            run.write_config(self.config, run_id=identity, **about)
        if resume:
            self._restore(run)
        run.ask("run")

    def _restore(self, run: RunDir) -> None:
        folder = run.latest_checkpoint
        if folder is not None:
            self.model.load_state_dict(load_file(folder / "model.safetensors", device=str(self.device)))
            state = torch.load(folder / "optimizer.pt", map_location=self.device, weights_only=True)
            self.optimizer.load_state_dict(state["optimizer"])
            self.objective.load_state_dict(state.get("objective", {}))
            torch.set_rng_state(state["rng"].cpu())
            self.step, self.seconds = state["step"], state["seconds"]
        run.cut_metrics(self.step)

    def save(self) -> None:
        """Write a checkpoint of this step, unless its weights are no longer finite."""
        if self.run is None or not all(torch.isfinite(p).all() for p in self.model.parameters()):
            return
        with self.run.new_checkpoint(self.step) as folder:
            save_model(self.model, self.config, folder / "model.safetensors")
            state = {
                "optimizer": self.optimizer.state_dict(),
                "objective": self.objective.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "rng": torch.get_rng_state(),
            }
            torch.save(state, folder / "optimizer.pt")
        self.run.drop_old_checkpoints(self.config.train.keep_every)

    def _say(self, state: str, message: str = "") -> None:
        if self.run is not None:
            self.run.write_status(
                state=state,
                message=message,
                step=self.step,
                steps=self.steps,
                progress=self.step / self.steps,
                seconds=self.seconds,
                device=str(self.device),
                threads=self.governor.threads,
                backed_off_at=self.governor.backed_off_at,
                precision=str(self.precision).removeprefix("torch."),
            )

    # -- the loop ----------------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Ask the loop to end after the step it is in; the model stays usable."""
        self._stop = True

    def _batch(self) -> Tensor:
        """Rows of the training set."""
        epoch, place = divmod(self.step, self.steps_per_epoch)
        order = torch.randperm(len(self.images), generator=stream(self.config.train.seed, "order", epoch))
        size = self.config.train.batch_size
        return order[place * size : (place + 1) * size].to(self.device)

    def _label(self, index: Tensor) -> Tensor | None:
        label = self.images.label
        return None if label is None else torch.from_numpy(label[index.cpu().numpy()]).long().to(self.device)

    def _advance(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One optimisation step; the loss, the gradient's norm and both views' z."""
        config = self.config
        generator = stream(config.train.seed, "views", self.step, self.device)
        index = self._batch()
        view_a, view_b = augment_pair(self._pixels[index], config.augment, generator, size=config.image_size)
        self.model.train()
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            _, z = self.model(torch.cat([view_a, view_b]))
        z_a, z_b = z.float().chunk(2)
        batch = Batch(views=(z_a, z_b), index=index, label=self._label(index))
        loss = self.objective(batch)
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.train.clip_norm or math.inf)
        self.optimizer.set_rate(rate_at(self.step, self.steps, warmup=config.train.warmup))
        self.optimizer.step()
        self.objective.update(batch)
        return loss.detach(), norm, z_a.detach(), z_b.detach()

    def _require_finite(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        train = self.config.train
        saved = self.run.latest_checkpoint if self.run else None
        where = (
            f"the last good checkpoint is step {int(saved.name)}" if saved else "no checkpoint was written before it"
        )
        raise RunError(
            f"`loss` must be finite, got {loss} at step {self.step + 1}; {where}. Most likely the learning rate "
            f"({train.lr:g}) is too high for this batch, or the temperature ({train.temperature:g}) too low: lower the "
            "first by 3, or set train.clip_norm=1"
        )

    def loss_at(self, line: str) -> float | None:
        """The loss at one of the objective's reference lines; None where it has no such line."""
        return self.objective.value_at(line, self.config.train.batch_size, self.config.model.proj_dim)

    def _report(self, loss: float, norm: Tensor, z_a: Tensor, z_b: Tensor, rate: float) -> TrainStep:
        return TrainStep(
            step=self.step,
            steps=self.steps,
            epoch=self.step / self.steps_per_epoch,
            loss=loss,
            loss_ceiling=self.loss_at(CEILING),
            loss_floor=self.loss_at(FLOOR),
            **batch_statistics(z_a, z_b),
            lr=self.optimizer.lr,
            grad_norm=norm.item(),
            images_per_second=rate,
            seconds=self.seconds,
        )

    def _obey(self) -> None:
        """Wait while paused; note a stop."""
        if self.run is None:
            return
        asked = self.run.control
        if asked == "pause":
            self.save()
            self._say("paused")
            while self.run.control == "pause" and not self._stop:
                time.sleep(PAUSE_POLL_SECONDS)
            self._say("running")
            asked = self.run.control
        if asked == "stop":
            self._stop = True

    def __iter__(self) -> Iterator[TrainStep]:
        report_every = -(-self.steps // REPORTS)
        save_every = self.config.train.checkpoint_every or min(self.steps_per_epoch, CHECKPOINT_STEPS)
        self._say("running")
        since, busy = self.step, 0.0
        while self.step < self.steps:
            self._obey()
            if self._stop:
                break
            began = time.perf_counter()
            loss, norm, z_a, z_b = self._advance()
            due = (self.step + 1) % report_every == 0 or self.step + 1 == self.steps
            if due or self.device.type == "cpu":  # elsewhere reading the loss would make every step wait
                self._require_finite(loss.item())
            took = time.perf_counter() - began
            self.step += 1
            self.seconds += took
            busy += took
            if self.governor.watch(self.step, took) and self.run:
                self.run.log(f"step {self.step}: a core is busy elsewhere; one thread from here on")
            if due:
                rate = (self.step - since) * self.config.train.batch_size / max(busy, 1e-9)
                since, busy = self.step, 0.0
                yield self._record(self._report(loss.item(), norm, z_a, z_b, rate))
            if self.step % save_every == 0 or self.step == self.steps:
                self.save()
        if self._stop:
            self.save()
        self._say("running")  # the last report may lie some steps back

    def _record(self, report: TrainStep) -> TrainStep:
        row = {name: getattr(report, name) for name in TrainStep.__dataclass_fields__}
        self.last_row = row
        if self.run is not None:
            self.run.append_metrics(row)
            self._say("running")
        return report


def train(config: RunConfig, images: ImageSet, *, run: RunDir | None = None, resume: bool = False) -> Training:
    """Train an encoder; iterate over the result for its reports.

    Args:
        config: what to do; automatic numbers are filled in from the number of images.
        images: the training pictures, at least one batch.
        run: where to keep configuration, metrics and checkpoints; nothing is written without it.
        resume: go on from the newest checkpoint of `run`.

    Returns:
        A `Training`: an iterable of `TrainStep` with `stop()` and the `model`.

    Raises:
        ConfigError: a setting is out of range for these images. RunError: the directory is taken, the disk is full, or the
        loss is no longer finite (raised while iterating).
    """
    return Training(config, images, run=run, resume=resume)


def save_model(model: SimClr, config: RunConfig, path: Path) -> None:
    """Weights as safetensors, with what is needed to build the network again in the header."""
    state = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    save_file(state, path, metadata={"format": FORMAT, "config": json.dumps(to_dict(config))})


def estimate(config: RunConfig, images: ImageSet, steps: int = 3) -> float:
    """Seconds the whole run will take, from a few real steps of it on this machine."""
    trial = Training(config, images)
    trial._advance()  # the first step also allocates
    trial.step += 1
    began = time.perf_counter()
    for _ in range(steps):
        trial._advance()
        trial.step += 1
    return (time.perf_counter() - began) / steps * trial.steps


def require_images(images: ImageSet) -> None:
    """Refuse pictures too small for any network here."""
    edge = min(images.image.shape[1:3])
    if edge < 8:
        raise DataError(
            sentence("images", "at least 8 pixels wide and high", edge, "set image_size, or larger pictures")
        )
