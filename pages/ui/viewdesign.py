"""A pipeline of one's own for 10,000 pictures: what the rules say of it, and where to take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import viewmatch
from pages.ui.text import label, t
from pages.ui.viewrecipe import command
from pages.ui.widgets import prefill
from simclr_core.config import AugmentConfig
from simclr_core.recipes import RECIPES
from simclr_core.viewadvice import ADVICE, advise

if TYPE_CHECKING:
    from pages.ui.viewpair import Looked
    from simclr_core.matching import Matching

MARKS = {"ok": ":green[:material/check_circle:]", "warn": ":orange[:material/info:]", "fail": ":red[:material/cancel:]"}
RECIPE = "10k-images"


def advice(found: Matching, looked: Looked, augment: AugmentConfig) -> None:
    """What is good about the pipeline and what is not, each with its reason."""
    from simclr_core.matching import facts

    st.markdown(t("views.design"))
    said = advise(facts(found, looked.images.sample(viewmatch.LIVE), augment, size=looked.size))
    wrong = sum(a.severity == "fail" for a in said.values())
    with st.container(border=True):
        st.markdown(f"**{t('views.design_mend', n=wrong) if wrong else t('views.design_good')}**")
        for name, a in said.items():
            mark = f"{MARKS[a.severity]} {t(f'views.severity.{a.severity}')}"
            st.markdown(f"{mark} · **{label(ADVICE[name].label)}** · {label(a.text)}")


def take(augment: AugmentConfig) -> None:
    """The pipeline as a command, and on the Train page."""
    recipe = RECIPES[RECIPE]
    st.markdown(t("views.take", expected=label(recipe.expected), cost=label(recipe.cost)))
    st.code(command(augment), language="bash", wrap_lines=True)
    if st.button(t("views.to_train"), key="views.to_train", icon=":material/model_training:", type="primary"):
        _to_train(augment)


def _to_train(augment: AugmentConfig) -> None:
    """Open the Train page with the recipe for 10,000 pictures and these views."""
    from pages.ui.training import use_recipe

    st.session_state["train.recipe"] = RECIPE
    use_recipe(RECIPE)
    prefill(augment, "train.augment")
    st.switch_page("train.py")
