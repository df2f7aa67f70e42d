"""The collapse lab: attraction alone beside attraction and negatives, trained step by step in the browser."""

from functools import partial

import streamlit as st

from pages.ui import state, teacher, widgets
from pages.ui.components import offline
from pages.ui.components.lab import DIM, ENTRY, IMAGES, Meter, View, collapse_lab, given, read_view
from pages.ui.frame import error_frame
from pages.ui.labcheck import check
from pages.ui.labscenes import ask, choices, choose_scene, choose_setting, known
from pages.ui.text import escape_markdown, label, strings, t, tag
from simclr_core.diagnostics import DIAGNOSTICS, sphere_uniformity

KEY, START, LAST = "lab", "lab.opened", "lab.last"
FAILED = ("complete", "dimensional")  # verdicts that this page is about
METERS = {  # diagnostic → its value where all points are one, the other end of its scale
    "mean_cosine": (1.0, 0.0), "rankme": (1.0, float(DIM)), "uniformity": (0.0, -2.2), "alignment": (0.0, 2.0),
}  # fmt: skip


def meters() -> list[Meter]:
    spread = {"mean_cosine": 0.0, "rankme": float(DIM), "uniformity": sphere_uniformity(DIM)}  # of an even spread
    return [
        Meter(id=name, label=label(DIAGNOSTICS[name].label), help=t(f"lab.meter.{name}", dim=DIM), low=low, high=high, spread=spread.get(name))
        for name, (low, high) in METERS.items()
    ]  # fmt: skip


def remember() -> None:
    """Keep what the browser reported, for a return to this page and in the URL."""
    st.session_state[LAST] = (st.session_state.get(KEY) or {}).get("view")


def start() -> View:
    """Where the lab opens: the URL, or where it was left. Fixed while it is on the page, so it is never reset."""
    if not st.session_state.get(KEY):
        left = st.session_state.get(LAST) or {}
        asked = {name: st.query_params.get(f"lab.{name}", left.get(name)) for name in View.__annotations__}
        st.session_state[START] = read_view(**asked)
    return st.session_state[START]


def share(view: View) -> None:
    """Write where the run stands into the URL; what is usual is left out."""
    usual = read_view()
    for name, value in view.items():
        state.share(f"lab.{name}", value, usual[name])  # type: ignore[literal-required]


@st.fragment
def explorer() -> None:
    with error_frame():
        scene = choose_scene()
        st.markdown(t(f"lab.scenes.{scene}.note", **known()) if scene else t("lab.own"))
        setting = choose_setting()
        if scene is not None:
            ask(scene)
        opened = start()
        make = partial(given, setting, meters(), strings("player.", "lab.explorer."), lang=tag(), hide=teacher.hidden())
        widgets.badge(widgets.LIVE)
        collapse_lab(make(start=opened), key=KEY, on_view=remember)
        view = read_view(**(st.session_state.get(LAST) or opened))
        share(view)
        reading = t("lab.reading", images=IMAGES, dim=DIM)
        st.caption(reading)
        note = f"{reading} {t('offline.note')}"
        offline.save(
            offline.Page(
                ENTRY, make(start=view), t("lab.title"), t("lab.lead"), note, **choices(), projector=teacher.projector()
            )
        )


def failing_runs() -> None:
    """Links to the runs at hand whose own diagnosis found a collapse; nothing where there are none."""
    verdicts = {name: state.report(run).get("verdict") for name, run in state.available_runs().items()}
    found = {name: verdict for name, verdict in verdicts.items() if verdict in FAILED}
    if not found:
        return
    from simclr_core.verdict import DIAGNOSES

    st.subheader(t("lab.real_title"))
    st.markdown(t("lab.real"))
    for name, verdict in found.items():
        text = f"{escape_markdown(name)}: {label(DIAGNOSES[verdict].label)}"
        st.page_link("collapse.py", label=text, icon=":material/compress:", query_params={state.RUN_KEY: name})


st.title(t("lab.title"))
st.markdown(t("lab.lead"))
explorer()
check(list(METERS))
failing_runs()
