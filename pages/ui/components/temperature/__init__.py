"""The temperature explorer in the browser: similarity matrix, softmax, fraction and loss, moved by one slider.

The browser computes everything in float64 (`shared/ntxent.js`, tested against `simclr_core.similarity`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import streamlit as st

from pages.ui.components.shared import bundle

HERE = Path(__file__).parent
TAU_LOW, TAU_HIGH, TAU_DEFAULT = 0.01, 10.0, 0.5
N_LOW, N_HIGH, N_DEFAULT = 3, 16, 6


class View(TypedDict):
    """What is looked at: temperature, anchor row counted from 1, the id of the batch, images in a batch of free size."""

    tau: float
    row: int
    preset: str
    n: int


class Batch(TypedDict):
    """One batch that can be chosen; similarity with null on the diagonal, views in turn. Adjustable: n can be chosen."""

    id: str
    label: str
    note: str
    similarity: list[list[float | None]]
    partner: list[int]
    adjustable: bool


def batch(
    id: str, label: str, note: str, similarity: np.ndarray, partner: np.ndarray, *, adjustable: bool = False
) -> Batch:
    """Put a batch into the form that the browser reads. Eight decimals of a cosine are all that float32 holds."""
    rows: list[list[float | None]] = np.round(similarity, 8).tolist()
    for i, row in enumerate(rows):
        row[i] = None
    return Batch(id=id, label=label, note=note, similarity=rows, partner=partner.tolist(), adjustable=adjustable)


def read_view(sizes: Mapping[str, int], tau: Any = None, row: Any = None, preset: Any = None, n: Any = None) -> View:
    """Make a valid view of whatever stands in a URL or comes from a browser: unknown → default, outside → clamped.

    Args:
        sizes: the batches there are, id → number of views; the first is the default.
        tau, row, preset, n: texts, numbers or None.
    """
    known = preset if preset in sizes else next(iter(sizes))
    return View(
        tau=_clamped(tau, TAU_DEFAULT, TAU_LOW, TAU_HIGH),
        row=int(_clamped(row, 1, 1, sizes[known])),
        preset=known,
        n=int(_clamped(n, N_DEFAULT, N_LOW, N_HIGH)),
    )


def _clamped(value: Any, default: float, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = default
    return min(max(number, low), high) if np.isfinite(number) else default


_COMPONENT = st.components.v2.component(
    "temperature_explorer",
    js=bundle(HERE / "temperature.js"),
    css=(HERE / "temperature.css").read_text(encoding="utf-8"),
)


def temperature_explorer(
    batches: Sequence[Batch],
    texts: Mapping[str, str],
    *,
    start: View,
    lang: str,
    key: str,
    on_view: Callable[[], None],
) -> None:
    """Show the explorer.

    Args:
        batches: what can be chosen, the first being the default.
        texts: the strings of the page's catalogue that the component shows.
        start: where a freshly mounted explorer stands. Later changes are the browser's own; pass the same value again.
        lang: language tag of the texts, such as "zh-Hans".
        key: the component's state in the session; `st.session_state[key]["view"]` holds the last `View` reported.
        on_view: called after a hand was lifted from a control, a quarter of a second later.
    """
    data = {"presets": list(batches), "texts": dict(texts), "lang": lang, "fewest": N_LOW}
    _COMPONENT(key=key, data=data | {"start": start | {"row": start["row"] - 1}}, on_view_change=on_view)
