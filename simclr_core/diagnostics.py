"""One number of an embedding matrix each: the `DIAGNOSTICS`, how to read them, their values on a uniform sphere.

Unit rows: std ratio, cosines, uniformity, W2, neighbours. Rows as given: RankMe, effective rank, participation ratio,
NESum, alpha. No number here is good or bad alone; `verdict` weighs them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import numpy as np

from simclr_core.cloud import HEAT, HUB_K, PURITY_K, Cloud, Undefined
from simclr_core.copies import copied
from simclr_core.lidar import FEWEST_VIEWS, lidar
from simclr_core.neighbours import unit_rows
from simclr_core.pairs import PairDistances
from simclr_core.registry import Choice, Label
from simclr_core.spectrum import (
    alpha,
    alpha_r2,
    cliff_share,
    effective_rank,
    live_share,
    moving_share,
    nesum,
    participation_ratio,
    rankme,
    w2_uniformity,
)

NEAR = 0.99  # cosine from which a nearest neighbour is a near duplicate (vecscope)
TWO_NN_KEPT = 0.9
SPHERE_ROWS = 5000  # points of the uniform sphere whose neighbours are searched: more would double a diagnosis


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
    """The cosine that four of five pairs of rows exceed, from a draw of at most 1,000 rows.

    Near 1 where nearly all rows fall on one point, also where a few outliers keep mean and spread up.
    """
    return 1 - float(np.quantile(cloud.pair_sample, 0.8)) ** 2 / 2


def cluster_gap(cloud: Cloud) -> float:
    """Ratio of the ends of the longest stretch of distances that hardly any pair of rows has: see `Knots`.

    1 = no gap, or one that does not part most rows into three or more clusters; 3 = clusters a third as wide as they are
    apart.
    """
    return cloud.knots.gap if cloud.knots.crumbled() else 1.0


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
    """What `knn_purity` is where neighbours know nothing of labels: the chance that two rows have one label; 1 where all do."""
    count = np.unique(_labels(cloud), return_counts=True)[1]
    return float((count * (count - 1)).sum() / (cloud.n * (cloud.n - 1)))


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


def sphere_uniformity(d: int, t: float = HEAT) -> float:
    """`uniformity` of the uniform distribution on the sphere in d dimensions, the least there is: −3.94 for d = 128.

    e^(−2t)·Γ(d/2)·(2/κ)^(d/2−1)·I_{d/2−1}(κ) with κ = 2t, summed as a series. Source: Wang & Isola 2020, appendix.
    """
    term, total, m = 1.0, 1.0, 0
    while term > 1e-17 * total:
        m += 1
        term *= t * t / (m * (d / 2 + m - 1))
        total += term
    return math.log(total) - 2 * t


SHARES_OF_ROWS = frozenset(
    {"antihub_share", "hub_reach", "near_duplicate_share", "duplicate_share", "knn_purity", "pair_auc", "twin_r_at_1"}
)
OF_NEIGHBOURS = frozenset(
    {
        "uniformity",
        "hubness_skew",
        "hub_reach",
        "antihub_share",
        "cluster_gap",
        "near_duplicate_share",
        "duplicate_share",
        "intrinsic_dim",
        "knn_purity",
    }
)
OF_PAIRS = frozenset(
    {"alignment", "lidar", "pair_auc", "twin_r_at_1"}
)  # measured on images with two views, not on the rows
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys((*SHARES_OF_ROWS, "chance_purity", "live_share", "moving_share", "cliff_share"), (0.0, 1.0)),
    **dict.fromkeys(("mean_cosine", "centred_mean_cosine", "crowd_cosine"), (-1.0, 1.0)),
    **dict.fromkeys(
        ("cluster_gap", "lidar", "rankme", "effective_rank", "participation_ratio", "nesum"), (1.0, math.inf)
    ),
    **dict.fromkeys(("std_ratio", "intrinsic_dim"), (0.0, math.inf)),
    "alignment": (0.0, 4.0),
    "w2_uniformity": (0.0, math.sqrt(2)),
    "uniformity": (-math.inf, 0.0),
    "alpha_r2": (-math.inf, 1.0),
}
"""Values that a diagnostic can take, where there is a limit."""
Measure = Callable[[Cloud], float]


def measure_all(cloud: Cloud, names: Iterable[str] | None = None) -> tuple[dict[str, float | None], dict[str, Label]]:
    """Diagnostics of a cloud, all by default; None where one is undefined, and for each None the reason."""
    values: dict[str, float | None] = {}
    reasons: dict[str, Label] = {}
    for name in DIAGNOSTICS if names is None else names:
        try:
            values[name] = DIAGNOSTICS[name].run(cloud)
        except Undefined as undefined:
            values[name], reasons[name] = None, undefined.why
    return values, reasons


@lru_cache(maxsize=64)
def sphere(n: int, d: int) -> Mapping[str, float | None]:
    """The diagnostics of n points drawn uniformly on the sphere in d dimensions, always the same points.

    Neighbours are searched among the first `SPHERE_ROWS` of them; uniformity has a closed form at every n.
    """
    x = unit_rows(np.random.default_rng(0).standard_normal((n, d), np.float32))
    values = measure_all(Cloud(x=x[:SPHERE_ROWS]))[0]
    if n > SPHERE_ROWS:
        values |= measure_all(Cloud(x=x), [name for name in DIAGNOSTICS if name not in OF_NEIGHBOURS])[0]
    return {k: v for k, v in values.items() if v is not None} | {"uniformity": sphere_uniformity(d)}


def _entry(run: Measure, en: str, zh: str, help_en: str, help_zh: str, source: str) -> Choice[Measure]:
    return Choice(label=Label(en, zh), run=run, source=source, help=Label(help_en, help_zh))


DIAGNOSTICS: dict[str, Choice[Measure]] = {
    "std_ratio": _entry(
        std_ratio,
        "Spread of unit rows (std × √d)",
        "单位行的离散度（std × √d）",
        "1 = spread out, 0 = all rows equal. Blind to low rank.",
        "1 = 充分散开，0 = 所有行相同。看不出低秩。",
        "SimSiam, Chen & He 2021, §4.1",
    ),
    "mean_cosine": _entry(
        mean_cosine,
        "Mean cosine",
        "平均余弦",
        "0 = no common direction, 1 = all the same. After a ReLU .3 to .7 is normal.",
        "0 = 没有共同方向，1 = 全部相同。经过 ReLU 后 0.3 到 0.7 属正常。",
        "Ethayarajh 2019",
    ),
    "centred_mean_cosine": _entry(
        centred_mean_cosine,
        "Mean cosine, centred",
        "去均值后的平均余弦",
        "Near 0 where a high mean cosine came from one common offset alone.",
        "若高平均余弦只来自共同偏移，这里接近 0。",
        "Mu & Viswanath 2018",
    ),
    "crowd_cosine": _entry(
        crowd_cosine,
        "Cosine of four pairs in five",
        "五分之四的行对所达到的余弦",
        "Near 1: nearly all rows fall on one point, whatever a few outliers do.",
        "接近 1：几乎所有行落在同一点，无论少数离群行如何。",
        "quantile of pair distances",
    ),
    "alignment": _entry(
        alignment,
        "Alignment",
        "对齐度",
        "Lower is better, read with uniformity: 0 = both views equal, 2 = unrelated.",
        "越低越好，须与均匀性同看：0 = 两个视图相同，2 = 无关。",
        "Wang & Isola 2020, α = 2",
    ),
    "uniformity": _entry(
        uniformity,
        "Uniformity",
        "均匀性",
        "0 = collapsed; the uniform sphere is the least possible. Read with alignment.",
        "0 = 坍缩；均匀球面为最小值。须与对齐度同看。",
        "Wang & Isola 2020, t = 2",
    ),
    "w2_uniformity": _entry(
        w2_uniformity,
        "Distance from the uniform sphere (W2)",
        "与均匀球面的距离（W2）",
        "0 = uniform, 1.41 = total collapse. Sees dead directions.",
        "0 = 均匀，1.41 = 完全坍缩。能看出失效方向。",
        "Fang et al. 2024",
    ),
    "rankme": _entry(
        rankme,
        "RankMe",
        "RankMe",
        "Soft count of directions, mean included. Compare runs of one method; high is not yet good.",
        "方向的软计数，含均值方向。只宜比较同一方法的运行；高不等于好。",
        "Garrido et al. 2023",
    ),
    "lidar": _entry(
        image_directions,
        "LiDAR",
        "LiDAR",
        "Soft count of directions in which images differ beyond what augmentation changes. Compare runs of one method.",
        "图像差异超过增强所致变化的方向软计数。只宜比较同一方法的运行。",
        "Thilak et al. 2023",
    ),
    "effective_rank": _entry(
        effective_rank,
        "Effective rank",
        "有效秩",
        "Soft count of directions around the mean. A tenth of the width is normal for h.",
        "围绕均值的方向软计数。h 通常约为维数的十分之一。",
        "Roy & Vetterli 2007",
    ),
    "participation_ratio": _entry(
        participation_ratio,
        "Participation ratio",
        "参与比",
        "How many directions carry the variance; 2 or 3 means dimensional collapse.",
        "承载方差的方向数；只有 2 到 3 即为维度坍缩。",
        "Gao et al. 2017",
    ),
    "nesum": _entry(
        nesum,
        "NESum",
        "NESum",
        "Variance in units of the largest direction's. High also for noise around one point.",
        "以最大方向的方差为单位的总方差。单点加噪声时也会很高。",
        "He & Ozay 2022",
    ),
    "live_share": _entry(
        live_share,
        "Directions in use",
        "使用中的方向占比",
        "Share with more than a millionth of the largest variance; half dead shows as .5.",
        "方差超过最大方差百万分之一的方向占比；一半失效时为 0.5。",
        "Jing et al. 2022",
    ),
    "moving_share": _entry(
        moving_share,
        "Columns that change",
        "有变化的列占比",
        "Share of the columns that differ from image to image; dead units do not.",
        "随图像变化的列所占比例；失活的单元不变化。",
        "Jing et al. 2022",
    ),
    "cliff_share": _entry(
        cliff_share,
        "Directions before a cliff",
        "断崖前的方向占比",
        "1 = the spectrum has no cliff; .06 = sixteenfold too few directions, the rest is noise.",
        "1 = 谱中没有断崖；0.06 = 方向只有应有的十六分之一，其余是噪声。",
        "Jing et al. 2022",
    ),
    "alpha": _entry(
        alpha,
        "Spectrum's decay α",
        "谱衰减 α",
        "Near 1 in good encoders, far above 1 on collapse, near 0 for noise.",
        "好的编码器接近 1；坍缩时远大于 1；噪声接近 0。",
        "α-ReQ, Agrawal et al. 2022",
    ),
    "alpha_r2": _entry(
        alpha_r2,
        "Fit of α (R²)",
        "α 的拟合优度（R²）",
        "Below .9 the spectrum is no power law and α says little.",
        "低于 0.9 时谱不是幂律，α 意义不大。",
        "α-ReQ, Agrawal et al. 2022",
    ),
    "hubness_skew": _entry(
        hubness_skew,
        "Hubness (skew of N₁₀)",
        "枢纽性（N₁₀ 偏度）",
        "Up to 2 is usual; above, a few images are the neighbours of very many.",
        "2 以内常见；更高时，少数图像成为许多图像的近邻。",
        "Radovanović et al. 2010",
    ),
    "hub_reach": _entry(
        hub_reach,
        "Reach of the largest hub",
        "最大枢纽的覆盖占比",
        "Share of the images that have one and the same image among their ten nearest.",
        "前十近邻中含有同一张图像的图像占比。",
        "Radovanović et al. 2010",
    ),
    "antihub_share": _entry(
        antihub_share,
        "Antihubs",
        "反枢纽占比",
        "Images that nobody has among the ten nearest; search never finds them.",
        "不在任何图像前十近邻中的图像；检索永远找不到它们。",
        "Radovanović et al. 2010",
    ),
    "near_duplicate_share": _entry(
        near_duplicate_share,
        "Near duplicates (cosine ≥ .99)",
        "近重复（余弦 ≥ 0.99）",
        "Rows with a nearly equal neighbour. After a ReLU up to .15 is normal.",
        "有几乎相同近邻的行。经过 ReLU 后 0.15 以内属正常。",
        "vecscope 0.2",
    ),
    "duplicate_share": _entry(
        duplicate_share,
        "Duplicates (cosine ≥ .999)",
        "重复（余弦 ≥ 0.999）",
        "Rows with an all but equal neighbour: copies, or images the encoder cannot tell apart.",
        "有近乎相同近邻的行：图像副本，或编码器无法区分的图像。",
        "vecscope 0.2",
    ),
    "cluster_gap": _entry(
        cluster_gap,
        "Gap between tight clusters",
        "紧密簇之间的间隙",
        "1 = none; 3 = most rows sit in clusters a third as wide as they are apart.",
        "1 = 没有；3 = 多数行聚成簇，簇宽为簇间距的三分之一。",
        "gap in the distances of random pairs",
    ),
    "intrinsic_dim": _entry(
        intrinsic_dim,
        "Intrinsic dimension (TwoNN)",
        "内在维数（TwoNN）",
        "Dimensions that the nearest neighbours see; too low for dozens.",
        "从近邻看到的维数；几十维时会偏低。",
        "Facco et al. 2017",
    ),
    "knn_purity": _entry(
        knn_purity,
        "Neighbour purity (k = 20)",
        "近邻纯度（k = 20）",
        "Same-label share among the 20 nearest. Compare with chance and the untrained encoder.",
        "20 近邻中同标签的占比。须与随机水平和未训练编码器比较。",
        "Wu et al. 2018",
    ),
    "chance_purity": _entry(
        chance_purity,
        "Purity by chance",
        "随机纯度",
        "What purity is where neighbours know nothing of labels.",
        "近邻与标签无关时的纯度。",
        "Σ share² of the classes",
    ),
    "pair_auc": _entry(
        pair_auc,
        "Views told from other images (AUC)",
        "视图与其他图像的可分性（AUC）",
        ".5 = a coin; near 1 with low purity: the views are too easy.",
        "0.5 = 抛硬币；接近 1 而纯度低：视图任务太容易。",
        "Mann & Whitney 1947",
    ),
    "twin_r_at_1": _entry(
        twin_r_at_1,
        "Twin found first",
        "孪生视图排第一",
        "How often the other view is the nearest of all; what the objective trains.",
        "另一视图为所有候选中最近者的频率；正是目标函数所训练的。",
        "SimCLR, Chen et al. 2020",
    ),
}
