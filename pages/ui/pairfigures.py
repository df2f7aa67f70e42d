"""Distances between views and cosines of pairs → plotly figures, no Streamlit calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pages.ui import figures
from simclr_core.means import Mean
from simclr_core.orbits import Orbits
from simclr_core.records import Interval

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


# -- orbits and intervals ------------------------------------------------------------------------------------------------
def orbit_scatter(
    found: Orbits, hover: Sequence[str], *, x_title: str, y_title: str, names: tuple[str, str]
) -> go.Figure:
    """Each picture by the distance to the next one and to its own views; the line is where the two are equal.

    Args:
        found: the orbits.
        hover: what to call each picture.
        x_title, y_title: the axes.
        names: what to call pictures below the line, and those on or above it.
    """
    figure = figures.blank(x_title, y_title, height=330)
    for i, (name, chosen) in enumerate(zip(names, (found.inside, ~found.inside), strict=True)):
        marker = {"color": figures.PALETTE[i], "symbol": figures.SYMBOLS[i], "size": 6, "opacity": 0.7}
        figure.add_scatter(
            x=found.nearest[chosen], y=found.radius[chosen], mode="markers", name=name, marker=marker,
            text=[h for h, c in zip(hover, chosen, strict=True) if c], hovertemplate="%{text}<br>%{y:.3g} / %{x:.3g}<extra></extra>",
        )  # fmt: skip
    top = float(max(found.nearest.max(), found.radius.max())) * 1.04 or 1.0
    line = {"color": figures.GREY, "dash": "dot", "width": 1.5}
    figure.add_scatter(x=[0, top], y=[0, top], mode="lines", line=line, showlegend=False, hoverinfo="skip")
    figure.update_xaxes(range=[0, float(found.nearest.max()) * 1.04 or 1.0])
    figure.update_yaxes(range=[0, float(found.radius.max()) * 1.04 or 1.0])
    return figure


def dots(rows: Sequence[str], series: Mapping[str, Sequence[Mean | None]], *, x_title: str, mark: float) -> go.Figure:
    """Means with their intervals, row 1 on top, the series of a row one under the other, a dotted line at `mark`.

    What was not measured is left out.
    """
    figure = figures.blank(x_title, height=100 + len(rows) * (16 + 9 * len(series)))
    for j, (name, means) in enumerate(series.items()):
        known = [(i, m) for i, m in enumerate(means) if m is not None]
        place = 0.17 * (j - (len(series) - 1) / 2)
        ends = [m.interval or (m.value, m.value) for _, m in known]
        figure.add_scatter(
            x=[m.value for _, m in known],
            y=[i + place for i, _ in known],
            mode="markers",
            name=name,
            marker={"color": figures.PALETTE[j % 4], "symbol": figures.SYMBOLS[j % 4], "size": 9},
            error_x={
                "type": "data",
                "array": [high - m.value for (_, m), (_, high) in zip(known, ends, strict=True)],
                "arrayminus": [m.value - low for (_, m), (low, _) in zip(known, ends, strict=True)],
                "thickness": 1.2,
                "width": 3,
            },
            text=[rows[i] for i, _ in known],
            hovertemplate="%{text}: %{x:.3g}<extra>" + name + "</extra>",
        )
    figures.add_mark(figure, figures.Reference(mark, ""))
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=list(rows), range=[len(rows) - 0.5, -0.5], showgrid=False
    )
    figure.update_layout(showlegend=len(series) > 1)
    return figure


def scaled(found: Mean, by: float) -> Mean:
    """A mean and its interval as multiples of another length."""
    return found._replace(
        value=found.value / by, interval=found.interval and Interval(*(e / by for e in found.interval))
    )


def mean_columns(series: Mapping[str, Sequence[Mean | None]], names: tuple[str, str]) -> dict[str, list[float | None]]:
    """Means as columns of a table, each with the two ends of its interval.

    Args:
        series: means by the series' name.
        names: what to call the lower and the upper end.
    """
    columns: dict[str, list[float | None]] = {}
    for name, means in series.items():
        columns[name] = [m and m.value for m in means]
        for side, end in enumerate(names):
            columns[f"{name}, {end}"] = [m.interval[side] if m and m.interval else None for m in means]
    return columns
