"""Distances of positive and negative pairs: does the encoder know two views of one image from views of two?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from simclr_core.errors import DataError, sentence
from simclr_core.neighbours import unit_rows
from simclr_core.records import require_finite

EXACT_VIEWS = 1500  # up to here every negative pair is kept
NEGATIVES = 1_000_000  # beyond, this many are drawn
RANKED_ANCHORS = 4096  # anchors whose twin is ranked; all of them where there are fewer
BINS = 200  # of the overlap coefficient


@dataclass(frozen=True, kw_only=True, eq=False)
class PairDistances:
    """Cosines of positive and negative pairs and what separates them.

    Attributes:
        positive: cosine of the two views of each image, in [−1, 1].
        negative: cosines of views of different images, ascending, each unordered pair once; all, or a seeded draw.
        between: the two images of each of these, (2, m).
        n_negative: how many negative pairs there are; `exact` tells whether `negative` holds them all.
        auc: chance that a positive pair is more alike than a negative one, ties half; .5 = no better than a coin.
        anchor: the views that were ranked, as rows of [view a; view b].
        first: each anchor's chance that the nearest candidate is its twin, ties drawn at random.
        twin_rank: each anchor's twin among all 2n − 1 candidates, 1 = nearest; ties share the middle rank.
        r_at_1: mean of `first`.
        mrr: mean of 1/rank.
        lost_to: for each anchor the candidate nearest to it other than its twin, as a row of [view a; view b].
        lost: whether that candidate is nearer than the twin.
        worst: images by the cosine of their views, least alike first.
    """

    positive: Float[np.ndarray, " n"]
    negative: Float[np.ndarray, " m"]
    between: Int[np.ndarray, "2 m"]
    n_negative: int
    exact: bool
    auc: float
    anchor: Int[np.ndarray, " a"]
    first: Float[np.ndarray, " a"]
    twin_rank: Float[np.ndarray, " a"]
    r_at_1: float
    mrr: float
    lost_to: Int[np.ndarray, " a"]
    lost: np.ndarray
    worst: Int[np.ndarray, " n"]

    @cached_property
    def d_prime(self) -> float | None:
        """Distance of the two means in pooled standard deviations; None where neither varies."""
        spread = np.sqrt((self.positive.var() + self.negative.var()) / 2)
        return float((self.positive.mean() - self.negative.mean()) / spread) if spread > 1e-12 else None

    @cached_property
    def overlap(self) -> float:
        """Shared area of the two histograms, 0 = apart, 1 = the same."""
        return overlap_coefficient(self.positive, self.negative)

    @property
    def numbers(self) -> dict[str, float | None]:
        """What separates positive from negative pairs."""
        return {name: getattr(self, name) for name in ("auc", "overlap", "d_prime", "r_at_1", "mrr")}

    def part(self, images: Int[np.ndarray, " m"]) -> PairDistances:
        """The same of some of the images; their twins are still ranked among the views of all."""
        chosen = np.zeros(len(self.positive), bool)
        chosen[images] = True
        positive = self.positive[images]
        between = chosen[self.between[0]] & chosen[self.between[1]]
        negative, anchor = self.negative[between], chosen[self.anchor % len(chosen)]
        columns = ("anchor", "first", "twin_rank", "lost_to", "lost")
        kept: dict[str, Any] = {name: getattr(self, name)[anchor] for name in columns}
        return replace(
            self,
            positive=positive,
            negative=negative,
            between=self.between[:, between],
            n_negative=2 * len(images) * (len(images) - 1),
            auc=auc(positive, negative),
            r_at_1=float(kept["first"].mean()),
            mrr=float((1 / kept["twin_rank"]).mean()),
            worst=self.worst[chosen[self.worst]],
            **kept,
        )


def _views(z_a: np.ndarray, z_b: np.ndarray) -> np.ndarray:
    """Unit rows of both views, view a first."""
    if z_a.ndim != 2 or z_a.shape != z_b.shape:
        shapes = (z_a.shape, z_b.shape)
        raise DataError(sentence("pairs", "two matrices of one shape", shapes, "encode both views alike"))
    if len(z_a) < 2:
        raise DataError(sentence("pairs", "at least 2 images", len(z_a), "a negative pair needs a second image"))
    require_finite("z_a", z_a)
    require_finite("z_b", z_b)
    return unit_rows(np.concatenate([z_a, z_b]))


def _negatives(views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of views of different images, ascending, and the two images of each."""
    n = len(views) // 2
    cosine, i, j = _drawn_negatives(views, n)
    order = np.argsort(cosine)
    return cosine[order], np.stack([i % n, j % n]).astype(np.int32)[:, order]


def _drawn_negatives(views: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if len(views) <= EXACT_VIEWS:
        i, j = np.triu_indices(2 * n, 1)
        i, j = i[j - i != n], j[j - i != n]
        return (views @ views.T)[i, j], i, j
    draw = np.random.default_rng(0)
    i = draw.integers(0, 2 * n, NEGATIVES)
    j = (i % n + draw.integers(1, n, NEGATIVES)) % n + n * draw.integers(0, 2, NEGATIVES)
    parts = [np.einsum("pd,pd->p", views[a], views[b]) for a, b in zip(_split(i), _split(j), strict=True)]
    return np.concatenate(parts), i, j


def _split(x: np.ndarray, size: int = 8192) -> list[np.ndarray]:
    return np.array_split(x, max(1, -(-len(x) // size)))


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Mann–Whitney: share of (positive, ascending negative) couples in the right order, ties half."""
    positive, negative = positive.round(12), negative.round(12)
    below, upto = (np.searchsorted(negative, positive, side=side) for side in ("left", "right"))
    return float((below + upto).mean() / (2 * len(negative)))


def overlap_coefficient(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Shared area of two histograms over their common range (200 bins): 0 = apart, 1 = the same."""
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if high - low < 1e-12:
        return 1.0
    shares = [np.histogram(x, bins=BINS, range=(low, high))[0] / len(x) for x in (a, b)]
    return float(np.minimum(*shares).sum())


def _ranks(views: np.ndarray, anchor: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Twin's middle rank, candidates tied with it where none is nearer (else −1), nearest other candidate, lost."""
    n = len(views) // 2
    out = []
    for part in _split(anchor, max(1, 2**23 // len(views))):
        row = np.arange(len(part))
        # Rounded so that copies of one row, whose dot products may differ in the last bit, count as ties.
        cosine = np.round(views[part] @ views.T, 12)
        twin = cosine[row, (part + n) % (2 * n)].copy()
        cosine[row, part] = cosine[row, (part + n) % (2 * n)] = -np.inf
        nearer, tied = (cosine > twin[:, None]).sum(axis=1), (cosine == twin[:, None]).sum(axis=1)
        out.append((1 + nearer + tied / 2, np.where(nearer, -1, tied), cosine.argmax(axis=1), nearer > 0))
    rank, tied, other, lost = (np.concatenate(column) for column in zip(*out, strict=True))
    return rank, tied, other, lost


def pair_distances(z_a: Float[np.ndarray, "n d"], z_b: Float[np.ndarray, "n d"]) -> PairDistances:
    """Compare the two views of each image with views of all the others, by cosine.

    Args:
        z_a, z_b: embeddings of the two views, row i of both from image i; any scale.

    Raises:
        DataError: shapes differ, fewer than 2 images, NaN or infinity.

    Source: signal detection theory for AUC and d′; the twin's rank is what NT-Xent ranks (SimCLR, equation 1).
    """
    views = _views(z_a, z_b)
    n = len(z_a)
    positive = np.einsum("nd,nd->n", views[:n], views[n:])
    negative, between = _negatives(views)
    anchor = np.arange(2 * n)
    if 2 * n > RANKED_ANCHORS:
        anchor = np.sort(np.random.default_rng(0).choice(2 * n, RANKED_ANCHORS, replace=False))
    rank, tied, other, lost = _ranks(views, anchor)
    first = np.where(tied >= 0, 1 / (1 + np.maximum(tied, 0)), 0)
    return PairDistances(
        positive=positive,
        negative=negative,
        between=between,
        n_negative=2 * n * (n - 1),
        exact=len(negative) == 2 * n * (n - 1),
        auc=auc(positive, negative),
        anchor=anchor,
        first=first,
        twin_rank=rank,
        r_at_1=float(first.mean()),
        mrr=float((1 / rank).mean()),
        lost_to=other,
        lost=lost,
        worst=np.argsort(positive, kind="stable"),
    )


def nearest_others(
    z_a: Float[np.ndarray, "n d"], z_b: Float[np.ndarray, "n d"], image: Int[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """The view of another image that lies nearest to either view of an image.

    Args:
        z_a, z_b: embeddings of the two views, row i of both from image i; any scale.
        image: the images to ask about, as rows of z_a.

    Returns:
        Its cosine in [−1, 1], and which view it is, as a row of [view a; view b].
    """
    views = _views(z_a, z_b)
    n = len(z_a)
    cosines, others = [], []
    for part in _split(image, max(1, 2**22 // len(views))):
        row = np.arange(len(part))
        cosine = np.maximum(views[part] @ views.T, views[part + n] @ views.T)
        cosine[row, part] = cosine[row, part + n] = -np.inf
        others.append(cosine.argmax(axis=1))
        cosines.append(cosine[row, others[-1]])
    return np.concatenate(cosines), np.concatenate(others)


def view_distance_matrix(z: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k k"]:
    """1 − cosine between every two of k embeddings, in [0, 2], diagonal exactly 0."""
    require_finite("z", z)
    unit = unit_rows(z)
    distance = np.clip(1 - unit @ unit.T, 0, 2)
    np.fill_diagonal(distance, 0)
    return distance
