"""The diagnosis as a file to keep: one HTML page, or JSON."""

from __future__ import annotations

import json
from functools import partial

import streamlit as st

from pages.ui.classroom import read_only, refuse
from pages.ui.text import language, t
from simclr_core.records import CollapseReport
from simclr_core.registry import Label
from simclr_core.store import RunDir


def download(run: RunDir, report: CollapseReport) -> None:
    """One button a format; the file is made when it is asked for."""
    if read_only():
        return
    with st.popover(t("collapse.report"), icon=":material/download:"):
        st.caption(t("collapse.report_how"))
        with st.container(horizontal=True):
            for kind, mime in (("html", "text/html"), ("json", "application/json")):
                st.download_button(
                    t(f"collapse.report_{kind}"), partial(as_file, run, report, kind, language()), f"{run.name}-report.{kind}",
                    mime, key=f"collapse.report.{kind}", on_click="ignore",
                )  # fmt: skip


def as_file(run: RunDir, report: CollapseReport, kind: str, code: str) -> bytes:
    """The report in one format; a language that the core does not speak gets English."""
    from simclr_core.report_html import render
    from simclr_core.run_report import report_on

    refuse("write a report")
    found = report_on(run, report=report)
    if kind == "json":
        return json.dumps(found.data, indent=1).encode()
    return render(found, code if code in Label._fields else "en").encode()
