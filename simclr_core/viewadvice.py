"""`PIPELINES`: recipes of views worth comparing; `ADVICE`: rules from what was measured of a recipe to what to make of it.

The thresholds were set on the bundled pictures (128 of them, 255 candidates), where the program's own recipe has: twins found
by the colours of 12 % of the emoji, by an untrained encoder of 7 %; disjoint crops 0.1 %; best AUC .85. See docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from simclr_core.config import AugmentConfig
from simclr_core.evidence import say
from simclr_core.operations import OPERATIONS, only, uses, without
from simclr_core.records import Severity
from simclr_core.registry import Choice, Label

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


Rule = Callable[[Facts], Advice | None]


def in_use(augment: AugmentConfig) -> tuple[str, ...]:
    """The operations that a recipe does; the jitter counts once, whichever parts it has."""
    return tuple(name for name, entry in OPERATIONS.items() if not entry.part_of and uses(augment, name))


def _count(facts: Facts) -> Advice:
    used = in_use(facts.augment)
    if len(used) >= FEWEST:
        labels = [OPERATIONS[name].label for name in used]
        names = Label(", ".join(text.en.lower() for text in labels), "、".join(text.zh for text in labels))
        return Advice("ok", Label(f"{len(used)} operations: {names.en}.", f"{len(used)} 种操作：{names.zh}。"))
    text = say(
        "Operations in use: {n}; choose at least {few}. Each takes away one cheap way to match views.",
        "目前有 {n} 种操作，请至少选 {few} 种。每一种都堵住一条配对的捷径。",
        n=len(used),
        few=FEWEST,
    )
    return Advice("fail", text)


def _crop(facts: Facts) -> Advice:
    low = facts.augment.crop_scale[0]
    if low < NARROW_CROP:
        return Advice(
            "ok",
            say(
                "Crops from {low:.0%} of the area on: near and far, parts and wholes must become alike.",
                "裁剪面积最小 {low:.0%}：远近、局部与整体必须变得相像。",
                low=low,
            ),
        )
    text = Label(
        "No crops worth the name: both views show the same thing in the same place, so position and size give it away. "
        "Of single operations this one matters most.",
        "几乎没有裁剪：两个视图在同一位置显示同样的东西，位置和大小就泄露了答案。各单项操作中裁剪最重要。",
    )
    return Advice("fail", text)


def _colour(facts: Facts) -> Advice:
    shown = {"share": facts.colour, "others": facts.candidates, "chance": 1 / facts.candidates}
    if not facts.coloured:
        text = say(
            "These pictures are grey: their histogram knows light and dark alone and finds {share:.0%} of the twins among "
            "{others}. Colour operations can be judged on coloured pictures only.",
            "这些图像是灰度的：直方图只知道明暗，在 {others} 个候选中找到 {share:.0%} 的孪生视图。颜色操作只能用彩色图像来评判。",
            **shown,
        )
        return Advice("warn", text)
    if facts.colour < COLOUR_SOLVES:
        text = say(
            "The colour histogram alone finds {share:.0%} of the twins among {others} (by chance {chance:.1%}): colours "
            "are no way out.",
            "仅凭颜色直方图只能在 {others} 个候选中找到 {share:.0%} 的孪生视图（随机为 {chance:.1%}）：靠颜色走不通。",
            **shown,
        )
        return Advice("ok", text)
    text = say(
        "The colour histogram alone finds {share:.0%} of the twins among {others}, without looking at shapes. An encoder "
        "will take that way: more colour jitter, or some grey.",
        "仅凭颜色直方图就能在 {others} 个候选中找到 {share:.0%} 的孪生视图，完全不看形状。编码器会走这条捷径："
        "请加强颜色抖动，或加入一些灰度。",
        **shown,
    )
    return Advice("fail", text)


def _weak(facts: Facts) -> Advice | None:
    if facts.untrained is None:
        return None
    shown = facts.untrained._asdict()
    if facts.untrained.accuracy < UNTRAINED_SOLVES:
        text = say(
            "An untrained encoder finds {accuracy:.0%} of the twins (mean cosine {positive:.3f} of positive pairs, "
            "{negative:.3f} of negative ones): there is something to learn.",
            "未训练的编码器只找到 {accuracy:.0%} 的孪生视图（正样本对平均余弦 {positive:.3f}，负样本对 {negative:.3f}）："
            "有东西可学。",
            **shown,
        )
        return Advice("ok", text)
    text = say(
        "Too weak: an untrained encoder already finds {accuracy:.0%} of the twins (mean cosine {positive:.3f} of positive "
        "pairs, {negative:.3f} of negative ones). Make the operations stronger.",
        "太弱：未训练的编码器已能找到 {accuracy:.0%} 的孪生视图（正样本对平均余弦 {positive:.3f}，负样本对 {negative:.3f}）。"
        "请加强各项操作。",
        **shown,
    )
    return Advice("fail", text)


def _learnable(facts: Facts) -> Advice | None:
    if facts.untrained is None or facts.trained is None:
        return None
    shown = facts.trained._asdict() | {"before": facts.untrained.accuracy}
    if facts.trained.accuracy >= LEARNED * facts.untrained.accuracy:
        text = say(
            "The trained encoder finds {accuracy:.0%}, the untrained one {before:.0%} (its positive pairs have a mean cosine of "
            "{positive:.3f}, negative ones {negative:.3f}): what the views share can be learned.",
            "训练后的编码器找到 {accuracy:.0%}，未训练的 {before:.0%}（正样本对平均余弦 {positive:.3f}，"
            "负样本对 {negative:.3f}）：视图的共同之处是学得会的。",
            **shown,
        )
        return Advice("ok", text)
    text = say(
        "The trained encoder finds {accuracy:.0%} of the twins, the untrained one {before:.0%}: either these views share "
        "what needs no learning, or too little, or it learned from quite other pictures.",
        "训练后的编码器找到 {accuracy:.0%}，未训练的 {before:.0%}：要么这些视图的共同之处无需学习，要么共同之处太少，"
        "要么编码器是用完全不同的图像训练的。",
        **shown,
    )
    return Advice("warn", text)


def _apart(facts: Facts) -> Advice | None:
    if facts.disjoint < OFTEN_DISJOINT:
        return None
    text = say(
        "In {share:.0%} of the pairs the two crops have no pixel in common: the loss asks for what is not in the pictures. "
        "Raise the smallest area, or the largest.",
        "有 {share:.0%} 的视图对，两个裁剪没有一个共同的像素：损失要求的东西图像里没有。请调大最小面积或最大面积。",
        share=facts.disjoint,
    )
    return Advice("warn", text)


def _hopeless(facts: Facts) -> Advice | None:
    if facts.best >= HOPELESS:
        return None
    text = say(
        "Too strong: of all ways at hand the best ranks a positive pair above a negative one in {share:.0%} of the cases "
        "(a coin: 50 %). Hardly anything is left in common.",
        "太强：现有办法中最好的一个，也只在 {share:.0%} 的情形下把正样本对排在负样本对之前（抛硬币为 50 %）。几乎没有共同点了。",
        share=facts.best,
    )
    return Advice("fail", text)


def _blur(facts: Facts) -> Advice | None:
    if facts.side >= SMALL or not facts.augment.blur_p:
        return None
    text = say(
        "At {side} pixels there is little texture to blur away; SimCLR leaves blur out on CIFAR-10 (appendix B.9).",
        "边长 {side} 像素的图像没有多少纹理可模糊；SimCLR 在 CIFAR-10 上不用模糊（附录 B.9）。",
        side=facts.side,
    )
    return Advice("warn", text)


def _flip(facts: Facts) -> Advice | None:
    if not facts.augment.flip_p:
        return None
    text = Label(
        "Flips say that a mirrored picture means the same. No measurement can tell: true of garments and animals, not of "
        "letters, digits or arrows.",
        "翻转意味着镜像后含义不变。这一点无法靠测量判断：衣服和动物可以，文字、数字和箭头不行。",
    )
    return Advice("warn", text)


ADVICE: dict[str, Choice[Rule]] = {
    name: Choice(label=Label(en, zh), run=rule, source=source)
    for name, en, zh, rule, source in (
        ("count", "Several operations", "多种操作", _count, "exercise 4; Chen et al. 2020, figure 5"),
        ("crop", "Crops", "裁剪", _crop, "Chen et al. 2020, figure 5"),
        ("colour", "Colours as a shortcut", "颜色捷径", _colour, "Chen et al. 2020, figure 6; measured"),
        ("weak", "Something to learn", "有东西可学", _weak, "measured"),
        ("learnable", "What training adds", "训练带来的差别", _learnable, "measured"),
        ("apart", "Something in common", "有共同之处", _apart, "measured"),
        ("hopeless", "Not too strong", "不太强", _hopeless, "measured"),
        ("blur", "Blur on small pictures", "小图上的模糊", _blur, "Chen et al. 2020, appendix B.9"),
        ("flip", "Mirrored pictures", "镜像图像", _flip, "exercise 4"),
    )
}


def advise(facts: Facts) -> dict[str, Advice]:
    """What the rules say of a recipe, in their order; a rule without an answer is left out."""
    return {name: said for name, rule in ADVICE.items() if (said := rule.run(facts)) is not None}
