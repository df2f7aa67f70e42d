"""`MISTAKES`: the work sheet's numbers as a common error gives them, worked out from the matrix.

What is said then stands in `texts.toml`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simclr_core.registry import Choice
from simclr_core.worksheet.problems import Problem, Worked, positives, rows, terms
from simclr_core.worksheet.texts import TEXTS


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


def _scaled_loss(factor: float) -> Callable[[Problem], Worked]:
    def run(q: Problem) -> Worked:
        return q.right._replace(loss=q.right.loss * factor, mean=q.right.mean * factor)

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

    Attributes:
        accepted_within: counts as solved, with its sentence, where it differs from the right value by at most this share
            of it: ∞ for another convention, a tenth for rounding, 0 for what is wrong.
    """

    accepted_within: float = 0.0


_WORKED: dict[str, Callable[[Problem], Worked]] = {
    "one_direction": _other_mean(lambda r: r.loss[::2].mean()),
    "rounded_4": _rounded(4),
    "rounded_5": _rounded(5),
    "forgot_temperature": _at_temperature(lambda tau: 1.0),
    "multiplied_temperature": _at_temperature(lambda tau: 1 / tau),
    "no_exponential": _no_exponential,
    "self_term": _self_term,
    "positive_left_out": _positive_left_out,
    "cross_view": _cross_view,
    "upside_down": _upside_down,
    "others_share": _others_share,
    "other_anchor": _other_anchor,
    "log10": _scaled_loss(1 / np.log(10)),
    "log2": _scaled_loss(1 / np.log(2)),
    "dropped_minus": _scaled_loss(-1.0),
    "summed": _other_mean(lambda r: r.loss.sum()),
    "summed_pairs": _other_mean(lambda r: r.loss.sum() / 2),
    "log_of_mean": _other_mean(lambda r: -np.log(r.p.mean())),
    "reverse_direction": _other_mean(lambda r: r.loss[1::2].mean()),
}
MISTAKES = {name: Mistake(run=run, **TEXTS["mistakes"][name]) for name, run in _WORKED.items()}
