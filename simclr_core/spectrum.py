"""Diagnostics that read the spectrum: how many directions the rows of an embedding matrix use.

All but W2 take the rows as given and do not change when the whole matrix is scaled.
"""

from __future__ import annotations

import math

import numpy as np

from simclr_core.cloud import Cloud, Undefined
from simclr_core.registry import Label

LIVE = 1e-6  # share of the largest eigenvalue from which a direction counts as used
RANKME_EPS = 1e-7
ALPHA_RANGE = (10, 100)  # eigenvalues that the power law is fitted on, counted from 1 (Agrawal et al. 2022)
ALPHA_FEWEST = 10
CLIFF, LATE, LATER = 6.0, 50.0, 0.6  # a fall of the eigenvalues that is a cliff, and one in the last 40 %
TAIL = 0.1  # most variance that may lie behind a cliff
USED, USED_POSITIVE = 0.9, 0.75  # see `enough_used`


def w2_uniformity(cloud: Cloud) -> float:
    """Wasserstein distance of the unit rows' mean and covariance from those of the uniform sphere.

    0 = uniform, √2 = total collapse. Sees dead directions that the mean over pairs does not.
    Source: Fang et al. 2024, √(|μ|² + 1 + tr Σ − (2/√d)·tr Σ^½).
    """
    values = cloud.unit_eigenvalue
    mean = cloud.unit_mean
    square = float(mean @ mean + 1 + values.sum() - 2 / math.sqrt(cloud.d) * np.sqrt(values).sum())
    return math.sqrt(max(0.0, square))


def _entropy_rank(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def rankme(cloud: Cloud) -> float:
    """exp of the entropy of the uncentred singular values' shares: soft count of directions, the mean's among them.

    Between 1 and min(n, d) up to the paper's ε. Source: RankMe (Garrido et al. 2023), p = σ/|σ|₁ + 1e-7.
    """
    return _entropy_rank(cloud.singular + RANKME_EPS)


def effective_rank(cloud: Cloud) -> float:
    """exp of the entropy of the covariance's eigenvalue shares, in [1, d]; blind to a large mean.

    Source: Roy & Vetterli 2007.
    """
    return _entropy_rank(cloud.relative / cloud.relative.sum())


def participation_ratio(cloud: Cloud) -> float:
    """(Σλ)²/Σλ² of the centred covariance, in [1, d]: how many directions carry the variance."""
    return float(cloud.relative.sum() ** 2 / (cloud.relative**2).sum())


def nesum(cloud: Cloud) -> float:
    """Σλ/λ₁ of the centred covariance, in [1, d]; high also for noise around one point (He & Ozay 2022)."""
    return float(cloud.relative.sum())


def _power_law(cloud: Cloud) -> tuple[float, float]:
    """Slope and R² of log λ against log rank, weights 1/rank."""
    first, end = ALPHA_RANGE
    rank = np.arange(first, min(end, cloud.rank_limit + 1))
    value = cloud.relative[rank - 1]
    rank, value = rank[value > 1e-12], value[value > 1e-12]
    if len(rank) < ALPHA_FEWEST:
        en = f"the fit needs {ALPHA_FEWEST} eigenvalues above zero from the {first}th on, there are {len(rank)}"
        zh = f"拟合需要从第 {first} 个起至少 {ALPHA_FEWEST} 个大于零的特征值，只有 {len(rank)} 个"
        raise Undefined(Label(en, zh))
    x, y, w = np.log(rank), np.log(value), 1 / rank
    x, y = x - np.average(x, weights=w), y - np.average(y, weights=w)
    slope = float((w * x * y).sum() / (w * x * x).sum())
    total = float((w * y * y).sum())
    return -slope, 1 - float((w * (y - slope * x) ** 2).sum()) / total if total > 0 else 1.0


def alpha(cloud: Cloud) -> float:
    """Decay of the spectrum, λ_i ∝ i^−α fitted on i in [10, 100); near 1 in good encoders (Agrawal et al. 2022)."""
    return _power_law(cloud)[0]


def alpha_r2(cloud: Cloud) -> float:
    """How well the power law behind `alpha` fits, at most 1."""
    return _power_law(cloud)[1]


def live_share(cloud: Cloud) -> float:
    """Share of the directions that n rows can span whose eigenvalue exceeds 1e-6 of the largest."""
    return min(1.0, float((cloud.relative > LIVE).sum() / cloud.rank_limit))


def spectral_cliff(relative: np.ndarray, limit: int, used: float) -> tuple[int, float]:
    """Where eigenvalues drop most steeply, and by which factor: (limit, 1) where there is no cliff.

    Only drops within the first `used` share of the `limit` directions count, and only those that leave little of the
    variance behind: one loud direction above many ordinary ones is no cliff. Late drops must be steep, because the
    tail of a healthy ReLU spectrum also falls fast.
    """
    value = np.maximum(relative[:limit], 1e-12 * relative[0])
    behind = 1 - np.cumsum(relative) / relative.sum()
    k = np.arange(1, max(2, int(np.ceil(used * limit))))
    k = k[(k < len(value)) & (behind[k - 1] <= TAIL)]
    drop = value[k - 1] / value[k]
    excess = drop / np.where(k <= LATER * limit, CLIFF, LATE)
    if len(k) == 0 or excess.max() < 1:
        return limit, 1.0
    best = int(excess.argmax())
    return int(k[best]), float(drop[best])


def enough_used(cloud: Cloud) -> float:
    """Share of the directions before a cliff that is enough; less after a ReLU, where units die."""
    return USED_POSITIVE if cloud.positive_only else USED


def cloud_cliff(cloud: Cloud) -> tuple[int, float]:
    """The cliff that rows as given and unit rows both show: a few loud rows alone make none."""
    limit, enough = cloud.rank_limit, enough_used(cloud)
    found = spectral_cliff(cloud.relative, limit, enough)
    both = spectral_cliff(cloud.unit_eigenvalue, limit, enough)[0] < limit
    return found if both else (limit, 1.0)


def cliff_share(cloud: Cloud) -> float:
    """Share of the directions that n rows can span before the spectrum falls off; 1 = no cliff."""
    return cloud_cliff(cloud)[0] / cloud.rank_limit


def moving_share(cloud: Cloud) -> float:
    """Share of the columns whose variance exceeds a millionth of the largest column's: dead units do not move."""
    return cloud.moving_columns
