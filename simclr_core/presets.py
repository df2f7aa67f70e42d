"""`PRESETS`: small batches worth looking at, as similarity matrices. Views in turn: rows 1 and 2 are one image's views.

Each is the upper triangle of a 6×6 matrix, read row by row; partners (1,2) (3,4) (5,6). All are
positive semidefinite, so real unit vectors have these cosines (a test asks `similarity.smallest_eigenvalue`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simclr_core.registry import Label
from simclr_core.similarity import interleaved_partner

# fmt: off
SHEET = (0.95, 0.10, 0.05, 0.02, 0.00,
               0.12, 0.07, 0.03, 0.01,
                     0.90, 0.06, 0.04,
                           0.08, 0.02,
                                 0.93)
HARD = (0.95, 0.85, 0.60, 0.02, 0.00,
              0.75, 0.55, 0.03, 0.01,
                    0.90, 0.06, 0.04,
                          0.08, 0.02,
                                0.93)
FALSE = (0.95, 0.97, 0.86, 0.02, 0.00,
               0.92, 0.82, 0.03, 0.01,
                     0.90, 0.06, 0.04,
                           0.08, 0.02,
                                 0.93)
EQUAL = (0.3,) * 15
SIMPLEX = ( 1.0, -0.5, -0.5, -0.5, -0.5,
                 -0.5, -0.5, -0.5, -0.5,
                        1.0, -0.5, -0.5,
                             -0.5, -0.5,
                                    1.0)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A batch of 2N views given by its cosines. `note` says in a sentence what it shows."""

    label: Label
    note: Label
    upper: tuple[float, ...]

    @property
    def similarity(self) -> np.ndarray:
        """(2N, 2N) float64, symmetric, diagonal 1."""
        m = round((1 + (1 + 8 * len(self.upper)) ** 0.5) / 2)
        s = np.eye(m)
        s[np.triu_indices(m, 1)] = self.upper
        return s + s.T - np.eye(m)

    @property
    def partner(self) -> np.ndarray:
        """(2N,) row of each view's positive: [1, 0, 3, 2, …]."""
        return interleaved_partner(len(self.similarity) // 2)


PRESETS: dict[str, Preset] = {
    "sheet": Preset(
        label=Label("Work sheet", "练习题"),
        note=Label(
            "Three images, every positive far ahead of every negative: a solved batch. Lower τ and both the loss and "
            "the pull on the positive all but vanish.",
            "三张图像，每个正样本都远远领先于负样本：这个批次已经“学会”了。τ 降低时，损失和对正样本的拉力几乎都消失。",
        ),
        upper=SHEET,
    ),
    "hard": Preset(
        label=Label("Hard negative", "困难负样本"),
        note=Label(
            "View 3 shows another image but lies close to view 1. Lower τ and the softmax of row 1 looks at it almost "
            "alone; here the pull grows.",
            "视图 3 属于另一张图像，却离视图 1 很近。τ 降低时，第 1 行的 softmax 几乎只看它；这里拉力反而变大。",
        ),
        upper=HARD,
    ),
    "false": Preset(
        label=Label("False negative", "假负样本"),
        note=Label(
            "View 3 is nearer to view 1 than its own partner is, as when two pictures show the same thing. No τ makes "
            "the loss of row 1 small.",
            "视图 3 比视图 1 自己的正样本还近，就像两张照片拍的是同一事物。无论 τ 取多少，第 1 行的损失都不会变小。",
        ),
        upper=FALSE,
    ),
    "equal": Preset(
        label=Label("All equal", "全部相等"),
        note=Label(
            "All similarities are the same, as after complete collapse. The loss is ln(2N−1) at every τ: temperature "
            "rescales differences, and there are none.",
            "所有相似度都相同，完全坍缩时就是如此。无论 τ 取多少，损失都是 ln(2N−1)：温度只缩放差异，而这里没有差异。",
        ),
        upper=EQUAL,
    ),
    "simplex": Preset(
        label=Label("Best possible", "最优解"),
        note=Label(
            "Partners coincide and the images stand as far apart as three points can (a regular simplex, cosine −0.5). "
            "The curve lies on its floor.",
            "同一图像的两个视图重合，三张图像彼此离得尽可能远（正单纯形，余弦 −0.5）。曲线正好落在下界上。",
        ),
        upper=SIMPLEX,
    ),
}
