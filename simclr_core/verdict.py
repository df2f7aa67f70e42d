"""From numbers to a verdict: `DIAGNOSES` in order, `diagnose`, and the report as JSON.

The verdict is the first diagnosis that fails, in the order of the dict; a warning never changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from simclr_core import geometry_rules as geometry
from simclr_core import learning_rules as learning
from simclr_core.cloud import PURITY_K, Cloud, Undefined
from simclr_core.diagnostics import DIAGNOSTICS, measure_all, sphere
from simclr_core.errors import DataError, sentence
from simclr_core.evidence import Evidence, Limits, Metrics, Rule, RunFacts
from simclr_core.intervals import REACH, measure_intervals
from simclr_core.progress import Progress, silent, stretch
from simclr_core.records import (
    CollapseReport,
    EmbeddingTable,
    Finding,
    Interval,
    PairTable,
    Severity,
    Space,
    SpaceReport,
)
from simclr_core.registry import Choice, Label
from simclr_core.store import RunDir, read_metrics
from simclr_core.texts import beside

TEXTS = beside(__file__)
LIMITS: dict[str, Label] = TEXTS["limits"]
"""Where the limits of each diagnosis come from."""
_ORDER: tuple[Severity, ...] = ("ok", "warn", "fail")
_SEARCH = 0.6  # share of the time that the neighbours take, where intervals are measured too


def measure(
    x: Float[np.ndarray, "n d"],
    label: Int[np.ndarray, " n"] | None = None,
    pairs: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    orbits: Float[np.ndarray, "p q d"] | None = None,
    progress: Progress = silent,
) -> dict[str, float | None]:
    """Every diagnostic of one matrix, None where it is undefined: what a reference (untrained, pixels) looks like.

    Args:
        x: embeddings, any scale.
        label: class of each row.
        pairs: embeddings of two views of some images in the same space.
        orbits: all views of these images, where there are more than two.

    Raises:
        DataError: NaN or infinity, fewer than 3 rows, columns of different length.
    """
    return measure_all(Cloud(x=x, label=label, views=pairs, orbits=orbits, progress=progress))[0]


def run_facts(run: RunDir) -> RunFacts:
    """What the run's logged loss says: how far down it came, whether it was still falling, how much was done."""
    rows = [row for row in read_metrics(run.metrics_path) if row.get("loss") is not None]
    if not rows:
        return RunFacts(progress=None, falling=0.0, share_done=0.0)
    loss = np.array([row["loss"] for row in rows], dtype=np.float64)
    last, ceiling, floor = rows[-1], rows[-1].get("loss_ceiling"), rows[-1].get("loss_floor")
    share_done = float(last["step"]) / max(1.0, float(last.get("steps") or last["step"]))
    if ceiling is None or floor is None or not ceiling > floor or not np.isfinite(loss).all():
        return RunFacts(progress=None, falling=0.0, share_done=share_done)
    tenth = max(1, len(loss) // 10)
    end, before = loss[-tenth:].mean(), loss[-3 * tenth : -2 * tenth].mean() if len(loss) >= 10 else loss[-1]
    way = ceiling - floor
    return RunFacts(
        progress=float((ceiling - end) / way), falling=float((before - end) / way), share_done=min(1.0, share_done)
    )


def _unjudged(name: str, label: Label, why: Label, source: str) -> Finding:
    text = TEXTS.say("said.unjudged", name=label.en, name_zh=label.zh, why=why.en, why_zh=why.zh)._asdict()
    return Finding(id=name, severity="ok", value=None, reference={}, threshold=None, sentences=text, source=source)


def _judge(name: str, evidence: Evidence, known: Mapping[str, Interval | None]) -> Finding:
    choice = DIAGNOSES[name]
    limits = choice.params()
    assert isinstance(limits, Limits)
    try:
        judgement = choice.run(evidence, limits)
    except Undefined as undefined:
        return _unjudged(name, choice.label, undefined.why, choice.source)
    metric = judgement.metric
    finding = Finding(
        id=name,
        severity=judgement.severity,
        value=judgement.value,
        reference={key: values[metric] for key, values in evidence.references.items() if metric in values},
        threshold=judgement.threshold,
        sentences=judgement.text._asdict(),
        source=choice.source,
        interval=known.get(metric) if judgement.value == evidence.metrics.get(metric) else None,
        threshold_source=LIMITS[name].en,
    )
    return replace(finding, sentences=_with_doubt(finding)) if finding.unsure else finding


def _with_doubt(finding: Finding) -> dict[str, str]:
    """A finding's sentences, and that another sample might be judged otherwise."""
    assert finding.interval is not None
    doubt = TEXTS.say("said.doubt", t=finding.threshold, **finding.interval._asdict())
    return Label(**finding.sentences).then(doubt)._asdict()


def _zero_rows(cloud: Cloud) -> list[Finding]:
    """Say openly that rows of zeros have no direction, and how they counted."""
    m = len(cloud.zero_rows)
    if m == 0:
        return []
    text = TEXTS.say("said.zero_rows", m=m, n=cloud.n, first=cloud.zero_rows[0])._asdict()
    share = m / cloud.n
    return [Finding(id="zero_rows", severity="warn", value=share, reference={}, threshold=0.0, sentences=text)]


def _worst(findings: tuple[Finding, ...]) -> Severity:
    return max((f.severity for f in findings), key=_ORDER.index, default="ok")


def _own_references(references: Mapping[str, Metrics], space: Space, cloud: Cloud) -> dict[str, Metrics]:
    """References of one space: `untrained_h` serves h as "untrained"; raw pixels and the sphere serve both."""
    own = {k: v for k, v in references.items() if k not in ("untrained_h", "untrained_z")}
    if f"untrained_{space}" in references:
        own["untrained"] = references[f"untrained_{space}"]
    return {"sphere": sphere(cloud.n, cloud.d)} | own


def _diagnose_space(
    table: EmbeddingTable,
    space: Space,
    pairs: PairTable | None,
    run: RunFacts | None,
    references: Mapping[str, Metrics],
    sure: bool,
    progress: Progress,
) -> SpaceReport:
    twice = pairs if pairs is not None and space in pairs.spaces else None
    searching = stretch(progress, 0.0, _SEARCH) if sure else progress
    cloud = Cloud(
        x=table.space(space),
        label=table.label,
        views=None if twice is None else twice.space(space),
        orbits=None if twice is None else twice.all_views(space),
        reach=REACH if sure else PURITY_K,
        progress=searching,
    )
    metrics, reasons = measure_all(cloud)
    known = measure_intervals(cloud, metrics, progress=stretch(progress, _SEARCH, 1.0)) if sure else {}
    evidence = Evidence(
        cloud=cloud,
        metrics=metrics,
        reasons=reasons,
        references=_own_references(references, space, cloud),
        run=run,
        pair_label=None if pairs is None else pairs.label,
    )
    judged = tuple(_judge(name, evidence, known) for name in DIAGNOSES)
    missing = (_unjudged(name, DIAGNOSTICS[name].label, why, DIAGNOSTICS[name].source) for name, why in reasons.items())
    findings = (*judged, *_zero_rows(cloud), *missing)
    return SpaceReport(
        space=space,
        n=cloud.n,
        dim=cloud.d,
        verdict=next((f.id for f in judged if f.severity == "fail"), "healthy"),
        severity=_worst(findings),
        findings=findings,
        metrics=metrics,
        intervals=known,
        references=evidence.references,
        eigenvalue=cloud.eigenvalue,
        k_occurrence=cloud.occurrence,
        neighbours=cloud.neighbours,
    )


def diagnose(
    table: EmbeddingTable,
    *,
    pairs: PairTable | None = None,
    run: RunDir | None = None,
    references: Mapping[str, Metrics] | None = None,
    space: Space = "h",
    intervals: bool = True,
    progress: Progress = silent,
) -> CollapseReport:
    """Measure every space of a table and say what is wrong with it, first things first.

    Args:
        table: embeddings; labels make purity and the rules about classes possible.
        pairs: two views of some images, encoded by the same encoder.
        run: the training run, for what its loss says.
        references: metrics of `measure` to set beside: "untrained_h" and "untrained_z" (or "untrained" for
            both), "pixels". As many points of the uniform sphere are always there.
        space: the space that the report's top level describes.
        intervals: whether to measure how sure each number is, which takes as long again.
        progress: told the share done; returning True raises `Stopped`.

    Raises:
        DataError: the table lacks the space, or its numbers cannot be used.
    """
    if space not in table.spaces:
        raise DataError(sentence("space", f"one of {', '.join(table.spaces)}", space, "choose a space of this table"))
    facts = None if run is None else run_facts(run)
    reports: dict[Space, SpaceReport] = {}
    for i, name in enumerate(table.spaces):
        told = stretch(progress, i / len(table.spaces), (i + 1) / len(table.spaces))
        reports[name] = _diagnose_space(table, name, pairs, facts, references or {}, sure=intervals, progress=told)
    return CollapseReport(top=space, spaces=reports)


def _space_json(report: SpaceReport) -> dict[str, Any]:
    remedy = DIAGNOSES[report.verdict].help._asdict() if report.verdict in DIAGNOSES else None
    return {
        "n": report.n,
        "dim": report.dim,
        "verdict": report.verdict,
        "severity": report.severity,
        "remedy": remedy,
        "findings": [asdict(f) | {"sentence": f.sentence, "unsure": f.unsure} for f in report.findings],
        "metrics": dict(report.metrics),
        "intervals": dict(report.intervals),
        "beside": {name: dict(values) for name, values in report.references.items()},
    }


def report_to_json(report: CollapseReport) -> dict[str, Any]:
    """The report in plain JSON values: the asked-for space on top, `spaces` with all, the references it was given."""
    spaces = {name: _space_json(space) for name, space in report.spaces.items()}
    references: dict[str, Metrics] = {}
    for name, space in report.spaces.items():
        own = {k: dict(v) for k, v in space.references.items() if k != "sphere"}
        references |= {f"untrained_{name}" if k == "untrained" else k: v for k, v in own.items()}
    return {"space": report.top, **spaces[report.top], "spaces": spaces, "references": references}


_RULES: dict[str, tuple[Rule, type[Limits]]] = {
    "complete": (geometry.complete, geometry.CompleteLimits),
    "dimensional": (geometry.dimensional, geometry.DimensionalLimits),
    "cone": (geometry.cone, geometry.ConeLimits),
    "cluster": (geometry.cluster, geometry.ClusterLimits),
    "duplicates": (geometry.duplicates, geometry.DuplicatesLimits),
    "hubs": (geometry.hubs, geometry.HubsLimits),
    "shortcut": (learning.shortcut, learning.ShortcutLimits),
    "undertrained": (learning.undertrained, learning.UndertrainedLimits),
    "over_uniform": (learning.over_uniform, learning.OverUniformLimits),
    "false_negatives": (learning.false_negatives, learning.FalseNegativesLimits),
}
DIAGNOSES: dict[str, Choice[Rule]] = {
    name: Choice(run=rule, params=limits, **TEXTS[name]) for name, (rule, limits) in _RULES.items()
}
