"""How far apart the augmentations of one picture lie, on the stored pairs: each picture, each class; no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from pages.ui import pairfigures, pairparts, state, twins, widgets
from pages.ui.numbertable import short
from pages.ui.text import t
from simclr_core.means import Mean, mean
from simclr_core.orbits import Orbits, by_class
from simclr_core.records import Space
from simclr_core.store import RunDir

NUMBERS = ("between", "to_original", "next", "ratio", "inside")
MOST_CLASSES = 20  # in the figure; the table has them all


def each_picture_and_class(run: RunDir, space: Space) -> None:
    """The numbers of both encoders, their pictures one by one, and their classes."""
    found = {which: twins.orbits_of(run, which, space) for which in twins.BOTH}
    ours = found["encoder"]
    if ours is None:
        reason = "orbits.no_pictures" if state.has_pairs(run) else "pairs.no_pairs"
        st.info(t(reason), icon=":material/info:")
        return
    n, views = len(ours.radius), state.pairs(run).all_views(space).shape[1]
    st.caption(t("orbits.counts", n=n, views=views))
    meanings = [t(f"orbits.{name}_help", n=n - 1) for name in NUMBERS]
    columns = {which: numbers(orbits) for which, orbits in found.items()}
    pairparts.compare([t(f"orbits.{name}") for name in NUMBERS], columns, meanings)
    grid = st.grid(2, min_column_width=360, gap="medium")
    for which, orbits in found.items():
        with grid.cell(), st.container(border=True):
            st.subheader(t(f"pairs.{which}"))
            scatter(run, which, orbits)
    classes(run, found)


def numbers(found: Orbits | None) -> list[str]:
    """The numbers of `NUMBERS` for one encoder."""
    unknown = t("common.not_measured")
    if found is None:
        return [unknown] * len(NUMBERS)
    ratio = found.usual_ratio
    means = [worded(mean(values)) for values in (found.between, found.radius, found.nearest)]
    return [*means, unknown if ratio is None else short(ratio), f"{found.inside.mean():.0%}"]


def worded(found: Mean) -> str:
    """A mean, and half its interval."""
    half = f" ± {short(found.interval.high - found.value)}" if found.interval else ""
    return short(found.value) + half


def scatter(run: RunDir, which: twins.Which, found: Orbits | None) -> None:
    """Every picture of one encoder, and the same as a table with the largest ratio first."""
    if found is None:
        st.caption(t("common.not_measured"))
        return
    pairs = state.pairs(run, which)
    kinds = [twins.class_of(run, pairs.label, i) for i in range(len(pairs.index))]
    hover = [f"{index} · {kind}" if kind else str(index) for index, kind in zip(pairs.index, kinds, strict=True)]
    figure = pairfigures.orbit_scatter(
        found, hover, x_title=t("orbits.next"), y_title=t("orbits.to_original"),
        names=(t("orbits.below"), t("orbits.above")),
    )  # fmt: skip
    order = np.argsort(-np.nan_to_num(found.ratio, nan=-1.0), kind="stable")
    rows: dict[str, Any] = {t("pairs.image"): pairs.index[order]}
    if pairs.label is not None:
        rows[t("map.by_class")] = [kinds[i] for i in order]
    lengths = {"between": found.between, "to_original": found.radius, "next": found.nearest, "ratio": found.ratio}
    rows |= {t(f"orbits.{name}"): values[order] for name, values in lengths.items()}
    rows[t("pairs.stranger_image")] = pairs.index[found.other[order]]
    alt = t("orbits.scatter_alt", name=t(f"pairs.{which}"), inside=f"{found.inside.mean():.0%}", n=len(order))
    widgets.figure_with_table(figure, rows, f"orbits.each.{which}", caption=t("orbits.scatter_how"), alt=alt)


def classes(run: RunDir, found: dict[twins.Which, Orbits | None]) -> None:
    """The classes, that whose views lie farthest apart first, by the distance of two views against that of two pictures."""
    st.subheader(t("orbits.classes"))
    label = state.pairs(run).label
    if label is None:
        st.caption(t("orbits.no_classes"))
        return
    parts = {
        which: by_class(orbits, label) for which, orbits in found.items() if orbits is not None and orbits.apart > 0
    }
    if "encoder" not in parts:
        st.caption(t("orbits.no_distance"))
        return
    order = sorted(parts["encoder"], key=lambda c: -float(parts["encoder"][c].between.mean()))
    names = {int(c): twins.class_of(run, label, int(np.flatnonzero(label == c)[0])) for c in order}
    shown = order[:MOST_CLASSES]
    series = {
        t(f"pairs.{which}"): [pairfigures.scaled(mean(of[c].between), of[c].apart / 100) for c in shown]
        for which, of in parts.items()
    }
    figure = pairfigures.dots([names[c] for c in shown], series, x_title=t("orbits.share"), mark=100)
    rows: dict[str, Any] = {
        t("map.by_class"): [names[c] for c in order],
        t("orbits.pictures"): [len(parts["encoder"][c].radius) for c in order],
    }
    for which, of in parts.items():
        rows |= {
            f"{t(f'orbits.{name}')} · {t(f'pairs.{which}')}": [value(of[c]) for c in order]
            for name, value in (
                ("between", lambda o: float(o.between.mean())),
                ("to_original", lambda o: float(o.radius.mean())),
                ("ratio", lambda o: o.usual_ratio),
            )
        }
    alt = t("orbits.classes_alt", first=names[order[0]], last=names[order[-1]])
    widgets.figure_with_table(figure, rows, "orbits.classes", caption=t("orbits.classes_how"), alt=alt)
