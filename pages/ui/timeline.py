"""How the verdict came about: diagnoses of the kept checkpoints, live kNN accuracy and alarms over the steps of a run."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import diagnosis, figures, jobs, overview, state
from pages.ui.classroom import read_only
from pages.ui.numbertable import NOTHING
from pages.ui.text import label, t
from pages.ui.widgets import figure_with_table
from simclr_core.alarms import alarm_label
from simclr_core.records import SPACES
from simclr_core.store import ACTIVE, JobDir, RunDir, read_json

if TYPE_CHECKING:
    import plotly.graph_objects as go

FILE = Path("embeddings") / "timeline.json"
JOB = "timeline"
MARKS = {"ok": ("#009E73", "circle"), "warn": ("#B07800", "triangle-up"), "fail": ("#D55E00", "x")}
ROW = 40  # pixels of one row of the strip
CURVE, FOOT = 170, 76  # of the curve above it, of axis and margins
LANE = 26  # letters of a lane's name in one line

Points = Sequence[Mapping[str, Any]]


def show(run: RunDir) -> None:
    """The strip with its table, and the job that diagnoses the checkpoints, of a run that was trained here."""
    rows = state.metrics(run)
    points = read_json(run.path / FILE).get("points", [])
    looks = [row for row in rows if row.get("knn_accuracy") is not None or row.get("alarms")]
    if points or looks:
        figure_with_table(
            drawing(points, rows),
            table(points, rows),
            "timeline.strip",
            caption=f"{told(points)} {t('timeline.how')}",
            alt=told(points) or t("timeline.how"),
        )
    else:
        st.caption(t("timeline.nothing"))
    offer(run, points)


def offer(run: RunDir, points: Points) -> None:
    """Diagnose the kept checkpoints, unless that was done since the newest; how to keep some where there are none."""
    job = JobDir(run.path / JOB)
    state_now = jobs.show(job, "timeline.job") if job.path.exists() else ""
    if read_only():
        return
    kept = [int(path.name) for path in run.checkpoints]
    stale = state_now not in ACTIVE and [p["step"] for p in points] != kept
    if len(kept) < 2:
        st.caption(t("timeline.none_kept"))
    elif stale and st.button(t("timeline.make", n=len(kept)), key="timeline.make", icon=":material/timeline:"):
        jobs.start(["timeline", str(run.path), "--job", str(job.path)], job.path)
        st.rerun()


# -- in words ------------------------------------------------------------------------------------------------------------
def verdict(point: Mapping[str, Any], space: str) -> str:
    """The mark and the name of one space's verdict at a checkpoint."""
    found = point["spaces"].get(space)
    if found is None:
        return NOTHING
    return f"{diagnosis.MARKS[found['severity']]} {diagnosis.upper(overview.verdict_name(found))}"


def told(points: Points) -> str:
    """From which step on each space had which verdict."""
    said = []
    for space in SPACES:
        steps = [(p["step"], verdict(p, space)) for p in points if space in p["spaces"]]
        before = ["", *(name for _, name in steps)]
        turns = [
            t("timeline.from", step=f"{step:,}", verdict=name)
            for (step, name), old in zip(steps, before, strict=False)
            if name != old
        ]
        said += [t("timeline.turns", space=space, turns="; ".join(turns))] if turns else []
    return " ".join(said)


def table(points: Points, rows: Points) -> dict[str, list[Any]]:
    """One line a step that was looked at: verdicts at the checkpoints, kNN accuracy and alarms as they were live."""
    at = {p["step"]: p for p in points}
    live = {
        row["step"]: row
        for row in rows
        if row.get("knn_accuracy") is not None or row.get("alarms") or row["step"] in at
    }
    steps = sorted(at.keys() | live.keys())
    columns: dict[str, list[Any]] = {t("train.step"): steps}
    for space in SPACES:
        columns[t("timeline.verdict", space=space)] = [verdict(at[s], space) if s in at else NOTHING for s in steps]
    columns[t("timeline.knn")] = [at.get(s, {}).get("knn_accuracy") for s in steps]
    columns[t("timeline.live")] = [live.get(s, {}).get("knn_accuracy") for s in steps]
    columns[t("timeline.alarms")] = [
        ", ".join(label(alarm_label(a)) for a in live.get(s, {}).get("alarms") or ()) for s in steps
    ]
    return columns


# -- the strip -----------------------------------------------------------------------------------------------------------
def drawing(points: Points, rows: Points) -> go.Figure:
    """Above, kNN accuracy; below, a row of marks for each space's verdict and each alarm, on the same steps."""
    alarms = list(dict.fromkeys(a for row in rows for a in row.get("alarms") or ()))
    lanes = [*(t("timeline.verdict", space=s) for s in SPACES if points), *map(_lane, alarms)]
    known = any(entry.get("knn_accuracy") is not None for entry in (*points, *rows))
    curve, strip = CURVE if known else 0, ROW * len(lanes)
    figure = figures.blank(t("train.step"), t("train.axis.knn") if known else "", height=curve + strip + FOOT)
    _accuracy(figure, points, rows)
    for space in SPACES:
        _verdicts(figure, points, space)
    for name in alarms:
        _alarms(figure, rows, name)
    split = strip / (curve + strip)
    figure.update_layout(
        yaxis={"domain": [min(split + 0.08, 0.98), 1], "rangemode": "tozero", "visible": known},
        yaxis2={"domain": [0, split], "type": "category", "categoryarray": lanes[::-1], "range": [-0.6, len(lanes) - 0.4], "automargin": True},
        xaxis={"anchor": "y2" if lanes else "y", "range": [0, 1.04 * max(row["step"] for row in rows)]},
    )  # fmt: skip
    return figure


def _alarms(figure: go.Figure, rows: Points, name: str) -> None:
    """A bar at every report at which an alarm sounded."""
    steps = [row["step"] for row in rows if name in (row.get("alarms") or ())]
    mark = {"symbol": "line-ns-open", "size": 11, "color": MARKS["fail"][0], "line": {"width": 3}}
    figure.add_scatter(
        x=steps, y=[_lane(name)] * len(steps), yaxis="y2", mode="markers", marker=mark, showlegend=False, name=_lane(name), hoverinfo="x+name"
    )  # fmt: skip


def _lane(alarm: str) -> str:
    """An alarm's name in lines short enough to stand beside the strip."""
    return "<br>".join(textwrap.wrap(label(alarm_label(alarm)), LANE))


def _accuracy(figure: go.Figure, points: Points, rows: Points) -> None:
    live = [(row["step"], row["knn_accuracy"]) for row in rows if row.get("knn_accuracy") is not None]
    kept = [(p["step"], p["knn_accuracy"]) for p in points if p["knn_accuracy"] is not None]
    looks = {"timeline.live": (live, "solid", "circle"), "timeline.knn": (kept, "dash", "square")}
    for i, (key, (pairs, dash, symbol)) in enumerate(looks.items()):
        if pairs:
            x, y = zip(*pairs, strict=True)
            line, marker = {"color": figures.PALETTE[i], "dash": dash, "width": 2}, {"symbol": symbol, "size": 6}
            figure.add_scatter(x=x, y=y, mode="lines+markers", line=line, marker=marker, name=t(key))


def _verdicts(figure: go.Figure, points: Points, space: str) -> None:
    """One mark a checkpoint, its shape and colour by severity."""
    known = [p for p in points if space in p["spaces"]]
    if not known:
        return
    found = [p["spaces"][space] for p in known]
    names = [diagnosis.upper(overview.verdict_name(f)) for f in found]
    colours, symbols = zip(*(MARKS[f["severity"]] for f in found), strict=True)
    lane = t("timeline.verdict", space=space)
    figure.add_scatter(
        x=[p["step"] for p in known], y=[lane] * len(known), yaxis="y2", mode="markers", showlegend=False,
        marker={"color": colours, "symbol": symbols, "size": 12}, hovertext=names, hoverinfo="x+text", name=lane,
    )  # fmt: skip
