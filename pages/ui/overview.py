"""What the home page says about the loaded run, and the three ways to load another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import dataflow, figures, jobs, loading, state, stillmap
from pages.ui.classroom import closed, public, source
from pages.ui.text import label, t, worded
from pages.ui.widgets import badge, of_run
from simclr_core.errors import DataError, SimclrError, sentence
from simclr_core.maps import MAPS
from simclr_core.store import JobDir, RunDir

SEVERITY = {"ok": ("green", "check_circle"), "warn": ("orange", "warning"), "fail": ("red", "error")}
STRIP = 24
MAP_POINTS = 3000


# -- what is loaded ------------------------------------------------------------------------------------------------------
def verdict(report: dict[str, Any]) -> None:
    """The verdict as a badge, the sentences that carry it and a remedy; "not measured" where there is no report."""
    if not report:
        st.caption(t("home.no_verdict"))
        return
    colour, icon = SEVERITY.get(report.get("severity", ""), SEVERITY["warn"])
    st.badge(verdict_name(report), color=colour, icon=f":material/{icon}:")
    for finding in weightiest(report)[:2]:
        st.markdown(worded(finding.get("sentences", {})) or finding.get("sentence", ""))
    if remedy := worded(report.get("remedy") or {}):
        st.markdown(remedy)


def verdict_name(report: dict[str, Any]) -> str:
    """What the verdict is called; a healthy space may still have warnings."""
    from simclr_core.verdict import DIAGNOSES

    name = report.get("verdict", "")
    if name in DIAGNOSES:
        return label(DIAGNOSES[name].label)
    return t("home.verdict.ok" if report.get("severity") == "ok" else "home.verdict.warn")


def weightiest(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings that carry the verdict: those of its own severity, the one it is named after first."""
    chosen = [f for f in report.get("findings", []) if f.get("severity") == report.get("severity")]
    return sorted(chosen, key=lambda f: f.get("id") != report.get("verdict"))


def facts(run: RunDir) -> None:
    """Encoder, pictures and embeddings in a few short lines."""
    table = state.table(run) if state.has_table(run) else None
    info = run.info
    model = info.get("config", {}).get("model", {})
    widths = ", ".join(f"{s}: {table.space(s).shape[1]}" for s in table.spaces) if table is not None else ""
    lines = {
        "encoder": model.get("backbone") or info.get("imported", {}).get("encoder") or t("home.imported"),
        "images": source(state.spec_of(run) or "") or t("home.no_images"),
        "rows": f"{len(table):,}" if table is not None else t("common.not_measured"),
        "widths": widths or t("common.not_measured"),
    }
    grid = st.grid(2, min_column_width=120, gap="small")
    for key, value in lines.items():
        with grid.cell(), st.container(gap="xxsmall"):
            st.caption(t(f"home.fact.{key}"))
            st.text(value)


def small_map(run: RunDir) -> None:
    """The newest 2-D map as a still picture, at most a few thousand points of it."""
    maps = [m for m in state.saved_maps(run).values() if m.dims == 2]
    if not maps:
        st.caption(t("home.no_map"))
        return
    m = maps[0]
    keep = figures.thin(len(m.xy), MAP_POINTS)
    names = state.table(run).class_names if state.has_table(run) else ()
    drawn = stillmap.drawing(m.xy[keep], None if m.label is None else m.label[keep], names, dataflow.ink())
    badge(of_run(run))
    st.image(drawn, width="stretch", alt=t("home.map_alt", method=m.method, n=len(keep)))
    method = label(MAPS[m.method].label) if m.method in MAPS else m.method
    st.caption(t("home.map_caption", method=method, space=m.space, shown=f"{len(keep):,}", n=f"{len(m.xy):,}"))


def strip(run: RunDir) -> None:
    """A few of the run's pictures, evenly drawn from its held-out part."""
    try:
        pictures = state.pictures(run)
    except SimclrError as error:
        st.caption(t("home.pictures_gone", reason=public(error)))
        return
    if pictures is None:
        st.caption(t("home.no_pictures"))
        return
    rows = np.linspace(0, len(pictures) - 1, min(STRIP, len(pictures))).round().astype(int)
    sheet = figures.contact_sheet(pictures.image[rows], min(12, len(rows)), side=72)
    st.image(sheet, width="stretch", alt=t("home.strip_alt", n=len(rows)))


# -- ways in -------------------------------------------------------------------------------------------------------------
def demo_card() -> None:
    """Open the bundled demo."""
    st.subheader(t("home.demo_title"), icon=":material/science:")
    st.markdown(t("home.demo"))
    here = state.DEMO in state.available_runs()
    st.button(
        t("home.demo_open"),
        key="home.demo",
        type="primary",
        disabled=not here,
        on_click=state.open_run,
        args=(state.DEMO,),
    )
    if not here:
        st.caption(t("home.demo_absent"))


def train_card() -> None:
    """Train on one's own pictures."""
    st.subheader(t("home.train_title"), icon=":material/model_training:")
    st.markdown(t("home.train"))
    st.page_link("train.py", label=t("home.train_open"), icon=":material/arrow_forward:")


def load_card() -> None:
    """Load an encoder file, or embeddings that were saved elsewhere."""
    st.subheader(t("home.load_title"), icon=":material/folder_open:")
    if closed():
        return
    st.markdown(t("home.load"))
    with st.container(horizontal=True):
        if st.button(t("home.load_encoder"), key="home.load_encoder"):
            encoder_dialog()
        if st.button(t("home.load_embeddings"), key="home.load_embeddings"):
            embeddings_dialog()


def encoder_dialog() -> None:
    """Ask for a checkpoint and the pictures to encode."""
    st.dialog(t("home.encoder_title"), width="medium")(_encoder_form)()


def _encoder_form() -> None:
    st.markdown(t("home.encoder_form"))
    where = st.text_input(t("home.encoder_path"), key="home.encoder_path", placeholder="~/checkpoints/last.ckpt")
    try:
        images = loading.choose_images("home.encoder")
        name = st.text_input(t("home.name"), loading.suggested_name("encoder"), key="home.encoder_name")
        if st.button(t("home.prepare"), key="home.prepare", type="primary", disabled=not (where.strip() and images)):
            prepare(where, images or "", name)
            st.rerun()
    except SimclrError as error:
        st.error(public(error))


def prepare(encoder: str, images: str, name: str) -> JobDir:
    """Start the job that encodes pictures with an encoder file into a new run."""
    source, path = loading.allowed_path(encoder), loading.new_run_path(name)
    arguments = ["prepare", "--encoder", str(source), "--images", images, "--out", str(path)]
    st.session_state["home.job"] = name
    return jobs.start(arguments, path)


def embeddings_dialog() -> None:
    """Ask for a file of embeddings."""
    st.dialog(t("home.embeddings_title"), width="medium")(_embeddings_form)()


def _embeddings_form() -> None:
    st.markdown(t("home.embeddings_form"))
    upload = st.file_uploader(
        t("home.upload"), type=["npz", "npy"], key="home.upload", max_upload_size=loading.UPLOAD_MIB
    )
    where = st.text_input(t("home.or_path"), key="home.embeddings_path", placeholder="~/embeddings.npz")
    name = st.text_input(t("home.name"), loading.suggested_name("embeddings"), key="home.embeddings_name")
    if st.button(t("home.import"), key="home.import", type="primary", disabled=not (upload or where.strip())):
        try:
            run = loading.import_embeddings(_bounded(upload) if upload else loading.allowed_path(where), name)
        except SimclrError as error:
            st.error(public(error))
            return
        state.open_after_rerun(run.name)
        st.rerun()


def _bounded(upload: Any) -> bytes | Path:
    """The uploaded bytes; the widget's limit is the browser's word only, so it is checked again."""
    if upload.size > loading.UPLOAD_MIB * 2**20:
        found = f"{upload.size / 2**20:.0f} MiB"
        raise DataError(sentence("upload", f"at most {loading.UPLOAD_MIB} MiB", found, "give its path instead"))
    return upload.getvalue()


def running_jobs() -> None:
    """What is being prepared right now, and how the last job of this session ended if it went wrong."""
    mine = st.session_state.get("home.job")
    found = {job.name: job for job in jobs.active_jobs(state.runs_root())}
    if mine and mine not in found:
        found[mine] = JobDir(state.runs_root() / mine)
    for name, job in found.items():
        with st.container(border=True):
            st.markdown(t("home.job", name=name))
            if jobs.show(job, f"home.job.{name}") == "done" and name == mine:
                del st.session_state["home.job"]
                state.open_after_rerun(name)
                st.rerun()
