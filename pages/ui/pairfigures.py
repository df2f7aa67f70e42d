"""Distances between views and cosines of pairs → plotly figures, no Streamlit calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pages.ui import figures

if TYPE_CHECKING:
    import plotly.graph_objects as go

HALF, WHOLE = 235, 330  # pixels that all cells of a line share: half a wide page, or a narrow page
BESIDE = 9  # lines of a matrix whose numbers can still be read in half a page


def cell_texts(values: np.ndarray) -> list[list[str]]:
    """Numbers as short as a narrow cell needs: no leading zero, more digits where all are small, "0" on the diagonal."""
    top = float(np.abs(values).max())
    digits = 2 if top >= 0.1 else 3 if top >= 0.01 else 4
    return [[_short(v, digits, i == j) for j, v in enumerate(row)] for i, row in enumerate(values)]


def _short(value: float, digits: int, diagonal: bool) -> str:
    text = f"{value:.{digits}f}"
    return "0" if diagonal else text[1:] if text.startswith("0.") else text


def distance_matrix(values: np.ndarray, names: Sequence[str], top: float) -> go.Figure:
    """Distances between views, each cell with its number; `top` is the distance that gets the last colour."""
    width = HALF if len(names) <= BESIDE else WHOLE
    height = max(360, 24 * len(names) + 80)
    figure = figures.heat(values, rows=names, columns=names, limits=(0.0, max(top, 1e-9)), height=height)
    texts = cell_texts(values)
    longest = max(len(text) for row in texts for text in row)
    size = min(13.0, width / len(names) / (0.58 * longest))
    figure.update_traces(text=texts, texttemplate="%{text}", textfont={"size": size}, showscale=False)
    figure.update_layout(margin={"l": 4, "r": 4, "t": 8, "b": 8})
    figure.update_xaxes(tickangle=0, tickfont={"size": 11})
    figure.update_yaxes(tickfont={"size": 11})
    return figure


def matrix_rows(values: np.ndarray, names: Sequence[str]) -> Mapping[str, Sequence[str] | np.ndarray]:
    """The matrix as a table: one column the names, one a view."""
    columns: dict[str, Sequence[str] | np.ndarray] = {" ": list(names)}
    return columns | {name: values[:, j] for j, name in enumerate(names)}


def limits(*series: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """The common range of several samples, with a little room so that none touches the frame."""
    values = [float(f(x)) for group in series for x in group.values() for f in (np.min, np.max)]
    room = 0.02 * (max(values) - min(values)) or 0.01
    return min(values) - room, max(values) + room
