"""The directions of a space one by one: the pictures that excite each, dead columns, columns that say the same."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pages.ui import state, widgets
from pages.ui.frame import error_frame
from pages.ui.gallery import gallery
from pages.ui.shown import Shown
from pages.ui.text import label, t
from simclr_core.dimensions import KINDS, REDUNDANT, Axes, Redundancy, dead_columns, exciting, redundant
from simclr_core.records import Space
from simclr_core.store import RunDir

AXES, DIRECTION = "axes", "direction"
TILES, LISTED, NAMED = 7, 500, 12


@state.kept(4)
def _axes(run: RunDir, space: Space, kind: str) -> Axes:
    return KINDS[kind].run(state.table(run).space(space))


@state.kept(4)
def _redundant(run: RunDir, space: Space) -> tuple[np.ndarray, Redundancy]:
    x = state.table(run).space(space)
    return dead_columns(x), redundant(x)


@st.fragment
def show(shown: Shown) -> None:
    """Choose a direction and see the pictures at both of its ends; a choice reruns this part only."""
    with error_frame():
        if shown.all_equal:
            st.info(t("collapse.nothing_varies"), icon=":material/info:")
            return
        space = shown.found.space
        kind, place = _controls(shown.found.dim)
        with st.spinner(t("collapse.reading")):
            axes = _axes(shown.run, space, kind)
            dead, same = _redundant(shown.run, space)
        place = min(place, len(axes.name)) - 1
        score = axes.score(shown.table.space(space), place)
        st.markdown(_said(axes, kind, place))
        if axes.share[place] > 0:
            _ends(shown, score)
        st.markdown(_dead_said(dead, same, shown.found.dim))
        with st.expander(t("common.as_table"), icon=":material/table_rows:", expanded=bool(shown.missing)):
            _tables(shown, score, same)


def _ends(shown: Shown, score: np.ndarray) -> None:
    """The pictures farthest out, and farthest the other way."""
    for end in ("most", "least"):
        rows = exciting(score, TILES, least=end == "least")
        st.caption(f"**{t(f'collapse.{end}')}** {_classes(shown, rows)}")
        if not shown.missing:
            gallery([shown.tile(int(row), t("collapse.sigma", score=_signed(score[row]))) for row in rows])


def _signed(score: float) -> str:
    return f"{score:+.1f}".replace("-", "−")


def _controls(d: int) -> tuple[str, int]:
    state.follow_url(AXES, KINDS, next(iter(KINDS)))
    state.follow_number(DIRECTION, 1, d, 1)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            t("collapse.axes"), list(KINDS), required=True, key=AXES, format_func=lambda k: label(KINDS[k].label),
            help=" ".join(label(c.help) for c in KINDS.values()), persist_state=widgets.KEEP,
        )  # fmt: skip
        place = st.number_input(
            t("collapse.direction"), 1, d, step=1, key=DIRECTION, help=t("collapse.direction_help"), width=160,
            persist_state=widgets.KEEP,
        )  # fmt: skip
    return kind, int(place)


def _said(axes: Axes, kind: str, place: int) -> str:
    key = "direction_column" if kind == "columns" else "direction_principal"
    share = f"{axes.share[place]:.1%}"
    told = t(f"collapse.{key}", rank=place + 1, name=int(axes.name[place]), share=share, all=len(axes.name))
    return told if axes.share[place] > 0 else f"{told} {t('collapse.direction_still')}"


def _classes(shown: Shown, rows: np.ndarray) -> str:
    """How many of the pictures have the most frequent class among them."""
    if shown.table.label is None:
        return ""
    names = [shown.class_of(int(row)) for row in rows]
    most = max(names, key=names.count)
    return t("collapse.of_class", n=names.count(most), all=len(names), name=most)


def _dead_said(dead: np.ndarray, same: Redundancy, d: int) -> str:
    named = ", ".join(map(str, dead[:NAMED])) + (" …" if len(dead) > NAMED else "")
    first = t("collapse.dead_said", n=len(dead), d=d, names=named) if len(dead) else t("collapse.none_dead", d=d)
    if not len(same.i):
        return f"{first} {t('collapse.none_redundant', r=REDUNDANT)}"
    strongest = {"i": int(same.i[0]), "j": int(same.j[0]), "value": f"{same.correlation[0]:+.3f}".replace("-", "−")}
    return f"{first} " + t("collapse.redundant_said", live=same.live, groups=same.groups, r=REDUNDANT, **strongest)


def _tables(shown: Shown, score: np.ndarray, same: Redundancy) -> None:
    order = exciting(score, LISTED)
    rows = shown.columns(order, t("collapse.image"), t("map.by_class")) | {t("collapse.score"): score[order]}
    st.dataframe(rows, hide_index=True, key="collapse.direction.table")
    if len(same.i):
        names = ("column", "column_other", "correlation")
        rows = dict(zip((t(f"collapse.{n}") for n in names), (same.i, same.j, same.correlation), strict=True))
        st.dataframe(
            {name: values[:LISTED] for name, values in rows.items()}, hide_index=True, key="collapse.redundant.table"
        )
