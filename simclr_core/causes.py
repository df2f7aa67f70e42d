"""Why a run went wrong: `CAUSES`, each with its evidence and the settings that would mend it, the likeliest first.

The score of a cause is its fit times its relevance, in [0, 1]:

- the fit says how far the fact it rests on lies from the ordinary: 0 where the setting is an ordinary one, 1 where it alone
  would make a run ill, between them by the logarithm (`cause_rules.Ramp`);
- the relevance says whether this cause is known to make this illness: 1 where it explains the verdict, ½ where it only
  explains another finding that fails beside it, 0 otherwise.

A score is not a probability: it orders causes by how much is wrong with the setting. What scores less than `LEAST` is not
told, and a space whose verdict is healthy has no causes. Nothing is inferred from facts that the run does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from simclr_core import cause_rules as rules
from simclr_core.cause_rules import CauseRule, Cure
from simclr_core.config import RunConfig, with_overrides
from simclr_core.facts import Facts
from simclr_core.records import CollapseReport, SpaceReport
from simclr_core.registry import Choice, Label

LEAST = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseKind(Choice[CauseRule]):
    """An entry of `CAUSES`; `help` says what the cure does.

    Attributes:
        explains: the verdicts that this cause is known to make.
    """

    explains: frozenset[str]


class Cause(NamedTuple):
    """One likely cause of a verdict: its score in [0, 1], its evidence, and settings that would mend it (none: {})."""

    id: str
    score: float
    text: Label
    cure: Cure


def relevance(kind: CauseKind, found: SpaceReport) -> float:
    """1 where a cause explains the verdict, ½ where it explains another failing finding, else 0."""
    if found.verdict in kind.explains:
        return 1.0
    return 0.5 if any(f.severity == "fail" and f.id in kind.explains for f in found.findings) else 0.0


def likely_causes(found: SpaceReport, facts: Facts | None) -> tuple[Cause, ...]:
    """The causes of one space's verdict, the likeliest first; empty where it is healthy or nothing is known of the run."""
    if facts is None or found.verdict == "healthy":
        return ()
    causes = []
    for name, kind in CAUSES.items():
        weight = relevance(kind, found)
        sign = kind.run(facts, found) if weight else None
        if sign is not None and sign.fit * weight >= LEAST:
            causes.append(Cause(name, sign.fit * weight, sign.text, sign.cure))
    return tuple(sorted(causes, key=lambda cause: -cause.score))


def cured(config: RunConfig, cure: Cure) -> RunConfig:
    """A run's configuration with a cure's settings.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """
    return with_overrides(config, [f"{path}={json.dumps(value)}" for path, value in cure.items()])


def _cause_json(cause: Cause) -> dict[str, Any]:
    kind = CAUSES[cause.id]
    return {
        "id": cause.id,
        "label": kind.label._asdict(),
        "score": cause.score,
        "sentence": cause.text.en,
        "sentences": cause.text._asdict(),
        "cure": dict(cause.cure),
        "effect": kind.help._asdict(),
        "source": kind.source,
    }


def causes_to_json(report: CollapseReport, facts: Facts | None) -> dict[str, Any]:
    """What `report_to_json` gains: `causes` of the asked-for space, and `causes_of` every space."""
    of = {space: [_cause_json(c) for c in likely_causes(found, facts)] for space, found in report.spaces.items()}
    return {"causes": of[report.top], "causes_of": of}


def _kind(run: CauseRule, label: Label, effect: Label, source: str, *explains: str) -> CauseKind:
    return CauseKind(label=label, run=run, help=effect, source=source, explains=frozenset(explains))


COLLAPSE = ("complete", "dimensional", "cone", "cluster", "duplicates")
NOT_LEARNED = ("undertrained", *COLLAPSE, "hubs")
CAUSES: Mapping[str, CauseKind] = {
    "no_negatives": _kind(
        rules.no_negatives,
        Label("objective without negatives", "目标函数没有负样本"),
        Label("Trains with NT-Xent, which pushes different images apart.", "改用 NT-Xent 训练，它会推开不同的图像。"),
        "Wang & Isola 2020, §4",
        *NOT_LEARNED,
    ),
    "temperature_high": _kind(
        rules.temperature_high,
        Label("temperature too high", "温度系数过高"),
        Label("Trains at a temperature at which near negatives count more.", "改用让近邻负样本更受重视的温度系数。"),
        "Wang & Liu 2021, §3",
        *NOT_LEARNED,
        "false_negatives",
    ),
    "temperature_low": _kind(
        rules.temperature_low,
        Label("temperature too low", "温度系数过低"),
        Label(
            "Trains at a temperature at which more than the nearest negatives count.",
            "改用不只看最近负样本的温度系数。",
        ),
        "Wang & Liu 2021, §3",
        *NOT_LEARNED,
        "over_uniform",
        "false_negatives",
    ),
    "few_negatives": _kind(
        rules.few_negatives,
        Label("batch too small", "批过小"),
        Label(
            "Trains with larger batches, so that every anchor has more negatives.",
            "使用更大的批，每个锚点有更多负样本。",
        ),
        "Chen et al. 2020, figure 9",
        *NOT_LEARNED,
        "shortcut",
    ),
    "rate_high": _kind(
        rules.rate_high,
        Label("learning rate too high", "学习率过高"),
        Label("Trains at the usual rate of this optimizer and batch.", "使用该优化器与批大小的常用学习率。"),
        "Chen et al. 2020, appendix B.1",
        *NOT_LEARNED,
    ),
    "rate_low": _kind(
        rules.rate_low,
        Label("learning rate too low", "学习率过低"),
        Label("Trains at the usual rate of this optimizer and batch.", "使用该优化器与批大小的常用学习率。"),
        "Chen et al. 2020, appendix B.1",
        *NOT_LEARNED,
        "shortcut",
    ),
    "few_steps": _kind(
        rules.few_steps,
        Label("too few steps", "训练步数过少"),
        Label("Trains for more epochs.", "训练更多轮。"),
        "Chen et al. 2020, figure 9",
        *NOT_LEARNED,
        "shortcut",
    ),
    "decay_high": _kind(
        rules.decay_high,
        Label("weight decay too high", "权重衰减过大"),
        Label("Trains with the usual weight decay.", "使用常用的权重衰减。"),
        "Jing et al. 2022, §4: strong regularisation of weak directions",
        *NOT_LEARNED,
    ),
    "long_rows": _kind(
        rules.long_rows,
        Label("embeddings have grown long", "嵌入变得过长"),
        Label(
            "Trains with smaller steps, so that z stays short and can still be turned.",
            "减小步长，使 z 保持较短、仍可转动。",
        ),
        "Draganov et al. 2024, on the gradient of the cosine",
        "undertrained",
        "dimensional",
        "complete",
    ),
    "normed_alone": _kind(
        rules.normed_alone,
        Label("BatchNorm over too few images", "BatchNorm 的批过小"),
        Label("Trains with GroupNorm, which looks at one image at a time.", "改用每次只看一张图的 GroupNorm。"),
        "Wu & He 2018, figure 1",
        *NOT_LEARNED,
        "shortcut",
    ),
    "dead_units": _kind(
        rules.dead_units,
        Label("dead units", "失活的单元"),
        Label("Trains with smaller steps, which kill fewer units.", "减小步长，使更少的单元失活。"),
        "He et al. 2015, on rectifiers that never fire",
        "complete",
        "dimensional",
        "cone",
    ),
    "narrow_head": _kind(
        rules.narrow_head,
        Label("projection head too narrow", "投影头过窄"),
        Label("Trains with a head of the usual width.", "使用常用宽度的投影头。"),
        "Chen et al. 2020, figure 8",
        "dimensional",
        "cone",
        "duplicates",
        "undertrained",
        "hubs",
    ),
    "easy_crop": _kind(
        rules.easy_crop,
        Label("crops too alike", "裁剪过于相似"),
        Label("Trains with the usual random crops.", "使用常用的随机裁剪。"),
        "Chen et al. 2020, figure 5",
        "shortcut",
        "dimensional",
        "duplicates",
        "cluster",
        "hubs",
        "over_uniform",
    ),
    "colour_kept": _kind(
        rules.colour_kept,
        Label("colour left as it is", "颜色未被改变"),
        Label("Trains with the usual colour jitter and grey.", "使用常用的颜色抖动与灰度。"),
        "Chen et al. 2020, figure 6",
        "shortcut",
        "dimensional",
        "cluster",
        "duplicates",
        "over_uniform",
    ),
    "hard_views": _kind(
        rules.hard_views,
        Label("views share too little", "视图共同点过少"),
        Label("Trains with the usual strengths of augmentation.", "使用常用的增强强度。"),
        "Jing et al. 2022, §4.1; Tian et al. 2020",
        *NOT_LEARNED,
        "over_uniform",
    ),
    "unrelated_views": _kind(
        rules.unrelated_views,
        Label("views found by chance only", "孪生视图只能碰运气找到"),
        Label("Look at the views of a few pictures, then train again.", "查看若干图像的视图后重新训练。"),
        "Tian et al. 2020, on views that share nothing",
        *NOT_LEARNED,
    ),
    "copies": _kind(
        rules.copies,
        Label("copies among the pictures", "图像中有副本"),
        Label("Remove the copies from the pictures, then train again.", "从图像中移除副本后重新训练。"),
        "Lee et al. 2022, on copies in training data",
        "duplicates",
        "cluster",
        "dimensional",
        "hubs",
        "false_negatives",
        "undertrained",
    ),
    "few_classes": _kind(
        rules.few_classes,
        Label("most negatives are of the anchor's class", "负样本多与锚点同类"),
        Label("Trains at a higher temperature, which forgives near negatives.", "提高温度系数，更宽容近邻负样本。"),
        "Chuang et al. 2020",
        "false_negatives",
        "over_uniform",
        "undertrained",
    ),
}
