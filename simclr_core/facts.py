"""What can be measured of a finished run that may explain its verdict: settings, losses, norms, dead units, copies.

Everything is read from the run's directory with numpy alone. A fact that the run does not hold is None, and no cause is
inferred from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simclr_core.cloud import Cloud
from simclr_core.config import RunConfig, auto_lr
from simclr_core.evidence import RunFacts
from simclr_core.records import EmbeddingTable
from simclr_core.store import RunDir, read_metrics
from simclr_core.tables import load_embeddings
from simclr_core.verdict import run_facts

FLAT = 1e-5  # the ε that BatchNorm adds to a variance: below it a channel carries less than that constant


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Measured facts of one run.

    Attributes:
        config: as the run resolved it.
        images: number of training pictures; None where the run does not say.
        rows: its reports, `TrainStep` by `TrainStep`.
        loss: where its loss stands between ceiling and floor, and whether it still fell.
        norm_z, norm_z_untrained: median length of a row of z, after and before training.
        dead_h, dead_untrained: share of the columns of h that do not change from image to image, after and before.
        flat_channels: share of BatchNorm's channels whose running variance is below its own ε.
        copies: share of the training pictures whose pixels equal another's.
        source: where the objective takes its negatives from: "batch", "memory" of earlier batches, or "none".
    """

    config: RunConfig
    images: int | None
    rows: Sequence[Mapping[str, Any]]
    loss: RunFacts
    norm_z: float | None = None
    norm_z_untrained: float | None = None
    dead_h: float | None = None
    dead_untrained: float | None = None
    flat_channels: float | None = None
    copies: float | None = None
    source: str = "batch"

    def late(self, name: str) -> float | None:
        """Mean of a reported number over the last tenth of the reports; None where it was not reported."""
        known = [float(row[name]) for row in self.rows if row.get(name) is not None]
        return float(np.mean(known[-max(1, len(known) // 10) :])) if known else None

    @property
    def seen(self) -> int:
        """Pictures seen in training, each as often as it was drawn."""
        return int(self.rows[-1]["step"]) * self.config.train.batch_size if self.rows else 0

    @property
    def negatives(self) -> int:
        """How many other views an anchor could be told from: those of the other images of its batch."""
        return len(self.config.views) * (self.config.train.batch_size - 1)

    @property
    def usual_rate(self) -> float:
        """The learning rate that this optimizer would have been given at this batch."""
        train = self.config.train
        return auto_lr(train.optimizer, train.batch_size, train.lr_scaling)

    @property
    def rate(self) -> float:
        """The learning rate that was used."""
        return self.usual_rate if self.config.train.lr is None else self.config.train.lr

    @property
    def has_negatives(self) -> bool:
        """Whether the objective pushes different images apart."""
        return self.source != "none"


def read_facts(run: RunDir, table: EmbeddingTable) -> Facts | None:
    """The facts of a run whose encoder made a table; None where the run was not trained here.

    Args:
        run: a run directory with its configuration.
        table: what its encoder made of held-out pictures.
    """
    if not (run.exists and run.metrics_path.exists() and "config" in run.info):
        return None
    path = run.path / "embeddings" / "untrained.npz"
    before = load_embeddings(path) if path.exists() else None
    return Facts(
        config=run.config,
        images=run.info.get("images"),
        source=run.info.get("negatives", "batch"),
        rows=read_metrics(run.metrics_path),
        loss=run_facts(run),
        norm_z=_norm(table),
        norm_z_untrained=None if before is None else _norm(before),
        dead_h=_dead(table),
        dead_untrained=None if before is None else _dead(before),
        flat_channels=_flat_channels(run),
        copies=run.info.get("copies"),
    )


def _norm(table: EmbeddingTable) -> float | None:
    if table.z is None:
        return None
    return float(np.median(np.linalg.norm(table.z.astype(np.float64), axis=1)))


def _dead(table: EmbeddingTable) -> float | None:
    if table.h is None or len(table) < 3:
        return None
    return 1 - Cloud(x=table.h).moving_columns


def _flat_channels(run: RunDir) -> float | None:
    """Read from the newest checkpoint without building the network; None without BatchNorm or a checkpoint."""
    from safetensors import SafetensorError, safe_open

    folder = run.latest_checkpoint
    if folder is None:
        return None
    try:
        with safe_open(folder / "model.safetensors", framework="numpy") as f:
            found = [f.get_tensor(name) for name in f.keys() if name.endswith("running_var")]  # noqa: SIM118
    except (SafetensorError, OSError):
        return None
    return float((np.concatenate(found) < FLAT).mean()) if found else None
