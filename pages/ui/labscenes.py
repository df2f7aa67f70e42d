"""The collapse lab's scenes: what can be set, settings worth looking at, and the question that each of them answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import streamlit as st

from pages.ui import state, teacher
from pages.ui.components.lab import DIM, IMAGES, Setting
from pages.ui.quiz import OPTIONS, question
from pages.ui.text import t
from pages.ui.widgets import KEEP
from simclr_core.similarity import loss_ceiling

SCENE, SEED = "lab.scene", "lab.seed"
CHOICES = {  # what can be set, by its name in the session and the URL → its values, the first being usual
    "lab.data": ("gauss", "blobs"),
    "lab.start": ("random", "collapsed"),
    "lab.noise": ("0.6", "0", "0.3", "1", "1.5", "2"),
    "lab.tau": ("0.5", "0.05", "0.07", "0.1", "0.2", "0.3", "0.7", "1", "2"),
}
LAST_SEED = 99


class Scene(NamedTuple):
    """A setting worth looking at, where it differs from the usual one, and the right answer to its question."""

    setting: dict[str, Any]
    answer: str


SCENES = {
    "attraction": Scene({}, "b"),
    "nudge": Scene({"lab.start": "collapsed"}, "b"),
    "line": Scene({"lab.data": "blobs", SEED: 1}, "c"),
    "crowd": Scene({"lab.noise": "1.5", SEED: 4}, "b"),
}


def full(scene: Scene) -> dict[str, Any]:
    return {name: values[0] for name, values in CHOICES.items()} | {SEED: 0} | scene.setting


def open_scene() -> None:
    """Set all that the chosen scene says; called when a scene was chosen."""
    if (chosen := st.session_state[SCENE]) is not None:
        st.session_state.update(full(SCENES[chosen]))


def choose_scene() -> str | None:
    """The scene that the present setting is, or None for a person's own."""
    for name, values in CHOICES.items():
        state.follow_url(name, values, values[0])
    state.follow_number(SEED, 0, LAST_SEED, 0)
    present = {name: st.session_state[name] for name in (*CHOICES, SEED)}
    st.session_state[SCENE] = next((name for name, scene in SCENES.items() if full(scene) == present), None)
    return st.segmented_control(
        t("lab.scene"),
        list(SCENES),
        key=SCENE,
        on_change=open_scene,
        format_func=lambda name: t(f"lab.scenes.{name}.label"),
    )


def choose_setting() -> Setting:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for name in ("lab.data", "lab.start"):
            st.selectbox(
                t(name),
                CHOICES[name],
                key=name,
                format_func=lambda value: t(f"lab.value.{value}"),
                width=150,
                persist_state=KEEP,
            )
        for name in ("lab.noise", "lab.tau"):
            stops = sorted(CHOICES[name], key=float)
            st.select_slider(t(name), stops, key=name, help=t(f"{name}_help"), width=135, persist_state=KEEP)
        st.number_input(t(SEED), 0, LAST_SEED, key=SEED, step=1, help=t("lab.seed_help"), width=120, persist_state=KEEP)
    return to_setting({name: st.session_state[name] for name in (*CHOICES, SEED)})


def choices() -> dict[str, Any]:
    """The settings and scenes as fields of an offline page: none where a teacher hides controls, no reveal where answers."""
    if teacher.hides("controls"):
        return {}
    numbers = sorted(CHOICES["lab.noise"], key=float), sorted(CHOICES["lab.tau"], key=float)
    values = {name: [(v, t(f"lab.value.{v}")) for v in CHOICES[name]] for name in ("lab.data", "lab.start")}
    values |= {name: [(v, v) for v in of] for name, of in zip(("lab.noise", "lab.tau"), numbers, strict=True)}
    values[SEED] = [(str(seed), str(seed)) for seed in range(LAST_SEED + 1)]
    lists = [{"name": k.removeprefix("lab."), "label": t(k), "values": of} for k, of in values.items()]
    labels = {"scene_label": t("lab.scene"), "answer_label": t("common.reveal")}
    return {"settings": lists, "scenes": [_scene(name) for name in SCENES], **labels}


def _scene(name: str) -> dict[str, Any]:
    texts = {part: t(f"lab.scenes.{name}.{part}", **known()) for part in ("label", "note", "question", "reveal")}
    if teacher.hides("answers"):
        texts["reveal"] = ""
    options = [t(f"lab.scenes.{name}.{option}", **known()) for option in OPTIONS]
    return texts | {"options": options, "setting": to_setting(full(SCENES[name]))}


def to_setting(chosen: Mapping[str, Any]) -> Setting:
    """What was chosen, by its names in the session, as the component takes it."""
    data, begin, noise, tau = (chosen[name] for name in CHOICES)
    return Setting(data=data, start=begin, noise=float(noise), tau=float(tau), seed=chosen[SEED])


def ask(name: str) -> None:
    """The question of a scene."""
    question(f"lab.scenes.{name}", SCENES[name].answer, **known())


def known() -> dict[str, Any]:
    """Numbers that a text may name."""
    return {"others": 2 * IMAGES - 1, "ceiling": f"{loss_ceiling(IMAGES):.2f}", "dim": DIM}
