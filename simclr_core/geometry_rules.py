"""Rules that look at one space alone: collapse onto a point, few directions, a cone, clusters, copies, hubs.

Thresholds are the fields of each rule's record. They were set on nine synthetic clouds of known illness and
on encoders that learned well, whose post-ReLU h has a mean cosine of .65, a rank of a tenth of its width and 15 % of
rows with a neighbour at cosine .99: none of that may be called a collapse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from simclr_core.evidence import Evidence, Judgement, Limits, grade
from simclr_core.records import Severity
from simclr_core.spectrum import LIVE, USED, cloud_cliff, enough_used
from simclr_core.texts import beside

TEXTS = beside(__file__)


# -- complete ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteLimits(Limits):
    """The std ratio decides; a high median cosine finds the cloud whose few outliers keep the spread up."""

    fail: float = 0.05  # std ratio that fails
    warn: float = 0.1  # std ratio that warns
    spread: float = 0.05  # 1 − mean cosine above which rows differ
    median: float = 0.9975  # cosine of three pairs in four that fails


def complete(e: Evidence, limits: CompleteLimits) -> Judgement:
    std, cosine, crowd = e.need("std_ratio"), e.need("mean_cosine"), e.need("crowd_cosine")
    # A single direction along one axis also has a tiny mean std, but its rows differ: that is no complete collapse.
    same = 1 - cosine < limits.spread
    severity: Severity = "fail" if (std < limits.fail and same) or crowd >= limits.median else "ok"
    if severity == "ok" and std < limits.warn and same:
        severity = "warn"
    if severity == "fail" and std >= limits.fail:
        return Judgement("fail", crowd, "crowd_cosine", limits.median, TEXTS.say("complete.crowded", c=crowd))
    return Judgement(severity, std, "std_ratio", limits.fail, TEXTS.say(f"complete.{severity}", s=std, c=cosine))


# -- dimensional ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionalLimits(Limits):
    """A variance carried by two or three directions, or half of them at zero; what a cliff is stands in `spectrum`."""

    live: float = 0.5  # share of eigenvalues above 1e-6
    columns: float = 0.75  # share of columns that vary
    few: float = 4.0  # participation ratio that fails, at most
    effective: float = 6.0  # … with an effective rank below
    loud: float = 5.0  # times as many in unit rows: loud rows
    warn_share: float = 0.15  # participation ratio / width that warns


def few_directions(d: int, most: float) -> float:
    """The participation ratio under which a width-d embedding fails: √d/e between 2.6 and `most`, less below d = 16.

    A number of directions, not a share of the width: post-ReLU h of a good ResNet-18 has 8 to 15 of 512, while a
    spectrum falling with the square of the rank has 2.3 to 2.5 at any width.
    """
    return min(most, max(2.6, d**0.5 / math.e), d / 6)


def dimensional(e: Evidence, limits: DimensionalLimits) -> Judgement:
    lost = _lost_directions(e, limits)
    knots = tight_clusters(e, ClusterLimits())
    if lost is None:
        return _many_directions(e, limits)
    if knots:
        text = TEXTS.say("dimensional.knots", pr=e.need("participation_ratio"), c=knots)
        return lost._replace(severity="warn", text=text)
    return lost


def _lost_directions(e: Evidence, limits: DimensionalLimits) -> Judgement | None:
    """The first sign of dimensional collapse, or None."""
    if cliff := _cliff(e):
        return cliff
    live, pr, limit = e.need("live_share"), e.need("participation_ratio"), e.cloud.rank_limit
    # Fewer rows than columns span too little for the spectrum to show dead columns, but the columns themselves do.
    moving = e.need("moving_share")
    if moving < limits.columns:
        text = TEXTS.say("dimensional.columns", x=moving)
        return Judgement("fail", moving, "moving_share", limits.columns, text)
    # Where a few loud rows hold the variance, the same rows at length 1 show that no direction is lost.
    unit = e.cloud.unit_eigenvalue
    if live < limits.live and (unit > LIVE * unit[0]).sum() < limits.live * limit:
        return Judgement("fail", live, "live_share", limits.live, TEXTS.say("dimensional.live", x=live))
    few = few_directions(e.cloud.d, limits.few)
    # One loud direction, or two, sways the participation ratio; the effective rank counts what lies beside them.
    spread = e.need("effective_rank") >= limits.effective
    if pr < few and not spread and unit.sum() ** 2 / (unit**2).sum() < limits.loud * few:
        text = TEXTS.say("dimensional.few", pr=pr, d=e.cloud.d)
        return _as_before(e, Judgement("fail", pr, "participation_ratio", few, text), larger=True)
    return None


def _cliff(e: Evidence) -> Judgement | None:
    cliff, drop = cloud_cliff(e.cloud)
    limit = e.cloud.rank_limit
    if cliff == limit:
        return None
    fold = f"{drop:,.0f}" if drop < 1e6 else ">1,000,000"
    text = TEXTS.say("dimensional.cliff", k=cliff, m=limit, drop=fold)
    return Judgement("fail", cliff / limit, "cliff_share", enough_used(e.cloud), text)


def _as_before(e: Evidence, found: Judgement, *, larger: bool) -> Judgement:
    """A failure that the network began with, and that no training has had the time to mend or to cause: a warning."""
    before = e.from_before(found.metric, larger=larger)
    if found.severity != "fail" or before is None:
        return found
    return found._replace(severity="warn", text=found.text.then(TEXTS.say("dimensional.before", b=before)))


def _many_directions(e: Evidence, limits: DimensionalLimits) -> Judgement:
    live, pr, d = e.need("live_share"), e.need("participation_ratio"), e.cloud.d
    few = few_directions(d, limits.few)
    # After a ReLU a small share is usual also in good encoders, so only a small number is worth a word.
    bound = 1.6 * few if e.cloud.positive_only else limits.warn_share * min(d, e.cloud.rank_limit)
    if pr < bound:
        return Judgement("warn", pr, "participation_ratio", bound, TEXTS.say("dimensional.leaning", pr=pr, d=d))
    if live < USED:
        return Judgement("warn", live, "live_share", USED, TEXTS.say("dimensional.dead", x=1 - live))
    return Judgement("ok", pr, "participation_ratio", few, TEXTS.say("dimensional.ok", pr=pr, d=d, live=live))


# -- cone ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ConeLimits(Limits):
    """Rows without negative numbers always share a direction, so theirs may be larger."""

    fail: float = 0.8  # mean cosine that fails
    warn: float = 0.6  # mean cosine that warns
    fail_positive: float = 0.96  # … after a ReLU
    warn_positive: float = 0.9  # … after a ReLU, warning


def cone(e: Evidence, limits: ConeLimits) -> Judgement:
    cosine = e.need("mean_cosine")
    positive = e.cloud.positive_only
    fail = limits.fail_positive if positive else limits.fail
    severity = grade(cosine, limits.warn_positive if positive else limits.warn, fail)
    told = "fail" if severity != "ok" else "positive" if positive else "ok"
    text = TEXTS.say(f"cone.{told}", c=cosine)
    return _as_before(e, Judgement(severity, cosine, "mean_cosine", fail, text), larger=False)


# -- cluster -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLimits(Limits):
    """A gap in the pair distances, below which most rows have company."""

    fail: float = 2.5  # ratio of the gap's ends that fails
    warn: float = 1.7  # ratio of the gap's ends that warns


def tight_clusters(e: Evidence, limits: ClusterLimits) -> float:
    """Effective number of tight clusters that most rows sit in; 0 where there are none, or two: those are one line."""
    knots = e.cloud.knots
    return knots.clusters if knots.crumbled and knots.gap >= limits.fail else 0.0


def cluster(e: Evidence, limits: ClusterLimits) -> Judgement:
    knots, gap = e.cloud.knots, e.need("cluster_gap")
    severity = grade(gap, limits.warn, limits.fail)
    told = "ok" if severity == "ok" else "fail"
    text = TEXTS.say(f"cluster.{told}", s=knots.share, c=knots.clusters, g=min(gap, 1e6))
    return Judgement(severity, gap, "cluster_gap", limits.fail, text)


# -- duplicates ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesLimits(Limits):
    """Share of rows with a neighbour at cosine .999."""

    fail: float = 0.10  # share that fails
    warn: float = 0.02  # share that warns


def duplicates(e: Evidence, limits: DuplicatesLimits) -> Judgement:
    share = e.need("duplicate_share")
    severity = grade(share, limits.warn, limits.fail)
    return Judgement(severity, share, "duplicate_share", limits.fail, TEXTS.say("duplicates.share", s=share))


# -- hubs ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class HubsLimits(Limits):
    """Skewness says little alone: a common direction among many gives a healthy cloud 4 to 13, and a quarter antihubs."""

    fail: float = 4.0  # skewness that fails
    warn: float = 2.0  # skewness that warns
    antihubs: float = 0.7  # share of antihubs that must go with it
    reach: float = 20.0  # … or, over √n, rows with one hub among their nearest
    least: float = 0.2  # … at least this share of the rows
    most: float = 0.55  # … at most this one
    everyone: float = 0.6  # … which fails with the warning skewness


def hub_reach_limit(n: int, limits: HubsLimits) -> float:
    """The share of n rows beyond which no hub that a common direction makes by chance has reached: these grow as √n."""
    return min(limits.most, max(limits.least, limits.reach / math.sqrt(n)))


def hubs(e: Evidence, limits: HubsLimits) -> Judgement:
    skew, antihubs, reach = e.need("hubness_skew"), e.need("antihub_share"), e.need("hub_reach")
    most = int(e.cloud.occurrence.max())
    severity = grade(skew, limits.warn, limits.fail)
    if severity == "fail" and antihubs < limits.antihubs and reach < hub_reach_limit(e.cloud.n, limits):
        severity = "warn"
    words = {"s": skew, "m": float(most), "a": antihubs, "r": reach}
    if severity == "warn" and reach >= limits.everyone:
        return Judgement("fail", reach, "hub_reach", limits.everyone, TEXTS.say("hubs.everyone", **words))
    told = "ok" if severity == "ok" else "fail"
    return Judgement(severity, skew, "hubness_skew", limits.fail, TEXTS.say(f"hubs.{told}", **words))
