"""A verdict on the embedding space in words, and everything that it stands on: numbers, spectrum, hubs, neighbours, copies."""

import streamlit as st

from pages.ui import cures, diagnosis, directions, lookalikes, places, reports, state, timeline, why
from pages.ui.shown import Shown
from pages.ui.text import t

run = state.require_run()

st.title(t("collapse.title"))
st.markdown(t("collapse.lead"))
space = diagnosis.choose_space(run)
report = diagnosis.report(run)
found = report.spaces[space]
shown = Shown(run=run, name=st.session_state[state.RUN_KEY], found=found)

diagnosis.verdict_card(found, {s: r for s, r in report.spaces.items() if s != space})
rows = st.empty()
rows.caption(diagnosis.sampled(run, found, None))
diagnosis.checks(found)
reports.download(run, report)
cures.before_after(run, found)
cures.show(run, report, found)
timeline.show(run)

st.header(t("collapse.numbers_title"))
diagnosis.numbers(run, found)

st.header(t("collapse.spectrum_title"))
diagnosis.spectrum(run, found)

with st.spinner(t("collapse.reading")):  # a folder of pictures may take a moment to read
    pictures, missing = shown.pictures, shown.missing
rows.caption(diagnosis.sampled(run, found, None if pictures is None else len(pictures)))
if missing:
    st.info(missing, icon=":material/info:")

st.header(t("collapse.hubs_title"))
lookalikes.hubs(shown)

st.header(t("collapse.near_title"))
lookalikes.neighbours(shown)

st.header(t("collapse.pairs_title"))
lookalikes.pairs(shown)

st.header(t("collapse.places_title"))
places.show(shown)

st.header(t("collapse.directions_title"))
directions.show(shown)

why.show(shown)
