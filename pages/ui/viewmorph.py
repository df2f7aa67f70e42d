"""Both views on their way from the picture: what the browser plays, and what a person set in it by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import state, teacher, viewmatch, widgets
from pages.ui.components.views import NONE, Hands, encoded, packed, read_hands, unpacked, views_morph
from pages.ui.text import label, strings, t, tag
from pages.ui.viewrecipe import packed as packed_recipe
from simclr_core.config import AugmentConfig
from simclr_core.operations import OPERATIONS

if TYPE_CHECKING:
    from pages.ui.viewpair import Looked
    from simclr_core.viewsteps import Step, Strip

KEY, HAND, PREFIX = "views.morph", "views.hand", "views.morph."


def stamp(looked: Looked, augment: AugmentConfig) -> str:
    """What the two views are, before a hand: other pictures, another recipe or seed are other views."""
    return json.dumps([looked.stamp, looked.rows, looked.seed, packed_recipe(augment)])


def hands_on(views: str) -> Hands:
    """What was set by hand on these views, from the browser or the URL; other views begin as they were drawn."""
    kept = st.session_state.get(HAND)
    if (asked := state.changed_in_url(HAND)) is not None:
        kept = (views, unpacked(asked))
    if kept is None or kept[0] != views:
        kept = (views, NONE)
    st.session_state[HAND] = kept
    state.share(HAND, packed(kept[1]), "")
    return kept[1]


def remember() -> None:
    """Keep what the browser reported; whether it is still about these views is asked when they are drawn."""
    reported = (st.session_state.get(KEY) or {}).get("hand") or {}
    st.session_state[HAND] = (reported.get("stamp"), read_hands(reported.get("hands")))


def given(looked: Looked, both: tuple[Strip, Strip], hands: Hands, views: str) -> dict[str, Any]:
    """What the browser reads."""
    from simclr_core.viewsteps import LIMITS

    texts = strings("player.", PREFIX, "views.drawn.")
    texts["untouched"] = t("views.nothing_yet")
    pictures = [looked.images.image[row] for row in looked.rows]
    return {
        "stamp": views, "size": both[0].pixels.shape[1], "between": both[0].between, "hands": list(hands),
        "views": [_view(strip) | {"picture": encoded(p)} for strip, p in zip(both, pictures, strict=True)],
        "ways": [{"id": way, "label": viewmatch.name_of(way)} for way in both[0].moved()],
        "limits": LIMITS, "crop": _said("crop"), "texts": texts, "lang": tag(), "hide": teacher.hidden(),
    }  # fmt: skip


def _view(strip: Strip) -> dict[str, Any]:
    moved = {way: [round(float(v), 6) for v in values] for way, values in strip.moved().items()}
    return {"steps": [_step(step) for step in strip.steps], "moved": moved}


def _step(step: Step) -> dict[str, Any]:
    return _said(step.operation) | {"drawn": list(step.drawn)}


def _said(operation: str) -> dict[str, Any]:
    entry = OPERATIONS[operation]
    return {"operation": operation, "label": label(entry.label), "removed": label(entry.help)}


def show(looked: Looked, both: tuple[Strip, Strip], hands: Hands, views: str) -> None:
    """The two views, played and set by hand in the browser."""
    st.caption(t("views.morph_how"))
    widgets.badge(widgets.LIVE)
    views_morph(given(looked, both, hands, views), key=KEY, on_hand=remember)
