"""Orbits: how far the views of a picture lie from it and from one another, beside the distance to the next picture.

Distances are 1 − cosine, in [0, 2]: half the squared distance of unit rows, and measured so, because a cosine near 1 has
lost its digits.

Legend: n pictures, q views of each, d the width of the space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from simclr_core.errors import DataError, sentence
from simclr_core.means import mean
from simclr_core.neighbours import nearest, unit_rows
from simclr_core.records import require_finite

NO_DISTANCE = 1e-12  # below it two directions are one


@dataclass(frozen=True, kw_only=True, eq=False)
class Orbits:
    """Distances of each of n pictures to its views, of the views to one another, and to the next picture.

    Attributes:
        between: mean distance of two views of the picture.
        radius: mean distance of its views to the picture itself, as it is without augmentation.
        nearest: distance to the nearest of the other pictures, all as they are.
        other: which one that is, as a row.
        apart: mean distance of two different pictures, as they are.
    """

    between: Float[np.ndarray, " n"]
    radius: Float[np.ndarray, " n"]
    nearest: Float[np.ndarray, " n"]
    other: Int[np.ndarray, " n"]
    apart: float

    @cached_property
    def ratio(self) -> Float[np.ndarray, " n"]:
        """Invariance ratio: radius / nearest. Below 1 the views lie nearer to their picture than any other picture does.

        Infinite where only the next picture is at no distance, NaN where the views are at none either.
        """
        radius = np.where(self.radius < NO_DISTANCE, 0.0, self.radius)
        nearest = np.where(self.nearest < NO_DISTANCE, 0.0, self.nearest)
        with np.errstate(divide="ignore", invalid="ignore"):
            return radius / nearest

    @cached_property
    def inside(self) -> Bool[np.ndarray, " n"]:
        """Whether the picture's ratio is below 1."""
        return self.ratio < 1

    @property
    def usual_ratio(self) -> float | None:
        """The median ratio; None where it is undefined or infinite."""
        known = self.ratio[~np.isnan(self.ratio)]
        middle = float(np.median(known)) if len(known) else math.inf
        return middle if math.isfinite(middle) else None

    def take(self, rows: Int[np.ndarray, " m"]) -> Orbits:
        """Some of the pictures; the next picture is still looked for among all."""
        columns: dict[str, Any] = {k: getattr(self, k)[rows] for k in ("between", "radius", "nearest", "other")}
        return Orbits(apart=self.apart, **columns)

    def summary(self) -> dict[str, Any]:
        """Means with intervals, the median ratio, the share of ratios below 1: plain values for JSON."""
        means = {name: mean(getattr(self, name)) for name in ("between", "radius", "nearest")}
        ratios = {"ratio": self.usual_ratio, "inside": float(self.inside.mean()), "apart": self.apart}
        return {name: found._asdict() for name, found in means.items()} | ratios


def orbits(pictures: Float[np.ndarray, "n d"], views: Float[np.ndarray, "n q d"]) -> Orbits:
    """Measure the orbit of each picture.

    Args:
        pictures: embeddings of n ≥ 2 pictures as they are, any scale.
        views: embeddings of q ≥ 2 views of each.

    Raises:
        DataError: shapes do not fit, NaN or infinity.

    Source: as in Goodfellow et al. 2009, "Measuring invariances in deep networks", what transformations change is set
    against what other pictures change.
    """
    n, q = views.shape[:2] if views.ndim == 3 else (0, 0)
    if n < 2 or q < 2 or pictures.shape != (n, views.shape[2]):
        found = (pictures.shape, views.shape)
        raise DataError(
            sentence("orbits", "(n, d) and (n, q, d) with n, q ≥ 2", found, "encode pictures and views alike")
        )
    require_finite("pictures", pictures)
    require_finite("views", views.reshape(n, -1))
    unit = unit_rows(np.concatenate([pictures, views.reshape(n * q, -1)]))
    itself, each = unit[:n], unit[n:].reshape(n, q, -1)
    next_to = nearest(pictures, 1)
    return Orbits(
        between=_within(each),
        radius=((each - itself[:, None]) ** 2).sum(axis=(1, 2)) / (2 * q),
        nearest=next_to.distance[:, 0],
        other=next_to.index[:, 0],
        apart=float(_within(itself[None])[0]),
    )


def _within(unit: Float[np.ndarray, "n q d"]) -> Float[np.ndarray, " n"]:
    """Mean of 1 − cosine over the pairs of each q unit rows: their scatter about their mean."""
    return ((unit - unit.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)) / (unit.shape[1] - 1)


def by_class(found: Orbits, label: Int[np.ndarray, " n"]) -> dict[int, Orbits]:
    """The orbits of each class, by its number."""
    return {int(c): found.take(np.flatnonzero(label == c)) for c in np.unique(label)}
