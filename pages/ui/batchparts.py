"""The parts of the Batch size page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import figures, state, teacher, widgets
from pages.ui.dataflow import ink
from pages.ui.queuelanes import DRAWN, pairing
from pages.ui.quiz import question
from pages.ui.text import escape_markdown, t
from pages.ui.widgets import KEEP, figure_with_table
from simclr_core.batchsize import REDRAWS, SIZES, BatchOf, Spread, redraw
from simclr_core.similarity import interleaved_partner, loss_ceiling, loss_floor, nt_xent_rows, similarity_gradient
from simclr_core.store import RunDir
from simclr_core.worksheet.problems import half_share_images

TAU, N = "batch.tau", "batch.n"
NS = tuple(str(n) for n in (1, 2, 3, 4, *(2**k for k in range(3, 13))))
STOPS = ("0.05", "0.07", "0.1", "0.2", "0.5", "1")
USUAL = "0.2"
COMPARED = ("0.07", "0.1", "0.2", "0.5")
FEW = 5  # redraws where four temperatures are compared
NORM_SIZES = (2, 4, 8, 16, 32, 64, 128, 256)


def choose_temperature() -> float:
    """The temperature of the whole page, in the URL."""
    state.follow_url(TAU, STOPS, USUAL)
    return float(st.select_slider(t("batch.tau"), STOPS, key=TAU, width=420, persist_state=KEEP))


# -- who is compared with whom -------------------------------------------------------------------------------------------
def compared(tau: float) -> None:
    """The matrix of a batch of N images, and what its size alone decides."""
    state.follow_url(N, NS, NS[2])
    n = int(st.select_slider(t("batch.n"), NS, key=N, persist_state=KEEP))
    widgets.badge(widgets.ILLUSTRATION)
    halves = st.grid(2, min_column_width=300, gap="large", vertical_alignment="center")
    halves.image(pairing(n, ink()), width=240, alt=t("batch.matrix_alt", rows=2 * n, negatives=2 * n - 2))
    with halves.cell():
        grid = st.grid(5, min_column_width=teacher.wide(130), gap="small")
        shown = {"anchors": f"{2 * n:,}", "candidates": f"{2 * n - 1:,}", "negatives": f"{2 * n - 2:,}"}
        shown |= {"chance": f"{loss_ceiling(n):.6f}", "least": f"{loss_floor(n, tau):.6f}"}
        for name, value in shown.items():
            grid.metric(t(f"batch.{name}"), value)
        st.caption(t("batch.matrix_read" if n <= DRAWN else "batch.matrix_large"))


# -- one image -----------------------------------------------------------------------------------------------------------
def alone(tau: float) -> None:
    """The loss of one image, and of two, at any cosine of the positive."""
    st.markdown(t("batch.one"))
    halves = st.grid(2, min_column_width=300, gap="large")
    with halves.cell():
        cosine = st.slider(t("batch.cosine"), -1.0, 1.0, 0.95, 0.01, key="batch.cosine", persist_state=KEEP)
        second = st.toggle(t("batch.add"), key="batch.add", persist_state=KEEP)
    s = np.eye(4 if second else 2)
    for a in range(0, len(s), 2):
        s[a, a + 1] = s[a + 1, a] = cosine
    partner = interleaved_partner(len(s) // 2)
    loss = float(nt_xent_rows(s, partner, tau)[0])
    numerator = math.exp(cosine / tau)
    shown = {
        "numerator": f"{numerator:,.6g}",
        "denominator": f"{numerator + (len(s) - 2):,.6g}",
        "share": f"{math.exp(-loss):.6f}",
        "loss_value": f"{loss:.6f}",
        "gradient": f"{float(similarity_gradient(s, partner, tau)[0, 1]) + 0.0:.6f}",
    }
    with halves.cell():
        grid = st.grid(5, min_column_width=teacher.wide(130), gap="small")
        for name, value in shown.items():
            grid.metric(t(f"batch.{name}"), value)
        st.caption(t("batch.two_reason" if second else "batch.one_reason"))


# -- every size ----------------------------------------------------------------------------------------------------------
@state.kept(32)
def _redrawn(run: RunDir, temperature: float, redraws: int) -> list[BatchOf]:
    return redraw(state.pairs(run), temperature, redraws=redraws)


def measured(tau: float) -> None:
    """Loss, counts and the gradient's share at every batch size, from the loaded run's pairs."""
    run = state.current()
    if run is None or not state.has_pairs(run) or "z" not in (pairs := state.pairs(run)).spaces:
        st.info(t("batch.no_pairs"), icon=":material/info:")
        return
    name = escape_markdown(state.called(run))
    st.markdown(t("batch.measured", pairs=len(pairs.index), name=name, redraws=REDRAWS))
    with st.spinner(t("batch.drawing")):
        own = _redrawn(run, tau, REDRAWS)
        found = {stop: _redrawn(run, float(stop), FEW) for stop in COMPARED}
    if len(own) > 1:
        answer, numbers = doubled(own)
        question("batch.double", answer, **numbers)
    n = np.array([batch.n for batch in own])
    grid = st.grid(2, min_column_width=380, gap="medium")
    with grid.cell():
        losses = {t("batch.series_loss"): [b.loss for b in own]}
        lines = {"ceiling": [b.ceiling for b in own], "floor": [b.floor for b in own]}
        named = {t(f"batch.series_{k}"): np.array(v) for k, v in lines.items()}
        _figure(n, losses, named, "loss", tau)
    with grid.cell():
        counts = {t("batch.series_effective"): [b.effective for b in own]}
        if all(b.same_class is not None for b in own):
            counts[t("batch.series_same")] = [b.same_class for b in own if b.same_class is not None]
        _figure(n, counts, {t("batch.series_all"): 2.0 * n - 2}, "counts", tau)
    if st.toggle(t("batch.information"), key="batch.information", persist_state=KEEP):
        bound = {t("batch.series_information"): [b.information for b in own]}
        _figure(n, bound, {t("batch.series_most"): np.array(lines["ceiling"])}, "information", tau)
    st.subheader(t("batch.tradeoff_title"))
    half(found)
    shares = {f"τ = {stop}": [b.share for b in of] for stop, of in found.items()}
    _figure(n, shares, {}, "share", tau)


def half(found: Mapping[str, Sequence[BatchOf]]) -> None:
    """From which size on the negatives hold half of the softmax at two temperatures: a guess, then what was measured."""
    first = {stop: next((b.n for b in of if b.share.mean > 0.5), None) for stop, of in found.items()}
    few, many = first["0.5"], first["0.2"]
    most = max(b.n for of in found.values() for b in of)
    if few is None:
        return
    sizes = "; ".join(f"τ = {stop}: {n or f'> {most}'}" for stop, n in first.items())
    theory = ", ".join(f"{half_share_images(float(stop)):,.0f} (τ = {stop})" for stop in ("0.5", "0.2", "0.1"))
    answer = "c" if many is None else "a" if many <= few else "b"
    question("batch.half", answer, n=few, most=most, sizes=sizes, theory=theory)


def doubled(own: Sequence[BatchOf]) -> tuple[str, dict[str, Any]]:
    """The right option of "double N: is the loss up (a), down (b) or the same (c)?", and the numbers of the answer.

    Read off the middle one of the sizes whose next is measured too.
    """
    before, after = own[(len(own) - 1) // 2 :][:2]
    step = after.loss.mean - before.loss.mean
    answer = "c" if abs(step) < 1e-9 else "a" if step > 0 else "b"
    numbers = {
        name: f"{value:.3f}"
        for side, batch in (("", before), ("_after", after))
        for name, value in (
            (f"loss{side}", batch.loss.mean),
            (f"ceiling{side}", batch.ceiling),
            (f"gap{side}", batch.ceiling - batch.loss.mean),
        )
    }
    return answer, numbers | {"n": before.n, "n_after": after.n}


def _figure(
    n: np.ndarray,
    spreads: Mapping[str, Sequence[Spread]],
    lines: Mapping[str, np.ndarray],
    which: str,
    tau: float,
) -> None:
    """Means with their percentiles as bars, exact lines beside them, and the same numbers as a table."""
    axis = {"counts": "count"}.get(which, which)
    means = {name: np.array([s.mean for s in of]) for name, of in spreads.items()}
    figure = figures.curves(n, means | dict(lines), x_title=t("batch.axis_n"), y_title=t(f"batch.axis_{axis}"))
    for trace, of in zip(figure.data, spreads.values(), strict=False):
        up, down = ([abs(getattr(s, side) - s.mean) for s in of] for side in ("high", "low"))
        trace.error_y = {"type": "data", "array": up, "arrayminus": down, "thickness": 1.2, "width": 3}
    figure.update_xaxes(type="log", tickvals=list(SIZES))
    if which == "counts":
        figure.update_yaxes(type="log", dtick=1)
    else:
        figure.update_yaxes(rangemode="tozero")
    table: dict[str, np.ndarray] = {t("batch.n"): n}
    for name, of in spreads.items():
        table[name] = means[name]
        table[t("batch.column_from", name=name)] = np.array([s.low for s in of])
        table[t("batch.column_to", name=name)] = np.array([s.high for s in of])
    if which == "share":
        figures.add_level(figure, figures.Reference(0.5, t("batch.half_line")))
    caption = t(f"batch.read_{which}", tau=f"{tau:g}")
    figure_with_table(figure, table | dict(lines), f"batch.figure.{which}", caption=caption)


# -- BatchNorm -----------------------------------------------------------------------------------------------------------
@state.kept(8)
def _agreement(run: RunDir) -> list[float]:
    from simclr_core.checkpoints import load_encoder
    from simclr_core.encode import batch_norm_agreement

    images = state.pictures(run)
    assert images is not None
    encoder = load_encoder(run.path)
    return batch_norm_agreement(encoder, images.sample(NORM_SIZES[-1]), NORM_SIZES, augment=encoder.config.augment)


def norm() -> None:
    """z in training against evaluation mode; measured when a person asks, because the encoder must be loaded."""
    st.markdown(t("batch.norm"))
    run = state.current()
    if run is None or run.latest_checkpoint is None or state.spec_of(run) is None:
        st.info(t("batch.norm_no"), icon=":material/info:")
        return
    if st.button(t("batch.norm_measure"), key="batch.norm", icon=":material/speed:"):
        st.session_state["batch.norm_of"] = state.identity(run)
    if st.session_state.get("batch.norm_of") != state.identity(run):
        return
    with st.spinner(t("batch.norm_wait")):
        cosines = np.array(_agreement(run))
    n = np.array(NORM_SIZES[: len(cosines)])
    shown = {t("batch.norm_axis"): cosines}
    figure = figures.curves(n, shown, x_title=t("batch.axis_n"), y_title=t("batch.norm_axis"))
    figure.update_xaxes(type="log", tickvals=list(NORM_SIZES))
    figure_with_table(figure, {t("batch.n"): n} | shown, "batch.figure.norm", caption=t("batch.norm_read"))
