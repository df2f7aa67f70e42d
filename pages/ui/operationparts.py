"""What each view operation costs, and what of it can be read back: the verb `invariance` as a job, its answer kept in the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import figures, jobs, pairfigures, state, twins, widgets
from pages.ui.classroom import read_only
from pages.ui.text import label, t
from simclr_core.invariance import LENGTHS, PICTURES, QUESTIONS, Length
from simclr_core.means import Mean
from simclr_core.operations import OPERATIONS, STRENGTHS
from simclr_core.readout import AMOUNT, READOUTS, YES_NO, Scale
from simclr_core.records import SPACES, Interval, Space
from simclr_core.store import JobDir, RunDir, read_json

ASK, OPERATION, COUNT, LENGTH = "ask", "operation", "pictures", "length"
COUNTS = ("64", "128", str(PICTURES), "512")
ENDS = ("operations.from", "operations.to")
FOLDER, FILE = "invariance", "answer.json"

Told = Mapping[str, Any]  # what the verb says of one encoder in one space
Answer = Mapping[twins.Which, Mapping[Space, Any]]


def operations(run: RunDir, space: Space) -> None:
    """Three questions; each is measured once, in a process of its own, and its answer kept."""
    if reason := twins.views_missing(run):
        st.info(reason, icon=":material/info:")
        return
    ask, options = question()
    if ask is None:
        st.caption(t("operations.choose"))
        return
    job = JobDir(run.path / FOLDER / "-".join([ask, *options[1::2]]))
    busy = jobs.active_jobs(job.path.parent)
    for each in busy or [job]:
        jobs.show(each, f"operations.job.{each.name}")
    found = answer(run, job)
    if found is not None:
        ANSWERS[ask](found, space)
    elif read_only():
        st.caption(t("common.not_measured"))
    elif st.button(
        t("operations.measure"),
        key="operations.measure",
        type="primary",
        icon=":material/science:",
        disabled=bool(busy),
    ):
        jobs.start(command(run, job, ["--ask", ask, *options]), job.path)
        st.rerun()


def question() -> tuple[str | None, list[str]]:
    """Which question, and the verb's options that go with it: in the URL, so that a link asks the same."""
    state.follow_url(ASK, QUESTIONS, None)
    state.follow_url(COUNT, COUNTS, str(PICTURES))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ask = st.segmented_control(
            t("operations.ask"), QUESTIONS, key=ASK, format_func=lambda q: t(f"operations.ask_{q}"),
            persist_state=widgets.KEEP, wrap=True,
        )  # fmt: skip
        count = st.selectbox(t("operations.pictures"), COUNTS, key=COUNT, persist_state=widgets.KEEP, width=130)
        if ask != "sweep":
            return ask, ["--most", count]
        state.follow_url(OPERATION, OPERATIONS, next(iter(OPERATIONS)))
        operation = st.selectbox(
            t("operations.operation"), OPERATIONS, key=OPERATION, format_func=operation_name, persist_state=widgets.KEEP,
            width=260,
        )  # fmt: skip
    return ask, ["--operation", operation, "--most", count]


def command(run: RunDir, job: JobDir, question: list[str]) -> list[str]:
    """The command line that answers a question on the pictures that the run's embeddings are of."""
    pictures = ["--images", state.spec_of(run) or "", "--split", state.split_of(run)]
    ends = ["--untrained", "--out", str(job.path / FILE), "--job", str(job.path)]
    return ["invariance", "--encoder", str(run.path), *pictures, *question, *ends]


def answer(run: RunDir, job: JobDir) -> Answer | None:
    """What was measured of both encoders, by space; None before that, and once the run has a newer checkpoint."""
    path = job.path / FILE
    if not path.exists() or path.stat().st_mtime_ns < twins.encoder_stamp(run):
        return None
    said = read_json(path)
    return {"encoder": said["spaces"], "untrained": said["untrained"]["spaces"]}


def read(told: Told) -> Mean:
    """A mean as the verb tells it."""
    return Mean(told["value"], told["interval"] and Interval(*told["interval"]), told["n"])


def choose_length() -> Length:
    """Which distance: of two views, or of a view and the picture."""
    state.follow_url(LENGTH, LENGTHS, LENGTHS[0])
    return st.segmented_control(
        t("operations.length"), LENGTHS, required=True, key=LENGTH, persist_state=widgets.KEEP,
        format_func=lambda name: t({"between": "orbits.between", "radius": "orbits.to_original"}[name]),
    )  # fmt: skip


def operation_name(name: str) -> str:
    """An operation; a part of another one has a dash."""
    entry = OPERATIONS[name]
    return t("operations.part", part=label(entry.label)) if entry.part_of else label(entry.label)


# -- which operation costs most ------------------------------------------------------------------------------------------
def ablation(found: Answer, space: Space) -> None:
    """Every operation of the recipe alone, and what it adds to the others, both encoders."""
    if not found["encoder"][space]["operations"]:
        st.info(t("operations.no_recipe"), icon=":material/info:")
        return
    length = choose_length()
    grid = st.grid(2, min_column_width=360, gap="medium")
    for which, spaces in found.items():
        with grid.cell(), st.container(border=True):
            st.subheader(t(f"pairs.{which}"))
            if spaces[space]["whole"]["apart"] > 0:
                costs(which, spaces[space], length)
            else:
                st.caption(t("orbits.no_distance"))
    st.caption(t("operations.ablation_how"))


def costliest(cost: Mapping[str, float]) -> list[str]:
    """Operations by what they cost, the most first, each followed by its parts."""
    whole = {name: OPERATIONS[name].part_of or name for name in cost}
    return sorted(cost, key=lambda name: (-cost[whole[name]], whole[name], name != whole[name], -cost[name]))


def costs(which: twins.Which, found: Told, length: Length) -> None:
    """One encoder: a row an operation, in per cent of the distance of two pictures; the table in plain distances."""
    alone = {name: read(of["alone"][length]) for name, of in found["operations"].items()}
    adds = {name: read(of["adds"][length]) for name, of in found["operations"].items()}
    order = costliest({name: m.value for name, m in alone.items()})
    apart, whole = found["whole"]["apart"], found["whole"][length]["value"]
    series = {t("operations.alone"): [alone[n] for n in order], t("operations.adds"): [adds[n] for n in order]}
    shown = {title: [pairfigures.scaled(m, apart / 100) for m in means] for title, means in series.items()}
    names = [operation_name(n) for n in order]
    figure = pairfigures.dots(names, shown, x_title=t("orbits.share"), mark=0)
    columns = pairfigures.mean_columns(series, (t(ENDS[0]), t(ENDS[1])))
    most = max((n for n in order if not OPERATIONS[n].part_of), key=lambda n: adds[n].value)
    said = t(
        "operations.most", alone=label(OPERATIONS[order[0]].label), adds=label(OPERATIONS[most].label),
        whole=f"{whole / apart:.0%}",
    )  # fmt: skip
    widgets.figure_with_table(
        figure, {t("operations.operation"): names} | columns, f"operations.costs.{which}", caption=said,
        alt=f"{t(f'pairs.{which}')}: {said}",
    )  # fmt: skip


# -- one operation, stronger and stronger --------------------------------------------------------------------------------
def strengths(found: Answer, space: Space) -> None:
    """The distance by the strength of one operation, in h and z of both encoders."""
    length = choose_length()
    series: dict[str, list[Mean]] = {}
    shown: dict[str, list[Mean]] = {}
    for which, spaces in found.items():
        for s, steps in spaces.items():
            title = series_name(which, s)
            series[title] = [read(step[length]) for step in steps]
            if (apart := steps[0]["apart"]) > 0:
                shown[title] = [pairfigures.scaled(m, apart / 100) for m in series[title]]
    if not shown:
        st.info(t("orbits.no_distance"), icon=":material/info:")
        return
    with st.container(border=True):
        curve(st.session_state[OPERATION], shown, series)


def curve(name: str, shown: dict[str, list[Mean]], series: dict[str, list[Mean]]) -> None:
    """Distance by strength, with intervals; the table in plain distances."""
    entry = OPERATIONS[name]
    values = {title: np.array([m.value for m in means]) for title, means in shown.items()}
    figure = figures.curves(
        np.array(STRENGTHS), values, x_title=t("operations.strength", meaning=label(entry.strength)),
        y_title=t("orbits.share"),
    )  # fmt: skip
    for trace, means in zip(figure.data, shown.values(), strict=True):
        half = [m.interval.high - m.value if m.interval else 0.0 for m in means]
        trace.error_y = {"type": "data", "array": half, "thickness": 1.2, "width": 3}
    figure.update_yaxes(rangemode="tozero")
    columns = pairfigures.mean_columns(series, (t(ENDS[0]), t(ENDS[1])))
    ends = {title: f"{means[-1].value:.0f}" for title, means in shown.items()}
    alt = t("operations.sweep_alt", name=operation_name(name), ends="; ".join(f"{k} {v} %" for k, v in ends.items()))
    widgets.figure_with_table(
        figure, {t("operations.strength_column"): list(STRENGTHS)} | columns, "operations.sweep",
        caption=f"{label(entry.help)} {t('operations.sweep_how')}", alt=alt,
    )  # fmt: skip


def series_name(which: twins.Which, space: Space) -> str:
    return t(f"operations.series_{which}", space=space)


# -- what the head throws away -------------------------------------------------------------------------------------------
def readout(spaces: Answer, space: Space) -> None:
    """What a linear reader tells of the augmentations, from h and from z, both encoders."""
    found = {
        series_name(which, s): {name: score and read(score) for name, score in scores.items()}
        for which, by_space in spaces.items()
        for s, scores in by_space.items()
    }
    asked = {name for scores in found.values() for name, score in scores.items() if score is not None}
    for scale in (YES_NO, AMOUNT):
        names = [name for name, entry in READOUTS.items() if entry.scale is scale and name in asked]
        if names:
            with st.container(border=True):
                st.subheader(t(f"operations.{scale.measure}"))
                scores_of(names, scale, found)
    if left := [label(READOUTS[name].label) for name in READOUTS if name not in asked]:
        st.caption(t("operations.not_asked", names=", ".join(left)))


def scores_of(names: list[str], scale: Scale, found: dict[str, dict[str, Mean | None]]) -> None:
    """One figure: a row a question, its scores from 0 or guessing to 1."""
    series = {title: [scores[name] for name in names] for title, scores in found.items()}
    titles = [label(READOUTS[name].label) for name in names]
    figure = pairfigures.dots(titles, series, x_title=t(f"operations.{scale.measure}_axis"), mark=scale.chance)
    columns = pairfigures.mean_columns(series, (t(ENDS[0]), t(ENDS[1])))
    best = {s: max((m.value for m in series[series_name("encoder", s)] if m is not None), default=0.0) for s in SPACES}
    alt = t("operations.readout_alt", h=f"{best['h']:.2f}", z=f"{best['z']:.2f}", chance=scale.chance)
    widgets.figure_with_table(
        figure, {t("operations.question"): titles} | columns, f"operations.{scale.measure}",
        caption=t(f"operations.{scale.measure}_how"), alt=alt,
    )  # fmt: skip


ANSWERS = dict(zip(QUESTIONS, (ablation, strengths, readout), strict=True))
