"""Distances between augmented views: of all stored pairs (no torch), of each picture and class, by operation, of one picture
under the glass, of the worst pairs."""

import streamlit as st

from pages.ui import operationparts, orbitparts, pairparts, state
from pages.ui.text import t

run = state.require_run()

st.title(t("pairs.title"))
st.markdown(t("pairs.lead"))
space = pairparts.choose_space(run)

st.header(t("pairs.all_title"))
pairparts.all_pairs(run, space)

st.header(t("orbits.title"))
orbitparts.each_picture_and_class(run, space)

st.header(t("operations.title"))
operationparts.operations(run, space)

st.header(t("pairs.one_title"))
pairparts.one_picture(run, space)

pairparts.worst_pairs(run, space)
