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


NOT_LEARNED = ("undertrained", "complete", "dimensional", "cone", "cluster", "duplicates", "hubs")


def _kind(run: CauseRule) -> CauseKind:
    text = rules.TEXTS[run.__name__]
    explains = (NOT_LEARNED if name == "not_learned" else (name,) for name in text["explains"])
    about = {name: text[name] for name in ("label", "help", "source")}
    return CauseKind(run=run, explains=frozenset().union(*explains), **about)


CAUSES: Mapping[str, CauseKind] = {
    rule.__name__: _kind(rule)
    for rule in (
        rules.no_negatives,
        rules.temperature_high,
        rules.temperature_low,
        rules.few_negatives,
        rules.rate_high,
        rules.rate_low,
        rules.few_steps,
        rules.decay_high,
        rules.long_rows,
        rules.normed_alone,
        rules.dead_units,
        rules.narrow_head,
        rules.easy_crop,
        rules.colour_kept,
        rules.hard_views,
        rules.unrelated_views,
        rules.copies,
        rules.few_classes,
    )
}
