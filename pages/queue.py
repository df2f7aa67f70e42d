"""More negatives without a bigger batch: what a queue and a bank hold, what each way costs, and what a cut batch loses."""

import streamlit as st

from pages.ui import measuredruns, queueparts
from pages.ui.frame import error_frame
from pages.ui.text import t


@st.fragment
def slots() -> None:
    with error_frame():
        queueparts.lanes(queueparts.choose_step())


@st.fragment
def budgets() -> None:
    with error_frame():
        queueparts.age()
        queueparts.costs(queueparts.choose_plan())


@st.fragment
def accumulation() -> None:
    with error_frame():
        queueparts.cut()


st.title(t("queue.title"))
st.markdown(t("queue.lead"))
slots()
st.header(t("queue.costs_title"))
st.markdown(t("queue.costs_lead"))
budgets()
st.header(t("queue.cut_title"))
accumulation()
st.header(t("queue.runs_title"))
measuredruns.show("queue")
