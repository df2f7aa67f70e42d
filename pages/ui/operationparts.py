"""What each view operation costs, and what of it can be read back: measured on new views when a person asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import streamlit as st

from pages.ui import figures, pairfigures, state, twins, widgets
from pages.ui.text import label, t
from simclr_core.errors import SimclrError
from simclr_core.invariance import LENGTHS, PICTURES, QUESTIONS, Ablation, Length, ablate, sweep
from simclr_core.means import Mean, mean
from simclr_core.operations import OPERATIONS, STRENGTHS
from simclr_core.progress import Progress, stretch
from simclr_core.readout import AMOUNT, READOUTS, YES_NO, Scale
from simclr_core.records import SPACES, Space
from simclr_core.store import RunDir

ASK, OPERATION, COUNT, LENGTH = "ask", "operation", "pictures", "length"
COUNTS = ("64", "128", str(PICTURES), "512")
ENDS = ("operations.from", "operations.to")


@st.fragment
def operations(run: RunDir, space: Space) -> None:
    """Three questions; choosing one measures it, and a control reruns this part only."""
    if reason := twins.views_missing(run):
        st.info(reason, icon=":material/info:")
        return
    ask, count = questions()
    if ask is None:
        st.caption(t("operations.choose"))
        return
    try:
        ANSWERS[ask](run, space, count)
    except SimclrError as error:  # told here, so that the rest of the page stays
        st.error(str(error), icon=":material/error:")


def questions() -> tuple[str | None, int]:
    """Which question and on how many pictures: in the URL, so that a link measures the same."""
    state.follow_url(ASK, QUESTIONS, None)
    state.follow_url(COUNT, COUNTS, str(PICTURES))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ask = st.segmented_control(
            t("operations.ask"), QUESTIONS, key=ASK, format_func=lambda q: t(f"operations.ask_{q}"),
            persist_state=widgets.KEEP, wrap=True,
        )  # fmt: skip
        count = st.selectbox(t("operations.pictures"), COUNTS, key=COUNT, persist_state=widgets.KEEP, width=130)
    return ask, int(count)


@contextmanager
def told() -> Iterator[Progress]:
    """A bar while something is measured."""
    bar = st.progress(0.0, text=t("operations.measuring"))

    def tell(share: float, message: str) -> bool:
        bar.progress(min(share, 1.0), text=t("operations.measuring"))
        return False

    yield tell
    bar.empty()


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
def ablation(run: RunDir, space: Space, count: int) -> None:
    """Every operation of the recipe alone, and what it adds to the others, both encoders."""
    length = choose_length()
    found: dict[twins.Which, Ablation] = {}
    with told() as tell:
        for i, which in enumerate(twins.BOTH):
            progress = stretch(tell, i / 2, (i + 1) / 2)
            found[which] = ablate(twins.recipe(run), partial(twins.measured, run, which, count), progress=progress)
    if not found["encoder"].alone:
        st.info(t("operations.no_recipe"), icon=":material/info:")
        return
    grid = st.grid(2, min_column_width=360, gap="medium")
    for which, of in found.items():
        with grid.cell(), st.container(border=True):
            st.subheader(t(f"pairs.{which}"))
            if of.whole[space].apart > 0:
                costs(which, of, space, length)
            else:
                st.caption(t("orbits.no_distance"))
    st.caption(t("operations.ablation_how"))


def costliest(cost: Mapping[str, float]) -> list[str]:
    """Operations by what they cost, the most first, each followed by its parts."""
    whole = {name: OPERATIONS[name].part_of or name for name in cost}
    return sorted(cost, key=lambda name: (-cost[whole[name]], whole[name], name != whole[name], -cost[name]))


def costs(which: twins.Which, found: Ablation, space: Space, length: Length) -> None:
    """One encoder: a row an operation, in per cent of the distance of two pictures; the table in plain distances."""
    alone = {name: mean(getattr(of[space], length)) for name, of in found.alone.items()}
    adds = {name: found.adds(name, space, length) for name in alone}
    order = costliest({name: m.value for name, m in alone.items()})
    apart, whole = found.whole[space].apart, mean(getattr(found.whole[space], length))
    series = {t("operations.alone"): [alone[n] for n in order], t("operations.adds"): [adds[n] for n in order]}
    shown = {title: [pairfigures.scaled(m, apart / 100) for m in means] for title, means in series.items()}
    names = [operation_name(n) for n in order]
    figure = pairfigures.dots(names, shown, x_title=t("orbits.share"), mark=0)
    columns = pairfigures.mean_columns(series, (t(ENDS[0]), t(ENDS[1])))
    most = max((n for n in order if not OPERATIONS[n].part_of), key=lambda n: adds[n].value)
    said = t(
        "operations.most", alone=label(OPERATIONS[order[0]].label), adds=label(OPERATIONS[most].label),
        whole=f"{whole.value / apart:.0%}",
    )  # fmt: skip
    widgets.figure_with_table(
        figure, {t("operations.operation"): names} | columns, f"operations.costs.{which}", caption=said,
        alt=f"{t(f'pairs.{which}')}: {said}",
    )  # fmt: skip


# -- one operation, stronger and stronger --------------------------------------------------------------------------------
def strengths(run: RunDir, space: Space, count: int) -> None:
    """The distance by the strength of one operation, in h and z of both encoders."""
    state.follow_url(OPERATION, OPERATIONS, next(iter(OPERATIONS)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            t("operations.operation"), OPERATIONS, key=OPERATION, format_func=operation_name,
            persist_state=widgets.KEEP, width=260,
        )  # fmt: skip
        length = choose_length()
    series: dict[str, list[Mean]] = {}
    shown: dict[str, list[Mean]] = {}
    with told() as tell:
        for i, which in enumerate(twins.BOTH):
            progress = stretch(tell, i / 2, (i + 1) / 2)
            found = sweep(name, partial(twins.measured, run, which, count), progress=progress)
            for s in SPACES:
                title = series_name(which, s)
                series[title] = [mean(getattr(found[x][s], length)) for x in STRENGTHS]
                if (apart := found[0.0][s].apart) > 0:
                    shown[title] = [pairfigures.scaled(m, apart / 100) for m in series[title]]
    if not shown:
        st.info(t("orbits.no_distance"), icon=":material/info:")
        return
    with st.container(border=True):
        curve(name, shown, series)


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
def readout(run: RunDir, space: Space, count: int) -> None:
    """What a linear reader tells of the augmentations, from h and from z, both encoders."""
    found: dict[str, dict[str, Mean | None]] = {}
    with told() as tell:
        for i, which in enumerate(twins.BOTH):
            read = twins.read_back(run, which, count)
            found |= {series_name(which, s): read[s] for s in SPACES}
            tell((i + 1) / 2, "")
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
