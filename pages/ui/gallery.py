"""Pictures side by side, each with a line of text, loaded by the browser as they come into sight."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import streamlit as st

_STYLE = """
<style>
.gallery { display: flex; flex-wrap: wrap; gap: 10px; }
.gallery figure { margin: 0; width: 96px; }
.gallery img { width: 96px; height: 96px; object-fit: contain; border-radius: 6px; background: rgb(128 128 128 / 12%); }
.gallery figcaption { font-size: 0.8rem; line-height: 1.25; overflow-wrap: anywhere; padding-top: 2px; }
.gallery .no-picture { height: 96px; border-radius: 6px; border: 1px dashed rgb(128 128 128 / 60%); }
</style>
"""


class Tile(NamedTuple):
    """One picture: its address or None, the name in bold, and a second line."""

    url: str | None
    name: str
    note: str = ""


def _figure(tile: Tile) -> str:
    alt = escape(f"{tile.name} {tile.note}".strip(), quote=True)
    if tile.url is None:
        picture = '<div class="no-picture"></div>'
    else:
        picture = f'<img loading="lazy" src="{escape(tile.url, quote=True)}" alt="{alt}">'
    return f"<figure>{picture}<figcaption><b>{escape(tile.name)}</b><br>{escape(tile.note)}</figcaption></figure>"


def gallery(tiles: Sequence[Tile]) -> None:
    """Show pictures in a wrapping row. Names come from folders and files: they are escaped, never trusted."""
    st.html(f'{_STYLE}<div class="gallery">{"".join(map(_figure, tiles))}</div>')


def large(tile: Tile) -> None:
    """One picture with an address, twice as large and without words: what it is stands beside it."""
    st.html(
        f'<img src="{escape(tile.url or "", quote=True)}" alt="" style="width:100%;max-width:192px;border-radius:8px">'
    )
