"""The diagnosis of every kept checkpoint of a run on one held-out sample: when a collapse began, or a cure took hold.

The sample, its views and the pictures that vote are those of `monitors.Watch`, so that the points compare with one another
and with what was seen live. The loss is not looked at, so `undertrained` is not judged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simclr_core.checkpoints import load_encoder
from simclr_core.device import choose_device
from simclr_core.errors import RunError, sentence
from simclr_core.model import build_model
from simclr_core.monitors import Watch
from simclr_core.pipeline import load_for
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import CollapseReport
from simclr_core.store import RunDir, write_atomic

TIMELINE = Path("embeddings") / "timeline.json"


def make_timeline(run: RunDir, progress: Progress = silent) -> dict[str, Any]:
    """Diagnose every checkpoint that a run has kept and write `embeddings/timeline.json`.

    Args:
        run: a run that was trained here, and whose pictures are at hand.
        progress: heard after every checkpoint; stopping raises `Stopped` and writes nothing.

    Returns:
        What was written: `n`, the pictures looked at, and `points`, one a checkpoint in order: step, kNN accuracy of h, and
        for each space its verdict, severity, failing and warning findings and metrics.

    Raises:
        RunError: no checkpoints. DataError, ConfigError: the pictures cannot be read.
    """
    folders = run.checkpoints
    if not folders:
        raise RunError(
            sentence("run", "a run with checkpoints", str(run.path), "train with train.keep_every to keep some")
        )
    config = run.config
    device = choose_device(config.train.device)
    progress(0.0, "reading the pictures")
    untrained = build_model(config.model, config.train.seed).to(device)
    watch = Watch(load_for(config, "test"), load_for(config, "train"), config, untrained, device)
    points = []
    for i, folder in enumerate(folders):
        if progress(i / len(folders), f"diagnosing step {int(folder.name)}"):
            raise Stopped
        report, accuracy = watch.examine(load_encoder(folder).module.to(device))
        points.append(_point(int(folder.name), report, accuracy))
    found = {"run_id": run.info.get("run_id"), "n": report.n, "points": points}
    write_atomic(run.path / TIMELINE, json.dumps(found))
    return found


def _point(step: int, report: CollapseReport, accuracy: float | None) -> dict[str, Any]:
    spaces = {
        name: {
            "verdict": found.verdict,
            "severity": found.severity,
            "failing": [f.id for f in found.findings if f.severity == "fail"],
            "warning": [f.id for f in found.findings if f.severity == "warn"],
            "metrics": dict(found.metrics),
        }
        for name, found in report.spaces.items()
    }
    return {"step": step, "knn_accuracy": accuracy, "spaces": spaces}
