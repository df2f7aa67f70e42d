"""Distances between augmented views, a part at a time: of all stored pairs, of each picture and class, by operation, of one
picture under the glass, of the worst pairs."""

from functools import partial

import streamlit as st

from pages.ui import operationparts, orbitparts, pairparts, parts, state
from pages.ui.text import t

run = state.require_run()

st.title(t("pairs.title"))
st.markdown(t("pairs.lead"))
space = parts.choose_space(pairparts.spaces_of(run))
pairparts.summary(run, space)

parts.show("pairs", {
    "all": partial(pairparts.all_pairs, run, space),
    "each": partial(orbitparts.each_picture_and_class, run, space),
    "operations": partial(operationparts.operations, run, space),
    "one": partial(pairparts.one_picture, run, space),
    "worst": partial(pairparts.worst_pairs, run, space),
})  # fmt: skip
