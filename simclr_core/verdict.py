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
from simclr_core.evidence import Evidence, Limits, Metrics, Rule, RunFacts, say
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
    text = {"en": f"{label.en}: not measured, because {why.en}.", "zh": f"{label.zh}：未测量，因为{why.zh}。"}
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
        threshold_source=limits.SOURCE,
    )
    return replace(finding, sentences=_with_doubt(finding)) if finding.unsure else finding


def _with_doubt(finding: Finding) -> dict[str, str]:
    """A finding's sentences, and that another sample might be judged otherwise."""
    assert finding.interval is not None
    numbers = {"low": finding.interval.low, "high": finding.interval.high, "t": finding.threshold or 0.0}
    doubt = say(
        " These rows do not settle it: the limit of {t:.3g} lies inside the interval {low:.3g} to {high:.3g}.",
        "这些行不足以定论：界限 {t:.3g} 落在区间 {low:.3g} 至 {high:.3g} 之内。",
        **numbers,
    )
    return {language: text + doubt._asdict()[language] for language, text in finding.sentences.items()}


def _zero_rows(cloud: Cloud) -> list[Finding]:
    """Say openly that rows of zeros have no direction, and how they counted."""
    m = len(cloud.zero_rows)
    if m == 0:
        return []
    en = f"{m} of {cloud.n} rows are all zeros (first: row {cloud.zero_rows[0]}). They have no direction and count as "
    zh = f"{cloud.n} 行中有 {m} 行全为零（首个：第 {cloud.zero_rows[0]} 行）。它们没有方向，"
    text = {"en": en + "equal to each other and unrelated to all others.", "zh": zh + "按彼此相同、与其他行无关处理。"}
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


def _entry(run: Rule, params: type[Limits], label: Label, source: str, remedy: Label) -> Choice[Rule]:
    return Choice(label=label, run=run, params=params, source=source, help=remedy)


DIAGNOSES: dict[str, Choice[Rule]] = {
    "complete": _entry(
        geometry.complete,
        geometry.CompleteLimits,
        Label("complete collapse", "完全坍缩"),
        "SimSiam, Chen & He 2021, §4.1",
        Label(
            "Check that negatives reach the loss and that gradients flow; lower the learning rate or the temperature.",
            "检查负例是否进入损失、梯度是否正常；降低学习率或温度系数。",
        ),
    ),
    "dimensional": _entry(
        geometry.dimensional,
        geometry.DimensionalLimits,
        Label("dimensional collapse", "维度坍缩"),
        "Jing et al. 2022",
        Label(
            "Judge h rather than z; use a head of two or three layers, milder augmentation and weight decay.",
            "优先看 h 而非 z；使用两到三层的投影头，减弱增强与权重衰减。",
        ),
    ),
    "cone": _entry(
        geometry.cone,
        geometry.ConeLimits,
        Label("cone", "锥形"),
        "Ethayarajh 2019; Mu & Viswanath 2018",
        Label(
            "Subtract the mean before comparing; train longer; check the normalisation of the pictures.",
            "比较前先减去均值；延长训练；检查图像的归一化。",
        ),
    ),
    "cluster": _entry(
        geometry.cluster,
        geometry.ClusterLimits,
        Label("cluster collapse", "簇坍缩"),
        "gap in the distances of random pairs",
        Label(
            "Look at what each cluster shares (source, border, background) and add the augmentation that hides it.",
            "查看每个簇的共同点（来源、边框、背景），并加入能遮蔽它的增强。",
        ),
    ),
    "duplicates": _entry(
        geometry.duplicates,
        geometry.DuplicatesLimits,
        Label("duplicates", "重复"),
        "vecscope 0.2, at cosine .999",
        Label(
            "Look at the pairs: remove copies from the data; where the images differ, the encoder is blind to how.",
            "查看这些图像对：若是副本则从数据中移除；若图像不同，说明编码器看不到差别。",
        ),
    ),
    "hubs": _entry(
        geometry.hubs,
        geometry.HubsLimits,
        Label("hubs", "枢纽"),
        "Radovanović et al. 2010",
        Label(
            "Subtract the mean before searching; look at the hubs' pictures; lower the temperature.",
            "检索前减去均值；查看枢纽图像；降低温度系数。",
        ),
    ),
    "shortcut": _entry(
        learning.shortcut,
        learning.ShortcutLimits,
        Label("shortcut", "捷径"),
        "Chen et al. 2020, §3 (colour histograms)",
        Label(
            "Strengthen the augmentation: smaller crops together with colour jitter and grey.",
            "加强增强：更小的裁剪，并配合颜色抖动与灰度。",
        ),
    ),
    "undertrained": _entry(
        learning.undertrained,
        learning.UndertrainedLimits,
        Label("undertrained", "训练不足"),
        "NT-Xent between log(2N − 1) and the simplex bound",
        Label("Train longer, with a larger batch or learning rate.", "延长训练，使用更大的批或学习率。"),
    ),
    "over_uniform": _entry(
        learning.over_uniform,
        learning.OverUniformLimits,
        Label("over-uniform", "过度均匀"),
        "Wang & Liu 2021",
        Label("Raise the temperature; weaken the augmentation.", "提高温度系数；减弱增强。"),
    ),
    "false_negatives": _entry(
        learning.false_negatives,
        learning.FalseNegativesLimits,
        Label("false negatives", "假负例"),
        "Chuang et al. 2020",
        Label(
            "Use a debiased or supervised contrastive objective, a higher temperature, or a smaller batch.",
            "使用去偏或有监督的对比目标、更高的温度系数或更小的批。",
        ),
    ),
}
