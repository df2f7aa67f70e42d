"""Exercise 6 measured: accuracy over the share of labels, with its intervals, its table and the run it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.ui import figures, state, widgets
from pages.ui.quiz import guessed
from pages.ui.text import label, t
from simclr_core.demo import labels
from simclr_core.demo.labels import ARMS, Summary

OPTIONS = {"a": "supervised", "b": "untrained", "c": "simclr"}  # of the guess → arm


def comparison() -> None:
    """A guess, then figure, reading, table and configuration; or that nothing was measured."""
    found = labels.read()
    st.subheader(t("worksheet.labels.title"))
    if found is None:
        st.info(t("common.not_measured"), icon=":material/info:")
        return
    summaries = labels.summaries(found["results"])
    if guess(summaries):
        show(found, summaries)


def guess(summaries: Sequence[Summary]) -> bool:
    """Which way wins with few labels; whether the measurement may be shown."""
    few = [s for s in summaries if s.share == labels.SHARES[0] and s.arm in OPTIONS.values()]
    best = max(few, key=lambda s: s.mean).arm
    answer = next(option for option, arm in OPTIONS.items() if arm == best)
    shown = {s.arm: f"{s.mean:.3f}" for s in few} | {"n": few[0].n_train}
    return guessed("worksheet.labels.guess", answer, **shown)


def show(found: dict[str, Any], summaries: Sequence[Summary]) -> None:
    """The measurement."""
    widgets.figure_with_table(
        _figure(summaries, found["results"]),
        _rows(summaries),
        "worksheet.labels",
        origin=widgets.Origin("run", found["run_id"]),
        caption=_reading(summaries),
        alt=_reading(summaries),
    )
    n_test = found["results"][0]["n_test"]
    st.caption(t("worksheet.labels.fairness", steps=found["supervised"]["steps"], draws=found["draws"], n_test=n_test))
    with st.expander(t("worksheet.labels.config", run=found["run_id"])):
        st.json({key: value for key, value in found.items() if key != "results"})
        st.json(state.find_run(state.DEMO).info if state.DEMO in state.available_runs() else {}, expanded=False)


def _points(summaries: Sequence[Summary], arm: str) -> list[Summary]:
    return [s for s in summaries if s.arm == arm]


def _figure(summaries: Sequence[Summary], results: Sequence[dict[str, Any]]) -> Any:
    figure = figures.blank(t("worksheet.labels.x"), t("worksheet.labels.y"), height=380)
    for i, (arm, name) in enumerate(ARMS.items()):
        points = _points(summaries, arm)
        draws = [r for r in results if r["arm"] == arm]
        mark = {"color": figures.PALETTE[i], "symbol": figures.SYMBOLS[i]}
        figure.add_scatter(
            x=[r["labels"] for r in draws],
            y=[r["accuracy"] for r in draws],
            mode="markers",
            marker=mark | {"size": 6, "opacity": 0.35},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=[s.share for s in points],
            y=[s.mean for s in points],
            error_y={"type": "data", "array": [s.half or 0 for s in points], "thickness": 1.5, "width": 6},
            mode="lines+markers",
            name=label(name),
            line={"color": figures.PALETTE[i], "dash": figures.DASHES[i], "width": 2},
            marker=mark | {"size": 9},
        )
    ticks = {"tickvals": list(labels.SHARES), "ticktext": [f"{share:.0%}" for share in labels.SHARES]}
    figure.update_xaxes(type="log", range=[-2.2, 0.2], **ticks)
    figure.update_yaxes(tickformat=".2f")
    return figure


def _rows(summaries: Sequence[Summary]) -> dict[str, list[Any]]:
    def column(name: str) -> str:
        return t(f"worksheet.labels.column.{name}")

    return {
        column("arm"): [label(ARMS[s.arm]) for s in summaries],
        column("labels"): [s.n_train for s in summaries],
        column("draws"): [s.draws for s in summaries],
        column("mean"): [round(s.mean, 4) for s in summaries],
        column("half"): ["–" if s.half is None else f"±{s.half:.4f}" for s in summaries],
        column("lowest"): [s.lowest for s in summaries],
        column("highest"): [s.highest for s in summaries],
    }


def _reading(summaries: Sequence[Summary]) -> str:
    at = {(s.arm, s.share): s for s in summaries}
    few, all_ = labels.SHARES[0], labels.SHARES[-1]
    shown = {
        f"{arm}_{'few' if share == few else 'all'}": f"{at[arm, share].mean:.3f}"
        for arm, share in at
        if share in (few, all_)
    }
    return t("worksheet.labels.reading", n=at["simclr", few].n_train, **shown)
