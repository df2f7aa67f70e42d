"""A training run: `train(config, images)` yields a `TrainStep` now and then, and can be stopped with a result.

Here are the run's directory, its reports, alarms and checkpoints, and what a person asks of it; one step is `learner`'s.
Nothing random outlives a step, so a resumed run draws exactly what an undisturbed one would have drawn.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from simclr_core.alarms import Alarms
from simclr_core.config import RunConfig, run_id, to_dict
from simclr_core.device import ThreadGovernor
from simclr_core.distributed import Ranks
from simclr_core.errors import ConfigError, DataError, RunError, sentence
from simclr_core.learner import Learner, Step
from simclr_core.model import SimClr, build_model
from simclr_core.monitors import Watch, batch_numbers
from simclr_core.objectives import CEILING, FLOOR
from simclr_core.records import ImageSet, TrainStep
from simclr_core.store import RunDir, read_json, read_metrics, require_space

FORMAT = "simclr-explorer"
REPORTS = 400  # TrainSteps a run at most
CHECKPOINT_STEPS = 1000  # the most that a killed run repeats, where an epoch is longer than that
PAUSE_POLL_SECONDS = 0.1
WEIGHTS, AVERAGED, STATE = "model.safetensors", "ema.safetensors", "optimizer.pt"


class Training:
    """One run in progress: an iterator of its reports; `stop()` it, take its `model`.

    Iterating to the end, or until `stop()`, leaves a usable model either way. With a run directory every report, checkpoint
    and state is also written there, and `control` is obeyed. Of several processes the first writes and listens; all hold
    the same pictures and end together.
    """

    def __init__(
        self,
        config: RunConfig,
        images: ImageSet,
        *,
        run: RunDir | None = None,
        resume: bool = False,
        held: ImageSet | None = None,
        ranks: Ranks = Ranks(),  # noqa: B008  frozen
        learner: type[Learner] = Learner,
    ) -> None:
        n, batch = len(images), config.train.batch_size
        if batch < 2:
            raise ConfigError(sentence("batch_size", "2 or larger", batch, "one image has no negatives to learn from"))
        if n < batch:
            remedy = "choose a smaller batch or more images"
            raise ConfigError(sentence("batch_size", f"at most the number of training images ({n})", batch, remedy))
        self.config = config.resolved(n)
        self.images = images
        self.ranks = ranks
        self.run = run if ranks.first else None
        before = read_json(run.path / "status.json").get("threads") if run is not None and resume else None
        self.governor = ThreadGovernor(self.config.train.threads, before, processes=ranks.here)
        self.learner = learner(self.config, images, ranks, after_part=self._listen)
        self.steps = self.learner.steps_per_epoch * (self.config.train.epochs or 1)
        self.step = 0
        self.seconds = 0.0
        self.rows: list[dict[str, Any]] = []
        self.alarms = Alarms()
        self._stop = False
        self._part_began = 0.0
        self._reports = self._follow()
        if run is not None:
            self._open(run, resume)
        self._watch = self._watching(held) if held is not None and ranks.first else None

    @property
    def model(self) -> SimClr:
        """The network to encode with: the averaged one where `train.ema` is set."""
        return self.learner.encoder

    def _watching(self, held: ImageSet) -> Watch:
        untrained = build_model(self.config.model, self.config.train.seed).to(self.learner.device)
        return Watch(held, self.images, self.config, untrained, self.learner.device)

    # -- the run directory -------------------------------------------------------------------------------------------
    def _open(self, run: RunDir, resume: bool) -> None:
        if self.run is not None and not resume:
            run.require_new("add --resume or choose another name")
        if resume:
            require_same(run, self.config, self.images.digest)
        if self.run is not None and not run.exists:
            self._begin(run, run_id(self.config, self.images.digest))
        if resume:
            self._restore(run)
        if self.run is not None:
            run.ask("run")
        self.ranks.wait()

    def _begin(self, run: RunDir, identity: str) -> None:
        size = sum(t.nbytes for t in self.learner.model.state_dict().values())
        require_space(run.path, 4 * 3 * size)  # weights and two moments, two kept and one being written
        shape = (self.config.train.batch_size, self.config.model.proj_dim, len(self.config.views))
        lines = [
            {"id": line.id, "value": line.value, "en": line.label.en, "zh": line.label.zh}
            for line in self.learner.objective.lines(*shape)
        ]
        pictures = {"data_digest": self.images.digest, "images": len(self.images), "copies": self.images.copies}
        negatives = self.learner.objective.negatives
        run.write_config(self.config, run_id=identity, reference_lines=lines, negatives=negatives, **pictures)

    def _restore(self, run: RunDir) -> None:
        folder = run.latest_checkpoint
        if folder is not None:
            weights, state = _read_checkpoint(folder, self.learner.device)
            self.learner.model.load_state_dict(weights)
            self.learner.load(state)
            torch.set_rng_state(state["rng"].cpu())
            self.step, self.seconds = state["step"], state["seconds"]
            self.alarms.since = dict(state.get("alarms", {}))
        if self.run is not None:
            run.cut_metrics(self.step)
        self.rows = read_metrics(run.metrics_path)

    def save(self) -> None:
        """Write a checkpoint of this step, unless its weights are no longer finite."""
        learner = self.learner
        if self.run is None or not all(torch.isfinite(p).all() for p in learner.model.parameters()):
            return
        with self.run.new_checkpoint(self.step) as folder:
            save_model(learner.model, self.config, folder / WEIGHTS)
            if learner.average is not None:
                save_model(learner.encoder, self.config, folder / AVERAGED)
            about = {"step": self.step, "seconds": self.seconds, "alarms": self.alarms.since}
            torch.save(learner.state() | about | {"rng": torch.get_rng_state()}, folder / STATE)
        self.run.drop_old_checkpoints(self.config.train.keep_every)

    def _say(self, state: str) -> None:
        if self.run is not None:
            self.run.write_status(
                state=state,
                message="",
                step=self.step,
                steps=self.steps,
                progress=self.step / self.steps,
                seconds=self.seconds,
                device=str(self.learner.device),
                processes=self.ranks.size,
                threads=self.governor.threads,
                backed_off_at=self.governor.backed_off_at,
                reproducible=self.governor.backed_off_at is None,
                precision=str(self.learner.precision).removeprefix("torch."),
                alarms=self.alarms.since,
                monitor_seconds=self._watch.seconds if self._watch else 0.0,
            )

    # -- the loop ----------------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Ask the loop to end after the step it is in; the model stays usable."""
        self._stop = True

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
        shape = (self.config.train.batch_size, self.config.model.proj_dim, len(self.config.views))
        return self.learner.objective.value_at(line, *shape)

    def _report(self, done: Step, rate: float) -> TrainStep:
        row = {
            "step": self.step,
            "steps": self.steps,
            "epoch": self.step / self.learner.steps_per_epoch,
            "loss": done.loss.item(),
            "loss_ceiling": self.loss_at(CEILING),
            "loss_floor": self.loss_at(FLOOR),
            "temperature": done.temperature,
            **batch_numbers(done.views, done.temperature),
            "dim": self.config.model.proj_dim,
            "lr": self.learner.optimizer.lr,
            "grad_norm": norm if math.isfinite(norm := done.grad_norm.item()) else None,
            "images_per_second": rate,
            "seconds": self.seconds,
        }
        look = None
        if self._watch is not None and self._watch.due(self.step, self.steps, self.seconds):
            look = self._watch.look(self.model)
            row["knn_accuracy"] = look.knn_accuracy
        self.rows.append(row)
        row["alarms"] = self.alarms.hear(self.rows, look)
        return TrainStep(**row)

    def _obey(self) -> None:
        """Wait while paused; note a stop. The other processes wait at the question whether to end."""
        if self.run is not None:
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
        self._stop = self.ranks.agree(self._stop, self.learner.device)

    def _listen(self) -> None:
        """Tell the governor how long a step, or a chunk of one, took."""
        now, before = time.perf_counter(), self.governor.threads
        if self.governor.watch(self.step, now - self._part_began) and self.run:
            threads = self.governor.threads
            why = "other programs need cores" if threads < before else "cores are idle again"
            self.run.log(f"step {self.step}: {why}; {threads} threads from here on")
        self._part_began = now

    def _due(self, step: int) -> bool:
        """Whether a step is reported: at most `REPORTS` of a run, its last one, and those the sample is looked at."""
        return step % -(-self.steps // REPORTS) == 0 or step == self.steps

    def __iter__(self) -> Iterator[TrainStep]:
        return self

    def __next__(self) -> TrainStep:
        return next(self._reports)

    def _follow(self) -> Iterator[TrainStep]:
        save_every = self.config.train.checkpoint_every or min(self.learner.steps_per_epoch, CHECKPOINT_STEPS)
        self._say("running")
        since, busy = self.step, 0.0
        while self.step < self.steps:
            self._obey()
            if self._stop:
                break
            began = self._part_began = time.perf_counter()
            done = self.learner.step(self.step, self.steps)
            due = self._due(self.step + 1)
            if due or self.learner.device.type == "cpu":  # elsewhere reading the loss would make every step wait
                self._require_finite(done.loss.item())
            took = time.perf_counter() - began
            self.step += 1
            self.seconds += took
            busy += took
            self._listen()
            if due:
                rate = (self.step - since) * self.config.train.batch_size / max(busy, 1e-9)
                since, busy = self.step, 0.0
                yield self._written(self._report(done, rate))
            if self.step % save_every == 0 or self.step == self.steps:
                self.save()
        if self._stop:
            self.save()
        self._say("running")  # the last report may lie some steps back

    def _written(self, report: TrainStep) -> TrainStep:
        if self.run is not None:
            self.run.append_metrics({name: getattr(report, name) for name in TrainStep.__dataclass_fields__})
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
        A `Training`: an iterator of `TrainStep` with `stop()` and the `model`.

    Raises:
        ConfigError: a setting is out of range for these images. RunError: the directory is taken, the disk is full, or the
        loss is no longer finite (raised while iterating).
    """
    return Training(config, images, run=run, resume=resume)


def require_same(run: RunDir, config: RunConfig, digest: str) -> None:
    """Refuse to go on with a run that began otherwise, or that was not trained here; `config` is resolved."""
    known, identity = run.info.get("run_id"), run_id(config, digest)
    if "imported" in run.info:
        raise RunError(sentence("out", "a run that was trained here", str(run.path), "begin a new one to train"))
    if known is not None and known != identity:
        remedy = "resume with the configuration and pictures it began with, or choose another name"
        raise RunError(sentence("out", f"a run with this configuration (id {identity})", known, remedy))


def _read_checkpoint(folder: Path, device: torch.device) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights, and all else that a run goes on with."""
    try:
        weights = load_file(folder / WEIGHTS, device=str(device))
        return weights, torch.load(folder / STATE, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError, SafetensorError) as error:
        remedy = f"it cannot be read ({error}); delete it to go on from the one before it, or begin a new run"
        raise RunError(sentence("out", "a run whose newest checkpoint is whole", str(folder), remedy)) from None


def save_model(model: SimClr, config: RunConfig, path: Path) -> None:
    """Weights as safetensors, with what is needed to build the network again in the header."""
    state = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    save_file(state, path, metadata={"format": FORMAT, "config": json.dumps(to_dict(config))})


def estimate(config: RunConfig, images: ImageSet, steps: int = 3) -> float:
    """Seconds the whole run will take, from a few real steps of it on this machine."""
    trial = Training(config, images)
    trial.learner.step(0, trial.steps)  # the first step also allocates
    began = time.perf_counter()
    for step in range(1, steps + 1):
        trial.learner.step(step, trial.steps)
    return (time.perf_counter() - began) / steps * trial.steps


def require_images(images: ImageSet) -> None:
    """Refuse pictures too small for any network here."""
    edge = min(images.image.shape[1:3])
    if edge < 8:
        raise DataError(
            sentence("images", "at least 8 pixels wide and high", edge, "set image_size, or larger pictures")
        )
