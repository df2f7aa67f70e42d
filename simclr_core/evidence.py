"""What a rule of the verdict may look at, and the form of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from simclr_core.cloud import Cloud, Undefined
from simclr_core.records import Severity
from simclr_core.registry import Label, Params

Metrics = Mapping[str, float | None]
LEARNED = 0.2  # share of the way from the loss's ceiling to its floor that is passed within the first epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the loss of a run says.

    Attributes:
        progress: (ceiling − loss) / (ceiling − floor) over the last tenth of the steps; None where the objective has no
            such bounds or nothing was logged.
        falling: share of that range the loss still fell by from the tenth before last two tenths to the last one.
        share_done: steps taken of those planned.
    """

    progress: float | None
    falling: float
    share_done: float


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a rule may look at. `reasons` says for each metric that is None why."""

    cloud: Cloud
    metrics: Metrics
    reasons: Mapping[str, Label]
    references: Mapping[str, Metrics]
    run: RunFacts | None
    pair_label: Int[np.ndarray, " m"] | None = None

    def need(self, name: str) -> float:
        """A metric's value; `Undefined` with the reason where it has none."""
        value = self.metrics[name]
        if value is None:
            raise Undefined(self.reasons[name])
        return value

    def reference(self, name: str, metric: str) -> float | None:
        return self.references.get(name, {}).get(metric)

    def from_before(self, metric: str, *, larger: bool) -> float | None:
        """The untrained encoder's number, where ours is no worse and the loss has hardly left its ceiling; else None.

        Then what is odd is how the network began, and not what training made of it.
        """
        value, before = self.metrics[metric], self.reference("untrained", metric)
        progress = None if self.run is None else self.run.progress
        if progress is None or progress >= LEARNED or value is None or before is None:
            return None
        return before if (value >= before if larger else value <= before) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Params):
    """Base of every rule's thresholds; where they come from stands in `verdict.toml`."""


class Judgement(NamedTuple):
    """A rule's answer: its deciding number, the metric it is (for the references beside it), the limit, the words."""

    severity: Severity
    value: float | None
    metric: str
    threshold: float
    text: Label


Rule = Callable[[Evidence, Any], Judgement]


def grade(value: float, warn: float, fail: float) -> Severity:
    """Severity of a number that is bad when high."""
    return "fail" if value >= fail else "warn" if value >= warn else "ok"
