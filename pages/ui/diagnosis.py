"""The diagnosis of a run as the collapse page tells it: the verdict in words, its checks, its numbers, its spectrum.

The report is made of the run's tables by `simclr_core.verdict.diagnose` and kept by the identity of the files that it
comes from. Making it needs no torch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import collapsefigures, overview, state, widgets
from pages.ui.numbertable import Row, number_table, short, span
from pages.ui.text import label, t, worded
from simclr_core.cloud import KNOT_ROWS, spectra
from simclr_core.diagnostics import DIAGNOSTICS, SPHERE_ROWS
from simclr_core.evidence import Metrics
from simclr_core.pairs import EXACT_VIEWS, NEGATIVES, RANKED_ANCHORS
from simclr_core.pixels import REFERENCE_ROWS
from simclr_core.records import CollapseReport, Finding, Severity, Space, SpaceReport
from simclr_core.spectrum import LIVE
from simclr_core.store import RunDir
from simclr_core.verdict import DIAGNOSES, LIMITS, diagnose, measure

REFERENCES = ("untrained", "pixels", "sphere")
PATIENCE = 0.7  # seconds before a bar says how far it is
MARKS: dict[Severity, str] = {"ok": "✓", "warn": "▲", "fail": "✕"}


# -- the report ----------------------------------------------------------------------------------------------------------
@dataclass(eq=False)
class _Slot:
    """Where a report is kept once it is made; the lock lets one session make it while others wait."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    report: CollapseReport | None = None


@state.kept(4)
def _slot(run: RunDir) -> _Slot:
    return _Slot()


def report(run: RunDir) -> CollapseReport:
    """The diagnosis of every space of a run's embeddings, made when first asked for.

    Raises:
        DataError: embeddings that cannot be measured.
    """
    slot = _slot(run)
    with slot.lock:
        if slot.report is None:
            with st.spinner(t("collapse.measuring")):
                slot.report = _made(run)
    return slot.report


def _made(run: RunDir) -> CollapseReport:
    bar = st.empty()
    table = state.table(run)
    found = diagnose(
        table,
        pairs=state.pairs(run) if state.has_pairs(run) else None,
        run=run if run.metrics_path.exists() else None,
        references=_references(run),
        space=table.spaces[0],
        progress=_told(bar),
    )
    bar.empty()
    return found


def _told(bar: Any) -> Callable[[float, str], bool]:
    """Progress as a bar, once it takes long enough to wonder."""
    began = time.monotonic()

    def tell(share: float, message: str) -> bool:
        if time.monotonic() - began > PATIENCE:
            bar.progress(min(max(share, 0.0), 1.0))
        return False

    return tell


def _references(run: RunDir) -> dict[str, Metrics]:
    """What was stored with the run; the untrained encoder is measured again where only its table is there."""
    found: dict[str, Metrics] = dict(state.report(run).get("references", {}))
    for which in ("untrained", "pixels"):
        if state.has_table(run, which):
            found |= {k: v for k, v in _measured(run, which).items() if k not in found}
    return found


def _measured(run: RunDir, which: state.Which) -> dict[str, Metrics]:
    stored, table = state.report(run).get("references", {}), state.table(run, which)
    named = {(f"untrained_{s}" if which == "untrained" else which): s for s in table.spaces}
    path = run.path / "embeddings" / "pairs_untrained.npz"
    pairs = state.pairs(run, "untrained") if which == "untrained" and path.exists() else None

    def metrics(space: Space) -> Metrics:
        if pairs is None or space not in pairs.spaces:
            return measure(table.space(space), table.label)
        return measure(table.space(space), table.label, pairs.space(space), orbits=pairs.all_views(space))

    return {name: metrics(s) for name, s in named.items() if name not in stored}


# -- the verdict in words ------------------------------------------------------------------------------------------------
def upper(text: str) -> str:
    """A label as the start of a line."""
    return text[:1].upper() + text[1:]


def name_of(found: SpaceReport) -> str:
    """What the verdict on a space is called."""
    return upper(overview.verdict_name({"verdict": found.verdict, "severity": found.severity}))


def reasons(found: SpaceReport) -> list[Finding]:
    """What fails and what warns, the finding that names the verdict first."""
    order = {"fail": 0, "warn": 1}
    heavy = [f for f in found.findings if f.severity in order]
    return sorted(heavy, key=lambda f: (f.id != found.verdict, order[f.severity]))


def said(finding: Finding) -> str:
    """A finding's sentence in the session's language."""
    return worded(finding.sentences)


def verdict_card(found: SpaceReport, others: Mapping[Space, SpaceReport]) -> None:
    """The name of the verdict, large; why; what to try; what the other space says."""
    colour, icon = overview.SEVERITY[found.severity]
    with st.container(border=True):
        with st.container(gap="xxsmall"):
            st.badge(t(f"collapse.severity_{found.severity}"), color=colour, icon=f":material/{icon}:")
            st.html(f'<h2 style="font-size:2.1rem;margin:0;padding:0;line-height:1.25">{escape(name_of(found))}</h2>')
        heavy = reasons(found)
        st.markdown("\n".join(f"- {_reason(f)}" for f in heavy) if heavy else _all_well(found))
        if remedies := _remedies(found, heavy):
            st.markdown(remedies)
        for space, other in others.items():
            word = t(f"collapse.severity_{other.severity}")
            st.caption(t("collapse.other", space=space, mark=MARKS[other.severity], word=word, name=name_of(other)))


def _reason(finding: Finding) -> str:
    colour, icon = overview.SEVERITY[finding.severity]
    word = f":{colour}[:material/{icon}: **{t(f'collapse.mark_{finding.severity}')}**]"
    return t("collapse.reason", mark=word, sentence=said(finding))


def _remedies(found: SpaceReport, heavy: Sequence[Finding]) -> str:
    """What to try against the verdict: the first thing to mend, since what else fails often goes with it."""
    if found.verdict in DIAGNOSES:
        return f"**{t('collapse.try')}** {label(DIAGNOSES[found.verdict].help)}"
    known = [DIAGNOSES[f.id] for f in heavy if f.id in DIAGNOSES]
    return "\n".join(f"- **{t('collapse.try')}** {label(c.help)} ({label(c.label)})" for c in known)


def _all_well(found: SpaceReport) -> str:
    """Nothing was found: how much was looked at, and what the first two checks saw."""
    judged = [f for f in found.findings if f.id in DIAGNOSES]
    made = [f for f in judged if f.value is not None]
    first = " ".join(said(f) for f in made[:2])
    return f"{t('collapse.none_found', made=len(made), all=len(judged))} {first}"


def checks(found: SpaceReport) -> None:
    """Every rule with its answer, its number and its limit."""
    judged = [f for f in found.findings if f.id in DIAGNOSES or f.severity != "ok"]
    made = sum(f.value is not None for f in judged)
    columns = ["check", "result", "value", "limit", *_present(found)]
    sampled = t("collapse.knots", rows=f"{KNOT_ROWS:,}", n=f"{found.n:,}") if found.n > KNOT_ROWS else ""
    st.caption(f"{t('collapse.checks_made', made=made, all=len(judged))} {t('collapse.checks_how')} {sampled}")
    number_table([t(f"collapse.{c}") for c in columns], [_check(f, _present(found)) for f in judged])


def _check(finding: Finding, references: Sequence[str]) -> Row:
    known = finding.id in DIAGNOSES
    name = upper(label(DIAGNOSES[finding.id].label)) if known else t("collapse.zero_rows")
    source = t("collapse.source", source=finding.source) if finding.source else ""
    limit = t("collapse.limit_source", source=label(LIMITS[finding.id])) if finding.threshold_source else ""
    word = t(f"collapse.mark_{finding.severity}")
    result = f"{MARKS[finding.severity]} {word}" if finding.value is not None else t("common.not_measured")
    value = f"{short(finding.value)}\n{span(finding.interval)}"
    beside = (short(finding.reference.get(name)) for name in references)
    return Row(name, (said(finding), source, limit), (result, value, short(finding.threshold), *beside))


# -- the numbers ---------------------------------------------------------------------------------------------------------
def numbers(run: RunDir, found: SpaceReport) -> None:
    """Every diagnostic of one space beside the untrained encoder, raw pixels and the uniform sphere."""
    names = {name: t(f"collapse.{name}") for name in _present(found)}
    reason = {f.id: said(f) for f in found.findings if f.value is None}
    rows = [
        Row(
            label(choice.label),
            (label(choice.help), reason.get(name, "")),
            (_value(found, name), *(short(found.references[k].get(name)) for k in names)),
        )
        for name, choice in DIAGNOSTICS.items()
    ]
    number_table([t("collapse.number"), t("collapse.encoder"), *names.values()], rows)
    st.caption(
        " ".join(
            [
                t("collapse.intervals"),
                t("collapse.dash", rows=f"{SPHERE_ROWS:,}"),
                *_absent(found),
                *_behind(run, found),
            ]
        )
    )


def _value(found: SpaceReport, name: str) -> str:
    """A number with its interval below."""
    if found.metrics.get(name) is None:
        return t("common.not_measured")
    return f"{short(found.metrics[name])}\n{span(found.intervals.get(name))}"


def _present(found: SpaceReport) -> list[str]:
    """Which references there are."""
    return [name for name in REFERENCES if name in found.references]


def _absent(found: SpaceReport) -> list[str]:
    """Which references there are none of, and why."""
    return [t(f"collapse.no_{name}") for name in ("untrained", "pixels") if name not in found.references]


def _behind(run: RunDir, found: SpaceReport) -> list[str]:
    """How many rows and pairs each number stands on."""
    told = [t("collapse.exact", n=f"{found.n:,}", space=found.space, d=found.dim)]
    if state.has_pairs(run) and found.space in state.pairs(run).spaces:
        views = 2 * len(state.pairs(run).index)
        told.append(t("collapse.pairs_n", n=f"{views // 2:,}"))
        if views > EXACT_VIEWS:
            told.append(t("collapse.auc_n", n=f"{NEGATIVES:,}"))
        if views > RANKED_ANCHORS:
            told.append(t("collapse.twin_n", n=f"{RANKED_ANCHORS:,}"))
    if "pixels" in found.references and found.n > REFERENCE_ROWS:
        told.append(t("collapse.pixels_n", n=f"{REFERENCE_ROWS:,}"))
    return told


# -- the spectrum --------------------------------------------------------------------------------------------------------
def spectrum(run: RunDir, found: SpaceReport) -> None:
    """Eigenvalues of the centred covariance relative to the largest, the untrained encoder's as a dashed line."""
    if found.metrics["live_share"] is None:
        why = next((said(f) for f in found.findings if f.id == "live_share"), t("common.not_measured"))
        st.info(why, icon=":material/info:")
        return
    own = found.eigenvalue[: min(found.dim, found.n - 1)]
    series = {t("collapse.encoder"): collapsefigures.relative(own)}
    before = untrained_eigenvalue(run, found.space)
    if before is not None:
        series[t("collapse.untrained")] = collapsefigures.relative(before)
    names = (t("collapse.rank"), t("collapse.eigenvalue"), t("collapse.share"))
    rows = collapsefigures.spectrum_rows(names, own, {t("collapse.relative_of", name=k): v for k, v in series.items()})
    figure = collapsefigures.spectrum(
        series, (LIVE, t("collapse.dead")), x_title=t("collapse.rank"), y_title=t("collapse.relative")
    )
    n90 = int(np.searchsorted(np.cumsum(own) / own.sum(), 0.9)) + 1
    told = t("collapse.spectrum_said", n=n90, d=found.dim, live=f"{found.metrics['live_share']:.0%}")
    missing = "" if before is not None else t("collapse.no_untrained_spectrum")
    widgets.figure_with_table(
        figure, rows, f"collapse.spectrum.{found.space}", caption=f"{told} {t('collapse.spectrum_how')} {missing}", alt=told
    )  # fmt: skip


@state.kept(8)
def untrained_eigenvalue(run: RunDir, space: Space) -> np.ndarray | None:
    """Eigenvalues of the same space of the untrained encoder; None where its table is absent or does not vary."""
    if not state.has_table(run, "untrained") or space not in state.table(run, "untrained").spaces:
        return None
    x = state.table(run, "untrained").space(space)
    found = spectra(x)[0][: min(x.shape[1], len(x) - 1)]
    return found if found[0] > 0 else None


# -- how many pictures there are -----------------------------------------------------------------------------------------
def sampled(run: RunDir, found: SpaceReport, pictures: int | None) -> str:
    """How many rows of which width, and whether they are a sample of the pictures that there are."""
    told = t("collapse.n", n=f"{found.n:,}", space=found.space, d=found.dim)
    if pictures is None or pictures <= found.n:
        return told
    return f"{told} {t('collapse.sampled', n=f'{found.n:,}', all=f'{pictures:,}')}"
