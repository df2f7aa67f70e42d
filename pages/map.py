"""The embedding space as a picture with the images in it: draw a map, look, choose, compare with the true neighbours."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import classroom, jobs, rowdata, state, widgets
from pages.ui.components.pointcloud import Chosen, chosen_in, pointcloud
from pages.ui.frame import error_frame
from pages.ui.gallery import gallery, large
from pages.ui.mapview import BY_LABEL, View, map_id, title, up_to_date
from pages.ui.shown import distance_text
from pages.ui.text import label, t
from simclr_core.errors import RunError, sentence
from simclr_core.exports import EXPORTS, export_map
from simclr_core.maps import MAPS
from simclr_core.records import EmbeddingTable
from simclr_core.rowvalues import ROW_VALUES, available_values
from simclr_core.store import JobDir, RunDir

CLOUD = "map.cloud"
OPEN_NEXT, LAST, STARTED = "map.open_next", "map.last", "map.started"
SHOWN, NEAR = 48, 10


def draw_form(run: RunDir, table: EmbeddingTable, busy: bool) -> None:
    """Method, space, axes, seed and parameters of a new map, and the button that starts it."""
    left, right = st.columns(2, gap="medium")
    with left:
        method = widgets.choose(MAPS, t("map.method"), "map.method", start="umap")
        space = st.segmented_control(
            t("map.space"), table.spaces, default=table.spaces[0], required=True, key="map.space", help=t("map.space_help"),
            format_func=lambda s: t(f"map.space_{s}"), persist_state=widgets.KEEP,
        )  # fmt: skip
        dims = st.segmented_control(
            t("map.dims"),
            [2, 3],
            default=2,
            required=True,
            key="map.dims",
            format_func="{}-D".format,
            persist_state=widgets.KEEP,
        )
        seed = st.number_input(
            t("map.seed"), 0, 2**31 - 1, 0, 1, key="map.seed", help=t("map.seed_help"), persist_state=widgets.KEEP
        )
    with right:
        n = len(table)
        suggest = {
            "perplexity": min(30.0, (n - 1) / 3),
            "n_neighbors": min(15, n),
            "epochs": 500 if n <= 10_000 else 200,
        }
        params = asdict(widgets.record(MAPS[method].params, f"map.{method}", suggest=suggest))
    name = map_id(method, space, dims, seed, params)
    if st.button(
        t("map.draw"), type="primary", icon=":material/draw:", key="map.draw", disabled=busy, help=t("map.draw_help")
    ):
        if up_to_date(run, name, params):
            st.session_state[OPEN_NEXT] = name
        else:
            start(run, name, method, space, dims, seed, params)
        st.rerun()


def start(run: RunDir, name: str, method: str, space: str, dims: int, seed: int, params: dict[str, Any]) -> None:
    """Draw a map in its own process; it is saved in the run's `maps` folder."""
    folder = run.path / "maps" / name
    settings = [f"{k}={json.dumps(v)}" for k, v in params.items()]
    arguments = ["map", str(state.embeddings_path(run)), "--method", method, "--space", space, "--dims", str(dims)]
    arguments += ["--seed", str(seed), "--out", str(folder / "map.parquet"), "--job", str(folder), "--set", *settings]
    try:
        jobs.ask(JobDir(folder), "run")
        st.session_state[STARTED] = str(jobs.start(arguments, folder).path)
    except OSError as error:
        raise RunError(sentence("maps", "a folder that can be written", str(folder), str(error.strerror))) from None


def open_when_done(job: JobDir) -> None:
    """Look at a map as soon as its job ends, if it left one."""
    if (job.path / "map.parquet").exists():
        st.session_state[OPEN_NEXT] = job.name


def ended_here(run: RunDir) -> list[JobDir]:
    """The job that this session started last, so that a failure is told after it has ended."""
    path = Path(st.session_state.get(STARTED, ""))
    return [JobDir(path)] if path.parent == run.path / "maps" else []


def choose_map(run: RunDir) -> View | None:
    """The saved map that is looked at; kept in the URL as `?map=`."""
    maps = state.saved_maps(run)
    if not maps:
        return None
    for name in (LAST, OPEN_NEXT):  # a page switch drops a widget's value: the last one is kept beside it
        if name in st.session_state and (name == OPEN_NEXT or "map" not in st.session_state):
            st.session_state["map"] = st.session_state.pop(name)
    state.follow_url("map", maps, next(iter(maps)))
    chosen = st.selectbox(t("map.saved"), list(maps), key="map", format_func=lambda name: title(maps[name]))
    st.session_state[LAST] = chosen
    return View(run=run, id=chosen, map=maps[chosen])


def colour_choice(view: View) -> str:
    """What the points are coloured by."""
    names = [BY_LABEL] if view.map.label is not None else []
    names += available_values(view.table.label)
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with left:
        colour = st.selectbox(
            t("map.colour"), names, key="map.colour", persist_state=widgets.KEEP,
            format_func=lambda n: t("map.by_class") if n == BY_LABEL else label(ROW_VALUES[n].label),
        )  # fmt: skip
    if colour in ROW_VALUES:
        right.caption(label(ROW_VALUES[colour].help))
        with st.spinner(t("map.measuring")):
            view.value(colour)
    return colour


@st.fragment
def explore(view: View) -> None:
    """The cloud and what follows from a choice in it; a choice reruns this part only."""
    with error_frame():
        if rowdata.all_equal(view.run, view.space):
            st.warning(t("map.all_equal", space=view.space), icon=":material/warning:")
        colour = colour_choice(view)
        chosen = chosen_in(CLOUD, view.address, view.n)
        near = (np.zeros(0, int), np.zeros(0)) if chosen.picked is None else view.neighbours(chosen.picked)
        widgets.badge(widgets.of_run(view.run))
        pointcloud(view.cloud(colour, (-1 if chosen.picked is None else chosen.picked, list(near[0][:NEAR]))), CLOUD)
        st.caption(view.trust)
        numbers(view)
        if view.missing:
            st.caption(view.missing)
        if chosen.picked is None:
            st.info(t("map.pick_one"), icon=":material/touch_app:")
        else:
            picked_panel(view, chosen.picked, near)
        selection_panel(view, chosen.rows)
        export_panel(view, chosen)


def numbers(view: View) -> None:
    """The map as a table, sent when it is opened."""
    opened = st.expander(t("common.as_table"), icon=":material/table_rows:", key="map.table", on_change="rerun")
    if opened.open:
        rows = view.columns(view.row, t("collapse.image"), t("map.by_class")) | dict(
            zip("xyz", view.map.xy.T, strict=False)
        )
        opened.dataframe(rows, hide_index=True, key="map.table.rows")


def picked_panel(view: View, i: int, near: tuple[np.ndarray, np.ndarray]) -> None:
    """The picked point: its picture, what is known of its row, and its nearest others in the original space."""
    row = int(view.row[i])
    st.subheader(t("map.neighbours", index=view.index(row)))
    left, right = st.columns([1, 3], gap="medium")
    with left:
        if not view.missing:
            large(view.tile(row, size=192))
        st.text(view.class_of(row))
        if view.n <= rowdata.GRAPH_ROWS:
            values = available_values(view.table.label)
            st.caption("  \n".join(f"{label(ROW_VALUES[v].label)}: {view.value(v)[i]:.4g}" for v in values))
    with right:
        few = zip(view.row[near[0][:NEAR]], near[1][:NEAR], strict=True)
        gallery([view.tile(int(r), distance_text(d), row) for r, d in few])
        marks = "" if view.table.label is None else t("collapse.marks")
        st.caption(f"{t('map.neighbours_how', space=view.space)} {marks}")


def selection_panel(view: View, rows: np.ndarray) -> None:
    """The chosen points: how many of which class, and their pictures."""
    if not len(rows):
        return
    st.subheader(t("map.selected", chosen=f"{len(rows):,}", n=f"{view.n:,}"))
    if view.map.label is not None:
        values, counts = np.unique(view.map.label[rows], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        st.text(" · ".join(f"{rowdata.class_text(view.table, int(values[k]))}: {counts[k]:,}" for k in order[:20]))
    pages = -(-len(rows) // SHOWN)
    page = st.pagination(pages, key=f"map.page.{pages}") if pages > 1 else 1
    few = map(int, view.row[rows[(page - 1) * SHOWN : page * SHOWN]])
    gallery([view.tile(row, t("map.image", index=view.index(row))) for row in few])


def export_bytes(view: View, kind: str, chosen: Chosen) -> bytes:
    """The map with every value of its rows, and which are chosen."""
    extra = {name: view.value(name) for name in available_values(view.table.label)}
    extra["selected"] = np.isin(np.arange(view.n), chosen.rows)
    return export_map(kind, view.map, extra, view.table.class_names)


def export_panel(view: View, chosen: Chosen) -> None:
    """One button a format; the file is made when it is asked for."""
    with st.expander(t("map.export"), icon=":material/download:"):
        st.caption(t("map.export_how", seed=view.map.seed))
        with st.container(horizontal=True):
            for kind, choice in EXPORTS.items():
                st.download_button(
                    label(choice.label), partial(export_bytes, view, kind, chosen), f"{view.run.name}-{view.id}.{kind}", choice.mime,
                    key=f"map.export.{kind}", on_click="ignore",
                )  # fmt: skip


def reading(view: View) -> None:
    """How to read this kind of map, and how it misleads."""
    method = MAPS.get(view.map.method)
    with st.expander(t("map.reading"), icon=":material/menu_book:"):
        if method is not None:
            st.markdown(f"**{label(method.label)}.** {label(method.help)}")
        st.markdown(t("map.reading_all"))
        source = view.map.method if method is None else method.source
        st.caption(t("map.drawn", seconds=f"{view.map.seconds:.1f}", seed=view.map.seed, method=source))


def body() -> None:
    run = state.require_run()
    table = state.table(run)
    st.title(t("map.title"))
    running = jobs.active_jobs(Path(run.path) / "maps")
    view = choose_map(run)
    with st.expander(t("map.new"), icon=":material/add_chart:", expanded=view is None):
        if not classroom.closed():
            draw_form(run, table, bool(running))
    for job in running or ended_here(run):
        jobs.show(job, f"map.job.{job.name}", partial(open_when_done, job))
    if view is None:
        st.info(t("map.none_yet"))
        return
    explore(view)
    reading(view)


body()
