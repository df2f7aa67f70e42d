"""Why one pair of pictures is alike to an encoder: the evidence together, each number with its reference, and in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, UInt8

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
from simclr_core.texts import beside

Picture = UInt8[np.ndarray, "h w 3"]
Pictures = UInt8[np.ndarray, "b h w 3"]
VIEWS = 16  # of each picture, with each recipe
APART = 0.9  # AUC from which the views of two pictures do not mix
MATTERS = 0.1  # gain of the AUC from which leaving an operation out tells the pictures apart
PORTION = 2**19  # pixels that are encoded at a time: ten pictures of 224 × 224, a second of a ResNet-50 on one core
TEXTS = beside(__file__)


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
    copied = TEXTS.say("copy.found") if why.copy else None
    parts = (copied, _parted(why), _seen(why.seen), _views(why.views), _colours(why), _class(why))
    return tuple(part for part in parts if part is not None)


def _most(share: float) -> float:
    """A share of random pairs that may be said: some pair that was not drawn may well be more alike."""
    return min(share, 0.99)


def _parted(why: Why) -> Label | None:
    if why.whole is None:
        return None
    if why.whole.above < ORDINARY:
        return TEXTS.say("parted.ordinary", a=why.whole.above)
    above, name = _most(why.whole.above), parted_by(why.removed)
    least = min(r.above for r in why.removed.values())
    if name is None:
        return TEXTS.say("parted.several", a=above, b=_most(least))
    what = REMOVALS[name].label
    return TEXTS.say("parted.one", a=above, b=least, what=what.en, what_zh=what.zh)


def _seen(seen: Occlusion | None) -> Label | None:
    if seen is None:
        return None
    return TEXTS.say("seen.nowhere" if seen.middle is None else "seen.middle", m=seen.middle)


def _views(views: Mapping[str, float]) -> Label | None:
    if not views:
        return None
    own = views[""]
    if own >= APART:
        return TEXTS.say("views.apart", a=own)
    best = max((name for name in views if name), key=lambda name: views[name])
    told, what = "one" if views[best] - own >= MATTERS else "none", OPERATIONS[best].label
    return TEXTS.say(f"views.{told}", a=own, b=views[best], what=what.en.lower(), what_zh=what.zh)


def _colours(why: Why) -> Label | None:
    return None if why.copy else TEXTS.say("colours.shared", s=why.colours.value, a=_most(why.colours.above))


def _class(why: Why) -> Label | None:
    if why.same_class is None:
        return None
    if why.same_class:
        return TEXTS.say("class.same")
    return TEXTS.say("class.other").then(TEXTS.say("class.wrong") if why.copy else None)
