"""The directions of an embedding one by one: which rows excite each, which never move, which say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simclr_core.registry import Choice, Label

DEAD = 1e-6  # share of the largest variance under which a column does not move
FLAT = 1e-13  # share of the largest eigenvalue under which there is rounding only
REDUNDANT = 0.95  # correlation from which two columns say the same


@dataclass(frozen=True, kw_only=True, eq=False)
class Axes:
    """Directions of an embedding, the most varying first.

    Attributes:
        vector: unit vectors, one a column.
        share: each direction's share of the variance, sums to 1 (0 everywhere where nothing varies).
        name: number of each direction: the column, or the rank of the principal direction, from 0.
    """

    vector: Float[np.ndarray, "d k"]
    share: Float[np.ndarray, " k"]
    name: Int[np.ndarray, " k"]

    def score(self, x: Float[np.ndarray, "n d"], axis: int) -> Float[np.ndarray, " n"]:
        """How far out each row of the embedding lies along a direction, in standard deviations from the mean.

        0 everywhere along a direction that does not vary.
        """
        along = (x / _largest(x)).astype(np.float64) @ self.vector[:, axis]
        along -= along.mean()
        spread = along.std()
        return along / spread if self.share[axis] > 0 and spread > 0 else np.zeros_like(along)


def exciting(score: Float[np.ndarray, " n"], count: int, *, least: bool = False) -> Int[np.ndarray, " m"]:
    """The rows that lie farthest out along a direction, or farthest the other way, the farthest first."""
    return np.argsort(score if least else -score, kind="stable")[:count]


def _largest(x: Float[np.ndarray, "n d"]) -> float:
    return float(np.abs(x).max()) or 1.0


def _variance(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    return np.var(x / _largest(x), axis=0, dtype=np.float64)


def _shares(variance: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    total = variance.sum()
    return variance / total if total > 0 else np.zeros_like(variance)


def _centred(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    y = (x / _largest(x)).astype(np.float64)
    return y - y.mean(axis=0)


def columns(x: Float[np.ndarray, "n d"]) -> Axes:
    """The columns as they are."""
    variance = _variance(x)
    order = np.argsort(-variance, kind="stable")
    return Axes(vector=np.eye(x.shape[1])[:, order], share=_shares(variance)[order], name=order)


def principal(x: Float[np.ndarray, "n d"]) -> Axes:
    """The principal directions of the centred rows, each turned so that its longer tail is positive."""
    y = _centred(x)
    if len(x) >= x.shape[1]:
        value, vector = np.linalg.eigh(y.T @ y)
    else:
        value, row = np.linalg.eigh(y @ y.T)
        vector = y.T @ row
        vector /= np.maximum(np.linalg.norm(vector, axis=0), np.finfo(np.float64).tiny)
    value, vector = value[::-1], vector[:, ::-1]
    value = np.where(value > FLAT * value[0], value, 0)
    vector = vector * np.where(((y @ vector) ** 3).sum(axis=0) < 0, -1, 1)
    return Axes(vector=vector, share=_shares(value), name=np.arange(len(value)))


KINDS: dict[str, Choice[Callable[[np.ndarray], Axes]]] = {
    "principal": Choice(
        label=Label("principal directions", "主方向"), run=principal, source="Pearson 1901",
        help=Label("Directions of largest variance, whatever the axes.", "方差最大的方向，与坐标轴无关。"),
    ),
    "columns": Choice(
        label=Label("single columns", "单个维度"), run=columns, source="the embedding's own axes",
        help=Label("The numbers of the embedding as they are: single units of the network.", "嵌入中的数本身：网络的单个单元。"),
    ),
}  # fmt: skip


def dead_columns(x: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " m"]:
    """Columns whose variance is under a millionth of the largest column's: units that never change."""
    variance = _variance(x)
    return np.flatnonzero(variance <= DEAD * variance.max())


@dataclass(frozen=True, kw_only=True, eq=False)
class Redundancy:
    """Pairs of live columns i < j with a correlation of ±.95 or more, the strongest first.

    Attributes:
        group: how many groups the live columns fall into when such pairs are joined: as many different things they say.
        live: how many columns move at all.
    """

    i: Int[np.ndarray, " m"]
    j: Int[np.ndarray, " m"]
    correlation: Float[np.ndarray, " m"]
    groups: int
    live: int


def redundant(x: Float[np.ndarray, "n d"], least: float = REDUNDANT) -> Redundancy:
    """Columns that say the same as another.

    Args:
        x: embeddings, two rows or more.
        least: absolute correlation from which two columns are one.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    live = np.setdiff1d(np.arange(x.shape[1]), dead_columns(x))
    y = _centred(x)[:, live]
    y /= np.sqrt((y * y).sum(axis=0))
    r = np.clip(y.T @ y, -1, 1)
    i, j = np.nonzero(np.triu(np.abs(r) >= least, 1))
    value = r[i, j]
    order = np.lexsort((j, i, -np.abs(value)))
    size = len(live)
    groups = connected_components(coo_array((np.ones(len(i), bool), (i, j)), shape=(size, size)), directed=False)[0]
    return Redundancy(
        i=live[i[order]], j=live[j[order]], correlation=value[order], groups=int(groups) if size else 0, live=size
    )
