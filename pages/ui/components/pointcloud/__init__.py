"""A map of points in the browser: WebGL, 2-D and 3-D, pictures at the points, lasso and rectangle.

Points, values and pictures come over HTTP (`pages.ui.routes`), so a rerun sends only a few lines; the selection comes
back as one bit a point, on release.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from pages.ui.components.shared import bundle
from pages.ui.text import strings, tag

HERE = Path(__file__).parent

_COMPONENT = st.components.v2.component(
    "pointcloud",
    html=(HERE / "pointcloud.html").read_text(encoding="utf-8"),
    css=(HERE / "pointcloud.css").read_text(encoding="utf-8"),
    js=bundle(HERE / "pointcloud.js"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudData:
    """What a point cloud shows; every address is one of `pages.ui.routes`.

    `values` None colours by label. `names` are the texts of the classes. `finding` is what a screen reader says first.
    `neighbours` are the rows joined by lines to the row they belong to, (row, rows).
    """

    map_id: str
    n: int
    dims: int
    points: str
    finding: str
    values: str | None = None
    value_name: str = ""
    thumbs: str | None = None
    names: Sequence[str] = ()
    neighbours: tuple[int, Sequence[int]] = (-1, ())
    height: int = 560


class Chosen(NamedTuple):
    """What a person chose: rows of the map in order, and the one point picked, or None."""

    rows: np.ndarray
    picked: int | None


def unpack_bits(text: str, n: int) -> np.ndarray:
    """Rows of a selection sent as base64, bit i of byte i // 8 for row i; nothing where the text does not fit n."""
    try:
        raw = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return np.zeros(0, np.int64)
    if len(raw) != (n + 7) // 8:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.unpackbits(raw, bitorder="little")[:n])


def read_chosen(state: Mapping[str, Any], map_id: str, n: int) -> Chosen:
    """What a component's state says about this map; what it says about another map does not count."""
    selection, picked = state.get("selection") or {}, state.get("picked") or {}
    bits = selection.get("bits", "") if selection.get("map") == map_id else ""
    row = picked.get("row", -1) if picked.get("map") == map_id else -1
    return Chosen(unpack_bits(bits, n), row if isinstance(row, int) and 0 <= row < n else None)


def chosen_in(key: str, map_id: str, n: int) -> Chosen:
    """What is chosen before the component is drawn: its own state, or after a page switch the copy kept of it."""
    live = dict(st.session_state.get(key) or {})
    kept = st.session_state.setdefault(f"{key}.kept", {})
    kept.update({name: value for name, value in live.items() if value})
    return read_chosen(kept, map_id, n)


def pointcloud(data: CloudData, key: str) -> None:
    """Draw the cloud; read what is chosen with `chosen_in`, before or after.

    Args:
        data: what to show.
        key: the component's key, "page.name".
    """
    kept = st.session_state.get(f"{key}.kept", {})
    selection = kept.get("selection") or {}
    picked = read_chosen(kept, data.map_id, data.n).picked
    start = {
        "bits": selection.get("bits", "") if selection.get("map") == data.map_id else "",
        "picked": -1 if picked is None else picked,
    }
    row, near = data.neighbours
    _COMPONENT(
        key=key,
        data={
            "map": data.map_id,
            "dims": data.dims,
            "points": data.points,
            "values": data.values,
            "valueName": data.value_name,
            "thumbs": data.thumbs,
            "names": list(data.names),
            "finding": data.finding,
            "links": {"from": row, "to": [int(i) for i in near]},
            "height": data.height,
            "start": start,
            "lang": tag(),
            "text": strings("pointcloud."),
        },
        on_selection_change=lambda: None,
        on_picked_change=lambda: None,
    )
