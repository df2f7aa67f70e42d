"""Spectra and neighbour counts → plotly figures and the tables behind them, no Streamlit calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pages.ui import figures

if TYPE_CHECKING:
    import plotly.graph_objects as go

LOWEST = 1e-9  # the axis ends here: what is smaller is rounding
NEAR_DEAD = 1e-5  # the line of dead directions is drawn once a spectrum comes this near to it
MOST_BARS = 60


def relative(eigenvalue: np.ndarray) -> np.ndarray:
    """Eigenvalues, largest first, divided by the largest."""
    return eigenvalue / eigenvalue[0]


def spectrum(
    series: Mapping[str, np.ndarray], dead: tuple[float, str], *, x_title: str, y_title: str, height: int = 340
) -> go.Figure:
    """Relative eigenvalues by rank; `dead` is the level under which a direction counts as unused, and its name."""
    figure = figures.spectrum(series, x_title=x_title, y_title=y_title, height=height)
    low = min(float(v[v > 0].min()) for v in series.values())
    if low < NEAR_DEAD:
        length = max(map(len, series.values()))
        line = {"color": figures.GREY, "dash": "dot", "width": 1.5}
        figure.add_scatter(x=[1, length], y=[dead[0]] * 2, mode="lines", name=dead[1], line=line, hoverinfo="name")
        figure.update_layout(showlegend=True)
    figure.update_yaxes(range=[np.log10(max(low, LOWEST)) - 0.2, 0.2])
    return figure


def spectrum_rows(names: tuple[str, str, str], eigenvalue: np.ndarray, more: Mapping[str, np.ndarray]) -> dict:
    """Rank, eigenvalue and its share of the variance under these names; relative spectra beside them."""
    own = {names[0]: np.arange(1, len(eigenvalue) + 1), names[1]: eigenvalue, names[2]: eigenvalue / eigenvalue.sum()}
    padded = {k: np.concatenate([v, np.full(max(0, len(eigenvalue) - len(v)), np.nan)]) for k, v in more.items()}
    return own | {k: v[: len(eigenvalue)] for k, v in padded.items()}


def bar_width(most: int) -> int:
    """How many neighbouring counts share a bar."""
    return max(1, -(-(most + 1) // MOST_BARS))


def occurrence_bars(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First count of each bar, and how many rows fall into it."""
    width = bar_width(int(count.max()))
    held = np.bincount(count // width)
    return np.arange(len(held)) * width, held


def occurrence(count: np.ndarray, hubs: np.ndarray, *, x_title: str, y_title: str, mean: str, hub: str) -> go.Figure:
    """How many rows are so often among others' nearest; the rows `hubs` are marked, since their bars are too low to see."""
    first, held = occurrence_bars(count)
    width = bar_width(int(count.max()))
    figure = figures.blank(x_title, y_title, height=300)
    figure.add_bar(
        x=first + (width - 1) / 2, y=held, width=width * 0.92, marker={"color": figures.PALETTE[0]}, name=y_title,
        customdata=np.column_stack([first, first + width - 1]), showlegend=False,
        hovertemplate=("%{customdata[0]}" if width == 1 else "%{customdata[0]}–%{customdata[1]}") + ": %{y}<extra></extra>",
    )  # fmt: skip
    line = {"color": figures.GREY, "dash": "dot", "width": 1.5}
    figure.add_scatter(x=[count.mean()] * 2, y=[0, held.max()], mode="lines", name=mean, line=line, hoverinfo="name")
    marker = {"symbol": "diamond", "size": 9, "color": figures.PALETTE[1]}
    at = np.full(len(hubs), held.max() * 0.03)
    figure.add_scatter(
        x=count[hubs], y=at, mode="markers", marker=marker, name=hub, hovertemplate="%{x}<extra></extra>"
    )
    figure.update_layout(showlegend=True, bargap=0)
    return figure
