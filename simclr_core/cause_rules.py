"""Rules from the facts of a run to the signs that it went wrong for a reason: one cause each.

A rule answers how far its fact lies beyond the ordinary (its fit), says so in a sentence, and names the settings that
would mend it. The ramps were set on runs on handwritten digits, healthy ones and ones with a single setting spoiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from simclr_core.config import AUTO_IMAGES_SEEN, RunConfig, to_dict
from simclr_core.facts import Facts
from simclr_core.records import SpaceReport
from simclr_core.registry import Label
from simclr_core.texts import beside

Cure = Mapping[str, Any]


class Sign(NamedTuple):
    """A rule's answer: fit in [0, 1], the evidence in a sentence, and the settings (dotted name → value) that mend it."""

    fit: float
    text: Label
    cure: Cure


CauseRule = Callable[[Facts, SpaceReport], Sign | None]


class Ramp(NamedTuple):
    """Where a positive number stops being ordinary (fit 0) and where it alone explains an illness (fit 1).

    Between them the fit grows with the logarithm; `sure` may lie on either side.
    """

    ordinary: float
    sure: float

    def fit(self, value: float) -> float:
        way = math.log(max(value, 1e-300) / self.ordinary) / math.log(self.sure / self.ordinary)
        return min(max(way, 0.0), 1.0)


TEMPERATURE_HIGH, TEMPERATURE_LOW = Ramp(0.7, 3.0), Ramp(0.06, 0.01)  # SimCLR and its successors use 0.07 to 0.5
FEW_NEGATIVES = Ramp(64, 8)
RATE_HIGH, RATE_LOW = Ramp(3, 30), Ramp(0.2, 0.01)  # of the usual rate
FEW_PICTURES = Ramp(0.5, 0.02)  # of the pictures that an automatic run sees
EASY_CROP = Ramp(0.5, 0.9)  # smallest area
HARD_CROP, HARD_CROP_MOST = Ramp(0.08, 0.01), Ramp(0.8, 0.1)  # smallest and largest area
LONG = Ramp(50, 1000)  # growth of |z| over training; a healthy run has 16 on the digits
DECAY_HIGH = Ramp(3e-3, 0.1)
NARROW = Ramp(16, 3)
NORMED_ALONE = Ramp(24, 4)
COPIES = Ramp(0.01, 0.2)
SAME_CLASS = Ramp(0.2, 0.6)
BY_CHANCE = Ramp(2.5, 1.2)  # of the chance to find the twin; views of other pictures reach 1.2, a rate of nearly 0 six
LOTTERY = 30  # candidates from which finding the twin by chance is rare enough to tell
DEAD = Ramp(0.05, 0.5)
SYMPTOM = 0.8  # a fact that is itself the consequence of some setting comes after that setting
LATE_FALL = 0.05  # of the way from ceiling to floor, in the last fifth of the run: as the rule `undertrained` has it

DEFAULTS = to_dict(RunConfig())
USUAL = DEFAULTS["train"]
TEXTS = beside(__file__)


def mend(*settings: str) -> dict[str, Any]:
    """These settings at their defaults."""
    parts = ((path, path.split(".")) for path in settings)
    return {path: DEFAULTS[group][name] for path, (group, name) in parts}


# -- the objective -----------------------------------------------------------------------------------------------------
def no_negatives(f: Facts, found: SpaceReport) -> Sign | None:
    if f.has_negatives:
        return None
    text = TEXTS.say("no_negatives.sign", o=f.config.train.objective)
    return Sign(1.0, text, mend("train.objective", "train.objective_params"))


def temperature_high(f: Facts, found: SpaceReport) -> Sign | None:
    tau, heard = f.late("temperature"), f.late("effective_negatives")
    if tau is None or not f.has_negatives:
        return None
    text = TEXTS.say("temperature_high.sign", t=tau, e=heard or f.negatives, n=f.negatives)
    return Sign(TEMPERATURE_HIGH.fit(tau), text, _constant(0.2))


def temperature_low(f: Facts, found: SpaceReport) -> Sign | None:
    tau = f.late("temperature")
    if tau is None or not f.has_negatives:
        return None
    text = TEXTS.say("temperature_low.sign", t=tau, w=_times(math.exp(min(0.05 / tau, 700))))
    return Sign(TEMPERATURE_LOW.fit(tau), text, _constant(0.2))


def _times(x: float) -> str:
    """A factor in words of two or three digits."""
    return f"{x:.2g}" if x < 10 else f"{x:,.0f}" if x < 1e6 else f"{x:.0e}"


def _constant(tau: float) -> dict[str, Any]:
    return {"train.temperature": tau, "train.temperature_schedule": "constant"}


def few_negatives(f: Facts, found: SpaceReport) -> Sign | None:
    if f.source != "batch":
        return None
    text = TEXTS.say("few_negatives.sign", b=f.config.train.batch_size, n=f.negatives)
    return Sign(FEW_NEGATIVES.fit(max(f.negatives, 1)), text, _larger_batch(f))


def _larger_batch(f: Facts) -> dict[str, Any]:
    """The usual batch, or the largest power of two within a quarter of the pictures, for as many steps; the rate follows."""
    most = USUAL["batch_size"] if f.images is None else max(2, 2 ** int(math.log2(max(f.images / 4, 2))))
    size = min(USUAL["batch_size"], most)
    if size <= f.config.train.batch_size:
        return {}
    as_many_steps = round((f.config.train.epochs or 1) * size / f.config.train.batch_size)
    cure = {"train.batch_size": size, "train.epochs": min(as_many_steps, 100_000)}
    return cure | ({"train.lr": None} if f.rate == f.usual_rate else {})


# -- the optimisation ----------------------------------------------------------------------------------------------------
def rate_high(f: Facts, found: SpaceReport) -> Sign | None:
    return Sign(RATE_HIGH.fit(_share_of_usual(f)), _rate_text(f), {"train.lr": None})


def rate_low(f: Facts, found: SpaceReport) -> Sign | None:
    return Sign(RATE_LOW.fit(_share_of_usual(f)), _rate_text(f), {"train.lr": None})


def _share_of_usual(f: Facts) -> float:
    return f.rate / f.usual_rate


def _rate_text(f: Facts) -> Label:
    train, progress = f.config.train, f.loss.progress
    x = _times(_share_of_usual(f))
    text = TEXTS.say("rate_high.sign", r=f.rate, x=x, u=f.usual_rate, o=train.optimizer, b=train.batch_size)
    if progress is None:
        return text
    return text.then(TEXTS.say("rate_high.stuck" if progress < 0.01 else "rate_high.progress", p=progress))


def few_steps(f: Facts, found: SpaceReport) -> Sign | None:
    if not f.rows:
        return None
    falling = min(max(f.loss.falling / LATE_FALL, 0.0), 1.0)
    text = TEXTS.say("few_steps.sign", n=f.seen, s=int(f.rows[-1]["step"]), d=f.loss.share_done, u=AUTO_IMAGES_SEEN)
    if falling == 1:
        text = text.then(TEXTS.say("few_steps.falling"))
    epochs = f.config.train.epochs or 1
    longer = min(100_000, max(2 * epochs, round(epochs * AUTO_IMAGES_SEEN / max(f.seen, 1))))
    return Sign(FEW_PICTURES.fit(f.seen / AUTO_IMAGES_SEEN) * (0.5 + 0.5 * falling), text, {"train.epochs": longer})


def decay_high(f: Facts, found: SpaceReport) -> Sign | None:
    decay, usual = f.config.train.weight_decay, USUAL["weight_decay"]
    text = TEXTS.say("decay_high.sign", d=decay, x=decay / usual, u=usual)
    return Sign(DECAY_HIGH.fit(decay), text, mend("train.weight_decay"))


def long_rows(f: Facts, found: SpaceReport) -> Sign | None:
    if not f.norm_z or not f.norm_z_untrained:
        return None
    text = TEXTS.say("long_rows.sign", a=f.norm_z_untrained, b=f.norm_z)
    cure = {"train.lr": f.rate / 10} if _share_of_usual(f) <= 1 else {"train.lr": None}
    return Sign(SYMPTOM * LONG.fit(f.norm_z / f.norm_z_untrained), text, cure)


def normed_alone(f: Facts, found: SpaceReport) -> Sign | None:
    if f.config.model.norm != "batch":
        return None
    size = min(f.config.train.chunk or f.config.train.batch_size, f.config.train.batch_size)
    return Sign(NORMED_ALONE.fit(size), TEXTS.say("normed_alone.sign", n=size), {"model.norm": "group"})


# -- the network ---------------------------------------------------------------------------------------------------------
def dead_units(f: Facts, found: SpaceReport) -> Sign | None:
    if f.dead_h is None or f.dead_untrained is None or f.dead_h <= f.dead_untrained:
        return None
    text = TEXTS.say("dead_units.sign", a=f.dead_h, b=f.dead_untrained)
    if f.flat_channels:
        text = text.then(TEXTS.say("dead_units.flat", s=f.flat_channels))
    cure = {"train.lr": None} if _share_of_usual(f) > 1 else {"train.lr": f.rate / 3}
    return Sign(SYMPTOM * DEAD.fit(f.dead_h - f.dead_untrained), text, cure)


def narrow_head(f: Facts, found: SpaceReport) -> Sign | None:
    model = f.config.model
    if model.head_layers == 0:  # z is h, and as wide
        return None
    inside = model.hidden_dim if model.head_layers > 1 else math.inf  # one linear map has no inside
    width, name = min((model.proj_dim, "proj_dim"), (inside / 4, "hidden_dim"))
    if model.head_layers == 1:
        text = TEXTS.say("narrow_head.linear", z=model.proj_dim)
    else:
        text = TEXTS.say("narrow_head.sign", h=model.hidden_dim, z=model.proj_dim)
    return Sign(NARROW.fit(width), text, mend(f"model.{name}"))


# -- the views -----------------------------------------------------------------------------------------------------------
def easy_crop(f: Facts, found: SpaceReport) -> Sign | None:
    low = min(view.crop_scale[0] for view in f.config.view_augments)
    text = TEXTS.say("easy_crop.sign", a=low).then(_solved(f))
    return Sign(EASY_CROP.fit(low), text, _usual_views(f, "crop_scale"))


def _colour(f: Facts) -> tuple[float, float]:
    """The strongest jitter of any view, probability times strength, and the most probable grey."""
    views = f.config.view_augments
    return max(view.jitter_p * view.jitter_strength for view in views), max(view.grayscale_p for view in views)


def colour_kept(f: Facts, found: SpaceReport) -> Sign | None:
    jitter, grey = _colour(f)
    hidden = min(max(jitter / 0.4, grey / 0.2), 1.0)
    text = TEXTS.say("colour_kept.sign", j=jitter, g=grey).then(_solved(f))
    return Sign(0.9 * (1 - hidden), text, _usual_views(f, "jitter_p", "jitter_strength", "jitter_parts", "grayscale_p"))


def _solved(f: Facts) -> Label | None:
    right = f.late("contrastive_accuracy")
    return None if right is None else TEXTS.say("easy_crop.solved", r=right)


def hard_views(f: Facts, found: SpaceReport) -> Sign | None:
    low, high = min((view.crop_scale for view in f.config.view_augments), key=lambda scale: scale[1])
    jitter, grey = _colour(f)
    crop = HARD_CROP.fit(low) * HARD_CROP_MOST.fit(high)
    colour = min(max((jitter - 0.5) / 0.5, (grey - 0.4) / 0.6, 0.0), 1.0)
    names = ("crop_scale", "jitter_p", "jitter_strength", "grayscale_p", "blur_p")
    text = TEXTS.say("hard_views.sign", a=low, b=high, j=jitter, g=grey)
    return Sign(max(crop, 0.6 * colour), text, _usual_views(f, *names))


def _usual_views(f: Facts, *names: str) -> dict[str, Any]:
    """These parts of the recipe at their defaults, for every view alike."""
    own = {"views": DEFAULTS["views"]} if any(f.config.views) else {}
    return mend(*(f"augment.{name}" for name in names)) | own


def unrelated_views(f: Facts, found: SpaceReport) -> Sign | None:
    right, others = f.late("contrastive_accuracy"), 2 * f.config.train.batch_size - 1
    if right is None or not f.has_negatives or others < LOTTERY:
        return None
    return Sign(
        SYMPTOM * BY_CHANCE.fit(max(right, 1e-9) * others), TEXTS.say("unrelated_views.sign", r=right, c=1 / others), {}
    )


# -- the pictures --------------------------------------------------------------------------------------------------------
def copies(f: Facts, found: SpaceReport) -> Sign | None:
    return None if f.copies is None else Sign(COPIES.fit(f.copies), TEXTS.say("copies.sign", c=f.copies), {})


def few_classes(f: Facts, found: SpaceReport) -> Sign | None:
    rate, tau = found.metrics.get("chance_purity"), f.late("temperature")
    if rate is None or tau is None or not f.has_negatives:
        return None
    return Sign(SAME_CLASS.fit(rate), TEXTS.say("few_classes.sign", r=rate), _constant(0.5) if tau < 0.5 else {})
