"""Home: what is loaded and how to load something else."""

import streamlit as st

from pages.ui import dataflow, overview, state
from pages.ui.text import t

run = state.current()

st.title(t("shell.title"))
st.markdown(t("home.lead"))
overview.running_jobs()

if run is not None:
    grid = st.grid(2, min_column_width=330, gap="medium")
    with grid.cell():
        overview.small_map(run)
    with grid.cell(), st.container(border=True):
        st.subheader(state.called(run))
        overview.verdict(state.report(run))
        overview.facts(run)
        with st.container(horizontal=True):
            st.page_link("map.py", icon=":material/scatter_plot:")
            st.page_link("pairs.py", icon=":material/compare:")
            st.page_link("collapse.py", icon=":material/compress:")
    pictures = st.container()

st.header(t("home.ways" if run is not None else "home.begin"))
ways = st.grid(3, min_column_width=250, border=True)
for card in (overview.demo_card, overview.train_card, overview.load_card):
    with ways.cell():
        card()

st.header(t("home.flow.title"))
dataflow.show()
st.caption(t("home.flow.caption"))

if run is not None:
    with pictures:  # last: a folder of pictures may take a moment to read
        overview.strip(run)
