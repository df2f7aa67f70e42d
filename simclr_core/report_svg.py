"""Curves and bars as inline SVG that takes its colours from the page's style sheet; no chart library, no request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 40
LOWEST = 1e-9  # the logarithmic axis ends here: what is smaller is rounding


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def ticks(at: Sequence[tuple[float, str]], *, upright: bool) -> str:
    """Labels at shares of an axis, with lines across from the upright one."""
    parts = []
    for share, text in at:
        if upright:
            y = _y(share)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>')
        else:
            parts.append(
                f'<text x="{_x(share):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(text)}</text>'
            )
    return "".join(parts)


def frame(inside: str, title: str, x_title: str, names: Sequence[str]) -> Markup:
    """A figure around what was drawn, which is SVG already; a legend where there is more than one name."""
    place = (LEFT + WIDTH - RIGHT) / 2
    legend = "".join(
        f'<g transform="translate({LEFT + 12 + 150 * i} {TOP + 4})"><rect class="fill{i}" width="12" height="8"/>'
        f'<text x="17" y="8">{escape(name)}</text></g>'
        for i, name in enumerate(names if len(names) > 1 else ())
    )
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{inside}{legend}'
        f'<text x="{place}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text></svg>'
    )


def line(i: int, points: Iterable[tuple[float, float]]) -> str:
    """The i-th series through points given as shares of both axes."""
    return f'<polyline class="line{i}" points="{" ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)}"/>'


def curves(series: Mapping[str, np.ndarray], *, title: str, x_title: str) -> Markup:
    """Positive values in (0, 1] by rank on a logarithmic axis; the second series is dashed."""
    least = min(float(v[v > 0].min(initial=1.0)) for v in series.values())
    decades = int(np.ceil(-np.log10(max(least, LOWEST)))) or 1
    longest = max(map(len, series.values()))
    drawn = []
    for i, values in enumerate(series.values()):
        share = 1 + np.log10(np.maximum(values, 10.0**-decades)) / decades
        drawn.append(line(i, ((rank / max(1, longest - 1), float(y)) for rank, y in enumerate(share))))
    step = max(1, decades // 4)
    levels = [(1 - k / decades, f"1e-{k}" if k else "1") for k in range(0, decades + 1, step)]
    ranks = [(0.0, "1"), (1.0, str(longest))]
    axes = ticks(levels, upright=True) + ticks(ranks, upright=False)
    return frame(axes + "".join(drawn), title, x_title, list(series))


def bars(series: Mapping[str, np.ndarray], low: float, high: float, *, title: str, x_title: str) -> Markup:
    """Histograms of equal bins from low to high, drawn over one another; the second is an outline."""
    most = max(float(v.max(initial=0)) for v in series.values()) or 1.0
    drawn = []
    for i, values in enumerate(series.values()):
        width = (WIDTH - LEFT - RIGHT) / len(values)
        drawn += [
            f'<rect class="bar{i}" x="{LEFT + k * width:.1f}" width="{width:.1f}" y="{_y(float(v) / most):.1f}" '
            f'height="{_y(0) - _y(float(v) / most):.1f}"/>'
            for k, v in enumerate(values)
            if v > 0
        ]
    levels = [(share, f"{share * most:.3g}") for share in (0.0, 0.5, 1.0)]
    ends = [(share, f"{low + share * (high - low):.3g}") for share in (0.0, 0.5, 1.0)]
    axes = ticks(levels, upright=True) + ticks(ends, upright=False)
    return frame(axes + "".join(drawn), title, x_title, list(series))
