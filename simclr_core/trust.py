"""How far a map can be trusted: whether the neighbours seen in it are neighbours in the original space."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

TRUST_K = 15
TRUST_ROWS = 5_000  # above this many rows, trustworthiness is measured on a seeded sample of this size


def trust_rows(n: int) -> int:
    """How many of n rows trustworthiness is measured on."""
    return min(n, TRUST_ROWS)


def _misplaced(near_x: np.ndarray, near_xy: np.ndarray, k: int) -> float:
    """Σ max(0, rank − k) over one block's map neighbours; rank 1 is the nearest in the original space."""
    ranks = np.empty_like(near_x)
    np.put_along_axis(ranks, near_x, np.arange(near_x.shape[1])[None, :], axis=1)
    return float(np.maximum(np.take_along_axis(ranks, near_xy, axis=1) + 1 - k, 0).sum())


def _order(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """All others of some rows, nearest first (Euclidean), the row itself last."""
    square = np.einsum("ij,ij->i", x, x)
    d = square[rows, None] + square[None, :] - 2 * (x[rows] @ x.T)
    d[np.arange(len(rows)), rows] = np.inf
    return np.argsort(d, axis=1, kind="stable")


def trustworthiness(
    x: Float[np.ndarray, "n d"], xy: Float[np.ndarray, "n dims"], k: int = TRUST_K, *, seed: int = 0
) -> float | None:
    """Whether the neighbours seen in a map are neighbours in the original space.

    1 means every one of the k nearest points in the map is among the k nearest in x; each intruder costs its rank.
    Random positions give about 0.5. Measured with Euclidean distances: pass unit rows for the cosine.

    Args:
        x: the original rows.
        xy: their positions in the map.
        k: how many neighbours are looked at.
        seed: draws the sample of `TRUST_ROWS` rows when there are more.

    Returns:
        A share in [0, 1], or None where it has no meaning: n ≤ 2k, or all rows of x equal.

    Source: Venna & Kaski 2001, as `sklearn.manifold.trustworthiness`.
    """
    if len(x) > TRUST_ROWS:
        sample = np.random.default_rng(seed).choice(len(x), TRUST_ROWS, replace=False)
        x, xy = x[sample], xy[sample]
    n = len(x)
    if n <= 2 * k or not np.ptp(x, axis=0).any():
        return None
    x, xy = x.astype(np.float64), xy.astype(np.float64)
    x, xy = x - x.mean(axis=0), xy - xy.mean(axis=0)
    lost = 0.0
    for rows in np.array_split(np.arange(n), -(-n // 500)):
        lost += _misplaced(_order(x, rows), _order(xy, rows)[:, :k], k)
    return 1.0 - lost * 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0))
