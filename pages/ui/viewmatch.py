"""Who finds the other view of a picture: measured for the bundled pictures, and now for the recipe of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import figures
from pages.ui.numbertable import Row, number_table, short
from pages.ui.quiz import guessed
from pages.ui.text import label, t
from pages.ui.viewrecipe import packed
from pages.ui.widgets import Origin, figure_with_table
from simclr_core.config import AugmentConfig
from simclr_core.demo import matching_runs
from simclr_core.demo.matching_runs import RECIPES, WAYS, Summary
from simclr_core.viewadvice import PIPELINES

if TYPE_CHECKING:
    from pages.ui.viewpair import Looked
    from simclr_core.matching import Matching

LIVE = 128  # pictures: half a second with the small encoder
SETS = ("emoji", "demo")
RARELY, OFTEN = 0.15, 0.5  # between the answers of the question


# -- measured on the bundled pictures --------------------------------------------------------------------------------------
def stored() -> None:
    """The question, the figures of both bundled sets and how to read them; or that nothing was measured."""
    found = matching_runs.read()
    if found is None:
        st.info(t("views.not_measured"), icon=":material/hourglass_empty:")
        return
    summed = {name: matching_runs.summaries(found, name) for name in SETS}
    at = {(s.way, s.recipe): s.mean for s in summed["emoji"]}
    crop = at["colour", "crop"]
    said = {f"{way}_{recipe}": f"{at[way, recipe]:.0%}" for way, recipe in at} | {"others": found["candidates"]}
    if not guessed("views.quiz", "a" if crop < RARELY else "b" if crop < OFTEN else "c", **said):
        return
    st.markdown(t("views.measured", pictures=found["pictures"], others=found["candidates"], draws=found["draws"]))
    grid = st.grid(2, min_column_width=520, gap="medium")
    for name, summaries in summed.items():
        with grid.cell(), st.container(border=True):
            st.subheader(t(f"views.of.{name}"))
            reading = t(f"views.read.{name}", **said)
            origin = Origin("run", matching_runs.RESULT.name)
            figure_with_table(
                _figure(summaries), _rows(summaries), f"views.stored.{name}", origin=origin, caption=reading
            )


def _figure(summaries: list[Summary]) -> Any:
    ways = list(dict.fromkeys(s.way for s in summaries))
    figure = figures.blank(t("views.accuracy"), "", height=90 + 52 * len(ways))
    for i, recipe in enumerate(RECIPES):
        rows = [s for s in summaries if s.recipe == recipe]
        figure.add_bar(
            x=[s.mean for s in rows], y=[label(WAYS[s.way]) for s in rows], orientation="h",
            name=label(PIPELINES[recipe].label),
            error_x={"type": "data", "array": [s.half or 0 for s in rows], "thickness": 1.5, "width": 4, "color": figures.GREY},
            marker={"color": figures.PALETTE[i], "pattern": {"shape": figures.PATTERNS[i], "size": 5, "solidity": 0.5}},
        )  # fmt: skip
    figure.update_layout(barmode="group", legend={"traceorder": "normal"})
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def _rows(summaries: list[Summary]) -> dict[str, list[Any]]:
    return {
        t("views.way"): [label(WAYS[s.way]) for s in summaries],
        t("views.named"): [label(PIPELINES[s.recipe].label) for s in summaries],
        t("views.accuracy"): [round(s.mean, 4) for s in summaries],
        t("runs.half"): [None if s.half is None else round(s.half, 4) for s in summaries],
    }


# -- measured now ----------------------------------------------------------------------------------------------------------
def measure(looked: Looked, augment: AugmentConfig) -> Matching:
    """Views of some of the pictures, drawn by this recipe; kept for the next rerun."""
    with st.spinner(t("views.measuring")):
        return _measured(looked.stamp, packed(augment), looked, augment)


@st.cache_resource(max_entries=16, show_spinner=False)
def _measured(stamp: tuple[Any, ...], recipe: str, _looked: Looked, _augment: AugmentConfig) -> Any:
    import torch

    from simclr_core.matching import match_views

    torch.set_num_threads(1)
    return match_views(_looked.images.sample(LIVE), _augment, _looked.encoders, size=_looked.size)


def name_of(way: str) -> str:
    """What a way of `match_views` is called on the page."""
    encoder, _, space = way.partition("_")
    return t(f"views.net.{encoder}_space", space=space) if space else t(f"views.net.{way}")


def table(found: Matching, looked: Looked) -> None:
    """Every way with its accuracy, AUC, and mean cosines of positive and negative pairs."""
    n = len(looked.images.sample(LIVE))
    st.markdown(t("views.own", pictures=n, others=2 * n - 1, chance=f"{1 / (2 * n - 1):.2%}"))
    rows = [
        Row(
            name_of(name),
            [],
            [f"{way.r_at_1:.1%}", f"{way.auc:.3f}", short(way.positive.mean()), short(way.negative.mean())],
        )
        for name, way in found.ways.items()
    ]
    columns = ("accuracy", "auc", "positive", "negative")
    number_table([t("views.way"), *(t(f"views.{column}") for column in columns)], rows)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link("pairs.py", icon=":material/arrow_forward:")
        st.markdown(t("views.to_pairs"), width="stretch")
