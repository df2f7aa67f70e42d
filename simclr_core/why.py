"""Why one pair of pictures is alike to an encoder: the evidence together, each number with its reference, and in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, UInt8

from simclr_core.evidence import say
from simclr_core.likeness import (
    ORDINARY,
    REMOVALS,
    Ranked,
    all_cosines,
    colour_histogram,
    colour_similarity,
    parted_by,
    ranked,
    share_below,
    without,
)
from simclr_core.neighbours import unit_rows
from simclr_core.operations import OPERATIONS
from simclr_core.pairs import auc
from simclr_core.registry import Label
from simclr_core.saliency import COARSE, GRID, Encode, Occlusion, occluded, occlusion

Picture = UInt8[np.ndarray, "h w 3"]
Pictures = UInt8[np.ndarray, "b h w 3"]
VIEWS = 16  # of each picture, with each recipe
APART = 0.9  # AUC from which the views of two pictures do not mix
MATTERS = 0.1  # gain of the AUC from which leaving an operation out tells the pictures apart
PORTION = 2**19  # pixels that are encoded at a time: ten pictures of 224 × 224, a second of a ResNet-50 on one core


@dataclass(frozen=True, kw_only=True, eq=False)
class Eye:
    """An encoder as far as it is asked about a pair.

    Attributes:
        encode: from pictures to embeddings.
        beside: the pictures whose pairs a pair is set beside.
        views: a picture, the operation of the recipe that is left out ("" for none), a seed → embeddings of `VIEWS` views.
        operations: what its recipe does to a view.
        ordinary: cosines of all pairs of `beside` after each removal ("" for none), kept once they are measured: they
            serve every pair.
    """

    encode: Encode
    beside: Pictures
    views: Callable[[Picture, str, int], Float[np.ndarray, "k d"]]
    operations: tuple[str, ...]
    ordinary: dict[str, Float[np.ndarray, " m"]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Why:
    """What is known of a pair. All but the first three are empty for a copy, where no encoder was at hand, and until measured.

    Attributes:
        copy: whether every pixel agrees.
        same_class: whether both have one class; None without labels.
        colours: shared area of the colour histograms, beside random pairs of pictures.
        whole: the cosine, beside random pairs.
        removed: the same after each of `REMOVALS`, beside random pairs that lost the same.
        seen: what covering each region costs.
        views: "" → how well views of the two are told apart; operation → the same without it. AUC: the chance that two views
            of one picture are more alike than a view of each; .5 = the views mix, 1 = they never do. An operation without
            which it is larger removes what sets the two apart, and the encoder has learned to ignore just that.
    """

    copy: bool
    same_class: bool | None
    colours: Ranked
    whole: Ranked | None = None
    removed: Mapping[str, Ranked] = field(default_factory=dict)
    seen: Occlusion | None = None
    views: Mapping[str, float] = field(default_factory=dict)


class Inquiry:
    """The evidence on a pair, gathered a portion of pictures at a time: what is `known` grows, and whoever waits may stop.

    First come coarse regions, then what is taken out of both, then augmented views, last finer regions.
    """

    def __init__(
        self,
        one: Picture,
        other: Picture,
        *,
        colours: Float[np.ndarray, " m"],
        same_class: bool | None = None,
        eye: Eye | None = None,
    ) -> None:
        """Ask about a pair of pictures of one size.

        Args:
            one, other: the pair.
            colours: `likeness.colour_reference` of the pictures they come from.
            same_class: whether both have one class; None without labels.
            eye: the encoder; without it, only what the pictures themselves say.
        """
        self.pair: Pictures = np.stack([one, other])
        histogram = colour_histogram(self.pair)
        shared = float(colour_similarity(histogram[:1], histogram[1:])[0])
        copy = bool(np.array_equal(one, other))
        self.known = Why(
            copy=copy, same_class=same_class, colours=Ranked(value=shared, above=share_below(shared, colours))
        )
        self.encoded = 0
        self.whole = copy or eye is None
        self._steps = self._ask(eye) if eye is not None else None
        self._least = min(*one.shape[:2])
        self.asked = 0 if self.whole or eye is None else self._work(eye)

    @property
    def share(self) -> float:
        """Share of the pictures that are encoded, in [0, 1]."""
        return 1.0 if self.whole else self.encoded / self.asked

    def work(self, seconds: float = np.inf) -> Why:
        """Go on for about so many seconds, a portion at least, or to the end; what is then known."""
        end = time.monotonic() + seconds
        while not self.whole:
            assert self._steps is not None
            self.whole = next(self._steps, None) is None
            if time.monotonic() >= end:
                break
        return self.known

    @property
    def _grids(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(min(grid, self._least) for grid in (COARSE, GRID)))

    def _work(self, eye: Eye) -> int:
        """How many pictures will be encoded."""
        regions = sum(2 + 2 * grid**2 for grid in self._grids)
        names = ("", *REMOVALS)
        beside = sum(len(eye.beside) for name in names if name not in eye.ordinary)
        views = 2 * VIEWS * (1 + len(eye.operations)) if eye.operations else 0
        return regions + 2 * len(names) + beside + views

    def _ask(self, eye: Eye) -> Generator[int]:
        """Everything in order; each portion yields how many pictures are encoded so far."""
        first, *finer = self._grids
        yield from self._regions(eye, first)
        yield from self._removals(eye)
        if eye.operations:
            yield from self._views(eye)
        for grid in finer:
            yield from self._regions(eye, grid)

    def _encode(self, eye: Eye, images: Pictures) -> Generator[int, None, np.ndarray]:
        size = max(1, PORTION // (images.shape[1] * images.shape[2]))
        rows = []
        for start in range(0, len(images), size):
            rows.append(eye.encode(images[start : start + size]))
            yield self._count(len(rows[-1]))
        return np.concatenate(rows)

    def _count(self, pictures: int) -> int:
        self.encoded += pictures
        return self.encoded

    def _regions(self, eye: Eye, grid: int) -> Generator[int]:
        z = yield from self._encode(eye, occluded(self.pair[0], self.pair[1], grid))
        self.known = replace(self.known, seen=occlusion(z))

    def _removals(self, eye: Eye) -> Generator[int]:
        found = {}
        for name in ("", *REMOVALS):
            if name not in eye.ordinary:
                z = yield from self._encode(eye, without(name, eye.beside))
                eye.ordinary[name] = all_cosines(z)
            z = yield from self._encode(eye, without(name, self.pair))
            found[name] = ranked(z, eye.ordinary[name])
        self.known = replace(self.known, whole=found.pop(""), removed=found)

    def _views(self, eye: Eye) -> Generator[int]:
        views = {}
        for name in ("", *eye.operations):
            z = []
            for seed, image in enumerate(self.pair):
                z.append(eye.views(image, name, seed))
                yield self._count(VIEWS)
            views[name] = told_apart(*z)
        self.known = replace(self.known, views=views)


def told_apart(one: Float[np.ndarray, "k d"], other: Float[np.ndarray, "k d"]) -> float:
    """AUC of pairs of views within a picture against pairs between the two."""
    k = len(one)
    unit = unit_rows(np.concatenate([one, other]))
    r = unit @ unit.T
    within = np.triu(np.ones((k, k), bool), 1)
    positive = np.concatenate([r[:k, :k][within], r[k:, k:][within]])
    return auc(positive, np.sort(r[:k, k:], axis=None))


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
