"""A verdict on the embedding space in words, and everything that it stands on, a part at a time."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.ui import cures, diagnosis, directions, lookalikes, parts, places, reports, state, timeline, why
from pages.ui.shown import Shown
from pages.ui.text import t

run = state.require_run()

st.title(t("collapse.title"))
st.markdown(t("collapse.lead"))
with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    space = parts.choose_space(state.table(run).spaces)
    keep = st.container(width="content")
report = diagnosis.report(run)
found = report.spaces[space]
shown = Shown(run=run, found=found)
with keep:
    reports.download(run, report)

diagnosis.verdict_card(found, {s: r for s, r in report.spaces.items() if s != space})
rows = st.empty()
rows.caption(diagnosis.sampled(run, found, None))
if found.verdict != "healthy" and cures.facts(run) is None:
    st.caption(t("cures.unknown"))


def with_pictures(*draw: Callable[[Shown], None]) -> None:
    """A part that shows pictures: reading a folder of them may take a moment."""
    with st.spinner(t("collapse.reading")):
        missing = shown.missing
    if missing:
        st.info(missing, icon=":material/info:")
    for each in draw:
        each(shown)


parts.show("collapse", {
    **({"causes": partial(cures.show, run, report, found)} if cures.known(run, found) else {}),
    "checks": partial(diagnosis.checks, found),
    "numbers": partial(diagnosis.numbers, run, found),
    "spectrum": partial(diagnosis.spectrum, run, found),
    "directions": partial(with_pictures, directions.show),
    "hubs": partial(with_pictures, lookalikes.hubs),
    "near": partial(with_pictures, lookalikes.neighbours),
    "pairs": partial(with_pictures, lookalikes.pairs),
    "places": partial(with_pictures, places.show),
    **({"steps": partial(timeline.show, run)} if state.metrics(run) else {}),
})  # fmt: skip
rows.caption(diagnosis.sampled(run, found, None if shown.pictures is None else len(shown.pictures)))
why.show(shown)
