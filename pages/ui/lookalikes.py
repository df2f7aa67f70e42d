"""Galleries of the collapse page: hubs and antihubs, the neighbours of one picture, the nearest pairs of all.

Everything is read off the report's neighbour graph (exact, by cosine); pictures come from the thumbnail route.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from pages.ui import collapsefigures, state, why, widgets
from pages.ui.frame import error_frame
from pages.ui.gallery import gallery, large
from pages.ui.shown import Shown, cosine_text, distance_text
from pages.ui.text import t
from simclr_core.cloud import HUB_K
from simclr_core.copies import SAME
from simclr_core.neighbours import NearPairs, near_pairs, rows_that_chose

IMAGE = "image"
HUBS, CHOOSERS, ANTIHUBS = 4, 6, 14
NEAR = 10
PAIRS, LISTED = 6, 500


# -- hubs ----------------------------------------------------------------------------------------------------------------
def hubs(shown: Shown) -> None:
    """How often each row is among another's ten nearest; the pictures that are most often, and those that never are."""
    if shown.found.metrics["hubness_skew"] is None or shown.all_equal:
        key = "all_equal" if shown.all_equal else "few_rows"
        st.info(t(f"collapse.{key}", k=HUB_K), icon=":material/info:")
        return
    count = shown.found.k_occurrence
    order = np.argsort(-count, kind="stable")
    figure = collapsefigures.occurrence(
        count, order[:HUBS], x_title=t("collapse.count", k=HUB_K), y_title=t("collapse.pictures"),
        mean=t("collapse.mean", k=HUB_K), hub=t("collapse.hubs_below", n=min(HUBS, len(order))),
    )  # fmt: skip
    rows = shown.columns(order, t("collapse.image"), t("map.by_class")) | {t("collapse.count", k=HUB_K): count[order]}
    said = t("collapse.hubs_said", k=HUB_K, most=int(count.max()), never=int((count == 0).sum()))
    widgets.figure_with_table(
        figure, rows, f"collapse.hubs.{shown.found.space}", caption=f"{said} {t('collapse.hubs_how')}", alt=said
    )
    if shown.missing:
        return
    if shown.table.label is not None:
        st.caption(t("collapse.marks"))
    for row in order[:HUBS]:
        hub(shown, int(row), int(count[row]))
    antihubs(shown, np.flatnonzero(count == 0))


def hub(shown: Shown, row: int, count: int) -> None:
    """One hub and a few of those that have it among their nearest, nearest first."""
    rows, distance = rows_that_chose(shown.found.neighbours, row, HUB_K)
    with st.container(border=True):
        st.markdown(t("collapse.hub", title=f"**{shown.title(row)}**", count=f"{count:,}", k=HUB_K))
        few = zip(rows[:CHOOSERS], distance[:CHOOSERS], strict=True)
        near = [shown.tile(int(r), distance_text(d), row) for r, d in few]
        gallery([shown.tile(row, t("collapse.the_hub")), *near])


def antihubs(shown: Shown, rows: np.ndarray) -> None:
    """Pictures that are in nobody's ten nearest, the loneliest first."""
    st.subheader(t("collapse.antihubs"))
    if not len(rows):
        st.markdown(t("collapse.no_antihubs", k=HUB_K))
        return
    nearest = shown.found.neighbours.distance[rows, 0]
    order = np.argsort(-nearest, kind="stable")[:ANTIHUBS]
    share = f"{len(rows) / shown.found.n:.1%}"
    st.markdown(t("collapse.antihubs_how", n=f"{len(rows):,}", k=HUB_K, share=share, few=len(order)))
    gallery([shown.tile(int(rows[o]), distance_text(nearest[o])) for o in order])


# -- the neighbours of one picture ---------------------------------------------------------------------------------------
@st.fragment
def neighbours(shown: Shown) -> None:
    """Choose a picture and see its nearest in the original space; a choice reruns this part only."""
    with error_frame():
        row, k = controls(shown)
        graph = shown.found.neighbours
        rows, distance = graph.index[row, :k], graph.distance[row, :k]
        st.markdown(agreement(shown, row, rows))
        if not shown.missing:
            near_tiles(shown, row, rows, distance)
        marks = "" if shown.missing or shown.table.label is None else t("collapse.marks")
        st.caption(f"{t('collapse.near_how', space=shown.found.space)} {marks}")
        if shown.all_equal:
            st.info(t("collapse.all_equal"), icon=":material/info:")
        with st.expander(t("common.as_table"), icon=":material/table_rows:", expanded=bool(shown.missing)):
            st.dataframe(near_rows(shown, row, rows, distance), hide_index=True, key="collapse.near.table")


def controls(shown: Shown) -> tuple[int, int]:
    """Which row, by the number of its picture, and how many neighbours."""
    names = list(shown.numbered)
    state.follow_url(IMAGE, shown.numbered, names[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            t("collapse.image"), names, key=IMAGE, help=t("collapse.image_help"), width=230,
            format_func=lambda i: " · ".join(filter(None, (i, shown.class_of(shown.numbered[i])))), persist_state=widgets.KEEP,
        )  # fmt: skip
        st.button(
            t("collapse.random"), key="collapse.random", icon=":material/casino:", help=t("collapse.random_help"),
            on_click=state.look_at_another, args=(names,),
        )  # fmt: skip
        most = shown.found.neighbours.k
        k = st.slider(
            t("collapse.k"), 1, most, min(NEAR, most), key=f"collapse.k.{most}", width=220, persist_state=widgets.KEEP
        )
    return shown.numbered[chosen], int(k)


def look_at(index: int) -> None:
    """Go on from another picture."""
    st.session_state[IMAGE] = str(index)


def agreement(shown: Shown, row: int, rows: np.ndarray) -> str:
    """How many of the neighbours have the picture's class, in words."""
    label = shown.table.label
    if label is None:
        return t("collapse.no_labels", title=f"**{shown.title(row)}**", k=len(rows))
    same = int((label[rows] == label[row]).sum())
    return t("collapse.agreement", title=f"**{shown.title(row)}**", same=same, k=len(rows))


def near_tiles(shown: Shown, row: int, rows: np.ndarray, distance: np.ndarray) -> None:
    """The picture, and beside it its neighbours, each with a button that goes on from there."""
    left, right = st.columns([1, 4], gap="medium")
    with left:
        large(shown.tile(row, size=192))
    with right:
        grid = st.grid(max(len(rows), 6), min_column_width=100, gap="small")
        for rank, (r, d) in enumerate(zip(rows, distance, strict=True)):
            with grid.cell(), st.container(gap=None):
                gallery([shown.tile(int(r), distance_text(d), row)])
                st.button(
                    f"→ {shown.index(int(r))}", key=f"collapse.go.{rank}", type="tertiary", on_click=look_at,
                    args=(shown.index(int(r)),), help=t("collapse.go"),
                )  # fmt: skip
                why.button(shown, row, int(r), f"collapse.why.near.{rank}")


def near_rows(shown: Shown, row: int, rows: np.ndarray, distance: np.ndarray) -> dict[str, Any]:
    """The neighbours as a table."""
    columns = {t("collapse.rank"): np.arange(1, len(rows) + 1)}
    columns |= shown.columns(rows, t("collapse.image"), t("map.by_class")) | {t("collapse.distance"): distance}
    if shown.table.label is not None:
        columns[t("collapse.agrees")] = shown.table.label[rows] == shown.table.label[row]
    return columns


# -- the nearest pairs of all --------------------------------------------------------------------------------------------
@st.fragment
def pairs(shown: Shown) -> None:
    """Pairs of different pictures with a cosine of .999 or more, then the nearest below."""
    with error_frame():
        found = near_pairs(shown.found.neighbours)
        same = int(np.searchsorted(found.distance, 1 - SAME, side="right"))
        st.markdown(count_of(found, same))
        dense = crowded(shown, found, same)
        if dense:
            st.caption(dense)
        pages = max(1, -(-min(same, LISTED) // PAIRS))
        page = st.pagination(pages, key=f"collapse.page.{shown.found.space}.{pages}") if pages > 1 else 1
        if not shown.missing:
            grid = st.grid(3, min_column_width=230, gap="small")
            for p in range((page - 1) * PAIRS, min(page * PAIRS, len(found.i))):
                with grid.cell(), st.container(border=True):
                    card(shown, int(found.i[p]), int(found.j[p]), float(found.distance[p]))
        st.caption(t("collapse.no_pixels_told" if shown.missing else "collapse.pairs_how"))
        with st.expander(t("common.as_table"), icon=":material/table_rows:", expanded=bool(shown.missing)):
            st.dataframe(pair_rows(shown, found, LISTED), hide_index=True, key="collapse.pairs.table")


def count_of(found: NearPairs, same: int) -> str:
    """How many pairs are all but equal, and whether these are all."""
    if same == 0:
        return t("collapse.no_pairs", cosine=f"{SAME:g}")
    key = "pairs_count" if found.reach > 1 - SAME else "pairs_least"
    return t(f"collapse.{key}", n=f"{same:,}", cosine=f"{SAME:g}")


def crowded(shown: Shown, found: NearPairs, same: int) -> str:
    """Where the verdict counts fewer pictures as duplicates than stand in these pairs: what it leaves out."""
    rows = len(np.union1d(found.i[:same], found.j[:same]))
    counted = round((shown.found.metrics["duplicate_share"] or 0.0) * shown.found.n)
    return t("collapse.crowded", rows=f"{rows:,}", counted=f"{counted:,}") if counted < rows else ""


def card(shown: Shown, i: int, j: int, distance: float) -> None:
    """Two pictures, how alike they are to the encoder, and whether their pixels are the same."""
    gallery([shown.tile(r, t("map.image", index=shown.index(r)) if shown.class_of(r) else "") for r in (i, j)])
    mark = t("collapse.over", cosine=f"{SAME:g}") if distance <= 1 - SAME else ""
    first = t("collapse.cosine", cosine=cosine_text(distance))
    if (same := shown.same_class(i, j)) is not None:
        first += " · " + t("collapse.same_class" if same else "collapse.other_class")
    st.caption("  \n".join(filter(None, (first, pixels_told(shown, i, j), mark))))
    why.button(shown, i, j, f"collapse.why.pair.{i}.{j}")


def pixels_told(shown: Shown, i: int, j: int) -> str:
    """Whether two pictures are the same pixel by pixel, and if not by how much they differ."""
    difference = pixel_difference(shown, i, j)
    if difference is None:
        return t("common.not_measured")
    return t("collapse.identical") if difference == 0 else t("collapse.differ", by=f"{difference:.1f}")


def pixel_difference(shown: Shown, i: int, j: int) -> float | None:
    """Mean absolute difference of two pictures, 0 to 255, at the size the encoder saw; None where one is gone."""
    one, other = (shown.picture(r) for r in (i, j))
    return None if one is None or other is None else float(np.abs(one.astype(np.int16) - other).mean())


def pair_rows(shown: Shown, found: NearPairs, most: int) -> dict[str, Any]:
    """The nearest pairs as a table."""
    i, j = found.i[:most], found.j[:most]
    columns: dict[str, Any] = {t("collapse.rank"): np.arange(1, len(i) + 1)}
    columns |= shown.columns(i, t("collapse.first"), t("collapse.first_class"))
    columns |= shown.columns(j, t("collapse.second"), t("collapse.second_class"))
    columns |= {t("collapse.cosine_column"): 1 - found.distance[:most], t("collapse.distance"): found.distance[:most]}
    if not shown.missing:
        gap = [pixel_difference(shown, int(a), int(b)) for a, b in zip(i, j, strict=True)]
        columns[t("collapse.pixels_column")] = gap
    return columns
