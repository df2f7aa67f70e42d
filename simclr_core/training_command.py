"""The verb `train`: one process alone, or several that torchrun started."""

from __future__ import annotations

import json
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from simclr_core.config import RunConfig, from_dict, with_overrides
from simclr_core.errors import ConfigError, RunError, sentence
from simclr_core.recipes import recipe
from simclr_core.store import RunDir, read_json
from simclr_core.work import finishing, say, told


def _run_config(args: Namespace, run: RunDir) -> RunConfig:
    config = recipe(args.recipe) if args.recipe else RunConfig()
    if args.resume and run.exists:
        config = run.config
    if args.config:
        data = read_json(Path(args.config))
        if not data:
            raise ConfigError(sentence("--config", "a file holding a JSON object", args.config, "check the path"))
        config = from_dict(RunConfig, data.get("config", data))
    overrides = list(args.set)
    if args.images is not None:
        overrides.append(f"images={json.dumps(args.images)}")
    if args.threads is not None:
        overrides.append(f"train.threads={args.threads}")
    return with_overrides(config, overrides)


@contextmanager
def _stopping_on_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Turn SIGTERM and SIGINT into a stop with a checkpoint; the list holds the signals heard."""
    heard: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        stop()

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield heard
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def train(args: Namespace) -> dict[str, Any] | None:
    """Train an encoder into a run directory, then evaluate it; None in the processes that only help."""
    from simclr_core.distributed import joined

    run = RunDir(args.out)
    if args.resume and not run.exists:
        raise RunError(sentence("out", "a run directory to resume", args.out, "leave out --resume to begin one"))
    if not args.resume:
        run.require_new("add --resume or choose another name")
    config = _run_config(args, run)
    if args.resume:  # asked before anything is written, the pictures taken for what they were
        from simclr_core.train import require_same

        require_same(run, config.resolved(run.info.get("images", 1)), run.info.get("data_digest", ""))
    with joined(config.train.device) as ranks:
        if not ranks.first:
            _help_train(args, config, run, ranks)
            return None
        with run.locked(), told(run):
            return _lead_train(args, config, run, ranks)


def _help_train(args: Namespace, config: RunConfig, run: RunDir, ranks: Any) -> None:
    """A process beside the first: it trains along and writes nothing."""
    from simclr_core.pipeline import load_for
    from simclr_core.train import Training

    ranks.wait()  # the first process has read the pictures, downloaded where that was asked
    training = Training(config, load_for(config, "train"), run=run, resume=args.resume, ranks=ranks)
    with _stopping_on_signals(training.stop):
        for _ in training:
            pass


def _lead_train(args: Namespace, config: RunConfig, run: RunDir, ranks: Any) -> dict[str, Any]:
    from simclr_core.device import keep_memory
    from simclr_core.pipeline import finish_run, load_for
    from simclr_core.train import Training, require_images

    keep_memory()
    run.write_status(state="starting", message="reading the pictures", began=time.time(), progress=0.0)
    images = load_for(config, "train", download=args.download)
    require_images(images)
    ranks.wait()
    for notice in images.notices:
        say(notice)
    held = load_for(config, "test", download=args.download)
    training = Training(config, images, run=run, resume=args.resume, held=held, ranks=ranks)
    say(
        f"{len(images)} pictures, {training.steps} steps, {training.learner.device}, {training.governor.threads} threads"
    )
    with _stopping_on_signals(training.stop) as heard:
        _follow(training)
    if heard:
        run.write_status(state="stopped", message="terminated; resume goes on from the checkpoint")
        return _train_result(run, training, {})
    state = "done" if training.step == training.steps else "stopped"
    result = finish_run(run, images, finishing(run))
    run.write_status(state=state, message="", progress=training.step / training.steps, result=result)
    return _train_result(run, training, result)


def _follow(training: Any) -> None:
    for report in training:
        if report.step == report.steps or report.step % max(1, report.steps // 20) < max(1, report.steps // 400):
            say(
                f"step {report.step}/{report.steps}  loss {report.loss:.4f}  contrastive accuracy "
                f"{report.contrastive_accuracy:.3f}  {report.images_per_second:.0f} images/s"
            )


def _train_result(run: RunDir, training: Any, result: dict[str, Any]) -> dict[str, Any]:
    row = training.rows[-1] if training.rows else {}
    return {
        "run": str(run.path),
        "steps": training.step,
        "seconds": training.seconds,
        "images_per_second": training.step * training.config.train.batch_size / max(training.seconds, 1e-9),
        "loss": row.get("loss"),
        "loss_ceiling": training.loss_at("ceiling"),
        "loss_floor": training.loss_at("floor"),
        "knn_accuracy": None,
        "threads": training.governor.threads,
        "device": str(training.learner.device),
        "processes": training.ranks.size,
    } | result
