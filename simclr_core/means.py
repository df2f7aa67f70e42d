"""The mean of a few measurements and how sure it is, by Student's t."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simclr_core.records import Interval

# Two-sided 95 % by degrees of freedom: the pages that show means of three to five runs must not load scipy.
T_95 = {2: 4.302652729749464, 3: 3.182446305284263, 4: 2.7764451051977987}


def student_t(freedom: int) -> float:
    """How many standard errors a 95 % interval reaches either way."""
    if freedom in T_95:
        return T_95[freedom]
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


class Mean(NamedTuple):
    """The mean of n independent measurements and its 95 % interval, which one measurement does not have."""

    value: float
    interval: Interval | None
    n: int

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.interval is None else self.interval.high - self.value


def mean(values: Float[np.ndarray, " n"]) -> Mean:
    """The mean of at least one measurement, and how sure it is."""
    n, centre = len(values), float(values.mean())
    if n < 2:
        return Mean(centre, None, n)
    half = student_t(n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Mean(centre, Interval(centre - half, centre + half), n)
