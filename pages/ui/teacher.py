"""What a teacher's link says, `?hide=controls,answers&size=projector`, and the menu that makes one.

It is kept from page to page like run and language. It is for showing and no lock: who takes the words out of the address
sees everything, in a new tab.
"""

from __future__ import annotations

from itertools import permutations
from typing import Literal
from urllib.parse import urlencode

import streamlit as st

from pages.ui import state
from pages.ui.text import t, texts_under

Part = Literal["controls", "answers", "menu"]
PARTS: tuple[Part, ...] = ("controls", "answers", "menu")
HIDE, SIZE = "hide", "size"
NORMAL, PROJECTOR = "normal", "projector"
HIDDEN = {",".join(parts): frozenset(parts) for count in range(len(PARTS) + 1) for parts in permutations(PARTS, count)}
NOTES = ("goal", "script", "misconceptions")

# Every widget of a page; what is drawn stays. Hidden so, a page keeps its values, and no page needs to know of it.
_WIDGETS = (
    "stButton", "stDownloadButton", "stSlider", "stSelectbox", "stMultiSelect", "stRadio", "stCheckbox", "stTextInput",
    "stTextArea", "stNumberInput", "stButtonGroup", "stFileUploader", "stPagination",
)  # fmt: skip
_NO_CONTROLS = (
    '[data-testid="stMain"] [data-testid="stElementContainer"]:has('
    + f"{', '.join(f'[data-testid={name}]' for name in _WIDGETS)}) {{ display: none; }}"
)
_WHOLE = (  # a metric's name and value wrap where there is no room, instead of ending in dots
    '[data-testid="stMetric"] :is([data-testid="stMetricLabel"], [data-testid="stMetricValue"]) :is(div, p) '
    "{ white-space: normal; overflow: visible; text-overflow: clip; }"
)
_LARGE = (  # the smallest notes are 0.8 of it: 18 px
    "html { font-size: 22.5px !important; } "
    '[data-testid="stMain"] :is(code, td, th) { font-size: max(0.8rem, 1em) !important; }'
)


def begin() -> None:
    """Bring what is hidden and the size together with the URL; the shell calls it before anything is drawn."""
    state.follow_url(HIDE, HIDDEN, "")
    state.follow_url(SIZE, (NORMAL, PROJECTOR), NORMAL)


def hides(part: Part) -> bool:
    """Whether the link that was opened hides this part of every page of the classroom."""
    return part in HIDDEN[st.session_state.get(HIDE) or ""]


def hidden() -> list[Part]:
    """All that is hidden."""
    return [part for part in PARTS if hides(part)]


def projector() -> bool:
    """Whether text has the size for a room."""
    return st.session_state.get(SIZE) == PROJECTOR


def wide(pixels: int) -> int:
    """A width that was chosen for text of the usual size, for the size that the link asks for."""
    return round(1.5 * pixels) if projector() else pixels


def frame(*, learn: bool) -> None:
    """The style that the link asks for; controls are hidden on pages of the classroom alone."""
    rules = [_WHOLE] + [_NO_CONTROLS] * (learn and hides("controls")) + [_LARGE] * projector()
    st.html(f"<style>{' '.join(rules)}</style>")


# -- the menu ------------------------------------------------------------------------------------------------------------
def menu(page: str) -> None:
    """The teacher's menu for a page of the classroom: what is shown, a link for the class, notes for the lesson."""
    if hides("menu"):
        return
    with st.container(horizontal=True, horizontal_alignment="right"):
        opened = st.popover(t("teach.menu"), icon=":material/school:", key="teach.menu", on_change="rerun")
    if not opened.open:
        return
    with opened:
        for part in ("controls", "answers"):
            _switch(part)
        st.session_state["teach.large"] = projector()
        st.toggle(t("teach.large"), key="teach.large", on_change=_resize)
        st.markdown(t("teach.link"))
        st.code(link(), language=None, wrap_lines=True)
        st.caption(t("teach.no_lock"))
        if f"{page}.script" in texts_under("teach."):
            notes(page)


def notes(page: str) -> None:
    """The goal of a page, five minutes on it, and what is commonly believed wrongly."""
    for name in NOTES:
        with st.expander(t(f"teach.{name}"), expanded=name == "goal"):
            st.markdown(t(f"teach.{page}.{name}"))


def link() -> str:
    """The address of this page as it stands, without the menu."""
    page = (st.context.url or "/").partition("?")[0]
    parts = [part for part in PARTS if part == "menu" or hides(part)]
    return f"{page}?{urlencode(dict(st.query_params.to_dict()) | {HIDE: ','.join(parts)}, safe=',')}"


def _switch(part: Part) -> None:
    """A switch for a part: on where it is shown."""
    key = f"teach.show_{part}"
    st.session_state[key] = not hides(part)
    st.toggle(t(key), key=key, on_change=_show, args=(part,))


def _show(part: Part) -> None:
    hidden = HIDDEN[st.session_state[HIDE]] ^ {part}
    st.session_state[HIDE] = ",".join(p for p in PARTS if p in hidden)


def _resize() -> None:
    st.session_state[SIZE] = NORMAL if projector() else PROJECTOR
