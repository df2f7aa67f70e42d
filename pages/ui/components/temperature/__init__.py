"""The temperature explorer in the browser: similarity matrix, softmax, fraction, loss and training, moved by hand.

The browser computes everything in float64 (`model.js`, `shared/`), tested against `simclr_core.similarity`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import streamlit as st

from pages.ui.components.shared import bundle, style
from pages.ui.components.temperature.view import N_LOW, View

HERE = Path(__file__).parent


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
    """Put a batch into the form that the browser reads; ten decimals leave a singular matrix singular to rounding."""
    rows: list[list[float | None]] = np.round(similarity, 10).tolist()
    for i, row in enumerate(rows):
        row[i] = None
    return Batch(id=id, label=label, note=note, similarity=rows, partner=partner.tolist(), adjustable=adjustable)


ENTRY = HERE / "temperature.js"
_COMPONENT = st.components.v2.component("temperature_explorer", js=bundle(ENTRY), css=style(ENTRY))


def given(
    batches: Sequence[Batch],
    questions: Sequence[Mapping[str, Any]],
    texts: Mapping[str, str],
    *,
    start: View,
    lang: str,
    hide: Sequence[str],
) -> dict[str, Any]:
    """What the browser reads.

    Args:
        batches: what can be chosen, the first being the default.
        questions: what is asked before it is shown: `presets.Question` by field, its labels as texts.
        texts: the strings of the page's catalogue that the component shows.
        start: where a freshly mounted explorer stands. Later changes are the browser's own; pass the same value again.
        lang: language tag of the texts, such as "zh-Hans".
        hide: "controls", "answers", as a teacher's link says: keys then step the figure, a question is not told.
    """
    told = [{**asked, "why": ""} for asked in questions] if "answers" in hide else list(questions)
    data = {"presets": list(batches), "questions": told, "texts": dict(texts), "lang": lang, "fewest": N_LOW}
    return data | {"start": start, "hide": list(hide)}


def temperature_explorer(data: Mapping[str, Any], *, key: str, on_view: Callable[[], None]) -> None:
    """Show the explorer.

    Args:
        data: of `given`.
        key: the component's state in the session; `st.session_state[key]["view"]` holds the last `View` reported.
        on_view: called after a hand was lifted from a control, a quarter of a second later.
    """
    _COMPONENT(key=key, data=data, on_view_change=on_view)
