"""`MISTAKES`: the work sheet's numbers as a common error gives them, worked out from the matrix, and what to say then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simclr_core.registry import Choice, Label
from simclr_core.worksheet.problems import Problem, Worked, positives, rows, terms


def _work(numerator: np.ndarray, denominator: np.ndarray, temperature: float) -> Worked:
    """From given numerators and denominators on; what does not exist, such as ln of a negative number, is NaN or ∞."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = numerator / denominator
        loss = -np.log(p)
    return Worked(numerator, denominator, p, loss, (1 - p) / temperature, float(loss.mean()))


def _at_temperature(tau: Callable[[float], float]) -> Callable[[Problem], Worked]:
    def run(q: Problem) -> Worked:
        e = terms(q, tau(q.temperature))
        return _work(positives(q, e), e.sum(axis=1), q.temperature)

    return run


def _no_exponential(q: Problem) -> Worked:
    x = q.similarity / q.temperature
    return _work(positives(q, x), x.sum(axis=1) - np.diag(x), q.temperature)


def _self_term(q: Problem) -> Worked:
    r = q.right
    return _work(r.numerator, r.denominator + np.exp(1 / q.temperature), q.temperature)


def _positive_left_out(q: Problem) -> Worked:
    e = terms(q)
    e[rows(q), q.partner] = 0
    return _work(q.right.numerator, e.sum(axis=1), q.temperature)


def _cross_view(q: Problem) -> Worked:
    side = rows(q) % 2
    across = np.where(side[:, None] != side, terms(q), 0)
    return _work(q.right.numerator, across.sum(axis=1), q.temperature)


def _upside_down(q: Problem) -> Worked:
    return q.right._replace(p=1 / q.right.p)


def _others_share(q: Problem) -> Worked:
    rest = 1 - q.right.p
    with np.errstate(divide="ignore"):
        return q.right._replace(p=rest, loss=(loss := -np.log(rest)), mean=float(loss.mean()))


def _other_anchor(q: Problem) -> Worked:
    r = q.right
    return r._replace(**{stage: getattr(r, stage)[q.partner] for stage in ("denominator", "p", "loss", "pull")})


def _scaled_loss(factor: Callable[[Problem], float]) -> Callable[[Problem], Worked]:
    def run(q: Problem) -> Worked:
        return q.right._replace(loss=q.right.loss * factor(q), mean=q.right.mean * factor(q))

    return run


def _other_mean(mean: Callable[[Worked], Any]) -> Callable[[Problem], Worked]:
    def run(q: Problem) -> Worked:
        return q.right._replace(mean=float(mean(q.right)))

    return run


def _rounded(decimals: int) -> Callable[[Problem], Worked]:
    def run(q: Problem) -> Worked:
        r = q.right
        w = _work(r.numerator, r.numerator / np.round(r.p, decimals), q.temperature)
        return r._replace(loss=w.loss, mean=w.mean)

    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake(Choice[Callable[[Problem], Worked]]):
    """An entry of `MISTAKES`: `run` works the problem as this mistake does, `help` is what the student is told.

    `help` may hold {views} (2N), {images} (N), {tau}, {negatives} (2N − 2) and {right}, the right value.

    Attributes:
        accepted_within: counts as solved, with its sentence, where it differs from the right value by at most this share
            of it: ∞ for another convention, a tenth for rounding, 0 for what is wrong.
    """

    accepted_within: float = 0.0


_ROUNDED = Label(
    "Right method, but p was rounded before the logarithm. Near p = 1 that costs the digits of the loss: unrounded it is "
    "{right}.",
    "方法正确，但在取对数前对 p 做了舍入。p 接近 1 时，这会丢掉损失的有效数字：不舍入时为 {right}。",
)
_SURVEY = "teaching survey: wrong totals of the sheet at τ = 0.1 and 0.5"

MISTAKES: dict[str, Mistake] = {
    "one_direction": Mistake(
        label=Label("one direction only", "只算了一个方向"),
        run=_other_mean(lambda r: r.loss[::2].mean()),
        accepted_within=np.inf,
        source="the sheet's own wording: the mean over its three pairs",
        help=Label(
            "Accepted: this averages L(1,2), L(3,4), … in one direction, as the sheet words it. SimCLR makes every view the "
            "anchor once and averages all {views}: {right}.",
            "算对：这是按题单的说法，只在一个方向上对 L(1,2)、L(3,4)…… 取平均。"
            "SimCLR 让每个视图都当一次锚点，对全部 {views} 个取平均：{right}。",
        ),
    ),
    "rounded_4": Mistake(
        label=Label("p rounded to 4 decimals", "p 舍入到 4 位小数"),
        run=_rounded(4),
        accepted_within=0.1,
        source=_SURVEY,
        help=_ROUNDED,
    ),
    "rounded_5": Mistake(
        label=Label("p rounded to 5 decimals", "p 舍入到 5 位小数"),
        run=_rounded(5),
        accepted_within=0.1,
        source=_SURVEY,
        help=_ROUNDED,
    ),
    "forgot_temperature": Mistake(
        label=Label("temperature forgotten", "忘了温度系数"),
        run=_at_temperature(lambda tau: 1.0),
        source=_SURVEY,
        help=Label(
            "The temperature is missing: divide every similarity by τ = {tau} before the exponential.",
            "漏掉了温度系数：取指数之前，每个相似度都要先除以 τ = {tau}。",
        ),
    ),
    "multiplied_temperature": Mistake(
        label=Label("multiplied by the temperature", "乘以了温度系数"),
        run=_at_temperature(lambda tau: 1 / tau),
        source=_SURVEY,
        help=Label(
            "The similarities were multiplied by τ. Divide by it: e^(s/τ), not e^(s·τ).",
            "相似度乘以了 τ。应当除以它：e^(s/τ)，而不是 e^(s·τ)。",
        ),
    ),
    "no_exponential": Mistake(
        label=Label("no exponential", "没有取指数"),
        run=_no_exponential,
        source="softmax of eq. 1 without its exponential",
        help=Label(
            "This is s/τ without the exponential. The softmax is made of e^(s/τ).",
            "这里只有 s/τ，没有取指数。softmax 由 e^(s/τ) 组成。",
        ),
    ),
    "self_term": Mistake(
        label=Label("kept the anchor itself", "把锚点自身算了进去"),
        run=_self_term,
        source=_SURVEY,
        help=Label(
            "The anchor's similarity with itself, e^(1/τ), is in the denominator. The sum runs over k ≠ i: leave it out.",
            "分母中包含了锚点与自身的相似度 e^(1/τ)。求和范围是 k ≠ i，应把它去掉。",
        ),
    ),
    "positive_left_out": Mistake(
        label=Label("positive left out of the denominator", "分母漏了正样本"),
        run=_positive_left_out,
        source=_SURVEY + "; Yeh et al. 2022, arXiv 2110.06848",
        help=Label(
            "The positive is missing from the denominator. That is another loss (decoupled contrastive learning); in NT-Xent "
            "the positive is a candidate too, so p is at most 1 and the loss never below 0.",
            "分母中漏掉了正样本。那是另一种损失（解耦对比学习 DCL）；"
            "在 NT-Xent 中正样本也是候选之一，所以 p 不超过 1，损失不会为负。",
        ),
    ),
    "cross_view": Mistake(
        label=Label("only views of the other kind", "只用了另一类视图"),
        run=_cross_view,
        source=_SURVEY + "; CLIP, arXiv 2103.00020",
        help=Label(
            "Only the other view of each image was compared, as CLIP does. In SimCLR both views of every other image are "
            "negatives: {negatives} of them.",
            "只比较了每张图像的另一个视图，这是 CLIP 的做法。在 SimCLR 中，其他图像的两个视图都是负样本：共 {negatives} 个。",
        ),
    ),
    "upside_down": Mistake(
        label=Label("fraction upside down", "分数颠倒"),
        run=_upside_down,
        source="p of eq. 1 inverted",
        help=Label(
            "The fraction is upside down: p = numerator / denominator, a share between 0 and 1.",
            "分数颠倒了：p = 分子 / 分母，是 0 到 1 之间的占比。",
        ),
    ),
    "others_share": Mistake(
        label=Label("share of the negatives", "负样本的占比"),
        run=_others_share,
        source="1 − p of eq. 1",
        help=Label(
            "This comes from 1 − p, the share of the negatives. The loss looks at the positive's share.",
            "这来自 1 − p，即负样本的占比。损失看的是正样本的占比。",
        ),
    ),
    "other_anchor": Mistake(
        label=Label("the partner's row", "用了另一视图的行"),
        run=_other_anchor,
        source="L(i,j) ≠ L(j,i): their denominators are different rows",
        help=Label(
            "This belongs to the partner as anchor. L(i,j) and L(j,i) share a numerator, but each denominator is the anchor's "
            "own row.",
            "这是以另一视图为锚点的结果。L(i,j) 与 L(j,i) 的分子相同，但分母取各自锚点所在的行。",
        ),
    ),
    "log10": Mistake(
        label=Label("logarithm to base 10", "用了以 10 为底的对数"),
        run=_scaled_loss(lambda q: 1 / np.log(10)),
        source=_SURVEY,
        help=Label(
            "That is the logarithm to base 10; use the natural one, ln.", "这是以 10 为底的对数；应使用自然对数 ln。"
        ),
    ),
    "log2": Mistake(
        label=Label("logarithm to base 2", "用了以 2 为底的对数"),
        run=_scaled_loss(lambda q: 1 / np.log(2)),
        source=_SURVEY,
        help=Label(
            "That is the logarithm to base 2; use the natural one, ln.", "这是以 2 为底的对数；应使用自然对数 ln。"
        ),
    ),
    "dropped_minus": Mistake(
        label=Label("minus sign dropped", "漏了负号"),
        run=_scaled_loss(lambda q: -1.0),
        source=_SURVEY,
        help=Label(
            "The minus is missing: ln p is at most 0 because p is at most 1, so −ln p is at least 0.",
            "漏了负号：p 不超过 1，ln p 不大于 0，所以 −ln p 不小于 0。",
        ),
    ),
    "summed": Mistake(
        label=Label("summed, not averaged", "求和而没有平均"),
        run=_other_mean(lambda r: r.loss.sum()),
        source=_SURVEY,
        help=Label("That is the sum. Divide by 2N = {views}.", "这是总和。还要除以 2N = {views}。"),
    ),
    "summed_pairs": Mistake(
        label=Label("pair means summed", "各对均值之和"),
        run=_other_mean(lambda r: r.loss.sum() / 2),
        source=_SURVEY,
        help=Label(
            "These are the pairs' means, added up. Divide by the number of pairs, N = {images}.",
            "这是各对均值之和。还要除以对数 N = {images}。",
        ),
    ),
    "log_of_mean": Mistake(
        label=Label("logarithm of the mean", "先平均后取对数"),
        run=_other_mean(lambda r: -np.log(r.p.mean())),
        source=_SURVEY + "; mean of −ln against −ln of mean, a question often asked of SimCLR code",
        help=Label(
            "This is −ln of the mean share. Take −ln of each share first, then the mean.",
            "这是对平均占比取 −ln。应先对每个占比取 −ln，再求平均。",
        ),
    ),
    "reverse_direction": Mistake(
        label=Label("the reverse direction only", "只算了反方向"),
        run=_other_mean(lambda r: r.loss[1::2].mean()),
        source=_SURVEY,
        help=Label(
            "This averages L(2,1), L(4,3), … alone. Take both directions, all {views} anchors.",
            "这里只对 L(2,1)、L(4,3)…… 取平均。两个方向都要算，共 {views} 个锚点。",
        ),
    ),
}
