"""`ROW_VALUES`: one number about each row of an embedding matrix, to colour a map by and to export.

Shapes: x (n, d), label (n,), graph: the `ROW_K` nearest others of each row. Every value is float32 (n,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from simclr_core.cloud import HUB_K, PURITY_K
from simclr_core.errors import DataError
from simclr_core.neighbours import k_occurrence
from simclr_core.records import NeighbourGraph
from simclr_core.registry import Choice, Label, pick

ROW_K = PURITY_K  # neighbours that the graph must hold
NEEDS_LABEL = frozenset({"agreement"})

RowValue = Callable[[np.ndarray, np.ndarray | None, NeighbourGraph], np.ndarray]


def _k_occurrence(x: np.ndarray, label: np.ndarray | None, graph: NeighbourGraph) -> np.ndarray:
    return k_occurrence(graph, len(x), HUB_K)


def _nearest(x: np.ndarray, label: np.ndarray | None, graph: NeighbourGraph) -> np.ndarray:
    return graph.distance[:, 0]


def _spread(x: np.ndarray, label: np.ndarray | None, graph: NeighbourGraph) -> np.ndarray:
    return graph.distance[:, :HUB_K].mean(axis=1)


def _agreement(x: np.ndarray, label: np.ndarray | None, graph: NeighbourGraph) -> np.ndarray:
    if label is None:
        raise DataError("`agreement` needs labels, and these embeddings have none; choose another value")
    return (label[graph.index[:, :ROW_K]] == label[:, None]).mean(axis=1)


def _length(x: np.ndarray, label: np.ndarray | None, graph: NeighbourGraph) -> np.ndarray:
    return np.linalg.norm(x.astype(np.float64), axis=1)


ROW_VALUES: dict[str, Choice[RowValue]] = {
    "agreement": Choice(
        label=Label("Neighbours of the same class", "同类邻居比例"),
        run=_agreement,
        source="k-nearest-neighbour purity, k = 20",
        help=Label("Share of the 20 nearest others with the row's own label.", "20 个近邻中与该行同类的比例。"),
    ),
    "k_occurrence": Choice(
        label=Label("k-occurrence (hubs)", "k-出现次数（枢纽点）"),
        run=_k_occurrence,
        source="Radovanović et al. 2010",
        help=Label(
            "How many rows count this one among their 10 nearest; the mean is 10. Very large: a hub.",
            "有多少行把它算作 10 个近邻之一；平均为 10。很大者为枢纽点。",
        ),
    ),
    "nearest_distance": Choice(
        label=Label("Distance to the nearest", "最近邻距离"),
        run=_nearest,
        source="1 − cosine similarity",
        help=Label(
            "Cosine distance to the nearest other row. Near 0: a near-duplicate.",
            "到最近一行的余弦距离。接近 0 表示近重复。",
        ),
    ),
    "spread": Choice(
        label=Label("Mean distance to 10 nearest", "到 10 个近邻的平均距离"),
        run=_spread,
        source="1 − cosine similarity",
        help=Label(
            "Mean cosine distance to the 10 nearest. Large: an outlier.", "到 10 个近邻的平均余弦距离。很大者为离群点。"
        ),
    ),
    "length": Choice(
        label=Label("Length of the row", "向量长度"),
        run=_length,
        source="Euclidean norm",
        help=Label("Euclidean length of the row; the cosine ignores it.", "行向量的欧氏长度；余弦相似度忽略它。"),
    ),
}


def row_values(
    name: str, x: Float[np.ndarray, "n d"], label: Int[np.ndarray, " n"] | None, graph: NeighbourGraph
) -> Float[np.ndarray, " n"]:
    """One value of every row.

    Args:
        name: an entry of `ROW_VALUES`.
        x: the embedding matrix.
        label: the rows' classes, or None.
        graph: their nearest others.

    Raises:
        ConfigError: unknown name. DataError: labels are needed and missing.
    """
    return pick(ROW_VALUES, name, "value").run(x, label, graph).astype(np.float32)


def available_values(label: np.ndarray | None) -> list[str]:
    """The entries that can be computed with or without labels."""
    return [name for name in ROW_VALUES if label is not None or name not in NEEDS_LABEL]
