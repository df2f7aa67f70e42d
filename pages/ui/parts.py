"""What the long pages share: the space they speak of and one part at a time, both in the URL; only that part is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from pages.ui import state
from pages.ui.text import t
from pages.ui.widgets import KEEP
from simclr_core.records import Space

SPACE = "space"


def choose_space(known: Sequence[Space]) -> Space:
    """h or z."""
    state.follow_url(SPACE, known, known[0])
    return st.segmented_control(
        t("map.space"), known, required=True, key=SPACE, help=t("map.space_help"),
        format_func=lambda s: t(f"map.space_{s}"), persist_state=KEEP,
    )  # fmt: skip


def show(page: str, parts: Mapping[str, Callable[[], None]]) -> None:
    """Choose a part of a page, and draw it under its title.

    Args:
        page: the page's table in the catalogue, with `part.NAME`, a word or two for each part, and its `NAME_title`.
        parts: by name, what draws it; the first is shown where `?PAGE.part=` names none of them.
    """
    key = f"{page}.part"
    state.follow_url(key, parts, next(iter(parts)))
    chosen = st.segmented_control(
        t("common.part"), parts, required=True, key=key, format_func=lambda name: t(f"{key}.{name}"), persist_state=KEEP,
        wrap=True,
    )  # fmt: skip
    st.header(t(f"{page}.{chosen}_title"))
    parts[chosen]()


def go(page: str, part: str) -> None:
    """Show another part of a page from the next rerun on; call it from a widget's callback."""
    st.session_state[f"{page}.part"] = part
