"""Train: set a run up, watch it learn, keep the runs in order."""

import streamlit as st

from pages.ui import classroom, monitor, training
from pages.ui.text import t

st.title(t("train.title"))
run = training.watched()
if run is not None:
    monitor.show(run)
training.mention(training.others_in_work(run))

fresh = run is None
if not classroom.closed():
    setup = st.expander(
        t("train.setup"), expanded=fresh, icon=":material/add_circle:", key=f"train.setup.{fresh}", on_change="rerun"
    )
    if setup.open:  # closed it costs nothing: watching a run needs no torch
        with setup:
            training.form()

st.header(t("train.history"))
training.history()
