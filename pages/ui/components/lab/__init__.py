"""The collapse lab in the browser: attraction alone beside attraction and negatives, real gradient steps from one start.

The browser computes everything in float64 (`lesson.js`, tested against the core and torch).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import streamlit as st

from pages.ui.components.shared import SPEEDS, bundle, style

HERE = Path(__file__).parent
IMAGES, DIM, STEPS = 24, 3, 600  # as in lesson.js; a test compares
NEVER = -1


class Setting(TypedDict):
    """What a run depends on: its data, noise of a view, temperature, seed, and whether it starts at random or collapsed."""

    data: str
    noise: float
    tau: float
    seed: int
    start: str


class View(TypedDict):
    """Where a run stands: steps taken, the step of the nudge (−1 = none), the speed of play."""

    step: int
    nudge: int
    speed: str


class Meter(TypedDict):
    """One meter: a diagnostic, the ends of its scale, its value for points spread evenly (None = it has none)."""

    id: str
    label: str
    help: str
    low: float
    high: float
    spread: float | None


def read_view(step: Any = None, nudge: Any = None, speed: Any = None) -> View:
    """Make a valid view of whatever stands in a URL or comes from a browser: unknown → default, outside → clamped."""
    return View(
        step=_whole(step, 0, 0, STEPS),
        nudge=_whole(nudge, NEVER, NEVER, STEPS - 1),
        speed=speed if isinstance(speed, str) and speed in SPEEDS else SPEEDS[0],
    )


def _whole(value: Any, default: int, low: int, high: int) -> int:
    try:
        return min(max(int(value), low), high)
    except (TypeError, ValueError, OverflowError):
        return default


ENTRY = HERE / "lab.js"
_COMPONENT = st.components.v2.component("collapse_lab", js=bundle(ENTRY), css=style(ENTRY))


def given(
    setting: Setting, meters: Sequence[Meter], texts: Mapping[str, str], *, start: View, lang: str, hide: Sequence[str]
) -> dict[str, Any]:
    """What the browser reads.

    Args:
        setting: the run; another setting begins at step 0.
        meters: what stands under each sphere, in this order.
        texts: the strings of the page's catalogue that the component shows.
        start: where a freshly mounted lab stands. Later changes are the browser's own; pass the same value again.
        lang: language tag of the texts, such as "zh-Hans".
        hide: with "controls", as a teacher's link says, keys step the figure.
    """
    data = {"setting": setting, "meters": list(meters), "texts": dict(texts), "lang": lang}
    return data | {"start": start, "hide": list(hide)}


def collapse_lab(data: Mapping[str, Any], *, key: str, on_view: Callable[[], None]) -> None:
    """Show the lab.

    Args:
        data: of `given`.
        key: the component's state in the session; `st.session_state[key]["view"]` holds the last `View` reported.
        on_view: called a quarter of a second after play has stopped or a hand was lifted.
    """
    _COMPONENT(key=key, data=data, on_view_change=on_view)
