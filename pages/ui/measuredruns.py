"""A comparison of real runs that the repository holds: accuracy with intervals, a table, every run's settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import figures
from pages.ui.text import label, t
from pages.ui.widgets import Origin, figure_with_table
from simclr_core.config import RunConfig
from simclr_core.demo import comparisons
from simclr_core.demo.comparisons import Summary
from simclr_core.similarity import loss_ceiling

if TYPE_CHECKING:
    import plotly.graph_objects as go


def show(name: str) -> None:
    """Runs of the comparison, or that nothing was measured; the page's own table of texts says how to read them."""
    found = comparisons.read(name)
    if found is None:
        st.info(t("runs.not_measured", name=name), icon=":material/hourglass_empty:")
        return
    summaries = comparisons.summaries(name, found["results"])
    one = found["results"][0]
    st.markdown(t(f"{name}.runs", epochs=found["epochs"], n=f"{one['n_train']:,}", test=f"{one['n_test']:,}"))
    origin = Origin("run", comparisons.path(name).name)
    reading = t(f"{name}.runs_reading")
    figure_with_table(_intervals(summaries), _rows(summaries), f"{name}.runs", origin=origin, caption=reading)
    with st.expander(t("runs.settings"), icon=":material/tune:"):
        for summary in summaries:
            st.markdown(f"**{label(summary.label)}**")
            st.code(command(summary.config), language="bash", wrap_lines=True)
        text, file = json.dumps(found, indent=1), comparisons.path(name).name
        st.download_button(t("runs.download"), text, file, "application/json", key=f"{name}.runs_file")


def command(config: RunConfig) -> str:
    """The line that makes such a run: every setting that is not the program's own."""
    from simclr_core.run_report import command_line

    return command_line(config, "runs/NAME")


def _intervals(summaries: list[Summary]) -> go.Figure:
    """A line a way: its seeds as small marks, mean and 95 % interval above them."""
    figure = figures.blank(t("runs.knn"), "", height=90 + 52 * len(summaries))
    names = [label(s.label) for s in summaries]
    for name, s in zip(names, summaries, strict=True):
        figure.add_scatter(
            x=list(s.values), y=[name] * len(s.values), mode="markers", showlegend=False, name=name,
            marker={"symbol": "line-ns-open", "size": 12, "color": figures.GREY},
        )  # fmt: skip
    figure.add_scatter(
        x=[s.mean for s in summaries], y=names, mode="markers", showlegend=False, name=t("runs.mean"),
        error_x={"type": "data", "array": [s.half or 0 for s in summaries], "thickness": 2, "width": 7},
        marker={"size": 11, "color": figures.PALETTE[0]},
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return figure


def _rows(summaries: list[Summary]) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {
        t("runs.way"): [label(s.label) for s in summaries],
        t("runs.knn"): [round(s.mean, 4) for s in summaries],
        t("runs.half"): [None if s.half is None else round(s.half, 4) for s in summaries],
        t("runs.seeds"): [len(s.values) for s in summaries],
        t("runs.steps"): [s.steps for s in summaries],
        t("runs.seconds"): [round(s.seconds) for s in summaries],
    }
    if one_scale(summaries):
        rows[t("runs.loss")] = [round(s.loss, 3) for s in summaries]
        rows[t("runs.ceiling")] = [round(loss_ceiling(s.config.train.batch_size), 3) for s in summaries]
    return rows


def one_scale(summaries: list[Summary]) -> bool:
    """Whether all ways minimise NT-Xent at one τ, so that each loss can be read against its own ceiling."""
    return {(s.config.train.objective, s.config.train.temperature) for s in summaries} <= {
        ("nt_xent", summaries[0].config.train.temperature)
    }
