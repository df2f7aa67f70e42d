"""What the temperature does to the softmax, the loss and its gradient: moved by hand, computed in the browser."""

from functools import partial
from typing import Any

import streamlit as st

from pages.ui import state, teacher, widgets
from pages.ui.components import offline
from pages.ui.components.temperature import ENTRY, Batch, batch, given, temperature_explorer
from pages.ui.components.temperature.view import N_HIGH, View, read_view
from pages.ui.frame import error_frame
from pages.ui.text import label, strings, t, tag
from simclr_core.presets import PRESETS, QUESTIONS
from simclr_core.similarity import cosine_matrix, interleave, interleaved_partner

KEY, START, LAST = "temperature", "temperature.start", "temperature.last"
RUN = "run"
URL = {
    "tau": "t",
    "tau2": "u",
    "row": "r",
    "preset": "b",
    "n": "n",
    "cells": "c",
    "fix": "f",
    "own": "o",
    "mode": "m",
    "at": "k",
    "speed": "s",
}


def presets() -> list[Batch]:
    return [batch(name, label(p.label), label(p.note), p.similarity, p.partner) for name, p in PRESETS.items()]


def questions() -> list[dict[str, Any]]:
    return [q.fields | {"text": label(q.text), "why": label(q.why)} for q in QUESTIONS.values()]


def run_batch() -> Batch | None:
    """The first images of the loaded run, two views each; None without a run, or where its z is not known."""
    run = state.current()
    if run is None or not state.has_pairs(run) or "z" not in (table := state.pairs(run)).spaces:
        return None
    z_a, z_b = (z[:N_HIGH] for z in table.space("z"))
    name = state.called(run)
    text, note = t("temperature.run_label", name=name), t("temperature.run_note", name=name)
    return batch(RUN, text, note, cosine_matrix(interleave(z_a, z_b)), interleaved_partner(len(z_a)), adjustable=True)


def remember() -> None:
    """Keep what the browser reported, for a return to this page and in the URL."""
    st.session_state[LAST] = (st.session_state.get(KEY) or {}).get("view")


def start(sizes: dict[str, int]) -> View:
    """Where the explorer opens: the URL, or where it was left. Fixed while it is on the page, so it is never reset."""
    if not st.session_state.get(KEY):
        left = st.session_state.get(LAST) or {}
        asked = {name: st.query_params.get(key, left.get(name)) for name, key in URL.items()}
        st.session_state[START] = read_view(sizes, **asked)
    return read_view(sizes, **st.session_state[START])


def share(view: View) -> None:
    """Write what is looked at into the URL; what is usual is left out."""
    shown: dict[str, Any] = dict(view)
    usual: dict[str, Any] = dict(read_view({next(iter(PRESETS)): 2}, mode=view["mode"])) | {"mode": "sweep"}
    for name, key in URL.items():
        value = shown[name]
        said = f"{value:.4g}" if isinstance(value, float) else 1 if value is True else value
        state.share(key, None if value == usual[name] else said, None)


@st.fragment
def explorer() -> None:
    with error_frame():
        own = run_batch()
        batches = presets() + ([own] if own else [])
        sizes = {b["id"]: len(b["partner"]) for b in batches}
        opened = start(sizes)
        make = partial(
            given, batches, questions(), strings("player.", "temperature.explorer."), lang=tag(), hide=teacher.hidden()
        )
        widgets.badge(widgets.LIVE)
        temperature_explorer(make(start=opened), key=KEY, on_view=remember)
        view = read_view(sizes, **(st.session_state.get(LAST) or opened))
        share(view)
        if own is None:
            st.caption(t("temperature.no_pairs"))
        title, lead = t("temperature.title"), t("temperature.lead")
        offline.save(
            offline.Page(ENTRY, make(start=view), title, lead, t("offline.note"), projector=teacher.projector())
        )


st.title(t("temperature.title"))
st.markdown(t("temperature.lead"))
explorer()
if not teacher.hides("controls"):
    st.page_link("worksheet.py", label=t("temperature.work"), icon=":material/edit_note:")
