"""Numbers of a cloud's unit rows, neighbours, labels and pairs; those of its spectrum are in `spectrum`."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int

from simclr_core.cloud import HUB_K, PURITY_K, Cloud, Undefined
from simclr_core.copies import copied
from simclr_core.lidar import FEWEST_VIEWS, lidar
from simclr_core.pairs import PairDistances
from simclr_core.registry import Label

NEAR = 0.99  # cosine from which a nearest neighbour is a near duplicate (vecscope)
TWO_NN_KEPT = 0.9


def std_ratio(cloud: Cloud) -> float:
    """Mean standard deviation of the columns of the unit rows, times √d.

    1 = spread over all columns, 0 = every row the same. Blind to low rank: {+v, −v} scores .8.
    Source: SimSiam (Chen & He 2021), section 4.1.
    """
    return float(cloud.unit.std(axis=0, ddof=1).sum() / math.sqrt(cloud.d))


def mean_cosine(cloud: Cloud) -> float:
    """Mean cosine of two different rows, in [−1/(n−1), 1]. Naturally high where all entries are positive."""
    total = float((cloud.unit.sum(axis=0) ** 2).sum())
    return min(1.0, (total - cloud.n) / (cloud.n * (cloud.n - 1)))


def centred_mean_cosine(cloud: Cloud) -> float:
    """Mean cosine after the mean row has been subtracted: what is left of a cone without its axis."""
    shifted = Cloud(x=(cloud.x - cloud.x.mean(axis=0, dtype=np.float64)) / cloud.scale)
    if np.abs(shifted.x).max() <= 1e-14:
        raise Undefined(Label("all rows are equal", "所有行都相同"))
    return mean_cosine(shifted)


def crowd_cosine(cloud: Cloud) -> float:
    """The cosine that three of four pairs of rows exceed, from a draw of at most 1,000 rows.

    Near 1 where nearly all rows fall on one point, also where a few outliers keep mean and spread up.
    """
    return 1 - float(np.quantile(cloud.pair_sample, 0.75)) ** 2 / 2


def cluster_gap(cloud: Cloud) -> float:
    """Ratio of the ends of the longest stretch of distances that hardly any pair of rows has: see `Knots`.

    1 = no gap, or one that does not part most rows into three or more clusters; 3 = clusters a third as wide as they are
    apart.
    """
    return cloud.knots.gap if cloud.knots.crumbled else 1.0


def uniformity(cloud: Cloud) -> float:
    """log of the mean of exp(−2|u−v|²) over all pairs of unit rows; 0 = all equal, about −4 = uniform on the sphere.

    Source: Wang & Isola 2020, L_uniform with t = 2.
    """
    return min(0.0, math.log(cloud.energy))


def _needs_neighbours(cloud: Cloud, k: int) -> None:
    if cloud.neighbours.k < k:
        en = f"{k} neighbours of each row need more than {k} rows, there are {cloud.n}"
        raise Undefined(Label(en, f"每行 {k} 个近邻需要多于 {k} 行，只有 {cloud.n} 行"))


def hubness_skew(cloud: Cloud) -> float:
    """Skewness of how often each row is among another's ten nearest.

    0 = fair; above 2 a few rows are everyone's neighbours. Source: Radovanović et al. 2010, N_10.
    """
    _needs_neighbours(cloud, HUB_K)
    count = cloud.occurrence - HUB_K
    spread = math.sqrt(float((count**2).mean()))
    return float((count.astype(np.float64) ** 3).mean() / spread**3) if spread > 0 else 0.0


def antihub_share(cloud: Cloud) -> float:
    """Share of rows that are among nobody's ten nearest, in [0, 1]."""
    _needs_neighbours(cloud, HUB_K)
    return float((cloud.occurrence == 0).mean())


def hub_reach(cloud: Cloud) -> float:
    """Share of rows that have the largest hub among their ten nearest, at least 10/n."""
    _needs_neighbours(cloud, HUB_K)
    return float(cloud.occurrence.max() / cloud.n)


def near_duplicate_share(cloud: Cloud) -> float:
    """Share of rows whose nearest neighbour has a cosine of .99 or more."""
    return float((cloud.neighbours.distance[:, 0] <= 1 - NEAR).mean())


def duplicate_share(cloud: Cloud) -> float:
    """Share of rows whose nearest neighbour has a cosine of .999 or more and stands out; see `copies.copied`."""
    return len(copied(cloud.neighbours)) / cloud.n


def intrinsic_dim(cloud: Cloud) -> float:
    """TwoNN: the dimension that explains how much farther the second neighbour is than the first, on unit rows.

    Slope through the origin of −log(1−F) on log(r₂/r₁), the top tenth left out; too low for dozens of dimensions.
    Rows whose nearest neighbour is an exact copy have no ratio and do not count. Source: Facco et al. 2017.
    """
    _needs_neighbours(cloud, 2)
    first, second = cloud.neighbours.distance[:, 0], cloud.neighbours.distance[:, 1]
    ratio = np.sort(np.sqrt(second[first > 0] / first[first > 0]))
    kept = int(len(ratio) * TWO_NN_KEPT)
    x, y = np.log(ratio[:kept]), -np.log(1 - np.arange(1, kept + 1) / max(1, len(ratio)))
    if kept < 2 or not (x @ x > 0):
        raise Undefined(Label("too few rows differ from their nearest neighbour", "与最近邻不同的行太少"))
    return float(x @ y / (x @ x))


def _labels(cloud: Cloud) -> np.ndarray:
    if cloud.label is None:
        raise Undefined(Label("these rows have no labels", "这些行没有标签"))
    return cloud.label


def knn_purity(cloud: Cloud) -> float:
    """Share of the 20 nearest rows that carry the row's own label; read beside chance and untrained."""
    label = _labels(cloud)
    if len(np.unique(label)) < 2:
        raise Undefined(Label("all rows have one label", "所有行只有一个标签"))
    _needs_neighbours(cloud, PURITY_K)
    return float((label[cloud.neighbours.index] == label[:, None]).mean())


def chance_purity(cloud: Cloud) -> float:
    """What `knn_purity` is where neighbours know nothing of labels."""
    return same_label_chance(_labels(cloud))


def same_label_chance(label: Int[np.ndarray, " n"]) -> float:
    """The chance that two different rows have one label; 1 where all do."""
    count = np.unique(label, return_counts=True)[1]
    return float((count * (count - 1)).sum() / (len(label) * (len(label) - 1)))


def _pairs(cloud: Cloud) -> PairDistances:
    if cloud.pairs is None:
        raise Undefined(Label("no pairs of views in this space were given", "没有给出这个空间的视图对"))
    return cloud.pairs


def alignment(cloud: Cloud) -> float:
    """Mean squared distance of the two views of an image on the unit sphere, 2 − 2·cosine: 0 = equal, 2 = unrelated.

    Source: Wang & Isola 2020, L_align with α = 2.
    """
    return float(2 - 2 * _pairs(cloud).positive.mean())


def pair_auc(cloud: Cloud) -> float:
    """Chance that two views of one image are more alike than views of two images; .5 = nothing learned."""
    return _pairs(cloud).auc


def twin_r_at_1(cloud: Cloud) -> float:
    """How often an image's other view is the nearest of all 2n − 1 candidates, in [0, 1]."""
    return _pairs(cloud).r_at_1


def image_directions(cloud: Cloud) -> float:
    """LiDAR: directions along which images differ by more than their views do; see `simclr_core.lidar`."""
    views = 2 if cloud.orbits is None else cloud.orbits.shape[1]
    if views < FEWEST_VIEWS:
        en = f"it needs {FEWEST_VIEWS} or more views of each image in this space"
        raise Undefined(Label(en, f"它需要每张图像在这个空间中有至少 {FEWEST_VIEWS} 个视图"))
    assert cloud.orbits is not None
    if np.ptp(cloud.orbits.mean(axis=1, dtype=np.float64), axis=0).max() == 0:
        raise Undefined(Label("the images do not differ", "图像之间没有差别"))
    return lidar(cloud.orbits)
