import streamlit as st

from pages.ui.text import t

st.title(t("shell.map"))
