"""Why one pair of pictures is alike to an encoder: the evidence together, each number with its reference, and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from simclr_core.evidence import say
from simclr_core.likeness import (
    ORDINARY,
    REMOVALS,
    Background,
    Ranked,
    colour_histogram,
    colour_similarity,
    effects,
    parted_by,
    share_below,
)
from simclr_core.neighbours import unit_rows
from simclr_core.operations import OPERATIONS
from simclr_core.pairs import auc
from simclr_core.registry import Label
from simclr_core.saliency import GRID, Encode, Occlusion, occlusion

Picture = UInt8[np.ndarray, "h w 3"]
VIEWS = 16  # of each picture, with each recipe
APART = 0.9  # AUC from which the views of two pictures do not mix
MATTERS = 0.1  # gain of the AUC from which leaving an operation out tells the pictures apart


@dataclass(frozen=True, kw_only=True, eq=False)
class Eye:
    """An encoder as far as it is asked about a pair.

    Attributes:
        encode: from pictures to embeddings.
        beside: what random pairs of pictures are to it.
        views: a picture, the operation of the recipe that is left out ("" for none), a seed → embeddings of `VIEWS` views.
        operations: what its recipe does to a view.
    """

    encode: Encode
    beside: Background
    views: Callable[[Picture, str, int], Float[np.ndarray, "k d"]]
    operations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Why:
    """What is known of a pair. All but the first three are empty for a copy, and where no encoder was at hand.

    Attributes:
        copy: whether every pixel agrees.
        same_class: whether both have one class; None without labels.
        colours: shared area of the colour histograms, beside random pairs of pictures.
        whole: the cosine, beside random pairs.
        removed: the same after each of `REMOVALS`, beside random pairs that lost the same.
        seen: what covering each region costs.
        views: "" → how well views of the two are told apart (see `told_apart`); operation → the same without it.
    """

    copy: bool
    same_class: bool | None
    colours: Ranked
    whole: Ranked | None = None
    removed: Mapping[str, Ranked] = field(default_factory=dict)
    seen: Occlusion | None = None
    views: Mapping[str, float] = field(default_factory=dict)


def explain(
    one: Picture,
    other: Picture,
    *,
    colours: Float[np.ndarray, " m"],
    same_class: bool | None = None,
    eye: Eye | None = None,
) -> Why:
    """Gather the evidence on a pair of pictures of one size.

    Args:
        one, other: the pair.
        colours: `likeness.colour_reference` of the pictures they come from.
        same_class: whether both have one class; None without labels.
        eye: the encoder; without it, only what the pictures themselves say.
    """
    histogram = colour_histogram(np.stack([one, other]))
    shared = float(colour_similarity(histogram[:1], histogram[1:])[0])
    ranked = Ranked(value=shared, above=share_below(shared, colours))
    copy = bool(np.array_equal(one, other))
    if copy or eye is None:
        return Why(copy=copy, same_class=same_class, colours=ranked)
    whole, removed = effects(one, other, eye.encode, eye.beside)
    seen = occlusion(one, other, eye.encode, grid=min(GRID, *one.shape[:2]))
    views = told_apart(one, other, eye) if eye.operations else {}
    return Why(
        copy=copy, same_class=same_class, colours=ranked, whole=whole, removed=removed, seen=seen, views=views
    )  # fmt: skip


def told_apart(one: Picture, other: Picture, eye: Eye) -> dict[str, float]:
    """How well views tell two pictures apart, with the whole recipe ("") and with each operation left out.

    AUC: the chance that two views of one picture are more alike than a view of each; .5 = the views mix, 1 = they never do.
    An operation without which it is larger removes what sets the two apart, and the encoder has learned to ignore just that.
    """
    within = np.triu(np.ones((VIEWS, VIEWS), bool), 1)

    def apart(left_out: str) -> float:
        z = unit_rows(np.concatenate([eye.views(one, left_out, 0), eye.views(other, left_out, 1)]))
        r = z @ z.T
        positive = np.concatenate([r[:VIEWS, :VIEWS][within], r[VIEWS:, VIEWS:][within]])
        return auc(positive, np.sort(r[:VIEWS, VIEWS:], axis=None))

    return {name: apart(name) for name in ("", *eye.operations)}


# -- in words ------------------------------------------------------------------------------------------------------------
def words(why: Why) -> tuple[Label, ...]:
    """What the evidence comes to, a sentence each."""
    parts = [_copied() if why.copy else None, _parted(why), _seen(why.seen), _views(why.views), _colours(why)]
    return tuple(part for part in (*parts, _class(why)) if part is not None)


def _most(share: float) -> float:
    """A share of random pairs that may be said: some pair that was not drawn may well be more alike."""
    return min(share, 0.99)


def _copied() -> Label:
    return Label(
        "One picture twice: every pixel agrees. Any encoder puts a copy where its original is.",
        "同一张图像出现了两次：每个像素都相同。任何编码器都会把副本放在原图所在之处。",
    )


def _parted(why: Why) -> Label | None:
    if why.whole is None:
        return None
    name = parted_by(why.removed)
    least = min(r.above for r in why.removed.values())
    if why.whole.above < ORDINARY:
        return say(
            "An ordinary pair, more alike than {a:.0%} of random pairs: there is little to explain.",
            "普通的一对，比 {a:.0%} 的随机图像对更相似：没有多少需要解释。",
            a=why.whole.above,
        )
    if name is None:
        return say(
            "More alike than {a:.0%} of random pairs, and whatever is taken out of both, still more than {b:.0%}: they share "
            "more than one thing.",
            "比 {a:.0%} 的随机图像对更相似；无论从两张中去掉什么，仍比 {b:.0%} 的更相似：它们的共同点不止一个。",
            a=_most(why.whole.above),
            b=_most(least),
        )
    what = REMOVALS[name].label
    return say(
        "More alike than {a:.0%} of random pairs; without {what} of both, more than {b:.0%} only: what they share is {what}.",
        "比 {a:.0%} 的随机图像对更相似；去掉两张的{what_zh}后仅比 {b:.0%} 的更相似：它们的共同点是{what_zh}。",
        a=_most(why.whole.above),
        b=least,
        what=what.en,
        what_zh=what.zh,
    )


def _seen(seen: Occlusion | None) -> Label | None:
    if seen is None:
        return None
    if seen.middle is None:
        return Label("No single region makes them alike.", "没有任何单个区域使它们相似。")
    return say(
        "Of all the likeness that covering a region costs, {m:.0%} lies in the middle quarter of the pictures.",
        "遮住各区域所损失的相似度中，{m:.0%} 来自图像中间的四分之一。",
        m=seen.middle,
    )


def _views(views: Mapping[str, float]) -> Label | None:
    if not views:
        return None
    told = say(
        "Their augmented views are told apart with AUC {a:.2f} (.5 = not at all, 1 = always)",
        "两张图的增强视图以 AUC {a:.2f} 区分（0.5 = 无法区分，1 = 总能区分）",
        a=views[""],
    )
    best = max((name for name in views if name), key=lambda name: views[name])
    more = Label(".", "。") if views[""] >= APART else _without(best, views[best], views[best] - views[""] >= MATTERS)
    return Label(told.en + more.en, told.zh + more.zh)


def _without(operation: str, auc: float, matters: bool) -> Label:
    what = OPERATIONS[operation].label
    values: dict[str, float | str] = {"b": auc, "what": what.en.lower(), "what_zh": what.zh}
    if matters:
        return say(
            ", without {what} with {b:.2f}: what {what} removes sets them apart, and the encoder has learned to ignore it.",
            "，不用{what_zh}时为 {b:.2f}：它们的差别正是{what_zh}所去掉的，编码器学会了忽略它。",
            **values,
        )
    return say(
        "; leaving out any one operation brings {b:.2f} at most: no single one hides the difference.",
        "；去掉任何一种操作至多为 {b:.2f}：没有哪一种操作单独遮住了差别。",
        **values,
    )


def _colours(why: Why) -> Label | None:
    if why.copy:
        return None
    return say(
        "They share {s:.0%} of their colours, more than {a:.0%} of random pairs do.",
        "它们的颜色有 {s:.0%} 相同，多于 {a:.0%} 的随机图像对。",
        s=why.colours.value,
        a=_most(why.colours.above),
    )


def _class(why: Why) -> Label | None:
    if why.same_class is None:
        return None
    if why.same_class:
        return Label("Both have one class.", "两张同类。")
    wrong = Label(" A copy with another label: one of the two is wrong.", "副本的标签不同：其中必有一个错误。")
    more = wrong if why.copy else Label("", "")
    return Label(f"Their classes differ.{more.en}", f"两张不同类。{more.zh}")
