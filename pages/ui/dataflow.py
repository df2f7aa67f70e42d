"""The way of the data as a drawing: an SVG in the text colour of the page's theme."""

from __future__ import annotations

from html import escape

import streamlit as st

from pages.ui.figures import PALETTE
from pages.ui.text import t
from pages.ui.widgets import ILLUSTRATION, badge

# Box: text key, x, y, width, colour. A box with a page's name is what that page shows.
BOXES = (
    ("image", 8, 84, 96, None),
    ("view_a", 152, 32, 104, PALETTE[0]),
    ("view_b", 152, 136, 104, PALETTE[1]),
    ("backbone", 304, 84, 116, None),
    ("h", 466, 84, 60, PALETTE[2]),
    ("head", 572, 84, 116, None),
    ("z", 734, 84, 60, PALETTE[3]),
    ("loss", 842, 84, 110, None),
)
ARROWS = (
    "M104 96 L150 64", "M104 120 L150 152", "M256 60 L302 96", "M256 156 L302 120", "M420 108 L464 108",
    "M526 108 L570 108", "M688 108 L732 108", "M794 108 L840 108",
)  # fmt: skip
NOTES = (("augment", 204, 104), ("use_h", 496, 164), ("use_z", 790, 164))


INK = {"light": "#1C2730", "dark": "#E4EAEE"}  # textColor of .streamlit/config.toml
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"


def show() -> None:
    """Draw the pipeline; a screen reader hears it as one sentence."""
    badge(ILLUSTRATION)
    st.image(drawing(ink()), width="stretch", alt=t("home.flow.alt"))


def ink() -> str:
    """The text colour of the theme that this browser shows."""
    return INK.get(st.context.theme.type or "light", INK["light"])


def _box(key: str, x: int, y: int, width: int, colour: str | None) -> str:
    edge, fill = colour or "currentColor", colour or "none"
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="48" rx="10" fill="{fill}" fill-opacity="0.16" '
        f'stroke="{edge}" stroke-opacity="0.75" stroke-width="1.5"/>'
        f'<text x="{x + width / 2}" y="{y + 29}" text-anchor="middle">{escape(t(f"home.flow.{key}"))}</text>'
    )


def drawing(ink: str) -> str:
    """SVG of the pipeline; every word comes from the catalogue and is escaped."""
    arrows = "".join(f'<path d="{d}" marker-end="url(#tip)"/>' for d in ARROWS)
    notes = "".join(
        f'<text x="{x}" y="{y}" text-anchor="middle" font-size="12.5" fill-opacity="0.75">{escape(t(f"home.flow.{key}"))}</text>'
        for key, x, y in NOTES
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 196" width="960" height="196" color="{ink}" '
        f'fill="{ink}" font-size="14" font-family="{escape(FONT)}">'
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
        f'<path d="M0 0 L7 3 L0 6 Z" fill="{ink}"/></marker></defs>'
        f'<g stroke="{ink}" stroke-opacity="0.6" stroke-width="1.5" fill="none">{arrows}</g>'
        f"{''.join(_box(*box) for box in BOXES)}{notes}</svg>"
    )
