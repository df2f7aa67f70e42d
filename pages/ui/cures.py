"""Likely causes of a run's verdict, a cure started from here as a new run, and what it changed once it has finished."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui import diagnosis, loading, overview, state, training
from pages.ui.classroom import read_only
from pages.ui.frame import error_frame
from pages.ui.numbertable import NOTHING, Row, number_table, short
from pages.ui.text import escape_markdown, label, t
from simclr_core.causes import CAUSES, Cause, cured, likely_causes
from simclr_core.config import RunConfig, to_dict
from simclr_core.diagnostics import DIAGNOSTICS
from simclr_core.facts import Facts, read_facts
from simclr_core.records import CollapseReport, SpaceReport
from simclr_core.store import RunDir, read_json, write_atomic

CURE_OF = "cure_of.json"  # which run a cure was started from, what it changed, and what that run's report said
COMPARED = (
    "std_ratio", "mean_cosine", "effective_rank", "participation_ratio", "uniformity", "alignment", "hubness_skew",
    "duplicate_share", "knn_purity", "pair_auc", "twin_r_at_1",
)  # fmt: skip


# -- the causes ----------------------------------------------------------------------------------------------------------
def _identity(run: RunDir) -> tuple[Any, ...]:
    reports = run.metrics_path.stat().st_mtime_ns if run.metrics_path.exists() else 0
    return *state.identity(run), reports


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={RunDir: _identity})
def facts(run: RunDir) -> Facts | None:
    """What can be measured of the run, kept until its embeddings or reports change."""
    return read_facts(run, state.table(run))


def known(run: RunDir, found: SpaceReport) -> bool:
    """Whether there is anything to say: a verdict to explain by what is known of the run, or a run to compare with."""
    return (found.verdict != "healthy" and facts(run) is not None) or _before(run, found) is not None


def show(run: RunDir, report: CollapseReport, found: SpaceReport) -> None:
    """What a cure changed; then the likely causes of the verdict, each with a way to try its cure."""
    before_after(run, found)
    known = facts(run)
    if found.verdict == "healthy" or known is None:
        return
    causes = likely_causes(found, known)
    st.caption(t("cures.how") if causes else t("cures.none"))
    for place, cause in enumerate(causes, 1):
        with st.container(border=True):
            _cause(place, cause)
            if cause.cure:
                _cure(run, report, cause, known.config)


def _cause(place: int, cause: Cause) -> None:
    name = diagnosis.upper(label(CAUSES[cause.id].label))
    st.markdown(t("cures.cause", place=place, name=name, score=f"{cause.score:.2f}"))
    st.markdown(escape_markdown(label(cause.text)))


def _cure(run: RunDir, report: CollapseReport, cause: Cause, config: RunConfig) -> None:
    changed = changes(config, cause)
    lines = [f"- `{path}`: {old} → **{new}**" for path, (old, new) in shown(changed).items()]
    st.markdown("\n".join([f"**{t('cures.cure')}** {label(CAUSES[cause.id].help)}\n", *lines]))
    if read_only():
        return
    with st.popover(t("cures.try"), icon=":material/healing:"):
        name = st.text_input(
            t("home.name"), loading.suggested_name(f"cure-{run.name[:40]}"), key=f"cures.name.{cause.id}"
        )
        st.caption(t("cures.same", name=run.name))
        if st.button(t("train.start"), key=f"cures.start.{cause.id}", type="primary", icon=":material/play_arrow:"):
            with error_frame():
                start(run, report, cause, name)
                st.switch_page("train.py")


def changes(config: RunConfig, cause: Cause) -> dict[str, tuple[Any, Any]]:
    """Each setting that a cure changes: what it was and what it will be."""
    before, after = to_dict(config), to_dict(cured(config, cause.cure))
    found = {path: (_at(before, path), _at(after, path)) for path in cause.cure}
    return {path: pair for path, pair in found.items() if pair[0] != pair[1]}


def _at(config: Mapping[str, Any], path: str) -> Any:
    group, _, name = path.partition(".")
    return config[group][name] if name else config[group]


def shown(changed: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Changes in words."""
    return {path: (_said(old), _said(new)) for path, (old, new) in changed.items()}


def _said(value: Any) -> str:
    if value is None:
        return t("cures.automatic")
    return (
        f"{value:g}"
        if isinstance(value, float)
        else escape_markdown(value if isinstance(value, str) else json.dumps(value))
    )


def start(run: RunDir, report: CollapseReport, cause: Cause, name: str) -> None:
    """Start a run that differs from another in a cure's settings alone, and record which one and how.

    Raises:
        RunError: the name is no name or is taken.
    """
    path = loading.new_run_path(name)
    before = {
        space: {"verdict": r.verdict, "severity": r.severity, "n": r.n, "metrics": dict(r.metrics)}
        for space, r in report.spaces.items()
    }
    about = {
        "run": run.name,
        "run_id": run.info.get("run_id"),
        "cause": cause.id,
        "changes": changes(run.config, cause),
        "before": before,
        "knn_accuracy": _accuracy(run),
        "time": time.time(),
    }
    training.start(cured(run.config, cause.cure), name)
    write_atomic(path / CURE_OF, json.dumps(about, indent=1))


def _accuracy(run: RunDir) -> float | None:
    return (read_json(run.path / "status.json").get("result") or {}).get("knn_accuracy")


# -- before and after ----------------------------------------------------------------------------------------------------
def _before(run: RunDir, found: SpaceReport) -> dict[str, Any] | None:
    """What was noted of the run that this one is to cure; None where it cures none in this space."""
    about = read_json(run.path / CURE_OF)
    return about if found.space in about.get("before", {}) else None


def before_after(run: RunDir, found: SpaceReport) -> None:
    """Of a run that is a cure: the verdict and the key numbers of both runs side by side."""
    about = _before(run, found)
    if about is None:
        return
    st.subheader(t("cures.after_title"))
    cause = CAUSES.get(about.get("cause", ""))
    lines = "; ".join(f"`{path}`: {old} → **{new}**" for path, (old, new) in shown(about["changes"]).items())
    name = escape_markdown(str(about["run"]))
    st.markdown(t("cures.after", name=name, cause=label(cause.label) if cause else NOTHING, changes=lines))
    number_table([t("collapse.number"), t("cures.now"), t("cures.before", name=about["run"])], rows(run, found, about))
    st.caption(t("cures.rows", now=f"{found.n:,}", before=f"{about['before'][found.space]['n']:,}"))
    if about["run"] in state.available_runs():
        st.button(t("cures.open", name=about["run"]), key="cures.open", on_click=state.open_run, args=(about["run"],))


def rows(run: RunDir, found: SpaceReport, about: Mapping[str, Any]) -> list[Row]:
    """Verdict, kNN accuracy and the compared diagnostics: this run's, then those of the run it came from."""
    before = about["before"][found.space]
    verdict = Row(
        t("cures.verdict"),
        (),
        (_verdict(found.verdict, found.severity), _verdict(before["verdict"], before["severity"])),
    )
    accuracy = Row(
        t("train.column.knn"), (t("cures.knn_help"),), tuple(map(_percent, (_accuracy(run), about.get("knn_accuracy"))))
    )
    numbers = [
        Row(label(DIAGNOSTICS[name].label), (label(DIAGNOSTICS[name].help),), (short(found.metrics[name]), short(before["metrics"].get(name))))
        for name in COMPARED
    ]  # fmt: skip
    return [verdict, accuracy, *numbers]


def _verdict(name: str, severity: Any) -> str:
    return (
        f"{diagnosis.MARKS[severity]} {diagnosis.upper(overview.verdict_name({'verdict': name, 'severity': severity}))}"
    )


def _percent(share: float | None) -> str:
    return t("common.not_measured") if share is None else f"{share:.1%}"
