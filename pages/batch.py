"""What the size of a batch does: one image alone, every size on the loaded encoder, and what BatchNorm sees."""

import streamlit as st

from pages.ui import batchparts, measuredruns
from pages.ui.frame import error_frame
from pages.ui.text import t


@st.fragment
def alone() -> None:
    with error_frame():
        batchparts.alone()


@st.fragment
def measured() -> None:
    with error_frame():
        batchparts.measured()


@st.fragment
def norm() -> None:
    with error_frame():
        batchparts.norm()


st.title(t("batch.title"))
st.markdown(t("batch.lead"))
st.header(t("batch.one_title"))
alone()
st.header(t("batch.measured_title"))
measured()
st.header(t("batch.norm_title"))
norm()
st.header(t("batch.runs_title"))
measuredruns.show("batch")
