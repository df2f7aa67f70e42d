"""Numbers → plotly figures, no Streamlit calls. Transparent, so that they sit on a light and on a dark page.

Four marks that the colour-blind tell apart and that reach 3:1 on white and on the dark page; since hue alone must
never carry a meaning, every series also has its own dash, symbol or pattern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # plotly takes half a second to import, and the home page needs only pictures from here
    import plotly.graph_objects as go

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
PATTERNS = ("", "/", ".", "x")
GREY = "#808080"  # reference lines: 3.9:1 on white, 4.4:1 on the dark page
GRID = "rgba(128,128,128,0.18)"
MAX_POINTS = 500
FEW = 12
ROOM = 18  # pixels of the smallest text for a room


class Reference(NamedTuple):
    """A named horizontal or vertical line that a value is read against."""

    value: float
    text: str
    dash: str = "dot"
    side: str = "top"  # where a horizontal line has its name: above or below ("bottom")


def blank(x: str = "", y: str = "", *, height: int = 320) -> go.Figure:
    """An empty figure in the house style, with axis titles."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "xanchor": "left"},
        hovermode="closest",
        uirevision="kept",  # zoom and hidden series survive a refresh
    )
    figure.update_xaxes(title=x, gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(title=y, gridcolor=GRID, zeroline=False, automargin=True)
    return figure


def for_a_room(figure: go.Figure) -> go.Figure:
    """The same figure with no text below 18 px, and as much taller: what a projector needs."""
    font = {"size": ROOM}
    figure.update_layout(font=font, legend={"font": font}, hoverlabel={"font": font}, height=1.3 * figure.layout.height)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(tickfont=font, title={"font": font})
    figure.update_annotations(font=font)
    figure.update_traces(textfont=font, selector=lambda trace: trace.textfont.size is None)  # cells fit theirs
    figure.update_traces(colorbar={"tickfont": font}, selector={"type": "heatmap"})
    return figure


def thin(n: int, most: int = MAX_POINTS) -> np.ndarray:
    """Positions of at most `most` of n points, evenly spread, the last one always among them."""
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).round().astype(int))


def curves(
    x: np.ndarray,
    series: Mapping[str, np.ndarray],
    *,
    x_title: str,
    y_title: str,
    references: Sequence[Reference] = (),
    height: int = 320,
) -> go.Figure:
    """Lines over a shared x, with horizontal reference lines named at their right end."""
    figure = blank(x_title, y_title, height=height)
    keep = thin(len(x))
    mode = "lines+markers" if len(x) <= FEW else "lines"  # a line of one point would be invisible
    for i, (name, y) in enumerate(series.items()):
        line = {"color": PALETTE[i % 4], "dash": DASHES[i % 4], "width": 2}
        marker = {"symbol": SYMBOLS[i % 4], "size": 6}
        figure.add_scatter(x=np.asarray(x)[keep], y=np.asarray(y)[keep], mode=mode, name=name, line=line, marker=marker)
    for reference in references:
        add_level(figure, reference)
    figure.update_layout(showlegend=len(series) > 1, hovermode="x unified")
    return figure


def add_level(figure: go.Figure, reference: Reference) -> None:
    """A horizontal reference line, named at its right end."""
    figure.add_hline(
        y=reference.value,
        line={"color": GREY, "dash": reference.dash, "width": 1.5},
        annotation={"text": reference.text, "font": {"color": GREY}, "xanchor": "right"},
        annotation_position=f"{reference.side} right",
    )


def add_mark(figure: go.Figure, reference: Reference) -> None:
    """A vertical reference line, named at its top."""
    figure.add_vline(
        x=reference.value,
        line={"color": GREY, "dash": reference.dash, "width": 1.5},
        annotation={"text": reference.text, "font": {"color": GREY}},
        annotation_position="top",
    )


def bin_edges(
    series: Mapping[str, np.ndarray], bins: int = 60, limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Common edges for several samples."""
    values = np.concatenate([np.ravel(v) for v in series.values()]) if series else np.zeros(1)
    low, high = limits or (float(values.min()), float(values.max()))
    return np.linspace(low, high if high > low else low + 1e-6, bins + 1)


def histogram(
    series: Mapping[str, np.ndarray],
    *,
    x_title: str,
    y_title: str,
    bins: int = 60,
    limits: tuple[float, float] | None = None,
    height: int = 320,
) -> go.Figure:
    """Shares of several samples over common bins, told apart by colour and pattern."""
    edges = bin_edges(series, bins, limits)
    pattern = {"size": 5, "solidity": 0.5}  # thinner strokes are lost on the dark page
    figure = blank(x_title, y_title, height=height)
    for i, (name, values) in enumerate(series.items()):
        count, _ = np.histogram(values, edges)
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=count / max(count.sum(), 1),
            width=np.diff(edges),
            name=name,
            opacity=0.8,
            marker={"color": PALETTE[i % 4], "line": {"width": 0}, "pattern": pattern | {"shape": PATTERNS[i % 4]}},
        )
    figure.update_layout(barmode="overlay", bargap=0, showlegend=len(series) > 1)
    return figure


def histogram_rows(series: Mapping[str, np.ndarray], **limits: Any) -> dict[str, np.ndarray]:
    """The same shares as a table: bin from, bin to, one column a sample."""
    edges = bin_edges(series, **limits)
    shares = {k: np.histogram(v, edges)[0] / max(np.size(v), 1) for k, v in series.items()}
    return {"from": edges[:-1], "to": edges[1:]} | shares


def spectrum(series: Mapping[str, np.ndarray], *, x_title: str, y_title: str, height: int = 320) -> go.Figure:
    """Eigenvalues by rank on a logarithmic axis; zeros, which it cannot show, end a curve."""
    figure = blank(x_title, y_title, height=height)
    for i, (name, values) in enumerate(series.items()):
        ordered = np.sort(np.asarray(values, dtype=np.float64))[::-1]
        shown = np.where(ordered > 0, ordered, np.nan)
        line = {"color": PALETTE[i % 4], "dash": DASHES[i % 4], "width": 2}
        figure.add_scatter(x=np.arange(1, len(shown) + 1), y=shown, mode="lines", name=name, line=line)
    figure.update_yaxes(type="log", exponentformat="power")
    figure.update_layout(showlegend=len(series) > 1)
    return figure


def heat(
    values: np.ndarray,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    limits: tuple[float, float] | None = None,
    height: int = 320,
) -> go.Figure:
    """A matrix, row 1 on top, each cell with its number while there are at most 400 cells."""
    figure = blank(height=height)
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    figure.add_heatmap(
        z=values,
        x=list(columns),
        y=list(rows),
        zmin=low,
        zmax=high,
        colorscale="Cividis",
        texttemplate="%{z:.2f}" if np.size(values) <= 400 else None,
        hovertemplate="%{y} · %{x}: %{z}<extra></extra>",
        colorbar={"thickness": 10, "outlinewidth": 0},
    )
    # A name such as "1" is a name: on a numeric axis others would vanish.
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(showgrid=False, side="top", type="category")
    return figure


def contact_sheet(image: np.ndarray, columns: int, *, side: int = 64, gap: int = 4) -> np.ndarray:
    """Pictures (n, h, w, 3) as one RGBA picture with transparent gaps, enlarged by whole pixels to about `side`."""
    scale = max(1, round(side / image.shape[1]))
    big = image.repeat(scale, 1).repeat(scale, 2)
    n, h, w, _ = big.shape
    lines = -(-n // columns)
    sheet = np.zeros((lines * (h + gap) - gap, columns * (w + gap) - gap, 4), np.uint8)
    for i, picture in enumerate(big):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        sheet[top : top + h, left : left + w, :3] = picture
        sheet[top : top + h, left : left + w, 3] = 255
    return sheet
