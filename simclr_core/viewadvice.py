"""`PIPELINES`: recipes of views worth comparing; `ADVICE`: rules from what was measured of a recipe to what to make of it.

The thresholds were set on the bundled pictures (128 of them, 255 candidates), where the program's own recipe has: twins found
by the colours of 12 % of the emoji, by an untrained encoder of 7 %; disjoint crops 0.1 %; best AUC .85. See docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from simclr_core.config import AugmentConfig
from simclr_core.operations import OPERATIONS, only, uses, without
from simclr_core.records import Severity
from simclr_core.registry import Choice, Label
from simclr_core.texts import beside

FEWEST = 3  # operations, as exercise 4 of the work sheet asks
SMALL = 48  # pixels: below it SimCLR leaves blur out (Chen et al. 2020, appendix B.9)
NARROW_CROP = 0.9  # of the area: larger crops leave hardly any choice
COLOUR_SOLVES, UNTRAINED_SOLVES = 0.25, 0.25  # share of the views whose twin is found
LEARNED = 1.5  # times the untrained accuracy
OFTEN_DISJOINT = 0.1  # share of the pairs
HOPELESS = 0.65  # AUC of the best way at hand
OWN = AugmentConfig()


class Pipeline(NamedTuple):
    """A recipe and what it is called."""

    label: Label
    augment: AugmentConfig


PIPELINES = {
    "crop": Pipeline(Label("crop only", "只裁剪"), only(OWN, "crop")),
    "colour": Pipeline(Label("crop, jitter", "裁剪、抖动"), without(without(OWN, "flip"), "grey")),
    "full": Pipeline(Label("crop, flip, jitter, grey", "裁剪、翻转、抖动、灰度"), OWN),
    "simclr": Pipeline(
        Label("SimCLR on ImageNet", "SimCLR（ImageNet）"),
        replace(OWN, crop_scale=(0.08, 1.0), jitter_strength=1.0, blur_p=0.5),
    ),
    "weak": Pipeline(
        Label("too weak", "太弱"), replace(OWN, crop_scale=(0.8, 1.0), jitter_strength=0.2, grayscale_p=0.0)
    ),
    "strong": Pipeline(
        Label("too strong", "太强"),
        replace(OWN, crop_scale=(0.01, 0.1), jitter_strength=1.0, blur_p=1.0, blur_sigma=(1.0, 2.0)),
    ),
}


class Seen(NamedTuple):
    """A recipe's views in one embedding: accuracy, mean cosine of the positive pairs and of the negative ones."""

    accuracy: float
    positive: float
    negative: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a recipe on some pictures; an accuracy is the share of the views whose nearest candidate is the twin.

    Attributes:
        augment: the recipe.
        side: edge of a view in pixels.
        candidates: how many views the twin is looked for among.
        coloured: whether the pictures have colours at all.
        colour: accuracy by colour histogram.
        untrained: of h and z of the untrained network the better one; None where there is no network at hand.
        trained: the same of the trained network.
        best: largest AUC of all ways that were tried.
        disjoint: share of the pairs whose two crops have no pixel in common.
    """

    augment: AugmentConfig
    side: int
    candidates: int
    coloured: bool
    colour: float
    untrained: Seen | None
    trained: Seen | None
    best: float
    disjoint: float


class Advice(NamedTuple):
    """A rule's answer."""

    severity: Severity
    text: Label


Answer = tuple[Severity, dict[str, Any]]
Rule = Callable[[Facts], Answer | None]
"""From facts to a severity and what fills in its text; None where there is nothing to say."""


def in_use(augment: AugmentConfig) -> tuple[str, ...]:
    """The operations that a recipe does; the jitter counts once, whichever parts it has."""
    return tuple(name for name, entry in OPERATIONS.items() if not entry.part_of and uses(augment, name))


def _count(facts: Facts) -> Answer:
    labels = [OPERATIONS[name].label for name in in_use(facts.augment)]
    names = {"names": ", ".join(text.en.lower() for text in labels), "names_zh": "、".join(text.zh for text in labels)}
    return "ok" if len(labels) >= FEWEST else "fail", names | {"n": len(labels), "few": FEWEST}


def _crop(facts: Facts) -> Answer:
    low = facts.augment.crop_scale[0]
    return "ok" if low < NARROW_CROP else "fail", {"low": low}


def _colour(facts: Facts) -> Answer:
    severity: Severity = "warn" if not facts.coloured else "ok" if facts.colour < COLOUR_SOLVES else "fail"
    return severity, {"share": facts.colour, "others": facts.candidates, "chance": 1 / facts.candidates}


def _weak(facts: Facts) -> Answer | None:
    if facts.untrained is None:
        return None
    return "ok" if facts.untrained.accuracy < UNTRAINED_SOLVES else "fail", facts.untrained._asdict()


def _learnable(facts: Facts) -> Answer | None:
    if facts.untrained is None or facts.trained is None:
        return None
    learned = facts.trained.accuracy >= LEARNED * facts.untrained.accuracy
    return "ok" if learned else "warn", facts.trained._asdict() | {"before": facts.untrained.accuracy}


def _apart(facts: Facts) -> Answer | None:
    return None if facts.disjoint < OFTEN_DISJOINT else ("warn", {"share": facts.disjoint})


def _hopeless(facts: Facts) -> Answer | None:
    return None if facts.best >= HOPELESS else ("fail", {"share": facts.best})


def _blur(facts: Facts) -> Answer | None:
    return None if facts.side >= SMALL or not facts.augment.blur_p else ("warn", {"side": facts.side})


def _flip(facts: Facts) -> Answer | None:
    return ("warn", {}) if facts.augment.flip_p else None


_RULES: dict[str, Rule] = {
    "count": _count,
    "crop": _crop,
    "colour": _colour,
    "weak": _weak,
    "learnable": _learnable,
    "apart": _apart,
    "hopeless": _hopeless,
    "blur": _blur,
    "flip": _flip,
}
_TEXTS = beside(__file__)
ADVICE: dict[str, Choice[Rule]] = {
    name: Choice(label=_TEXTS[name]["label"], run=rule, source=_TEXTS[name]["source"]) for name, rule in _RULES.items()
}


def advise(facts: Facts) -> dict[str, Advice]:
    """What the rules say of a recipe, in their order; a rule without an answer is left out."""
    answers = {name: answer for name, rule in ADVICE.items() if (answer := rule.run(facts)) is not None}
    return {name: Advice(severity, _TEXTS[name][severity].format(**v)) for name, (severity, v) in answers.items()}
