"""One number of an embedding matrix each: the `DIAGNOSTICS`, how to read them, their values on a uniform sphere.

Unit rows: std ratio, cosines, uniformity, W2, neighbours. Rows as given: RankMe, effective rank, participation ratio,
NESum, alpha. No number here is good or bad alone; `verdict` weighs them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from simclr_core import measures, spectrum
from simclr_core.cloud import HEAT, Cloud, Undefined
from simclr_core.neighbours import unit_rows
from simclr_core.records import CollapseReport, EmbeddingTable
from simclr_core.registry import Choice, Label

SPHERE_ROWS = 5000  # points of the uniform sphere whose neighbours are searched: more would double a diagnosis


def sphere_uniformity(d: int) -> float:
    """`uniformity` of the uniform distribution on the sphere in d dimensions, the least there is: −3.94 for d = 128.

    e^(−2t)·Γ(d/2)·(2/κ)^(d/2−1)·I_{d/2−1}(κ) with κ = 2t and t = 2, summed as a series. Source: Wang & Isola 2020, appendix.
    """
    term, total, m = 1.0, 1.0, 0
    while term > 1e-17 * total:
        m += 1
        term *= HEAT**2 / (m * (d / 2 + m - 1))
        total += term
    return math.log(total) - 2 * HEAT


Measure = Callable[[Cloud], float]
Ground = Literal["rows", "neighbours", "pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic(Choice[Measure]):
    """An entry of `DIAGNOSTICS`.

    Attributes:
        rests_on: what it looks at: the rows, the neighbours of each, or images with two or more views.
        low, high: the values it can take.
        counts: whether it is a share of rows or images counted one by one, so that 0 and 1 are no certainty.
    """

    rests_on: Ground = "rows"
    low: float = -math.inf
    high: float = math.inf
    counts: bool = False


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
        values |= measure_all(
            Cloud(x=x), [name for name, entry in DIAGNOSTICS.items() if entry.rests_on != "neighbours"]
        )[0]
    return {k: v for k, v in values.items() if v is not None} | {"uniformity": sphere_uniformity(d)}


def _entry(run: Measure, en: str, zh: str, help_en: str, help_zh: str, source: str, **facts: Any) -> Diagnostic:
    return Diagnostic(label=Label(en, zh), run=run, source=source, help=Label(help_en, help_zh), **facts)


def _counted(*words: Any, rests_on: Ground = "neighbours") -> Diagnostic:
    """A share of rows or images counted one by one."""
    return _entry(*words, rests_on=rests_on, low=0, high=1, counts=True)


DIAGNOSTICS: dict[str, Diagnostic] = {
    "std_ratio": _entry(
        measures.std_ratio,
        "Spread of unit rows (std × √d)",
        "单位行的离散度（std × √d）",
        "1 = spread out, 0 = all rows equal. Blind to low rank.",
        "1 = 充分散开，0 = 所有行相同。看不出低秩。",
        "SimSiam, Chen & He 2021, §4.1",
        low=0,
    ),
    "mean_cosine": _entry(
        measures.mean_cosine,
        "Mean cosine",
        "平均余弦",
        "0 = no common direction, 1 = all the same. After a ReLU .3 to .7 is normal.",
        "0 = 没有共同方向，1 = 全部相同。经过 ReLU 后 0.3 到 0.7 属正常。",
        "Ethayarajh 2019",
        low=-1,
        high=1,
    ),
    "centred_mean_cosine": _entry(
        measures.centred_mean_cosine,
        "Mean cosine, centred",
        "去均值后的平均余弦",
        "Near 0 where a high mean cosine came from one common offset alone.",
        "若高平均余弦只来自共同偏移，这里接近 0。",
        "Mu & Viswanath 2018",
        low=-1,
        high=1,
    ),
    "crowd_cosine": _entry(
        measures.crowd_cosine,
        "Cosine of three pairs in four",
        "四分之三的行对所达到的余弦",
        "Near 1: nearly all rows fall on one point, whatever a few outliers do.",
        "接近 1：几乎所有行落在同一点，无论少数离群行如何。",
        "quantile of pair distances",
        low=-1,
        high=1,
    ),
    "alignment": _entry(
        measures.alignment,
        "Alignment",
        "对齐度",
        "Lower is better, read with uniformity: 0 = both views equal, 2 = unrelated.",
        "越低越好，须与均匀性同看：0 = 两个视图相同，2 = 无关。",
        "Wang & Isola 2020, α = 2",
        rests_on="pairs",
        low=0,
        high=4,
    ),
    "uniformity": _entry(
        measures.uniformity,
        "Uniformity",
        "均匀性",
        "0 = collapsed; the uniform sphere is the least possible. Read with alignment.",
        "0 = 坍缩；均匀球面为最小值。须与对齐度同看。",
        "Wang & Isola 2020, t = 2",
        rests_on="neighbours",
        high=0,
    ),
    "w2_uniformity": _entry(
        spectrum.w2_uniformity,
        "Distance from the uniform sphere (W2)",
        "与均匀球面的距离（W2）",
        "0 = uniform, 1.41 = total collapse. Sees dead directions.",
        "0 = 均匀，1.41 = 完全坍缩。能看出失效方向。",
        "Fang et al. 2024",
        low=0,
        high=math.sqrt(2),
    ),
    "rankme": _entry(
        spectrum.rankme,
        "RankMe",
        "RankMe",
        "Soft count of directions, mean included. Compare runs of one method; high is not yet good.",
        "方向的软计数，含均值方向。只宜比较同一方法的运行；高不等于好。",
        "Garrido et al. 2023",
        low=1,
    ),
    "lidar": _entry(
        measures.image_directions,
        "LiDAR",
        "LiDAR",
        "Soft count of directions in which images differ beyond what augmentation changes. Compare runs of one method.",
        "图像差异超过增强所致变化的方向软计数。只宜比较同一方法的运行。",
        "Thilak et al. 2023",
        rests_on="pairs",
        low=1,
    ),
    "effective_rank": _entry(
        spectrum.effective_rank,
        "Effective rank",
        "有效秩",
        "Soft count of directions around the mean. A tenth of the width is normal for h.",
        "围绕均值的方向软计数。h 通常约为维数的十分之一。",
        "Roy & Vetterli 2007",
        low=1,
    ),
    "participation_ratio": _entry(
        spectrum.participation_ratio,
        "Participation ratio",
        "参与比",
        "How many directions carry the variance; 2 or 3 means dimensional collapse.",
        "承载方差的方向数；只有 2 到 3 即为维度坍缩。",
        "Gao et al. 2017",
        low=1,
    ),
    "nesum": _entry(
        spectrum.nesum,
        "NESum",
        "NESum",
        "Variance in units of the largest direction's. High also for noise around one point.",
        "以最大方向的方差为单位的总方差。单点加噪声时也会很高。",
        "He & Ozay 2022",
        low=1,
    ),
    "live_share": _entry(
        spectrum.live_share,
        "Directions in use",
        "使用中的方向占比",
        "Share with more than a millionth of the largest variance; half dead shows as .5.",
        "方差超过最大方差百万分之一的方向占比；一半失效时为 0.5。",
        "Jing et al. 2022",
        low=0,
        high=1,
    ),
    "moving_share": _entry(
        spectrum.moving_share,
        "Columns that change",
        "有变化的列占比",
        "Share of the columns that differ from image to image; dead units do not.",
        "随图像变化的列所占比例；失活的单元不变化。",
        "Jing et al. 2022",
        low=0,
        high=1,
    ),
    "cliff_share": _entry(
        spectrum.cliff_share,
        "Directions before a cliff",
        "断崖前的方向占比",
        "1 = the spectrum has no cliff; .06 = sixteenfold too few directions, the rest is noise.",
        "1 = 谱中没有断崖；0.06 = 方向只有应有的十六分之一，其余是噪声。",
        "Jing et al. 2022",
        low=0,
        high=1,
    ),
    "alpha": _entry(
        spectrum.alpha,
        "Spectrum's decay α",
        "谱衰减 α",
        "Near 1 in good encoders, far above 1 on collapse, near 0 for noise.",
        "好的编码器接近 1；坍缩时远大于 1；噪声接近 0。",
        "α-ReQ, Agrawal et al. 2022",
    ),
    "alpha_r2": _entry(
        spectrum.alpha_r2,
        "Fit of α (R²)",
        "α 的拟合优度（R²）",
        "Below .9 the spectrum is no power law and α says little.",
        "低于 0.9 时谱不是幂律，α 意义不大。",
        "α-ReQ, Agrawal et al. 2022",
        high=1,
    ),
    "hubness_skew": _entry(
        measures.hubness_skew,
        "Hubness (skew of N₁₀)",
        "枢纽性（N₁₀ 偏度）",
        "Up to 2 is usual; above, a few images are the neighbours of very many.",
        "2 以内常见；更高时，少数图像成为许多图像的近邻。",
        "Radovanović et al. 2010",
        rests_on="neighbours",
    ),
    "hub_reach": _counted(
        measures.hub_reach,
        "Reach of the largest hub",
        "最大枢纽的覆盖占比",
        "Share of the images that have one and the same image among their ten nearest.",
        "前十近邻中含有同一张图像的图像占比。",
        "Radovanović et al. 2010",
    ),
    "antihub_share": _counted(
        measures.antihub_share,
        "Antihubs",
        "反枢纽占比",
        "Images that nobody has among the ten nearest; search never finds them.",
        "不在任何图像前十近邻中的图像；检索永远找不到它们。",
        "Radovanović et al. 2010",
    ),
    "near_duplicate_share": _counted(
        measures.near_duplicate_share,
        "Near duplicates (cosine ≥ .99)",
        "近重复（余弦 ≥ 0.99）",
        "Rows with a nearly equal neighbour. After a ReLU up to .15 is normal.",
        "有几乎相同近邻的行。经过 ReLU 后 0.15 以内属正常。",
        "vecscope 0.2",
    ),
    "duplicate_share": _counted(
        measures.duplicate_share,
        "Duplicates (cosine ≥ .999)",
        "重复（余弦 ≥ 0.999）",
        "Rows with an all but equal neighbour: copies, or images the encoder cannot tell apart.",
        "有近乎相同近邻的行：图像副本，或编码器无法区分的图像。",
        "vecscope 0.2",
    ),
    "cluster_gap": _entry(
        measures.cluster_gap,
        "Gap between tight clusters",
        "紧密簇之间的间隙",
        "1 = none; 3 = most rows sit in clusters a third as wide as they are apart.",
        "1 = 没有；3 = 多数行聚成簇，簇宽为簇间距的三分之一。",
        "gap in the distances of random pairs",
        rests_on="neighbours",
        low=1,
    ),
    "intrinsic_dim": _entry(
        measures.intrinsic_dim,
        "Intrinsic dimension (TwoNN)",
        "内在维数（TwoNN）",
        "Dimensions that the nearest neighbours see; too low for dozens.",
        "从近邻看到的维数；几十维时会偏低。",
        "Facco et al. 2017",
        rests_on="neighbours",
        low=0,
    ),
    "knn_purity": _counted(
        measures.knn_purity,
        "Neighbour purity (k = 20)",
        "近邻纯度（k = 20）",
        "Same-label share among the 20 nearest. Compare with chance and the untrained encoder.",
        "20 近邻中同标签的占比。须与随机水平和未训练编码器比较。",
        "Wu et al. 2018",
    ),
    "chance_purity": _entry(
        measures.chance_purity,
        "Purity by chance",
        "随机纯度",
        "What purity is where neighbours know nothing of labels.",
        "近邻与标签无关时的纯度。",
        "Σ share² of the classes",
        low=0,
        high=1,
    ),
    "pair_auc": _counted(
        measures.pair_auc,
        "Views told from other images (AUC)",
        "视图与其他图像的可分性（AUC）",
        ".5 = a coin; near 1 with low purity: the views are too easy.",
        "0.5 = 抛硬币；接近 1 而纯度低：视图任务太容易。",
        "Mann & Whitney 1947",
        rests_on="pairs",
    ),
    "twin_r_at_1": _counted(
        measures.twin_r_at_1,
        "Twin found first",
        "孪生视图排第一",
        "How often the other view is the nearest of all; what the objective trains.",
        "另一视图为所有候选中最近者的频率；正是目标函数所训练的。",
        "SimCLR, Chen et al. 2020",
        rests_on="pairs",
    ),
}


def diagnose(table: EmbeddingTable, **how: Any) -> CollapseReport:
    """`verdict.diagnose` where other programs look for it, beside the numbers it judges by."""
    from simclr_core.verdict import diagnose as judge  # above this module, which holds the numbers alone

    return judge(table, **how)
