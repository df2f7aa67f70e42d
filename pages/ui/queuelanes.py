"""Slots, batches and cut batches as still SVG: every tile says whose it is and how old, so no colour must be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from pages.ui.dataflow import FONT
from pages.ui.figures import PALETTE

PER_ROW, WIDE, HIGH, GAP = 12, 42, 40, 4
AGES = ("#fee838", "#d9c35c", "#b0a272", "#8a8678", "#646770", "#3b496c", "#123570", "#00224e")  # cividis, new to old
DARK_FROM = 4  # from this colour on the text is white
DRAWN = 16  # images of a batch whose single cells can be seen
ENTER = (
    "<style>@media (prefers-reduced-motion: no-preference){.new{animation:in .5s ease-out}"
    "@keyframes in{from{opacity:0;transform:translateY(-14px)}}}</style>"
)


class Tile(NamedTuple):
    """One row of memory: its image counted from 1 (None = empty), its age in steps, whether it is the anchor's own image."""

    image: int | None
    age: int = 0
    own: bool = False


def lane(tiles: Sequence[Tile], oldest: int, ink: str) -> str:
    """SVG of slots in their order. A new tile has a thick edge, an empty one a dashed, one of the anchor's image a stroke.

    Args:
        tiles: the slots.
        oldest: the age that gets the last colour.
        ink: colour of edges and of the text on empty tiles.
    """
    rows = -(-len(tiles) // PER_ROW)
    width, height = PER_ROW * (WIDE + GAP) + GAP, rows * (HIGH + GAP) + GAP
    drawn = "".join(
        f'<g transform="translate({GAP + (i % PER_ROW) * (WIDE + GAP)} {GAP + i // PER_ROW * (HIGH + GAP)})">'
        f"{_tile(tile, oldest, ink)}</g>"
        for i, tile in enumerate(tiles)
    )
    return _svg(width, height, ink, ENTER + drawn)


def _svg(width: float, height: float, ink: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'fill="{ink}" text-anchor="middle" font-family="{escape(FONT)}">{inside}</svg>'
    )


def _tile(tile: Tile, oldest: int, ink: str) -> str:
    box = f'<rect width="{WIDE}" height="{HIGH}" rx="6"'
    if tile.image is None:
        return f'{box} fill="none" stroke="{ink}" stroke-opacity=".5" stroke-dasharray="4 4"/>'
    shade = min(round(tile.age / max(oldest, 1) * (len(AGES) - 1)), len(AGES) - 1)
    text = "#ffffff" if shade >= DARK_FROM else "#000000"
    edge = 3 if tile.age <= 1 else 0
    struck = f'<path d="M4 {HIGH - 4}L{WIDE - 4} 4" stroke="{PALETTE[1]}" stroke-width="4"/>' if tile.own else ""
    return (
        f'<g class="{"new" if tile.age == 1 else "old"}">{box} fill="{AGES[shade]}" stroke="{ink}" stroke-width="{edge}"/>'
        f'<g fill="{text}"><text x="{WIDE / 2}" y="17" font-size="14" font-weight="700">{tile.image}</text>'
        f'<text x="{WIDE / 2}" y="33" font-size="12">{tile.age}</text></g>{struck}</g>'
    )


def _hatch(ink: str) -> str:
    return (
        '<defs><pattern id="h" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<path d="M0 0V7" stroke="{ink}" stroke-opacity=".35" stroke-width="2"/></pattern></defs>'
    )


def blocks(parts: int, *, whole: bool, ink: str) -> str:
    """SVG of the matrix of cosines of a batch in so many parts: what a loss compares is filled, the rest hatched."""
    side = 160 / parts
    cells = "".join(
        f'<rect x="{8 + k * side:.1f}" y="{8 + i * side:.1f}" width="{side - 2:.1f}" height="{side - 2:.1f}" rx="3" '
        f'fill="{PALETTE[0] if whole or i == k else "url(#h)"}"/>'
        for i in range(parts)
        for k in range(parts)
    )
    return _svg(176, 176, ink, _hatch(ink) + cells)


def pairing(n: int, ink: str) -> str:
    """SVG of the matrix that a batch of n images is compared in: a row an anchor, itself hatched, its other view marked +, the
    rest negatives. Beyond `DRAWN` images no cell could be seen, so none is drawn.
    """
    m, whole = 2 * n, 200
    side = whole / m
    back = f'<rect x="8" y="8" width="{whole}" height="{whole}" fill="{PALETTE[1]}" fill-opacity=".5"/>'
    if n > DRAWN:
        return _svg(216, 216, ink, f'{back}<text x="108" y="115" font-size="20">{m:,} × {m:,}</text>')
    at = [f"{8 + i * side:.2f}" for i in range(m)]
    box = f'width="{side:.2f}" height="{side:.2f}"'
    own = "".join(
        f'<rect x="{a}" y="{a}" {box} fill="#ffffff"/><rect x="{a}" y="{a}" {box} fill="url(#h)"/>' for a in at
    )
    pairs = "".join(f'<rect x="{at[i ^ 1]}" y="{at[i]}" {box} fill="{PALETTE[0]}"/>' for i in range(m))
    small = min(side, 24)
    plus = "".join(
        f'<text x="{8 + ((i ^ 1) + 0.5) * side:.2f}" y="{8 + (i + 0.5) * side + 0.3 * small:.2f}">+</text>'
        for i in range(m)
    )
    lines = "".join(f"M8 {a}h{whole}M{a} 8v{whole}" for a in at[1:])
    grid = f'<path d="{lines}" stroke="{ink}" stroke-opacity=".4" stroke-width=".5"/>'
    marks = f'<g font-size="{small:.1f}" fill="#ffffff">{plus}</g>'
    return _svg(216, 216, ink, f"{_hatch('#000000')}{back}{own}{pairs}{marks}{grid}")
