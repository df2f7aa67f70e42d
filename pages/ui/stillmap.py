"""A map as a still picture: SVG that needs no chart library, so that the home page opens at once."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from pages.ui.dataflow import FONT
from pages.ui.figures import PALETTE

WIDTH, HEIGHT, MARGIN, LINE = 500, 390, 12, 22
LEGEND_COLUMNS = 5
# Ten classes need more hues than four, so every class has its own shape as well; further classes begin again.
COLOURS = (*PALETTE, "#8A63A8", "#9C6B00", "#3A8785", "#B8504D", "#5C7FA3", "#7F7F7F")
SHAPES = (
    '<circle r="3.2"/>',
    '<rect x="-2.8" y="-2.8" width="5.6" height="5.6"/>',
    '<path d="M0-4L4 0L0 4L-4 0Z"/>',
    '<path d="M0-3.8L3.8 3L-3.8 3Z"/>',
    '<path d="M-1.2-4H1.2V-1.2H4V1.2H1.2V4H-1.2V1.2H-4V-1.2H-1.2Z"/>',
    '<path d="M-3.6-2.2L-2.2-3.6L0-1.4L2.2-3.6L3.6-2.2L1.4 0L3.6 2.2L2.2 3.6L0 1.4L-2.2 3.6L-3.6 2.2L-1.4 0Z"/>',
    '<path d="M0 3.8L3.8-3L-3.8-3Z"/>',
    '<path d="M0-4L3.8-1.2L2.4 3.3H-2.4L-3.8-1.2Z"/>',
    '<path d="M-4-3L4 3V-3L-4 3Z"/>',
    '<path d="M-4-1.2H4V1.2H-4Z"/>',
)


def drawing(xy: np.ndarray, label: np.ndarray | None, names: Sequence[str], ink: str) -> str:
    """SVG of a map: equal scales, no axes because positions carry no unit, a legend where there are classes.

    Args:
        xy: (n, 2) positions.
        label: (n,) classes, or None.
        names: class names; a class without one is called by its number.
        ink: colour of the legend's text.
    """
    classes = np.zeros(len(xy), dtype=np.int64) if label is None else label
    present = [] if label is None else [int(c) for c in np.unique(label)]
    top = LINE * -(-len(present) // LEGEND_COLUMNS) + MARGIN
    place = _fit(np.asarray(xy, dtype=np.float64), top)
    symbols = "".join(f'<g id="s{i}" fill="{c}">{s}</g>' for i, (c, s) in enumerate(zip(COLOURS, SHAPES, strict=True)))
    points = "".join(
        f'<use href="#s{c % 10}" x="{x:.1f}" y="{y:.1f}"/>' for c, (x, y) in zip(classes, place, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'fill="{ink}" font-size="12.5" font-family="{escape(FONT)}"><defs>{symbols}</defs>'
        f'{_legend(present, names)}<g opacity="0.8">{points}</g></svg>'
    )


def _fit(xy: np.ndarray, top: int) -> np.ndarray:
    """Positions in the picture, the same scale on both axes, y upwards."""
    low, high = xy.min(0), xy.max(0)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - top - MARGIN])
    scale = float((room / np.maximum(high - low, 1e-9)).min())
    centred = (xy - (low + high) / 2) * scale * [1, -1]
    return centred + np.array([WIDTH / 2, top + room[1] / 2])


def _legend(present: Sequence[int], names: Sequence[str]) -> str:
    entries = []
    for i, c in enumerate(present):
        x = MARGIN + (i % LEGEND_COLUMNS) * (WIDTH - 2 * MARGIN) / LEGEND_COLUMNS
        y = MARGIN + i // LEGEND_COLUMNS * LINE
        name = names[c] if c < len(names) else str(c)
        text = f'<text x="{x + 14:.0f}" y="{y + 5}">{escape(name)}</text>'
        entries.append(f'<use href="#s{c % 10}" x="{x + 4:.0f}" y="{y}"/>{text}')
    return "".join(entries)
