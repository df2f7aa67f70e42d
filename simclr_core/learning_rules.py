"""Rules that need more than one space's rows: pairs of views, labels, the untrained encoder, or the run's loss.

Where these are not given a rule says so and judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simclr_core.cloud import Undefined
from simclr_core.diagnostics import sphere_uniformity
from simclr_core.evidence import LEARNED, Evidence, Judgement, Limits, grade
from simclr_core.records import Severity
from simclr_core.texts import beside

TEXTS = beside(__file__)


def purity_gain(e: Evidence) -> tuple[float, bool]:
    """Neighbour purity beyond the untrained encoder's, or beyond chance where that is unknown; whether it was known."""
    purity, untrained = e.need("knn_purity"), e.reference("untrained", "knn_purity")
    if untrained is not None:
        return purity - untrained, True
    return purity - e.need("chance_purity"), False


# -- shortcut ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ShortcutLimits(Limits):
    """The views are told apart all but perfectly, yet neighbours know no more of the classes than before training."""

    auc: float = 0.99  # AUC of the pairs
    near: float = 0.7  # alignment below which views are alike
    twin: float = 0.6  # share of twins found first
    gain: float = 0.04  # purity gain over untrained that fails
    easy: float = 0.9  # AUC before training that is too easy
    gain_easy: float = 0.08  # … purity gain that fails then
    gain_chance: float = 0.05  # … over chance, untrained unknown


def shortcut(e: Evidence, limits: ShortcutLimits) -> Judgement:
    auc, twin = e.need("pair_auc"), e.need("twin_r_at_1")
    gain, known = purity_gain(e)
    bound = _least_gain(e, limits) if known else limits.gain_chance
    # Views that lie far apart are not trivially alike, however far the others are: that is a matter of uniformity.
    solved = auc >= limits.auc and twin >= limits.twin and e.need("alignment") < limits.near
    severity: Severity = "ok" if not solved or gain >= 2 * bound else "warn" if gain >= bound else "fail"
    than = TEXTS["shortcut"]["untrained" if known else "chance"]
    told = "unsolved" if not solved else "ok" if severity == "ok" else "fail"
    text = TEXTS.say(f"shortcut.{told}", a=auc, g=gain, t=twin, than=than.en, than_zh=than.zh)
    purity = e.need("knn_purity")
    return Judgement(severity, purity, "knn_purity", purity - gain + bound, text)


def _least_gain(e: Evidence, limits: ShortcutLimits) -> float:
    """The purity that must be gained: more where even an untrained encoder tells the views apart, by colours for example."""
    before = e.reference("untrained", "pair_auc")
    return limits.gain_easy if before is not None and before >= limits.easy else limits.gain


# -- undertrained --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class UndertrainedLimits(Limits):
    """Where the loss stands between its ceiling (all embeddings equal) and its floor; where held-out views stand.

    In a batch of two the loss falls by guessing among three: then only views that were not trained on tell.
    """

    fail: float = LEARNED  # share of the way that fails
    warn: float = 0.35  # share of the way that warns
    falling: float = 0.05  # late fall that warns
    views: float = 0.65  # AUC's way from untrained to 1
    purity: float = 0.05  # … purity gain that clears
    kind: float = 0.5  # … unless so many are of one class
    room: float = 0.1  # … where there is so much to gain


def undertrained(e: Evidence, limits: UndertrainedLimits) -> Judgement:
    if e.run is None:
        raise Undefined(TEXTS.say("undertrained.no_run"))
    progress = e.run.progress
    if progress is None:
        raise Undefined(TEXTS.say("undertrained.no_loss"))
    severity: Severity = "fail" if progress < limits.fail else "warn" if progress < limits.warn else "ok"
    if severity != "fail" and _little_learned(e, limits):
        return _views_untold(e, limits)
    told = "way"
    if severity == "ok" and (e.run.falling > limits.falling or e.run.share_done < 0.5):
        severity, told = "warn", "falling"
    text = TEXTS.say(f"undertrained.{told}", p=progress, done=e.run.share_done)
    return Judgement(severity, progress, "loss_progress", limits.fail, text)


def _little_learned(e: Evidence, limits: UndertrainedLimits) -> bool:
    """Whether held-out views are told apart little better than before training, and neighbours share no more classes."""
    auc, before = e.metrics["pair_auc"], e.reference("untrained", "pair_auc")
    if auc is None or before is None or 1 - before < limits.room:
        return False
    kind = e.metrics["chance_purity"]
    if kind is not None and kind >= limits.kind:  # among pictures of one class views are hard to tell apart
        return False
    purity, untrained = e.metrics["knn_purity"], e.reference("untrained", "knn_purity")
    cleared = purity is not None and untrained is not None and purity - untrained >= limits.purity
    return not cleared and auc - before < limits.views * (1 - before)


def _views_untold(e: Evidence, limits: UndertrainedLimits) -> Judgement:
    auc, before = e.need("pair_auc"), e.reference("untrained", "pair_auc") or 0.0
    text = TEXTS.say("undertrained.untold", a=auc, b=before)
    return Judgement("fail", auc, "pair_auc", before + limits.views * (1 - before), text)


# -- over-uniform --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class OverUniformLimits(Limits):
    """Spread like the uniform sphere, while views of an image lie apart or classes are looser than before."""

    uniform: float = 0.97  # share of the sphere's uniformity
    apart: float = 1.0  # alignment that fails
    apart_warn: float = 0.7  # alignment that warns


def over_uniform(e: Evidence, limits: OverUniformLimits) -> Judgement:
    ratio = e.need("uniformity") / sphere_uniformity(e.cloud.d)
    alignment = e.need("alignment")
    untrained, purity = e.reference("untrained", "knn_purity"), e.metrics["knn_purity"]
    scattered = purity is not None and untrained is not None and purity < untrained - 0.01
    severity = grade(alignment, limits.apart_warn, limits.apart)
    if scattered:
        severity = "fail"
    if ratio < limits.uniform:
        severity = "ok"
    told = "ok" if severity == "ok" else "fail"
    text = TEXTS.say(f"over_uniform.{told}", r=ratio, a=alignment)
    return Judgement(severity, alignment, "alignment", limits.apart, text)


# -- false negatives -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class FalseNegativesLimits(Limits):
    """Negatives of the anchor's own class: expected in every labelled set, harmful where they are most of them."""

    fail: float = 0.5  # share of same-class negatives that fails
    warn: float = 0.25  # share that warns
    twin: float = 0.5  # share of twins found first below which it harms
    gain: float = 0.1  # purity gain that clears


def false_negatives(e: Evidence, limits: FalseNegativesLimits) -> Judgement:
    rate, twin = e.need("chance_purity"), e.need("twin_r_at_1")
    gain = purity_gain(e)[0] if rate < 1 else 0.0  # one class alone: no purity to gain
    severity = grade(rate, limits.warn, limits.fail)
    if twin >= limits.twin or gain >= limits.gain:
        severity = "ok"
    same = _lost_to_own_class(e)
    text = TEXTS.say(f"false_negatives.{'rate' if same is None else 'nearer'}", r=rate, s=same)
    return Judgement(severity, rate, "chance_purity", limits.fail, text)


def _lost_to_own_class(e: Evidence) -> float | None:
    """Share of same-class images among those that beat a twin; None without labels of the pairs, or none beaten."""
    pairs, label = e.cloud.pairs, e.pair_label
    if pairs is None or label is None or not pairs.lost.any():
        return None
    n = len(label)
    return float(np.mean(label[pairs.anchor % n] == label[pairs.lost_to % n], where=pairs.lost))
