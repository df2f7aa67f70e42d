"""Train: set a run up, watch it learn, keep the runs in order."""

import streamlit as st

from pages.ui import monitor, training
from pages.ui.text import t

st.title(t("train.title"))
run = training.watched()
if run is not None:
    monitor.show(run)
training.mention(training.others_in_work(run))

with st.expander(t("train.setup"), expanded=run is None, icon=":material/add_circle:"):
    training.form()

st.header(t("train.history"))
training.history()
