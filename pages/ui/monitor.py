"""A training run as it goes on: where it is, how it learns, and the buttons that steer it. Everything is read from disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import figures, jobs, state
from pages.ui.classroom import public, read_only
from pages.ui.figures import Reference
from pages.ui.frame import error_frame
from pages.ui.text import label, t
from pages.ui.widgets import figure_with_table, of_run
from simclr_core.alarms import alarm_help, alarm_label
from simclr_core.registry import Label
from simclr_core.store import ACTIVE, RunDir, read_json

BADGE = {
    "starting": ("blue", "hourglass_top"),
    "running": ("blue", "play_circle"),
    "paused": ("orange", "pause_circle"),
    "done": ("green", "check_circle"),
    "stopped": ("gray", "stop_circle"),
    "failed": ("red", "error"),
    "died": ("red", "heart_broken"),
}
RESUMABLE = ("stopped", "failed", "died")
REQUEST = "request.json"  # the configuration that a person asked for, before the trainer resolved it
RECENT = 5  # reports behind the present speed


def is_training(run: RunDir) -> bool:
    """Whether this is a run that was or will be trained here, not embeddings or an encoder from elsewhere."""
    return (run.path / REQUEST).exists() or run.metrics_path.exists()


def resume(run: RunDir) -> None:
    """Go on from the newest checkpoint in a new process; a run that never got its configuration begins again."""
    request = read_json(run.path / REQUEST)
    known = run.config.train.threads if run.exists else request.get("train", {}).get("threads")
    how = ["--resume"] if run.exists else ["--images", str(request["images"]), "--config", str(run.path / REQUEST)]
    jobs.start(["train", "--out", str(run.path), *how], run.path, threads=known)


def show(run: RunDir) -> None:
    """The live panel: once a second while the run is active, else still."""
    active = jobs.watch(run).get("state") in ACTIVE
    st.fragment(_panel, run_every=jobs.TICK_SECONDS if active else None)(run, active, run.exists)


def _panel(run: RunDir, was_active: bool, existed: bool) -> None:
    with error_frame():
        status = jobs.watch(run)
        rows = state.metrics(run)
        if (was_active and status.get("state") not in ACTIVE) or run.exists != existed:
            st.rerun()  # the rest of the page changes with it: history, the run switch, the URL
        with st.container(border=True):
            headline(run, status)
            trouble(run, status)
            progress(run, status, rows)
            alarms(status)
            buttons(run, status)
        if rows:
            numbers(rows[-1])
            charts(run, rows)


def headline(run: RunDir, status: Mapping[str, Any]) -> None:
    """Name, state, and what the process runs on."""
    now = str(status.get("state") or "starting")
    colour, icon = BADGE.get(now, BADGE["failed"])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(run.name, width="content")
        st.badge(t(f"train.state.{now}"), color=colour, icon=f":material/{icon}:")
    if status.get("device"):
        st.caption(t("train.runs_on", device=status["device"], threads=status.get("threads", "?")))


def trouble(run: RunDir, status: Mapping[str, Any]) -> None:
    """Why a run ended badly, and what can be done."""
    now = status.get("state")
    if now == "failed":
        st.error(public(status.get("message") or jobs.last_line(run)), icon=":material/error:")
    elif now == "died":
        st.error(t("train.died" if run.latest_checkpoint else "train.died_early"), icon=":material/heart_broken:")


def alarms(status: Mapping[str, Any]) -> None:
    """What looks wrong now, since which step, and what to try; nothing where all is well."""
    for name, since in (status.get("alarms") or {}).items():
        said, remedy = label(alarm_label(name)), label(alarm_help(name))
        st.warning(
            t("train.alarm", what=said, step=f"{since:,}", remedy=remedy), icon=":material/notifications_active:"
        )


def progress(run: RunDir, status: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Steps done, and the time left while it runs."""
    step, steps = int(status.get("step") or 0), int(status.get("steps") or 0)
    if not steps:
        if status.get("state") in ACTIVE:
            st.progress(0.0, text=t("train.reading"))
        return
    text = t("train.steps", step=f"{step:,}", steps=f"{steps:,}")
    left = seconds_left(run, step, steps, rows) if status.get("state") == "running" else None
    if status.get("state") == "running" and step >= steps:
        text += " · " + t("train.finishing")
    elif left is not None:
        text += " · " + t("train.left", time=duration(left))
    st.progress(min(step / steps, 1.0), text=text)


def seconds_left(run: RunDir, step: int, steps: int, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """From the speed of the last few reports; None before the first."""
    speeds = [float(r["images_per_second"]) for r in rows[-RECENT:] if r["images_per_second"] > 0]
    if not speeds or not run.exists:
        return None
    return (steps - step) * run.config.train.batch_size / float(np.median(speeds))


def duration(seconds: float) -> str:
    """A length of time in the two units that matter."""
    s = max(0, round(seconds))
    if s < 60:
        return t("train.time.s", s=s)
    if s < 3600:
        return t("train.time.ms", m=s // 60, s=s % 60)
    return t("train.time.hm", h=s // 3600, m=s % 3600 // 60)


def buttons(run: RunDir, status: Mapping[str, Any]) -> None:
    """Steer the run while it is in work, resume it when it ended early, look at it when it has a result."""
    now, key = status.get("state"), f"train.{run.name}"
    finished = bool(status.get("steps")) and status.get("step") == status.get("steps")
    with st.container(horizontal=True, vertical_alignment="center"):
        if read_only():
            st.badge(t("class.watching"), icon=":material/visibility:", color="gray")
        elif now in ACTIVE:
            steer(run, str(now), key)
        elif now in RESUMABLE and not finished:
            how = t("train.resume") if run.latest_checkpoint else t("train.begin_again")
            if st.button(how, key=f"{key}.resume", icon=":material/replay:", type="primary"):
                resume(run)
                st.rerun()
        if now in ("done", "stopped") and state.has_table(run):
            st.page_link("map.py", label=t("shell.map"), icon=":material/scatter_plot:")
            st.page_link("collapse.py", label=t("shell.collapse"), icon=":material/compress:")
    outcome(status.get("result") or {})


def steer(run: RunDir, now: str, key: str) -> None:
    """Pause or go on, and stop with a result; a button is off while the trainer has yet to obey it."""
    asked = run.control
    if now == "paused":
        go = t("train.go_on")
        st.button(
            go, key=f"{key}.go_on", icon=":material/play_arrow:", on_click=jobs.ask, args=(run, "run"), type="primary"
        )
    else:
        off = now == "starting" or asked != "run"
        pause = t("train.pause")
        st.button(
            pause, key=f"{key}.pause", icon=":material/pause:", on_click=jobs.ask, args=(run, "pause"), disabled=off
        )
    if now != "starting":
        off, note = asked == "stop", t("train.stop_help")
        stop = t("train.stopping" if off else "train.stop")
        icon = ":material/stop:"
        st.button(stop, key=f"{key}.stop", icon=icon, on_click=jobs.ask, args=(run, "stop"), disabled=off, help=note)


def outcome(result: Mapping[str, Any]) -> None:
    """What the features are worth, beside those of the same network before training."""
    if result.get("knn_accuracy") is not None:
        before = result.get("knn_accuracy_untrained")
        shown = t("common.not_measured") if before is None else f"{before:.1%}"
        st.markdown(t("train.knn", after=f"{result['knn_accuracy']:.1%}", before=shown))


def numbers(row: Mapping[str, Any]) -> None:
    """The last report."""
    grid = st.grid(3, min_column_width=150, gap="small")
    for name, form in NUMBERS.items():
        shown = t("common.not_measured") if row.get(name) is None else form.format(row[name])
        grid.metric(t(f"train.metric.{name}"), shown, help=t(f"train.metric.{name}_help"))


CEILING, FLOOR = "ceiling", "floor"  # of `objectives`, which needs torch
STROKES = ("dash", "dashdot", "dot")
NUMBERS = {
    "loss": "{:.3f}",
    "contrastive_accuracy": "{:.1%}",
    "positive_cosine": "{:.3f}",
    "negative_cosine": "{:.3f}",
    "std_ratio": "{:.3f}",
    "effective_rank": "{:.1f}",
    "effective_negatives": "{:,.0f}",
    "images_per_second": "{:,.0f}",
}


def references(run: RunDir, *, moving: bool = False) -> list[Reference]:
    """The lines that the run's objective is read against, highest first; the trainer wrote them into the run.

    Where τ moves they move with it, all but the ceiling: those are left out.
    """
    lines = [line for line in run.info.get("reference_lines", []) if math.isfinite(line["value"])]
    lines = [line for line in lines if line["id"] == CEILING or not moving]
    lines.sort(key=lambda line: -line["value"])
    found = []
    for i, line in enumerate(lines):
        side = "bottom" if 0 < i == len(lines) - 1 else "top"  # so that the lowest two names do not meet
        found.append(Reference(line["value"], label(Label(line["en"], line["zh"])), STROKES[i % len(STROKES)], side))
    return found


def scale(run: RunDir, column: Mapping[str, np.ndarray]) -> tuple[list[Reference], dict[str, np.ndarray], str]:
    """Lines of the loss chart, a floor that moves with τ, and why a line is not drawn.

    Losses at different τ are not on one scale: where τ moves, the chart says so.
    """
    known = {line["id"] for line in run.info.get("reference_lines", [])} if run.exists else set()
    tau = column["temperature"][np.isfinite(column["temperature"])]
    moving = len(tau) > 0 and np.ptp(tau) > 0
    said = [t(f"train.no_{line}") for line in (CEILING, FLOOR) if line not in known]
    if moving:
        said.append(t("train.tau_moves", first=f"{tau[0]:.3g}", last=f"{tau[-1]:.3g}"))
    floor = {t("train.floor_moves"): column["loss_floor"]} if moving and FLOOR in known else {}
    return references(run, moving=moving) if run.exists else [], floor, " ".join(said)


def charts(run: RunDir, rows: Sequence[Mapping[str, Any]]) -> None:
    """Loss on its scale, accuracy, cosines and spread over the steps."""
    columns = {"step", "temperature", "loss_floor", *(name for series in CHARTS.values() for name in series)}
    column = {name: np.array([row.get(name) for row in rows], dtype=np.float64) for name in columns}
    lines, floor, said = scale(run, column)
    grid = st.grid(2, min_column_width=340, gap="medium")
    for name, series in CHARTS.items():
        known = np.isfinite([column[s] for s in series]).any(0)
        if not known.any():
            continue
        loss = name == "loss"
        shown = {t(f"train.metric.{s}"): column[s][known] for s in series}
        shown |= {key: values[known] for key, values in floor.items() if loss}
        figure = figures.curves(
            column["step"][known],
            shown,
            x_title=t("train.step"),
            y_title=t(f"train.axis.{name}"),
            references=lines if loss else LEVELS.get(name, lambda: [])(),
            height=300,
        )
        if name in FROM_ZERO:
            figure.update_yaxes(rangemode="tozero")
        with grid.cell():
            table = {t("train.step"): column["step"][known].astype(int)} | shown
            caption = f"{t(f'train.read.{name}')} {said if loss else ''}".rstrip()
            figure_with_table(figure, table, f"train.chart.{name}", origin=of_run(run), caption=caption)


CHARTS = {
    "loss": ("loss",),
    "accuracy": ("contrastive_accuracy",),
    "cosines": ("positive_cosine", "negative_cosine"),
    "spread": ("std_ratio",),
    "knn": ("knn_accuracy",),
    "rank": ("effective_rank",),
    "negatives": ("effective_negatives",),
    "gradient": ("grad_norm",),
}
FROM_ZERO = ("accuracy", "spread", "knn", "rank", "negatives", "gradient")
LEVELS = {"spread": lambda: [Reference(1.0, t("train.even"), "dash")]}
