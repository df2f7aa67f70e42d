"""Rules from the facts of a run to the signs that it went wrong for a reason: one cause each.

A rule answers how far its fact lies beyond the ordinary (its fit), says so in a sentence, and names the settings that
would mend it. The ramps were set on runs on handwritten digits, healthy ones and ones with a single setting spoiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from simclr_core.config import AUTO_IMAGES_SEEN, RunConfig, to_dict
from simclr_core.evidence import say
from simclr_core.facts import Facts
from simclr_core.records import SpaceReport
from simclr_core.registry import Label

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
BY_CHANCE = Ramp(
    2.5, 1.2
)  # of the chance to find the twin; mere views of other pictures reach 1.2, a rate of nearly 0 six
LOTTERY = 30  # candidates from which finding the twin by chance is rare enough to tell
DEAD = Ramp(0.05, 0.5)
SYMPTOM = 0.8  # a fact that is itself the consequence of some setting comes after that setting
LATE_FALL = 0.05  # of the way from ceiling to floor, in the last fifth of the run: as the rule `undertrained` has it

DEFAULTS = to_dict(RunConfig())
USUAL = DEFAULTS["train"]


def mend(*settings: str) -> dict[str, Any]:
    """These settings at their defaults."""
    parts = ((path, path.split(".")) for path in settings)
    return {path: DEFAULTS[group][name] for path, (group, name) in parts}


# -- the objective -----------------------------------------------------------------------------------------------------
def no_negatives(f: Facts, found: SpaceReport) -> Sign | None:
    if f.has_negatives:
        return None
    text = say(
        "The objective {o} only draws views together: nothing keeps different images apart, and all of them equal is its "
        "best solution.",
        "目标函数 {o} 只拉近视图，没有任何项把不同图像推开，全部相同就是它的最优解。",
        o=f.config.train.objective,
    )
    return Sign(1.0, text, mend("train.objective", "train.objective_params"))


def temperature_high(f: Facts, found: SpaceReport) -> Sign | None:
    tau, heard = f.late("temperature"), f.late("effective_negatives")
    if tau is None or not f.has_negatives:
        return None
    text = say(
        "The temperature is {t:g}: an anchor listens to {e:.0f} of its {n} negatives about equally, so the near ones, "
        "which teach most, hardly count.",
        "温度系数为 {t:g}：每个锚点几乎同等地看待 {n} 个负样本中的 {e:.0f} 个，最有教益的近邻负样本几乎不起作用。",
        t=tau,
        e=heard or f.negatives,
        n=f.negatives,
    )
    return Sign(TEMPERATURE_HIGH.fit(tau), text, _constant(0.2))


def temperature_low(f: Facts, found: SpaceReport) -> Sign | None:
    tau = f.late("temperature")
    if tau is None or not f.has_negatives:
        return None
    text = say(
        "The temperature is {t:g}: 0.05 more in cosine counts {w} times as much in the softmax, so a few nearest negatives get "
        "all the push.",
        "温度系数为 {t:g}：余弦每高 0.05，在 softmax 中的分量就是 {w} 倍，推力几乎全落在少数最近的负样本上。",
        t=tau,
        w=_times(math.exp(min(0.05 / tau, 700))),
    )
    return Sign(TEMPERATURE_LOW.fit(tau), text, _constant(0.2))


def _times(x: float) -> str:
    """A factor in words of two or three digits."""
    return f"{x:.2g}" if x < 10 else f"{x:,.0f}" if x < 1e6 else f"{x:.0e}"


def _constant(tau: float) -> dict[str, Any]:
    return {"train.temperature": tau, "train.temperature_schedule": "constant"}


def few_negatives(f: Facts, found: SpaceReport) -> Sign | None:
    train = f.config.train
    if f.source != "batch":
        return None
    text = say(
        "The batch of {b} images gives an anchor {n} negatives.",
        "批大小为 {b} 张图像，每个锚点只有 {n} 个负样本。",
        b=train.batch_size,
        n=f.negatives,
    )
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
    own = say(
        "The learning rate of {r:g} is {x} times the usual {u:g} of {o} at a batch of {b}.",
        "学习率 {r:g} 是 {o} 在批大小 {b} 时常用值 {u:g} 的 {x} 倍。",
        r=f.rate,
        x=_times(_share_of_usual(f)),
        u=f.usual_rate,
        o=f.config.train.optimizer,
        b=f.config.train.batch_size,
    )
    return _and(own, _loss_text(f))


def _loss_text(f: Facts) -> Label | None:
    if f.loss.progress is None:
        return None
    if f.loss.progress < 0.01:
        return Label("The loss never left its ceiling.", "损失从未离开上界。")
    return say(
        "The loss came {p:.0%} of the way from its ceiling to its floor.",
        "损失从上界向下界走了 {p:.0%}。",
        p=f.loss.progress,
    )


def _and(first: Label, more: Label | None) -> Label:
    return first if more is None else Label(f"{first.en} {more.en}", first.zh + more.zh)


def few_steps(f: Facts, found: SpaceReport) -> Sign | None:
    if not f.rows:
        return None
    falling = min(max(f.loss.falling / LATE_FALL, 0.0), 1.0)
    text = say(
        "Training saw {n:,} pictures in {s:,} steps, {d:.0%} of those planned; an automatic run sees {u:,}.",
        "训练用 {s:,} 步看了 {n:,} 张图，为计划步数的 {d:.0%}；自动设置会看 {u:,} 张。",
        n=f.seen,
        s=int(f.rows[-1]["step"]),
        d=f.loss.share_done,
        u=AUTO_IMAGES_SEEN,
    )
    if falling == 1:
        text = _and(text, Label("The loss was still falling.", "损失仍在下降。"))
    epochs = f.config.train.epochs or 1
    longer = min(100_000, max(2 * epochs, round(epochs * AUTO_IMAGES_SEEN / max(f.seen, 1))))
    return Sign(FEW_PICTURES.fit(f.seen / AUTO_IMAGES_SEEN) * (0.5 + 0.5 * falling), text, {"train.epochs": longer})


def decay_high(f: Facts, found: SpaceReport) -> Sign | None:
    decay = f.config.train.weight_decay
    text = say(
        "The weight decay is {d:g}, {x:,.0f} times the usual {u:g}: weights that carry weak directions shrink to nothing.",
        "权重衰减为 {d:g}，是常用值 {u:g} 的 {x:,.0f} 倍：承载弱方向的权重会缩到零。",
        d=decay,
        x=decay / USUAL["weight_decay"],
        u=USUAL["weight_decay"],
    )
    return Sign(DECAY_HIGH.fit(decay), text, mend("train.weight_decay"))


def long_rows(f: Facts, found: SpaceReport) -> Sign | None:
    if not f.norm_z or not f.norm_z_untrained:
        return None
    growth = f.norm_z / f.norm_z_untrained
    text = say(
        "Rows of z grew from a length of {a:.3g} to {b:.3g}. The gradient of a cosine shrinks with that length, so steps of the "
        "same size turn them ever less.",
        "z 各行的长度从 {a:.3g} 增至 {b:.3g}。余弦的梯度随长度减小，同样的步长越来越难以转动它们。",
        a=f.norm_z_untrained,
        b=f.norm_z,
    )
    cure = {"train.lr": f.rate / 10} if _share_of_usual(f) <= 1 else {"train.lr": None}
    return Sign(SYMPTOM * LONG.fit(growth), text, cure)


def normed_alone(f: Facts, found: SpaceReport) -> Sign | None:
    size = min(f.config.train.chunk or f.config.train.batch_size, f.config.train.batch_size)
    if f.config.model.norm != "batch":
        return None
    text = say(
        "BatchNorm took its means and variances from {n} images at a time: they are noise, and evaluation uses others.",
        "BatchNorm 每次只用 {n} 张图估计均值与方差：估计充满噪声，而评估时用的是另一套。",
        n=size,
    )
    return Sign(NORMED_ALONE.fit(size), text, {"model.norm": "group"})


# -- the network ---------------------------------------------------------------------------------------------------------
def dead_units(f: Facts, found: SpaceReport) -> Sign | None:
    if f.dead_h is None or f.dead_untrained is None or f.dead_h <= f.dead_untrained:
        return None
    flat = say(
        "{s:.0%} of BatchNorm's channels have a variance below its ε.",
        "{s:.0%} 的 BatchNorm 通道方差低于其 ε。",
        s=f.flat_channels or 0.0,
    )
    text = say(
        "{a:.0%} of the columns of h never change ({b:.0%} before training): these units died.",
        "h 中 {a:.0%} 的列从不变化（训练前为 {b:.0%}）：这些单元已失活。",
        a=f.dead_h,
        b=f.dead_untrained,
    )
    cure = {"train.lr": None} if _share_of_usual(f) > 1 else {"train.lr": f.rate / 3}
    return Sign(SYMPTOM * DEAD.fit(f.dead_h - f.dead_untrained), _and(text, flat if f.flat_channels else None), cure)


def narrow_head(f: Facts, found: SpaceReport) -> Sign | None:
    model = f.config.model
    width, name = min((model.proj_dim, "proj_dim"), (model.hidden_dim / 4, "hidden_dim"))
    text = say(
        "The projection head is {h} wide inside and gives {z} numbers: there is room for few directions.",
        "投影头内部宽 {h}，输出 {z} 个数：容不下多少方向。",
        h=model.hidden_dim,
        z=model.proj_dim,
    )
    return Sign(NARROW.fit(width), text, mend(f"model.{name}"))


# -- the views -----------------------------------------------------------------------------------------------------------
def easy_crop(f: Facts, found: SpaceReport) -> Sign | None:
    low = min(view.crop_scale[0] for view in f.config.view_augments)
    text = say(
        "The smallest crop keeps {a:.0%} of the picture, so all views show the same pixels in the same place.",
        "最小的裁剪也保留了图像的 {a:.0%}，各视图在相同位置显示相同像素。",
        a=low,
    )
    return Sign(EASY_CROP.fit(low), _and(text, _solved(f)), _usual_views(f, "crop_scale"))


def colour_kept(f: Facts, found: SpaceReport) -> Sign | None:
    jitter = max(view.jitter_p * view.jitter_strength for view in f.config.view_augments)
    grey = max(view.grayscale_p for view in f.config.view_augments)
    text = say(
        "Colour and brightness are hardly changed (jitter, probability times strength: {j:.2g}; grey: {g:.0%}), so a histogram "
        "of them tells views of one image from the rest.",
        "颜色与亮度几乎不变（抖动的概率乘强度为 {j:.2g}；灰度 {g:.0%}），仅凭其直方图就能认出同一图像的视图。",
        j=jitter,
        g=grey,
    )
    hidden = min(max(jitter / 0.4, grey / 0.2), 1.0)
    cure = _usual_views(f, "jitter_p", "jitter_strength", "jitter_parts", "grayscale_p")
    return Sign(0.9 * (1 - hidden), _and(text, _solved(f)), cure)


def _solved(f: Facts) -> Label | None:
    right = f.late("contrastive_accuracy")
    if right is None:
        return None
    return say(
        "{r:.0%} of the views found their twin in training.",
        "训练中 {r:.0%} 的视图找到了自己的孪生视图。",
        r=right,
    )


def hard_views(f: Facts, found: SpaceReport) -> Sign | None:
    hardest = max(f.config.view_augments, key=lambda view: -view.crop_scale[1])
    jitter = max(view.jitter_p * view.jitter_strength for view in f.config.view_augments)
    grey = max(view.grayscale_p for view in f.config.view_augments)
    text = say(
        "Crops keep {a:.0%} to {b:.0%} of the picture (jitter, probability times strength: {j:.2g}; grey: {g:.0%}): two views "
        "may share nothing that tells them from others.",
        "裁剪保留图像的 {a:.0%} 至 {b:.0%}（抖动的概率乘强度为 {j:.2g}；灰度 {g:.0%}）：两个视图可能没有可供辨认的共同点。",
        a=hardest.crop_scale[0],
        b=hardest.crop_scale[1],
        j=jitter,
        g=grey,
    )
    crop = HARD_CROP.fit(hardest.crop_scale[0]) * HARD_CROP_MOST.fit(hardest.crop_scale[1])
    colour = min(max((jitter - 0.5) / 0.5, (grey - 0.4) / 0.6, 0.0), 1.0)
    names = ("crop_scale", "jitter_p", "jitter_strength", "grayscale_p", "blur_p")
    return Sign(max(crop, 0.6 * colour), text, _usual_views(f, *names))


def _usual_views(f: Facts, *names: str) -> dict[str, Any]:
    """These parts of the recipe at their defaults, for every view alike."""
    own = {"views": DEFAULTS["views"]} if any(f.config.views) else {}
    return mend(*(f"augment.{name}" for name in names)) | own


def unrelated_views(f: Facts, found: SpaceReport) -> Sign | None:
    right, others = f.late("contrastive_accuracy"), 2 * f.config.train.batch_size - 1
    if right is None or not f.has_negatives or others < LOTTERY:
        return None
    text = say(
        "Until the end a view found its twin no more often than by chance ({r:.2%}, chance {c:.2%}): the two views of a pair may "
        "not be of one picture. No setting mends this: look at the views, and at how they are paired.",
        "直到最后，视图找到孪生视图的频率也不高于随机（{r:.2%}，随机水平 {c:.2%}）：一对视图可能并非来自同一张图像。"
        "这不是设置能解决的：请查看视图及其配对方式。",
        r=right,
        c=1 / others,
    )
    return Sign(SYMPTOM * BY_CHANCE.fit(max(right, 1e-9) * others), text, {})


# -- the pictures --------------------------------------------------------------------------------------------------------
def copies(f: Facts, found: SpaceReport) -> Sign | None:
    if f.copies is None:
        return None
    text = say(
        "{c:.1%} of the training pictures have the very pixels of another: a copy is a negative that looks like the twin. "
        "No setting mends this: remove the copies.",
        "{c:.1%} 的训练图像与另一张像素完全相同：副本成了与孪生视图一样的负样本。这不是设置能解决的：请移除副本。",
        c=f.copies,
    )
    return Sign(COPIES.fit(f.copies), text, {})


def few_classes(f: Facts, found: SpaceReport) -> Sign | None:
    rate, tau = found.metrics.get("chance_purity"), f.late("temperature")
    if rate is None or tau is None or not f.has_negatives:
        return None
    text = say(
        "{r:.0%} of an anchor's negatives are of its own class; a higher temperature pushes them away less hard.",
        "锚点的负样本中有 {r:.0%} 与它同类；温度系数更高时，它们被推开的力度更小。",
        r=rate,
    )
    return Sign(SAME_CLASS.fit(rate), text, _constant(0.5) if tau < 0.5 else {})
