"""How sure a mean over a few repeated measurements is."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

# Two-sided 95 % of Student's t by degrees of freedom: the pages that show such means must not load scipy.
T_95 = {2: 4.302652729749464, 3: 3.182446305284263, 4: 2.7764451051977987}


def half_width(values: Float[np.ndarray, " n"]) -> float | None:
    """Half width of the 95 % interval of the mean of three to five measurements; None for fewer."""
    t = T_95.get(len(values) - 1)
    return None if t is None else float(t * values.std(ddof=1) / math.sqrt(len(values)))
