"""A question to be answered before one looks; then what is right, and why."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui import teacher
from pages.ui.text import t
from pages.ui.widgets import KEEP

OPTIONS = ("a", "b", "c")


def question(name: str, answer: str, **values: Any) -> bool:
    """Ask, and tell once something was chosen. A teacher's link may leave nothing to choose, or keep the answer.

    Args:
        name: the table of the catalogue that holds `question`, the options `a`, `b`, `c`, and `reveal`.
        answer: the right option.
        values: what the texts are filled in with.

    Returns:
        Whether the answer is told.
    """
    with st.container(border=True):
        if teacher.hides("controls"):
            _read_out(name, **values)
            return not teacher.hides("answers")
        chosen = st.radio(
            t(f"{name}.question", **values), OPTIONS, index=None, key=f"{name}.answer",
            format_func=lambda option: t(f"{name}.{option}", **values), persist_state=KEEP,
        )  # fmt: skip
        if chosen is None:
            st.caption(t("common.predict"))
        elif teacher.hides("answers"):
            st.caption(t("teach.kept"))
        elif chosen == answer:
            st.success(t(f"{name}.reveal", **values), icon=":material/check:")
        else:
            st.info(t(f"{name}.reveal", **values), icon=":material/lightbulb:")
    return chosen is not None and not teacher.hides("answers")


def _read_out(name: str, **values: Any) -> None:
    """The question for a room that answers by raising hands."""
    st.markdown(f"**{t(f'{name}.question', **values)}**")
    st.markdown("\n".join(f"- **{option.upper()}** {t(f'{name}.{option}', **values)}" for option in OPTIONS))
    if not teacher.hides("answers"):
        with st.expander(t("common.reveal"), icon=":material/lightbulb:"):
            st.markdown(t(f"{name}.reveal", **values))


def guessed(name: str, answer: str, **values: Any) -> bool:
    """As `question`, before a measurement: whether it may be shown, because it was answered or a person asks for it."""
    told = question(name, answer, **values)
    return told or (
        not teacher.hides("answers") and st.toggle(t("common.anyway"), key=f"{name}.anyway", persist_state=KEEP)
    )
