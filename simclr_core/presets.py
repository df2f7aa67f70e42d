"""`PRESETS`: small batches worth looking at, as similarity matrices; `QUESTIONS` about them, to answer before looking.
Views in turn: rows 1 and 2 are one image's views.

Each is the upper triangle of a 6×6 matrix, read row by row; partners (1,2) (3,4) (5,6). All are
positive semidefinite, so real unit vectors have these cosines (a test asks their eigenvalues).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from simclr_core.registry import Label
from simclr_core.similarity import interleaved_partner, nt_xent_rows, positive_pull

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What happens to a loss or a pull when τ goes through `taus`, to be guessed before it is shown.

    kind: "trend" has the options grows, shrinks, stays; "least" has one option a temperature. row: the anchor counted from 1,
    0 for the mean over all anchors. `why` is said with the answer; it names no number, those are computed.
    """

    text: Label
    why: Label
    preset: str
    measure: Literal["loss", "pull"]
    taus: tuple[float, ...]
    row: int = 0
    kind: Literal["trend", "least"] = "trend"

    @property
    def fields(self) -> dict[str, Any]:
        """What a program asks of it, without the words."""
        return {name: getattr(self, name) for name in ("preset", "measure", "taus", "row", "kind")}

    def answer(self) -> tuple[list[float], int]:
        """The values at `taus` in order, and the place of the right option."""
        asked = PRESETS[self.preset]
        of = nt_xent_rows if self.measure == "loss" else positive_pull
        rows = [of(asked.similarity, asked.partner, tau) for tau in self.taus]
        values = [float(r[self.row - 1] if self.row else r.mean()) for r in rows]
        if self.kind == "least":
            return values, int(np.argmin(values))
        change = values[-1] / values[0] - 1
        return values, 2 if abs(change) < 1e-9 else 0 if change > 0 else 1


QUESTIONS: dict[str, Question] = {
    "solved": Question(
        text=Label(
            "The work sheet's batch is solved. τ falls from 0.5 to 0.1: what happens to the mean pull on the positives?",
            "练习题的批次已经“学会”了。τ 从 0.5 降到 0.1，对正样本的平均拉力会怎样？",
        ),
        why=Label(
            "A low τ is only loud where something is still wrong. Every gradient carries the factor (1 − p₊)/τ, and in a "
            "solved row 1 − p₊ falls faster than τ.",
            "低 τ 只在尚有错误之处才“大声”。所有梯度都带因子 (1 − p₊)/τ；在已学会的行里，1 − p₊ 比 τ 降得更快。",
        ),
        preset="sheet",
        measure="pull",
        taus=(0.5, 0.1),
    ),
    "hard": Question(
        text=Label(
            "Now anchor 1 has a hard negative, view 3. τ falls from 0.5 to 0.1: what happens to the pull on its positive?",
            "现在锚点 1 有一个困难负样本：视图 3。τ 从 0.5 降到 0.1，对它的正样本的拉力会怎样？",
        ),
        why=Label(
            "Here the row is not solved: the hard negative takes up the softmax almost alone, so 1 − p₊ stays large while "
            "1/τ grows. The pull is a hump over τ; look at its curve.",
            "这一行还没学会：困难负样本几乎独占 softmax，1 − p₊ 仍然很大，而 1/τ 在增长。拉力随 τ 呈驼峰形，看看它的曲线。",
        ),
        preset="hard",
        row=1,
        measure="pull",
        taus=(0.5, 0.1),
    ),
    "equal": Question(
        text=Label(
            "All similarities are equal. τ falls from 0.5 to 0.1: what happens to the loss?",
            "所有相似度都相等。τ 从 0.5 降到 0.1，损失会怎样？",
        ),
        why=Label(
            "The softmax sees differences only, and there are none to rescale: every candidate keeps the share 1/(2N−1).",
            "softmax 只看差异，而这里没有差异可以缩放：每个候选的占比始终是 1/(2N−1)。",
        ),
        preset="equal",
        measure="loss",
        taus=(0.5, 0.1),
    ),
    "false": Question(
        text=Label(
            "View 3 shows the same thing as view 1, yet counts as a negative. At which τ is the loss of anchor 1 least?",
            "视图 3 与视图 1 拍的是同一事物，却被当作负样本。τ 取哪个值时，锚点 1 的损失最小？",
        ),
        why=Label(
            "Very low τ punishes the one false negative, high τ counts the easy ones too: in between lies a minimum. Losses "
            "at different τ still cannot rank batches.",
            "τ 很低时专门惩罚这一个假负样本，τ 很高时连容易的负样本也算进来：最小值在中间。但不同 τ 下的损失仍不能用来比较批次。",
        ),
        preset="false",
        row=1,
        measure="loss",
        taus=(0.05, 0.1, 0.5),
        kind="least",
    ),
}
