"""How sure a number is: the same number of three quarters of the rows, drawn again and again.

A part of m of the n rows is drawn without replacement. Over many parts a number spreads by √((n − m)/m) of what it spreads
by over new samples of n rows, so that deviations from the mean of the parts times √(m/(n − m)) = √3 give its standard
error: the delete-d jackknife, which also serves numbers that are no means (Shao & Wu 1989). The bootstrap would draw rows
twice, and a row beside its own copy changes every number about neighbours, duplicates and rank; for means the two agree.

What it leaves out: a number's bias at n rows (the parts are centred on their own mean), and how many rows lean on one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from simclr_core.cloud import PURITY_K, Cloud
from simclr_core.diagnostics import DIAGNOSTICS, measure_all
from simclr_core.means import student_t
from simclr_core.neighbours import within
from simclr_core.pairs import PairDistances
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import Interval, NeighbourGraph

KEPT = 0.75  # share of the rows in a part
REACH = 2 * PURITY_K  # of 40 neighbours 20 lie in a part for all but one row in ten thousand
FEWEST = 16  # rows, or images of pairs, below which a quarter cannot be spared
MOST_DRAWS, LEAST_DRAWS = 40, 12
WORK = 3e10  # multiplications that the spectra of all parts may take together
NONE_IN = 3.0  # what was seen in none of n rows may be up to 3/n of all (95 %)


@dataclass(frozen=True, kw_only=True, eq=False)
class Part(Cloud):
    """Some rows of a cloud and some images of its pairs; what the whole knows of all pairs is not searched again."""

    whole: Cloud
    rows: Int[np.ndarray, " m"]
    images: Int[np.ndarray, " p"]

    @cached_property
    def all_pairs(self) -> tuple[NeighbourGraph, Float[np.ndarray, " m"]]:
        """Neighbours within the part; energies to first order (Hájek): those of the whole, their deviation doubled."""
        graph, energy = self.whole.all_pairs
        return within(graph, self.rows, min(PURITY_K, self.n - 1)), 2 * energy[self.rows] - energy.mean()

    @cached_property
    def pairs(self) -> PairDistances | None:
        return self.whole.pairs.part(self.images) if self.whole.pairs and len(self.images) else None


def draws_of(n: int, d: int) -> int:
    """How many parts are measured: 40, fewer of large tables, whose numbers vary little."""
    return int(np.clip(WORK / (n * d * min(n, d)), LEAST_DRAWS, MOST_DRAWS))


def parts(cloud: Cloud, count: int) -> Iterator[Part]:
    """So many parts of a cloud, the same each time."""
    draw = np.random.default_rng(0)
    n, images = cloud.n, 0 if cloud.views is None else len(cloud.views[0])
    for _ in range(count):
        rows = np.sort(draw.choice(n, _kept(n), replace=False))
        few = images < FEWEST
        some = np.sort(draw.choice(images, 0 if few else _kept(images), replace=False))
        yield Part(
            x=cloud.x[rows],
            label=None if cloud.label is None else cloud.label[rows],
            orbits=None if cloud.orbits is None or few else cloud.orbits[some],
            whole=cloud,
            rows=rows,
            images=some,
        )


def _kept(n: int) -> int:
    return math.ceil(KEPT * n)


def standard_error(drawn: Float[np.ndarray, " b"], n: int) -> float:
    """Standard error of a number of n rows from its values on parts of `KEPT` of them."""
    m = _kept(n)
    return float(drawn.std(ddof=1)) * math.sqrt(m / (n - m))


def interval(name: str, value: float, drawn: Float[np.ndarray, " b"], n: int) -> Interval:
    """The 95 % interval of a diagnostic of n rows (or images of pairs), inside its range."""
    half = student_t(len(drawn) - 1) * standard_error(drawn, n)
    low, high = DIAGNOSTICS[name].low, DIAGNOSTICS[name].high
    if DIAGNOSTICS[name].counts and value in (low, high):
        half = max(half, NONE_IN / n)
    # The value itself may lie past its range by a rounding; the interval holds it all the same.
    return Interval(min(value, max(value - half, low)), max(value, min(value + half, high)))


def measure_intervals(
    cloud: Cloud, values: Mapping[str, float | None], *, progress: Progress = silent
) -> dict[str, Interval | None]:
    """The interval of every diagnostic; None where the number is undefined, on the whole or on parts of it.

    Args:
        cloud: with `reach` = `REACH` the neighbours within parts are exact.
        values: what `measure_all` says of it.
        progress: told the share done; returning True raises `Stopped`.
    """
    found: dict[str, Interval | None] = dict.fromkeys(DIAGNOSTICS)
    if cloud.n < FEWEST:
        return found
    drawn, count = [], draws_of(cloud.n, cloud.d)
    for i, part in enumerate(parts(cloud, count)):
        drawn.append(measure_all(part)[0])
        if progress((i + 1) / count, "intervals"):
            raise Stopped
    images = 0 if cloud.views is None else len(cloud.views[0])
    for name, value in values.items():
        column = [v for row in drawn if (v := row[name]) is not None]
        if value is not None and len(column) >= KEPT * count:
            n = images if DIAGNOSTICS[name].rests_on == "pairs" else cloud.n
            found[name] = interval(name, value, np.array(column), n)
    return found
