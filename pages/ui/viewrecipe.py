"""The recipe of the Views page: chosen by name, by operation or field by field; whole in the URL."""

from __future__ import annotations

import json
from dataclasses import replace

import streamlit as st

from pages.ui import state, widgets
from pages.ui.text import label, t
from simclr_core.config import AugmentConfig, RunConfig, to_dict, with_overrides
from simclr_core.errors import ConfigError
from simclr_core.operations import OPERATIONS, without
from simclr_core.viewadvice import PIPELINES, in_use

RECIPE, NAMED, USED, FIELDS = "views.recipe", "views.named", "views.used", "views.augment"
NOW = "views.augment_now"
VERSION, LONGEST = "1", 400
USUAL = "full"
ALONE = tuple(name for name, entry in OPERATIONS.items() if not entry.part_of)


# -- a recipe as text ----------------------------------------------------------------------------------------------------
def settings(augment: AugmentConfig) -> list[str]:
    """What differs from the program's own recipe, as `--set augment.…` takes it."""
    usual = to_dict(AugmentConfig())
    return [f"{k}={json.dumps(v, separators=(',', ':'))}" for k, v in to_dict(augment).items() if v != usual[k]]


def named(augment: AugmentConfig) -> str | None:
    """The entry of `PIPELINES` that a recipe is."""
    return next((name for name, pipeline in PIPELINES.items() if pipeline.augment == augment), None)


def packed(augment: AugmentConfig) -> str:
    """A recipe for the URL: its name, else the version of this form and what differs."""
    return named(augment) or ";".join([VERSION, *settings(augment)])


def unpacked(text: str) -> AugmentConfig | None:
    """The recipe of a URL, or None where it is none."""
    if text in PIPELINES:
        return PIPELINES[text].augment
    version, *items = text.split(";")
    if version != VERSION or len(text) > LONGEST:
        return None
    try:
        return with_overrides(RunConfig(), [f"augment.{item}" for item in items]).augment
    except ConfigError:
        return None


# -- the controls --------------------------------------------------------------------------------------------------------
def put(augment: AugmentConfig) -> None:
    """Set every control to a recipe; call it before they are drawn."""
    widgets.prefill(augment, FIELDS)
    st.session_state[NOW] = augment


def _put_named() -> None:
    if (chosen := st.session_state[NAMED]) is not None:
        put(PIPELINES[chosen].augment)


def _switch() -> None:
    """Leave out the operations that were switched off, and do the ones that were switched on as SimCLR does them."""
    augment, wanted = st.session_state[NOW], st.session_state[USED]
    for name in ALONE:
        if name in in_use(augment) and name not in wanted:
            augment = without(augment, name)
        elif name in wanted and name not in in_use(augment):
            fields = OPERATIONS[name].run(1.0)
            augment = replace(augment, **{f: getattr(PIPELINES["simclr"].augment, f) for f in fields})
    put(augment)


def choose() -> AugmentConfig:
    """The recipe that the whole page is about."""
    asked = state.changed_in_url(RECIPE)
    linked = None if asked is None else unpacked(asked)
    if linked is not None or NOW not in st.session_state:
        put(linked or PIPELINES[USUAL].augment)
    now: AugmentConfig = st.session_state[NOW]
    st.session_state[NAMED] = named(now)
    st.session_state[USED] = list(in_use(now))
    with st.container(border=True):
        st.segmented_control(
            t("views.named"), list(PIPELINES), key=NAMED, on_change=_put_named,
            format_func=lambda name: label(PIPELINES[name].label),
        )  # fmt: skip
        st.pills(
            t("views.used"), ALONE, selection_mode="multi", key=USED, on_change=_switch, help=t("views.used_help"),
            format_func=lambda name: label(OPERATIONS[name].label),
        )  # fmt: skip
        with st.expander(t("views.strengths"), icon=":material/tune:"):
            augment = widgets.record(AugmentConfig, FIELDS, columns=4)
    if augment != now:  # a strength was moved: name and switches above follow
        st.session_state[NOW] = augment
        st.rerun()
    state.share(RECIPE, packed(augment), USUAL)
    return augment


def command(augment: AugmentConfig) -> str:
    """The line that trains with it on 10,000 pictures."""
    changes = " ".join(f"--set 'augment.{item}'" for item in settings(augment))
    return f"python -m simclr_core train --images demo --out runs/NAME --recipe 10k-images {changes}".rstrip()
