"""One embedding matrix prepared for measuring: what several diagnostics need is computed once, when first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from simclr_core.copies import group_of
from simclr_core.errors import DataError, sentence
from simclr_core.neighbours import k_occurrence, nearest_with_energy, unit_rows
from simclr_core.pairs import PairDistances, pair_distances
from simclr_core.progress import Progress, silent
from simclr_core.records import NeighbourGraph, require_finite
from simclr_core.registry import Label

HUB_K = 10  # neighbours that k-occurrence counts (Radovanović et al. 2010)
PURITY_K = 20
HEAT = 2.0  # t of the uniformity loss (Wang & Isola 2020)
KNOT_ROWS = 1000  # rows drawn to look for tight clusters among all their pairs
KNOT_LEAST, KNOT_MOST = 0.002, 0.85  # share of all pairs inside a cluster: from 500 clusters down to 1.2
KNOT_SHARE, KNOT_FEWEST = 0.8, 2.2  # share of rows in clusters, and clusters, from which a cloud has crumbled
KNOT_SPILL = 1.1  # a gap may hold this share of pairs more than lie below it


class Undefined(Exception):
    """A number that this input does not have; `why` says so in every language."""

    def __init__(self, why: Label) -> None:
        super().__init__(why.en)
        self.why = why


@dataclass(frozen=True, slots=True)
class Knots:
    """Tight clusters seen in pair distances.

    Attributes:
        gap: the longest stretch without pairs, as the ratio of its two ends; 1 = none, 3 = clusters a third as wide as
            they are apart.
        radius: the distance at its lower end.
        clusters: effective number of clusters, 1 / (share of pairs below the gap).
        share: of rows, those with ten others within the radius.
    """

    gap: float
    radius: float
    clusters: float
    share: float

    @property
    def crumbled(self) -> bool:
        """Whether most rows sit in three or more clusters; two are one line."""
        return self.share >= KNOT_SHARE and self.clusters >= KNOT_FEWEST


@dataclass(frozen=True, kw_only=True, eq=False)
class Cloud:
    """Rows of one space, their labels and their pairs.

    Unit rows serve std, cosines, uniformity, W2 and neighbours; rows as given serve everything about the spectrum.
    `views` are the two views of each pair, `orbits` all views of the same images. `reach` is how many neighbours of
    each row are searched; more than 20 are needed to know those within a part.
    """

    x: Float[np.ndarray, "n d"]
    label: Int[np.ndarray, " n"] | None = None
    views: tuple[np.ndarray, np.ndarray] | None = None
    orbits: Float[np.ndarray, "p q d"] | None = None
    reach: int = PURITY_K
    progress: Progress = silent

    def __post_init__(self) -> None:
        n, d = self.x.shape
        if n < 3 or d < 2:
            raise DataError(sentence("embedding", "3 or more rows of 2 or more numbers", (n, d), "encode more images"))
        require_finite("embedding", self.x)
        if self.x.dtype == np.float16:  # its squares and sums overflow
            object.__setattr__(self, "x", self.x.astype(np.float32))
        if self.label is not None and len(self.label) != n:
            raise DataError(sentence("label", f"as long as the embedding ({n})", len(self.label), "align the rows"))
        if self.views is not None and self.views[0].shape[1:] != (d,):
            rule = f"as wide as the embedding ({d})"
            raise DataError(sentence("pairs", rule, self.views[0].shape, "encode pairs and images with one encoder"))

    @property
    def n(self) -> int:
        return self.x.shape[0]

    @property
    def d(self) -> int:
        return self.x.shape[1]

    @cached_property
    def zero_rows(self) -> Int[np.ndarray, " m"]:
        """Rows without a direction; `neighbours.unit_rows` says how they count."""
        return np.flatnonzero(~self.x.any(axis=1))

    @cached_property
    def unit(self) -> Float[np.ndarray, "n e"]:
        return unit_rows(self.x)

    @cached_property
    def unit_mean(self) -> Float[np.ndarray, " e"]:
        return self.unit.mean(axis=0)

    @cached_property
    def scale(self) -> float:
        """The largest entry: what is divided out before squares are taken."""
        return float(np.abs(self.x).max()) or 1.0

    @cached_property
    def _spectra(self) -> tuple[np.ndarray, np.ndarray]:
        return spectra(self.x / self.scale)

    @cached_property
    def eigenvalue(self) -> Float[np.ndarray, " d"]:
        """Eigenvalues of the centred covariance of the rows as given, largest first, in units of x².

        Beyond the rank that n rows can have they are 0.
        """
        return self._spectra[0] * self.scale**2

    @cached_property
    def relative(self) -> Float[np.ndarray, " d"]:
        """Eigenvalues divided by the largest; `Undefined` where all rows are equal."""
        largest = self._spectra[0][0]
        # Rounding leaves about 1e-32·(mean)² where all rows are equal.
        if largest <= 1e-28:
            raise Undefined(Label("all rows are equal, so no direction varies", "所有行都相同，没有任何方向有变化"))
        return self._spectra[0] / largest

    @cached_property
    def singular(self) -> Float[np.ndarray, " d"]:
        """Singular values of the rows as given, not centred, divided by their sum."""
        total = self._spectra[1].sum()
        if total == 0:
            raise Undefined(Label("all rows are zero", "所有行都为零"))
        return self._spectra[1] / total

    @cached_property
    def unit_eigenvalue(self) -> Float[np.ndarray, " e"]:
        """Eigenvalues of the centred covariance of the unit rows; they sum to 1 − |mean|²."""
        return spectra(self.unit)[0]

    @cached_property
    def moving_columns(self) -> float:
        """Share of the columns whose variance exceeds a millionth of the largest column's."""
        variance = (self.x / self.scale).var(axis=0, dtype=np.float64)
        return float((variance > 1e-6 * variance.max()).mean())

    @cached_property
    def positive_only(self) -> bool:
        """Whether the rows hold hardly any negative numbers, as after a ReLU."""
        low = np.minimum(self.x, 0) / self.scale
        return float((low * low).sum()) <= 0.01 * float(((self.x / self.scale) ** 2).sum())

    @cached_property
    def rank_limit(self) -> int:
        """The most directions that n centred rows of width d can vary in; rows with the same neighbour count once."""
        return max(1, min(self.d, self.n - 1, self.distinct - 1 if self.n <= 2 * self.d else self.d))

    @cached_property
    def distinct(self) -> int:
        """How many rows are left when of each group of copies one is kept."""
        return int(group_of(self.neighbours).max()) + 1

    @cached_property
    def all_pairs(self) -> tuple[NeighbourGraph, Float[np.ndarray, " n"]]:
        """The `reach` nearest of each row, or all others of fewer rows, and each row's mean of exp(−2|u−v|²)."""
        return nearest_with_energy(self.unit, min(self.reach, self.n - 1), HEAT, progress=self.progress)

    @cached_property
    def neighbours(self) -> NeighbourGraph:
        """Exact cosine neighbours, k = 20 or all others of fewer rows."""
        graph = self.all_pairs[0]
        return NeighbourGraph(
            index=graph.index[:, :PURITY_K], distance=graph.distance[:, :PURITY_K], metric=graph.metric
        )

    @property
    def energy(self) -> float:
        """Mean of exp(−2|u−v|²) over all pairs of unit rows."""
        return float(self.all_pairs[1].mean())

    @cached_property
    def occurrence(self) -> Int[np.ndarray, " n"]:
        """In how many rows' ten nearest each row is."""
        return k_occurrence(self.neighbours, self.n, HUB_K)

    @cached_property
    def pairs(self) -> PairDistances | None:
        return None if self.views is None else pair_distances(*self.views)

    @cached_property
    def pair_sample(self) -> Float[np.ndarray, " m"]:
        """Sorted distances |u−v| of all pairs among a seeded draw of unit rows."""
        rows = np.arange(self.n)
        if self.n > KNOT_ROWS:
            rows = np.random.default_rng(0).choice(self.n, KNOT_ROWS, replace=False)
        some = self.unit[rows] - self.unit_mean
        gram = some @ some.T
        i, j = np.triu_indices(len(rows), 1)
        own = np.diagonal(gram)
        return np.sort(np.sqrt(np.maximum(own[i] + own[j] - 2 * gram[i, j], 0)))

    @cached_property
    def knots(self) -> Knots:
        """Tight clusters, found by the longest stretch of distances that hardly any pair has.

        Of all such stretches the longest counts below which most rows have company: some copies make a longer one.
        """
        s = self.pair_sample
        inner = np.arange(int(KNOT_LEAST * len(s)), int(KNOT_MOST * len(s)))
        outer = np.minimum((inner * KNOT_SPILL).astype(np.int64) + 1, len(s) - 1)
        floor = max(float(s[-1]) * 1e-6, 1e-12)
        radius = s[inner]
        ratio = np.maximum(s[outer], floor) / np.maximum(radius, floor)
        # The pairs that count as inside end in the middle of the gap: its lower end may lie short of them by the spill.
        inside = np.searchsorted(s, np.maximum(radius, floor) * np.sqrt(ratio))
        clusters = len(s) / np.maximum(1, inside)
        tenth = np.sort(np.sqrt(2 * self.neighbours.distance[:, min(HUB_K, self.neighbours.k) - 1]))
        share = np.searchsorted(tenth, radius + floor, side="right") / self.n
        best = int(np.where(share >= KNOT_SHARE, ratio, 0).argmax() if share[-1] >= KNOT_SHARE else ratio.argmax())
        return Knots(*(float(v[best]) for v in (ratio, radius, clusters, share)))


def spectra(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Eigenvalues of the centred covariance (divided by n) and singular values of x itself, both largest first.

    From the smaller of the two Gram matrices, in float64: a tenth of the time of an SVD. Singular values under 1e-8 of
    the largest are rounding.
    """
    n, d = x.shape
    mean = x.mean(axis=0, dtype=np.float64)
    centred = x - mean
    if d <= n:
        gram = centred.T @ centred
        with_mean = gram + n * np.outer(mean, mean)
    else:
        gram = centred @ centred.T
        shift = centred @ mean
        with_mean = gram + shift[:, None] + shift + mean @ mean
    both = (np.maximum(np.linalg.eigvalsh(g)[::-1], 0) for g in (gram, with_mean))
    centred_values, values = (np.concatenate([v, np.zeros(d - len(v))]) for v in both)
    return centred_values / n, np.sqrt(values)
