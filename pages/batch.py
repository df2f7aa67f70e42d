"""What the size of a batch does: who is compared, one image alone, every size on the loaded encoder, what BatchNorm sees."""

import streamlit as st

from pages.ui import batchparts, measuredruns
from pages.ui.frame import error_frame
from pages.ui.text import t


@st.fragment
def compared(tau: float) -> None:
    with error_frame():
        batchparts.compared(tau)


@st.fragment
def alone(tau: float) -> None:
    with error_frame():
        batchparts.alone(tau)


@st.fragment
def measured(tau: float) -> None:
    with error_frame():
        batchparts.measured(tau)


@st.fragment
def norm() -> None:
    with error_frame():
        batchparts.norm()


st.title(t("batch.title"))
st.markdown(t("batch.lead"))
tau = batchparts.choose_temperature()
st.header(t("batch.matrix_title"))
compared(tau)
st.header(t("batch.one_title"))
alone(tau)
st.header(t("batch.measured_title"))
measured(tau)
st.header(t("batch.norm_title"))
norm()
st.header(t("batch.runs_title"))
measuredruns.show("batch")
