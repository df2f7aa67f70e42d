"""Neighbours and per-row values of a run's embeddings, kept by the identity of the file they come from."""

from __future__ import annotations

import numpy as np

from pages.ui import state
from pages.ui.text import t
from simclr_core.errors import DataError
from simclr_core.records import EmbeddingTable, Map, NeighbourGraph, Space, rows_of
from simclr_core.rowvalues import ROW_K, row_values
from simclr_core.store import RunDir

GRAPH_ROWS = 20_000  # up to here the graph of all rows is a matter of seconds; above, it is made when asked for


def version(run: RunDir) -> str:
    """What changes when the run's embeddings change; short enough for a URL."""
    stat = state.embeddings_path(run).stat()
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


@state.kept(4)
def graph(run: RunDir, space: Space) -> NeighbourGraph:
    """The nearest others of each row by cosine in one space of the run's embeddings, exact."""
    from simclr_core.neighbours import nearest

    x = state.table(run).space(space)
    return nearest(x, min(ROW_K, len(x) - 1), "cosine")


def neighbours_of(run: RunDir, space: Space, row: int) -> tuple[np.ndarray, np.ndarray]:
    """The `ROW_K` nearest others of one row, nearest first: rows and cosine distances, exact."""
    from simclr_core.neighbours import nearest_to

    x = state.table(run).space(space)
    if len(x) <= GRAPH_ROWS:
        found = graph(run, space)
        return found.index[row], found.distance[row]
    near = nearest_to(x[row : row + 1], x, ROW_K + 1)
    others = near.index[0] != row
    return near.index[0][others][:ROW_K], near.distance[0][others][:ROW_K]


@state.kept(32)
def values(run: RunDir, space: Space, name: str) -> np.ndarray:
    """One of `ROW_VALUES` for each row of the run's embeddings."""
    table = state.table(run)
    found = row_values(name, table.space(space), table.label, graph(run, space))
    found.flags.writeable = False
    return found


@state.kept(8)
def all_equal(run: RunDir, space: Space) -> bool:
    """Whether every row is the same up to rounding: the encoder has collapsed completely."""
    x = state.table(run).space(space)
    return float(np.ptp(x, axis=0).max()) <= 1e-6 * float(np.abs(x).max())


def class_text(table: EmbeddingTable, c: int) -> str:
    """A class of a table in words."""
    names = table.class_names
    return names[c] if 0 <= c < len(names) else t("map.class_number", number=c) if c >= 0 else t("map.no_class")


def rows_in_table(m: Map, table: EmbeddingTable) -> np.ndarray:
    """For each point of a map, the row of the embedding table with the same index.

    Raises:
        DataError: the map holds an image that the table lacks: one of the two was made anew.
    """
    rows = rows_of(table.index, m.index)
    if (rows < 0).any():
        raise DataError("`map` must show images of this run's embeddings, got others; draw the map again")
    return rows
