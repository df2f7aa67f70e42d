"""Groups of rows that fell into one place, and whether their pictures are copies or different ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.ui import state
from pages.ui.gallery import gallery
from pages.ui.shown import Shown
from pages.ui.text import t
from simclr_core.copies import SAME, ToldApart, different, groups, tell_apart
from simclr_core.records import Space, picture_hash
from simclr_core.store import RunDir

SHOWN, TILES, LISTED = 4, 7, 500


@dataclass(frozen=True, eq=False)
class Places:
    """The groups of a space, largest first, the pictures' hashes of their rows, and what they are."""

    found: list[np.ndarray]
    hashes: dict[int, bytes]
    told: ToldApart


@state.kept(8)
def _places(run: RunDir, space: Space, _shown: Shown) -> Places:
    found = groups(_shown.found.neighbours)
    rows = [int(row) for group in found for row in group]
    pictures = {row: image for row in rows if (image := _shown.picture(row)) is not None}
    hashes = {row: picture_hash(image) for row, image in pictures.items()}
    return Places(found, hashes, tell_apart(found, hashes))


def show(shown: Shown) -> None:
    """How many pictures share a place with another, and the largest groups."""
    if shown.all_equal:
        st.info(t("collapse.all_equal"), icon=":material/info:")
        return
    places = _places(shown.run, shown.found.space, shown)
    told = places.told
    if not told.rows:
        st.markdown(t("collapse.no_places", cosine=f"{SAME:g}"))
        return
    st.markdown(t("collapse.places_said", groups=f"{len(places.found):,}", rows=f"{told.rows:,}", cosine=f"{SAME:g}"))
    if shown.missing:
        st.caption(t("collapse.no_pixels_told"))
    else:
        st.markdown(t("collapse.places_told", copies=f"{told.copies:,}", collapsed=f"{told.collapsed:,}"))
        for place, group in enumerate(places.found[:SHOWN], 1):
            with st.container(border=True):
                _group(shown, places, place, group)
    with st.expander(t("common.as_table"), icon=":material/table_rows:", expanded=bool(shown.missing)):
        st.dataframe(_rows(shown, places), hide_index=True, key="collapse.places.table")
    st.caption(t("collapse.places_how"))


def _group(shown: Shown, places: Places, place: int, group: np.ndarray) -> None:
    kinds = different(group, places.hashes)
    known = all(int(row) in places.hashes for row in group)
    key = "place_collapsed" if kinds > 1 else "place_copies" if known else "place_unknown"
    st.markdown(t(f"collapse.{key}", place=place, n=f"{len(group):,}", kinds=f"{kinds:,}"))
    gallery([shown.tile(int(row)) for row in group[:TILES]])


def _rows(shown: Shown, places: Places) -> dict[str, object]:
    """One line a row of a group."""
    rows = np.concatenate(places.found)[:LISTED]
    place = np.repeat(np.arange(1, len(places.found) + 1), [len(g) for g in places.found])[:LISTED]
    kinds = np.repeat([different(g, places.hashes) for g in places.found], [len(g) for g in places.found])[:LISTED]
    told = {t("collapse.place"): place} | shown.columns(rows, t("collapse.image"), t("map.by_class"))
    return told if shown.missing else told | {t("collapse.place_kinds"): kinds}
