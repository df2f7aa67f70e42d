"""The one list of pages, and what frames them all: navigation, the run and language switches, the error frame."""

from pathlib import Path

import streamlit as st

from pages.ui import state
from pages.ui.frame import error_frame
from pages.ui.text import LANGUAGE_KEY, LANGUAGES, t

HERE = Path(__file__).resolve().parent
PAGES = {  # file and URL path → icon; the first is home
    "home": ":material/home:",
    "train": ":material/model_training:",
    "map": ":material/scatter_plot:",
    "pairs": ":material/compare:",
    "collapse": ":material/compress:",
    "temperature": ":material/device_thermostat:",
}


def page(name: str, icon: str) -> st.Page:
    home = name == "home"
    path = HERE / f"{name}.py"
    title, tip = t(f"shell.{name}"), t(f"shell.{name}_help")
    return st.Page(path, title=title, icon=icon, url_path="" if home else name, default=home, help=tip)


def sidebar() -> None:
    runs = list(state.available_runs())
    with st.sidebar:
        st.selectbox(
            t("shell.run"),
            runs,
            key=state.RUN_KEY,
            format_func=lambda name: t("shell.demo") if name == state.DEMO else name,
            placeholder=t("shell.no_run"),
            disabled=not runs,
        )
        st.segmented_control(
            t("shell.language"), list(LANGUAGES), key=LANGUAGE_KEY, format_func=LANGUAGES.get, required=True
        )


state.begin()
st.set_page_config(page_title=t("shell.title"), page_icon=str(HERE / "ui" / "logo.svg"), layout="wide")
st.logo(HERE / "ui" / "logo.svg", size="large")
chosen = st.navigation([page(name, icon) for name, icon in PAGES.items()])
with error_frame():
    sidebar()
    chosen.run()
