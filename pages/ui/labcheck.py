"""Six readings of the lab's meters to be named: complete collapse, dimensional collapse, or healthy. Told once they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import streamlit as st

from pages.ui import teacher, widgets
from pages.ui.components.lab import DIM, IMAGES
from pages.ui.numbertable import short
from pages.ui.text import label, t
from pages.ui.widgets import KEEP
from simclr_core.cloud import Cloud
from simclr_core.diagnostics import DIAGNOSTICS

KINDS = ("complete", "dimensional", "healthy")


class Snapshot(NamedTuple):
    """Where pictures lie before they are put onto the sphere: how far off its middle, how spread along each axis; noise of a view."""

    kind: str
    centre: float
    spread: tuple[float, float, float]
    noise: float


SNAPSHOTS = {
    "A": Snapshot("dimensional", 0, (1, 0.01, 0.01), 0.005),
    "B": Snapshot("healthy", 0, (1, 1, 1), 0.1),
    "C": Snapshot("complete", 4, (0.1, 0.1, 0.1), 0.02),
    "D": Snapshot("dimensional", 0, (1, 1, 0.03), 0.02),
    "E": Snapshot("healthy", 0, (1, 1, 1), 0.45),
    "F": Snapshot("complete", 3, (0.4, 0.4, 0.4), 0.4),
}


def cloud(name: str) -> Cloud:
    """The unit rows of a snapshot, two views a picture in turn, from a seed of its own."""
    _, centre, spread, noise = SNAPSHOTS[name]
    rng = np.random.default_rng(ord(name))
    pictures = rng.standard_normal((IMAGES, 1, DIM)) * spread + [0, 0, centre]
    views = pictures + noise * rng.standard_normal((IMAGES, 2, DIM))
    views /= np.linalg.norm(views, axis=2, keepdims=True)
    return Cloud(x=views.reshape(-1, DIM), views=(views[:, 0], views[:, 1]))


def check(meters: Sequence[str]) -> None:
    """The readings, and a choice for each.

    Args:
        meters: the diagnostics that are read.
    """
    st.subheader(t("lab.check.title"))
    st.markdown(t("lab.check.lead", dim=DIM))
    widgets.badge(widgets.ILLUSTRATION)
    for name in SNAPSHOTS:
        measured = cloud(name)
        read = [f"{label(DIAGNOSTICS[m].label)} {short(DIAGNOSTICS[m].run(measured))}" for m in meters]
        reading = " · ".join([f"**{name}**", *read])
        if teacher.hides("controls"):
            st.markdown(reading)
        else:
            _ask(name, reading)


def _ask(name: str, reading: str) -> None:
    chosen = st.segmented_control(
        reading, KINDS, key=f"lab.check.{name}", format_func=lambda kind: t(f"lab.check.{kind}"), persist_state=KEEP
    )
    right = SNAPSHOTS[name].kind
    if chosen is None:
        return
    if teacher.hides("answers"):
        st.caption(t("teach.kept"))
    elif chosen == right:
        st.success(t(f"lab.check.why.{right}"), icon=":material/check:")
    else:
        st.info(t(f"lab.check.why.{right}"), icon=":material/lightbulb:")
