"""`ALARMS`: what a run's reports must look like for an alarm that names a collapse as it starts.

A report is a row of `metrics.jsonl`, a `TrainStep`. Beside these rules, the verdict on a held-out sample is an alarm of its
own: "h:dimensional".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simclr_core.registry import Choice, Label
from simclr_core.verdict import DIAGNOSES

SETTLED = 0.2  # share of a run before which a space is still unfolding, so that its verdict is no alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at the held-out sample found: kNN accuracy of h, and each space's failing findings, first things first."""

    knn_accuracy: float | None
    failing: Mapping[str, tuple[str, ...]]


Rows = Sequence[Mapping[str, Any]]
AlarmRule = Callable[[Rows], bool]
RECENT = 3  # reports in a row that must agree


def _recently(test: Callable[[Mapping[str, Any]], bool]) -> AlarmRule:
    """True of every one of the last reports."""
    return lambda rows: len(rows) >= RECENT and all(test(row) for row in rows[-RECENT:])


def _stuck(row: Mapping[str, Any]) -> bool:
    ceiling, floor = row["loss_ceiling"], row["loss_floor"]
    if ceiling is None or floor is None or row["step"] < SETTLED * row["steps"]:
        return False
    return row["loss"] > ceiling - 0.02 * (ceiling - floor)


def _blowing_up(rows: Rows) -> bool:
    norms = [row["grad_norm"] for row in rows if row["grad_norm"] is not None]
    return len(norms) > 10 and norms[-1] > 10 * float(np.median(norms[-50:]))


def _forgetting(rows: Rows) -> bool:
    known = [row["knn_accuracy"] for row in rows if row.get("knn_accuracy") is not None]
    return len(known) > 2 and max(known[-2:]) < max(known) - 0.05


ALARMS: dict[str, Choice[AlarmRule]] = {
    "complete": Choice(
        label=Label("Complete collapse of z: all views point one way", "z 完全坍缩：所有视图指向同一方向"),
        run=_recently(lambda row: row["std_ratio"] < 0.1),
        source="Chen & He 2021 (SimSiam), figure 2: the std of unit rows, here as a share of the sphere's",
        help=Label("negatives are missing, or the learning rate is too high", "缺少负样本，或学习率过高"),
    ),
    "dimensional": Choice(
        label=Label("Dimensional collapse of z: few directions in use", "z 维度坍缩：只用了少数方向"),
        run=_recently(lambda row: row["effective_rank"] < min(4.0, 0.25 * row["dim"])),
        source="Jing et al. 2022; effective rank: Roy & Vetterli 2007",
        help=Label("lower τ, weaken the augmentation, or lower the learning rate", "降低 τ、减弱增强，或降低学习率"),
    ),
    "stuck": Choice(
        label=Label("The loss stays at its ceiling", "损失停在上界"),
        run=_recently(_stuck),
        source="log(2N−1) is the loss of equal embeddings; Chen et al. 2020, equation 1",
        help=Label("raise the learning rate, lower τ, or weaken the augmentation", "提高学习率、降低 τ，或减弱增强"),
    ),
    "few_negatives": Choice(
        label=Label("Each anchor looks at one or two negatives only", "每个锚点只看一两个负样本"),
        run=_recently(lambda row: row["effective_negatives"] < 2 and row["temperature"] < 0.05),
        source="Wang & Liu 2021: the temperature sets how many negatives count",
        help=Label("raise τ", "提高 τ"),
    ),
    "gradient": Choice(
        label=Label("The gradient is ten times what it was", "梯度是平时的十倍"),
        run=_blowing_up,
        source="this project: against the median of the last 50 reports",
        help=Label("lower the learning rate, or set train.clip_norm=1", "降低学习率，或设 train.clip_norm=1"),
    ),
    "forgetting": Choice(
        label=Label("kNN accuracy falls: below its best by 0.05", "kNN 准确率下降：比最好时低 0.05"),
        run=_forgetting,
        source="this project; the standard error of 500 pictures is about 0.02",
        help=Label("the checkpoints of the best steps may still be there", "最好时的检查点可能还在"),
    ),
}


@dataclass(slots=True)
class Alarms:
    """Which alarms sound, and since which step. A verdict of the held-out sample sounds as "h:dimensional"."""

    since: dict[str, int] = field(default_factory=dict)
    _verdicts: tuple[str, ...] = ()

    def hear(self, rows: Rows, look: Look | None) -> tuple[str, ...]:
        """Take the newest report (the last row), and a look where there was one; the alarms that sound now."""
        row = rows[-1]
        step = int(row["step"])
        if look is not None and step >= SETTLED * row["steps"]:
            self._verdicts = tuple(f"{space}:{found[0]}" for space, found in look.failing.items() if found)
        sounding = [name for name, alarm in ALARMS.items() if alarm.run(rows)] + list(self._verdicts)
        self.since = {name: self.since.get(name, step) for name in sounding}
        return tuple(sounding)


def alarm_label(name: str) -> Label:
    """What an alarm says: an entry of `ALARMS`, or a space and its verdict."""
    if name in ALARMS:
        return ALARMS[name].label
    space, _, verdict = name.partition(":")
    found = DIAGNOSES[verdict].label
    return Label(f"Held-out images, {space}: {found.en}", f"留出图像，{space}：{found.zh}")


def alarm_help(name: str) -> Label:
    """What to try against it."""
    return ALARMS[name].help if name in ALARMS else DIAGNOSES[name.partition(":")[2]].help
