"""What the size of a batch does, measured on encoded pairs: batches of every size drawn again and again from real views.

Legend: n images of a batch, 2n views, 2n − 2 negatives of each anchor; q = 1 − p, the anchor's softmax share that the negatives
hold and the factor of its whole gradient (Yeh et al. 2022, proposition 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simclr_core.errors import DataError, sentence
from simclr_core.records import PairTable, Space
from simclr_core.similarity import (
    cosine_matrix,
    effective_negatives,
    loss_ceiling,
    loss_floor,
    nt_xent_rows,
    stacked_partner,
)

SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512)
REDRAWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The mean over redraws, and the 5th and 95th percentile."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOf:
    """What batches of n images are like at one temperature. Loss in nats; negatives counted for one anchor.

    `same_class` is None where the pairs have no labels.
    """

    n: int
    loss: Spread
    ceiling: float
    floor: float
    share: Spread
    effective: Spread
    same_class: Spread | None

    @property
    def information(self) -> Spread:
        """ln K − loss with K = 2n − 1 candidates: a lower bound of the views' mutual information in nats, at most ln K.

        For candidates drawn independently; the negatives of a SimCLR batch come in pairs, so it is a reading, no proof.
        Source: van den Oord et al. 2018 (CPC), §2.3.
        """
        return Spread(
            mean=self.ceiling - self.loss.mean, low=self.ceiling - self.loss.high, high=self.ceiling - self.loss.low
        )


def _spread(values: Sequence[float]) -> Spread:
    low, high = np.percentile(values, (5, 95))
    return Spread(mean=float(np.mean(values)), low=float(low), high=float(high))


def same_class_negatives(label: np.ndarray) -> float:
    """Mean number of an anchor's negatives that show its own class, in a batch with two views of each image."""
    _, inverse, count = np.unique(label, return_inverse=True, return_counts=True)
    return float(2 * (count[inverse] - 1).mean())


def redraw(
    pairs: PairTable,
    temperature: float,
    *,
    space: Space = "z",
    sizes: Sequence[int] = SIZES,
    redraws: int = REDRAWS,
    seed: int = 0,
) -> list[BatchOf]:
    """Draw batches of each size from encoded pairs and measure them.

    Args:
        pairs: two views of some images; sizes above their number are left out.
        temperature: τ > 0.
        space: of the views; the loss is made for z.
        sizes: images of a batch, each at least 1.
        redraws: batches of each size, without replacement within a batch.
        seed: of the draws.

    Raises:
        DataError: no size fits the pairs.
    """
    a, b = pairs.space(space)
    fitting = [n for n in sizes if 1 <= n <= len(a)]
    if not fitting:
        raise DataError(sentence("sizes", f"some from 1 to the number of pairs ({len(a)})", sizes, "encode more pairs"))
    rng = np.random.default_rng(seed)
    return [_batches(a, b, pairs.label, n, temperature, redraws, rng) for n in fitting]


def _batches(
    a: np.ndarray,
    b: np.ndarray,
    label: np.ndarray | None,
    n: int,
    temperature: float,
    redraws: int,
    rng: np.random.Generator,
) -> BatchOf:
    partner = stacked_partner(n)
    loss, share, effective, same = [], [], [], []
    for _ in range(redraws):
        rows = rng.choice(len(a), n, replace=False)
        s = cosine_matrix(np.concatenate([a[rows], b[rows]]))
        each = nt_xent_rows(s, partner, temperature)
        loss.append(float(each.mean()))
        share.append(float(-np.expm1(-each).mean()))  # 1 − p, without the rounding of 1 − exp(−loss)
        effective.append(float(effective_negatives(s, partner, temperature).mean()))
        if label is not None:
            same.append(same_class_negatives(label[rows]))
    return BatchOf(
        n=n,
        loss=_spread(loss),
        ceiling=loss_ceiling(n),
        floor=loss_floor(n, temperature),
        share=_spread(share),
        effective=_spread(effective),
        same_class=_spread(same) if same else None,
    )
