"""Exact k nearest neighbours of embedding rows, ties broken by row number, in bounded memory.

Both metrics are squared Euclidean distances of prepared rows: 1 − cosine of two unit rows is half of theirs. Rows are
centred first, because a dot product of nearly collapsed rows loses all its digits in float32. Two ways lead to the
same answer: a dense one in float64 (few rows, or rows whose neighbours float32 cannot tell apart), and for many rows
one float32 product of each pair of blocks (the matrix is symmetric), in which a per-row bound found on a sample of
columns leaves a few hundred candidates a row. The survivors are measured again by differences in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.progress import Progress, Stopped, silent
from simclr_core.records import NeighbourGraph, require_finite
from simclr_core.registry import Choice, Label, pick

BLOCK = 2048  # rows and columns of one float32 block: 16 MiB, large enough for BLAS to run at full speed
DENSE_ROWS = 6000  # up to here the dense float64 way is as fast and needs no second look
DENSE_BYTES = 128 * 2**20  # one slab of the dense way
SPARE = 8  # extra candidates of the dense way: float64 dot products leave the last digits open
GRID = 1e-14  # distances that agree this well, relative to the largest norm, are one distance to the dense way
LARGEST = 1e15  # squares of larger entries leave float32
FLOAT32_SLACK = 4e-6  # error bound of a float32 dot product, relative to the two norms
Visit = Callable[[np.ndarray, slice, slice | None], None]
"""Called with a block of squared distances, its rows, and its columns where the block stands for its mirror image too.

It must not change the block. A row's distance to itself is infinite."""


def unit_rows(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n e"]:
    """Rows scaled to length 1, float64.

    A row of zeros has no direction. It counts as equal to other zero rows and orthogonal to all the rest: such rows
    point along one added last column, so e = d + 1 where there are any, else e = d.
    """
    largest = np.abs(x).max(axis=1, keepdims=True).astype(np.float64)
    zero = largest[:, 0] == 0
    unit = x / np.where(largest == 0, 1.0, largest)  # first by the largest entry: squares neither overflow nor vanish
    unit /= np.maximum(np.sqrt(np.einsum("nd,nd->n", unit, unit)), 1.0)[:, None]
    return np.column_stack([unit, zero.astype(np.float64)]) if zero.any() else unit


def _as_given(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    if np.abs(x).max(initial=0) > LARGEST:
        raise DataError(sentence("x", f"within ±{LARGEST:g}", float(np.abs(x).max()), "rescale the rows"))
    return x.astype(np.float64)


def _prepared(x: np.ndarray, k: int, n: int, metric: str) -> np.ndarray:
    """Rows to measure in float64, after the checks every entry point shares."""
    if x.ndim != 2 or x.shape[1] < 1:
        raise DataError(sentence("x", "a matrix (rows, dimensions)", x.shape, "give one row an image"))
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= n:
        rule = f"a whole number from 1 to {n} (there are {len(x)} rows)"
        raise ConfigError(sentence("k", rule, k, "ask for fewer neighbours or bring more rows"))
    require_finite("x", x)
    return pick(METRICS, metric, "metric").run(x)


def _smallest(d2: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k smallest entries of each row, equal entries by column number; in no particular order."""
    if k >= d2.shape[1]:
        return np.broadcast_to(np.arange(d2.shape[1]), d2.shape).copy()
    index = np.argpartition(d2, k - 1, axis=1)[:, :k]
    bound = np.take_along_axis(d2, index, axis=1).max(axis=1, keepdims=True)
    tied = np.flatnonzero((d2 <= bound).sum(axis=1) > k)
    for chunk in np.array_split(tied, max(1, d2[tied].size // 2**22)):
        below, equal = d2[chunk] < bound[chunk], d2[chunk] == bound[chunk]
        take = below | (equal & (np.cumsum(equal, axis=1) <= k - below.sum(axis=1, keepdims=True)))
        index[chunk] = np.nonzero(take)[1].reshape(len(chunk), k)
    return index


def _squared(rows: np.ndarray, others: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Squared distances of row pairs (i, j) by differences: exact also where rows nearly agree."""
    out = np.empty(len(i))
    step = max(1, 2**22 // rows.shape[1])
    for a in range(0, len(i), step):
        difference = rows[i[a : a + step]] - others[j[a : a + step]]
        out[a : a + step] = np.einsum("pd,pd->p", difference, difference)
    return out


def _first_k(i: np.ndarray, j: np.ndarray, d2: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of each row out of flat candidates, nearest first, equal distances by row number."""
    order = np.lexsort((j, d2, i))
    i, j, d2 = i[order], j[order], d2[order]
    start = np.flatnonzero(np.r_[True, i[1:] != i[:-1]])
    take = start[:, None] + np.arange(k)
    return j[take], d2[take]


def _dense(
    rows: np.ndarray, others: np.ndarray, k: int, which: np.ndarray | None, visit: Visit | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Neighbours of rows in slabs of float64. `which` names each row's own place in `others`, None excludes nothing."""
    centre = others.mean(axis=0)
    shifted = others - centre
    norm = np.einsum("nd,nd->n", shifted, shifted)
    step = max(1, DENSE_BYTES // (8 * len(others)))
    for a in range(0, len(rows), step):
        slab = rows[a : a + step] - centre
        own = np.einsum("nd,nd->n", slab, slab)
        d2 = norm - 2 * (slab @ shifted.T) + own[:, None]
        if which is not None:
            d2[np.arange(len(slab)), which[a : a + step]] = np.inf
        if visit is not None:
            visit(d2, slice(a, a + len(slab)), None)
        grid = GRID * max(float(norm.max()), float(own.max())) or 1.0
        column = _smallest(np.maximum(np.round(d2 / grid), 0), min(k + SPARE, len(others) - (which is not None)))
        i = np.repeat(np.arange(len(slab)), column.shape[1])
        exact = _squared(rows[a : a + step], others, i, column.ravel())
        yield np.arange(a, a + len(slab)), *_first_k(i, column.ravel(), exact, k)


def _bounds(x32: np.ndarray, norm: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """An upper bound of each row's k-th squared distance on a sample of columns; which rows float32 cannot sort."""
    n = len(x32)
    sample = np.linspace(0, n - 1, max(8 * k, n // 12), dtype=np.int64)
    bound, blurred = np.empty(n, np.float32), np.zeros(n, bool)
    slack = FLOAT32_SLACK * (norm + norm.max())
    for a in range(0, n, BLOCK):
        part = slice(a, a + BLOCK)
        d2 = norm[part, None] + norm[sample] - 2 * (x32[part] @ x32[sample].T)
        # One more than k, because the row itself may be in the sample.
        bound[part] = np.partition(d2, k, axis=1)[:, k] + slack[part]
        blurred[part] = (d2 <= (bound[part] + slack[part])[:, None]).sum(axis=1) > 3 * k + 16
    return bound, blurred


class _Pruned:
    """One pass over the pairs of blocks, keeping for each row the columns under its bound."""

    def __init__(self, rows: np.ndarray, k: int, visit: Visit | None) -> None:
        self.rows, self.k, self.visit = rows, k, visit
        centred = (rows - rows.mean(axis=0)).astype(np.float32)
        self.x, self.norm = centred, np.einsum("nd,nd->n", centred, centred)
        self.slack = FLOAT32_SLACK * (self.norm + self.norm.max())
        self.bound, self.blurred = _bounds(self.x, self.norm, k)
        self.bound[self.blurred] = -np.inf
        self.blocks = [slice(a, min(a + BLOCK, len(rows))) for a in range(0, len(rows), BLOCK)]
        self.found: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = [[] for _ in self.blocks]

    def _keep(self, d2: np.ndarray, mask: np.ndarray, a: int, b: int, *, turned: bool = False) -> None:
        # One flat search is six times faster than np.nonzero of a matrix.
        flat = np.flatnonzero(mask)
        i, j = np.divmod(flat.astype(np.int32), np.int32(d2.shape[1]))
        if turned:
            i, j = j, i
        self.found[a].append((i, j + np.int32(self.blocks[b].start), d2.ravel()[flat]))

    def _pair(self, a: int, b: int) -> None:
        """Distances of two blocks, seen from both sides."""
        rows, columns = self.blocks[a], self.blocks[b]
        d2 = self.x[rows] @ self.x[columns].T
        d2 *= -2
        d2 += self.norm[rows, None]
        d2 += self.norm[columns]
        if a == b:
            np.fill_diagonal(d2, np.inf)
        if self.visit is not None:
            self.visit(d2, rows, None if a == b else columns)
        self._keep(d2, d2 <= self.bound[rows, None], a, b)
        if a != b:
            self._keep(d2, d2 <= self.bound[columns], b, a, turned=True)

    def _settle(self, a: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Measure a block's remaining candidates exactly and choose."""
        rows = self.blocks[a]
        i, j, d2 = (np.concatenate(part) for part in zip(*self.found[a], strict=True))
        self.found[a] = []
        if len(i) == 0:
            return i, np.empty((0, self.k), np.int64), np.empty((0, self.k))
        order = np.lexsort((d2, i))
        i, j, d2 = i[order], j[order], d2[order]
        start = np.flatnonzero(np.r_[True, i[1:] != i[:-1]])
        own = i[start]
        limit = np.full(rows.stop - rows.start, -np.inf, np.float32)
        limit[own] = d2[start + self.k - 1] + 2 * self.slack[rows][own]
        near = d2 <= limit[i]
        i, j = i[near].astype(np.int64) + rows.start, j[near].astype(np.int64)
        return own + rows.start, *_first_k(i, j, _squared(self.rows, self.rows, i, j), self.k)

    def run(self, progress: Progress) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield (rows, neighbours, squared distances) block by block; rows too blurred for float32 come last."""
        count = len(self.blocks)
        for a in range(count):
            for b in range(a, count):
                self._pair(a, b)
            if progress(1 - ((count - a - 1) / count) ** 2, "neighbours"):
                raise Stopped
            yield self._settle(a)
        again = np.flatnonzero(self.blurred)
        if len(again):
            for part, index, d2 in _dense(self.rows[again], self.rows, self.k, again):
                yield again[part], index, d2


def _search(rows: np.ndarray, k: int, progress: Progress, visit: Visit | None) -> tuple[np.ndarray, np.ndarray]:
    """Neighbour columns and squared distances of every row, itself excluded."""
    n = len(rows)
    index, d2 = np.empty((n, k), np.int64), np.empty((n, k))
    if n <= max(DENSE_ROWS, 16 * k):
        parts = _dense(rows, rows, k, np.arange(n), visit)
    else:
        parts = _Pruned(rows, k, visit).run(progress)
    for part, columns, values in parts:
        index[part], d2[part] = columns, values
    return index, d2


def nearest(
    x: Float[np.ndarray, "n d"], k: int, metric: str = "cosine", *, progress: Progress = silent
) -> NeighbourGraph:
    """The k nearest other rows of each row, exact, nearest first, equal distances by row number.

    A row is never its own neighbour, its exact copies are. See `unit_rows` for rows of zeros under the cosine metric.

    Args:
        x: embedding matrix, any scale.
        k: neighbours, 1 ≤ k ≤ n − 1.
        metric: "cosine" (distance 1 − cosine, in [0, 2]) or "euclidean".
        progress: told the share done; returning True raises `Stopped`.

    Raises:
        ConfigError: k out of range, unknown metric.
        DataError: NaN or infinity, not a matrix.
    """
    rows = _prepared(x, k, len(x) - 1, metric)
    index, d2 = _search(rows, k, progress, None)
    return NeighbourGraph(index=index, distance=d2 / 2 if metric == "cosine" else np.sqrt(d2), metric=metric)


def nearest_with_energy(
    rows: Float[np.ndarray, "n d"], k: int, t: float, *, progress: Progress = silent
) -> tuple[NeighbourGraph, Float[np.ndarray, " n"]]:
    """Cosine neighbours of unit rows, and each row's mean of exp(−t·|u−v|²) over all others, from one pass."""
    total = np.zeros(len(rows))

    def add(d2: np.ndarray, part: slice, mirrored: slice | None) -> None:
        near = np.exp(-t * d2)
        total[part] += near.sum(axis=1, dtype=np.float64)
        if mirrored is not None:
            total[mirrored] += near.sum(axis=0, dtype=np.float64)

    index, d2 = _search(rows, k, progress, add)
    graph = NeighbourGraph(index=index, distance=d2 / 2, metric="cosine")
    return graph, total / (len(rows) - 1)


def within(graph: NeighbourGraph, rows: Int[np.ndarray, " m"], k: int) -> NeighbourGraph:
    """The graph of some rows among themselves, rows numbered anew.

    Exact where a row has k of `rows` among the neighbours that the graph knows; where it has fewer, the farthest of
    them stands again in the missing places.
    """
    place = np.full(len(graph.index), -1)
    place[rows] = np.arange(len(rows))
    index, distance = place[graph.index[rows]], graph.distance[rows]
    inside = index >= 0
    column = np.argsort(~inside, axis=1, kind="stable")[:, :k]
    column = np.take_along_axis(column, np.minimum(np.arange(k), inside.sum(axis=1, keepdims=True) - 1), axis=1)
    index, distance = (np.take_along_axis(a, column, axis=1) for a in (index, distance))
    return NeighbourGraph(index=index, distance=distance, metric=graph.metric)


def nearest_to(queries: Float[np.ndarray, "m d"], x: Float[np.ndarray, "n d"], k: int) -> NeighbourGraph:
    """The k rows of x nearest to each query by cosine, nearest first, equal distances by row number. 1 ≤ k ≤ n."""
    if queries.ndim != 2 or queries.shape[1:] != x.shape[1:]:
        raise DataError(sentence("queries", f"a matrix as wide as x ({x.shape[1:]})", queries.shape, "use one encoder"))
    require_finite("queries", queries)
    both = _prepared(np.concatenate([queries, x]), k, len(x), "cosine")
    rows, others = both[: len(queries)], both[len(queries) :]
    index, d2 = np.empty((len(rows), k), np.int64), np.empty((len(rows), k))
    for part, columns, values in _dense(rows, others, k, None):
        index[part], d2[part] = columns, values
    return NeighbourGraph(index=index, distance=d2 / 2, metric="cosine")


def k_occurrence(graph: NeighbourGraph, n: int, k: int | None = None) -> Int[np.ndarray, " n"]:
    """How often each of n rows is among the k nearest of another (all of the graph's k by default); the mean is k."""
    return np.bincount(graph.index[:, :k].ravel(), minlength=n)


def rows_that_chose(graph: NeighbourGraph, row: int, k: int) -> tuple[Int[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """The rows that have `row` among their k nearest, and their distances to it, nearest first."""
    chooser, place = np.nonzero(graph.index[:, :k] == row)
    distance = graph.distance[chooser, place]
    order = np.lexsort((chooser, distance))
    return chooser[order], distance[order]


def components(
    graph: NeighbourGraph, radius: float, rows: Int[np.ndarray, " m"] | None = None
) -> Int[np.ndarray, " n"]:
    """Number of each row's group: rows that a chain of neighbours no farther than `radius` connects share one.

    Args:
        graph: neighbours; a chain is found as far as the graph knows it.
        radius: largest distance of a link.
        rows: where given, only links from these rows count.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    linked = graph.distance <= radius
    if rows is not None:
        linked &= np.isin(np.arange(len(linked)), rows)[:, None]
    row, column = np.nonzero(linked)
    n = len(linked)
    links = coo_array((np.ones(len(row), bool), (row, graph.index[row, column])), shape=(n, n))
    return connected_components(links, directed=False)[1]


class NearPairs(NamedTuple):
    """Pairs of rows i < j of which at least one has the other among its neighbours, nearest pair first.

    Attributes:
        reach: every pair nearer than this is among them; infinite where the graph holds all pairs.
    """

    i: Int[np.ndarray, " m"]
    j: Int[np.ndarray, " m"]
    distance: Float[np.ndarray, " m"]
    reach: float


def near_pairs(graph: NeighbourGraph) -> NearPairs:
    """The nearest pairs of different rows that a graph knows, and up to where it knows them all.

    A pair is missing only where both rows have k others at least as near: so none is missing below the second
    smallest of the rows' last distances.
    """
    n, k = graph.index.shape
    one, other = np.repeat(np.arange(n), k), graph.index.ravel()
    pair, first = np.unique(np.minimum(one, other) * n + np.maximum(one, other), return_index=True)
    distance = graph.distance.ravel()[first]
    order = np.lexsort((pair, distance))
    reach = np.inf if k >= n - 1 else float(np.partition(graph.distance[:, -1], 1)[1])
    return NearPairs(*np.divmod(pair[order], n), distance[order], reach)


METRICS: dict[str, Choice[Callable[[np.ndarray], np.ndarray]]] = {
    "cosine": Choice(label=Label("cosine", "余弦"), run=unit_rows, source="1 − cosine similarity"),
    "euclidean": Choice(label=Label("Euclidean", "欧氏"), run=_as_given, source="L2 distance"),
}
