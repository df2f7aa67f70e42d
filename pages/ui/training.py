"""Setting up a training run, starting it, and keeping the runs in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.ui import figures, jobs, loading, monitor, state
from pages.ui.classroom import public, read_only, refuse, source
from pages.ui.text import escape_markdown, label, t
from pages.ui.widgets import choose, prefill, record
from simclr_core.config import AugmentConfig, ModelConfig, RunConfig, TrainConfig, auto_epochs, auto_lr, to_dict
from simclr_core.errors import ConfigError, RunError, SimclrError, sentence
from simclr_core.recipes import RECIPES, recipe
from simclr_core.records import ImageSet
from simclr_core.registry import make_params
from simclr_core.store import JobDir, RunDir, require_space, write_atomic

STARTED = "train.started"
ESTIMATE = "train.estimate"
STRIP_IMAGES, STRIP_VIEWS = 6, 6
EMBEDDED_ROWS = 10_000  # held-out pictures that a finished run encodes
HEAD = ("norm", "head_layers", "hidden_dim", "proj_dim")
SUGGEST = {"clip_norm": 1.0, "checkpoint_every": 100, "keep_every": 500, "monitor_every": 50, "chunk": 256, "ema": 0.99}
MAIN = ("temperature", "batch_size", "epochs", "seed", "device")
MORE = tuple(f.name for f in fields(TrainConfig) if "kind" in f.metadata and f.name not in MAIN)


# -- which run is looked at ----------------------------------------------------------------------------------------------
def watched() -> RunDir | None:
    """The run whose panel is shown: the one just started, else the loaded one, else any that is in work."""
    started = st.session_state.get(STARTED)
    if started:
        run = RunDir(state.runs_root() / started)
        if run.exists:  # it has its configuration now: from here on it is the loaded run, in the URL
            del st.session_state[STARTED]
            state.open_after_rerun(started)
            st.rerun()
        return run if run.path.exists() else None
    loaded = state.current()
    if loaded is not None and monitor.is_training(loaded) and loaded.name != state.DEMO:
        return loaded
    return next(iter(others_in_work(None)), None)


def others_in_work(shown: RunDir | None) -> list[RunDir]:
    """Training runs in work besides the one shown."""
    found = [RunDir(job.path) for job in jobs.active_jobs(state.runs_root())]
    return [run for run in found if monitor.is_training(run) and (shown is None or run.path != shown.path)]


def mention(runs: Sequence[RunDir]) -> None:
    """One line for every other run in work, with a way to look at it."""
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(t("train.also", name=run.name))
            st.button(
                t("train.look"),
                key=f"train.look.{run.name}",
                on_click=state.open_run,
                args=(run.name,),
                disabled=not run.exists,
            )


# -- the form ------------------------------------------------------------------------------------------------------------
def form() -> None:
    """Everything that decides a run, the views it will train on, and the start."""
    recipe_part()
    with st.container(border=True):
        st.subheader(t("train.images_title"), icon=":material/photo_library:")
        spec, size, pictures = images_part()
        st.markdown(t("train.views"))
        left, right = st.columns(2, gap="large")
        with left:
            augment = record(AugmentConfig, "train.augment", columns=2)
        with right:
            if pictures is not None:
                views(pictures, augment, size)
    with st.container(border=True):
        st.subheader(t("train.network_title"), icon=":material/account_tree:")
        config = RunConfig(
            images=spec or "demo",
            image_size=size,
            augment=augment,
            model=model_part(),
            train=train_part(len(pictures) if pictures else 0),
        )
    if spec is not None and pictures is not None:
        start_part(config, pictures)


def recipe_part() -> None:
    """Named settings to begin with, what they lead to and who says so."""
    with st.container(border=True, horizontal=True, vertical_alignment="bottom"):
        shown = {name: label(recipe.label) for name, recipe in RECIPES.items()}
        name = st.selectbox(t("train.recipe"), list(shown), format_func=shown.__getitem__, key="train.recipe")
        st.button(
            t("train.use_recipe"),
            key="train.use_recipe",
            icon=":material/menu_book:",
            on_click=use_recipe,
            args=(name,),
        )
        chosen = RECIPES[name]
        said = {"expected": label(chosen.expected), "cost": label(chosen.cost), "source": chosen.source}
        st.caption(t(f"train.recipe_{chosen.status}", **said))


def use_recipe(name: str) -> None:
    """Fill the form with a recipe's settings; pictures and the run's name stay as they are."""
    from simclr_core.objectives import OBJECTIVES

    config = recipe(name)
    for part, key in ((config.augment, "train.augment"), (config.model, "train.model"), (config.train, "train.train")):
        prefill(part, key)
    prefill(config, "train.run")
    own = make_params(OBJECTIVES[config.train.objective].params, config.train.objective_params)
    prefill(own, f"train.objective.{config.train.objective}")
    st.session_state["train.backbone"] = config.model.backbone
    st.session_state["train.objective"] = config.train.objective


def images_part() -> tuple[str | None, int | None, ImageSet | None]:
    """The pictures, at the size they will be trained at."""
    grid = st.grid(2, min_column_width=280)
    with grid.cell():
        spec = loading.choose_images("train")
    with grid.cell():
        size = record(RunConfig, "train.run", only=("image_size",), suggest={"image_size": 32}).image_size
    if spec is None:
        return None, size, None
    with st.spinner(t("train.reading")):
        pictures = state.load_pictures(spec, "train", size)
    h, w = pictures.image.shape[1:3]
    classes = len(pictures.class_names) or (len(np.unique(pictures.label)) if pictures.label is not None else 0)
    found = t("train.found", n=f"{len(pictures):,}", w=w, h=h, classes=classes)
    st.caption("  \n".join([found, *map(escape_markdown, pictures.notices)]))
    return spec, size, pictures


def views(pictures: ImageSet, augment: AugmentConfig, size: int | None) -> None:
    """A few pictures, each with views drawn by these very settings; the left column is the picture itself."""
    st.session_state.setdefault("train.draw", 0)
    rows = np.linspace(0, len(pictures) - 1, STRIP_IMAGES + 2).round().astype(int)[1:-1]
    sheet = view_sheet(pictures.image[rows], augment, st.session_state["train.draw"], size)
    st.image(sheet, width="stretch", alt=t("train.views_alt", n=STRIP_IMAGES, k=STRIP_VIEWS))
    st.caption(t("train.views_caption"))
    st.button(t("train.draw_again"), key="train.again", icon=":material/casino:", on_click=_draw_again)


def _draw_again() -> None:
    st.session_state["train.draw"] += 1


def view_sheet(image: np.ndarray, augment: AugmentConfig, seed: int, size: int | None) -> np.ndarray:
    """One line a picture: the picture, then its views, drawn by the trainer's own code."""
    import torch

    from simclr_core.augment import augment_views

    n, k = len(image), STRIP_VIEWS
    x = torch.from_numpy(image).permute(0, 3, 1, 2).repeat_interleave(k, 0)
    drawn = augment_views(x, augment, torch.Generator().manual_seed(seed), size=size or image.shape[1])
    pixels = (drawn.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    lines = pixels.reshape(n, k, *pixels.shape[1:])
    first = image if image.shape[1:3] == pixels.shape[1:3] else lines[:, 0]
    return figures.contact_sheet(
        np.concatenate([first[:, None], lines], 1).reshape(-1, *pixels.shape[1:]), k + 1, side=80
    )


def model_part() -> ModelConfig:
    """Backbone and projection head."""
    from simclr_core.model import BACKBONES

    backbone = choose(BACKBONES, t("train.backbone"), "train.backbone")
    names = HEAD if BACKBONES[backbone].stem else ("stem", *HEAD)
    return record(ModelConfig, "train.model", only=names, fixed={"backbone": backbone}, columns=len(names))


def train_part(n_images: int) -> TrainConfig:
    """The objective and how it is optimised; what is rarely touched is folded away."""
    from simclr_core.objectives import OBJECTIVES

    objective = choose(OBJECTIVES, t("train.objective"), "train.objective")
    main = record(TrainConfig, "train.train", only=MAIN, suggest={"epochs": auto_epochs(n_images)}, columns=3)
    own = objective_params(objective)
    with st.expander(t("train.more"), icon=":material/tune:"):
        suggest = SUGGEST | {"lr": auto_lr(TrainConfig().optimizer, main.batch_size), "threads": jobs.threads_to_use()}
        chosen = {name: getattr(main, name) for name in MAIN} | {"objective": objective, "objective_params": own}
        return record(TrainConfig, "train.train", only=MORE, suggest=suggest, fixed=chosen, columns=3)


def objective_params(objective: str) -> dict[str, Any]:
    """The chosen objective's own parameters that differ from their defaults: left alone, a run's id is the command line's."""
    from simclr_core.objectives import OBJECTIVES

    kind = OBJECTIVES[objective].params
    chosen, usual = asdict(record(kind, f"train.objective.{objective}", columns=3)), asdict(kind())
    return {name: value for name, value in chosen.items() if value != usual[name]}


# -- the start -----------------------------------------------------------------------------------------------------------
def start_part(config: RunConfig, pictures: ImageSet) -> None:
    """Name, what the run will take, and the button."""
    with st.container(border=True):
        try:
            check(config, pictures)
        except SimclrError as error:
            st.error(public(error), icon=":material/error:")
            return
        resolved = config.resolved(len(pictures))
        steps = len(pictures) // config.train.batch_size * (resolved.train.epochs or 1)
        st.markdown(
            t("train.plan", epochs=f"{resolved.train.epochs:,}", steps=f"{steps:,}", lr=f"{resolved.train.lr:g}")
        )
        time_needed(config, pictures)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input(t("home.name"), loading.suggested_name("run"), key="train.name")
            if st.button(t("train.start"), key="train.start", type="primary", icon=":material/play_arrow:"):
                start(config, name)
                st.rerun()


def check(config: RunConfig, pictures: ImageSet) -> None:
    """Name before the start what would stop the run: no negatives, too few pictures, too little disk."""
    batch = config.train.batch_size
    if batch < 2:
        raise ConfigError(sentence("batch_size", "2 or larger", batch, "one image has no negatives to learn from"))
    if batch > len(pictures):
        rule = f"at most the number of training images ({len(pictures)})"
        raise ConfigError(sentence("batch_size", rule, batch, "choose a smaller batch or more images"))
    require_space(state.runs_root(), bytes_needed(config.model))


@st.cache_data(max_entries=32, show_spinner=False)
def bytes_needed(model: ModelConfig) -> int:
    """Disk that a run takes: three checkpoints of weights with two moments each, and its embeddings, twice."""
    from simclr_core.model import build_model

    network = build_model(model, 0)
    weights = sum(x.nbytes for x in network.state_dict().values())
    return 3 * 3 * weights + 2 * EMBEDDED_ROWS * 4 * (network.feature_dim + model.proj_dim)


def time_needed(config: RunConfig, pictures: ImageSet) -> None:
    """The measured time of the whole run, or a button that measures it with a few real steps."""
    known = st.session_state.get(ESTIMATE)
    busy = bool(others_in_work(None))
    with st.container(horizontal=True, vertical_alignment="center"):
        if known and known[0] == config:
            st.markdown(t("train.takes", time=monitor.duration(known[1])))
        else:
            st.markdown(t("train.takes", time=t("common.not_measured")))
        note = t("train.measure_busy") if busy else t("train.measure_help")
        if st.button(t("train.measure"), key="train.measure", icon=":material/timer:", disabled=busy, help=note):
            with st.spinner(t("train.measuring")):
                st.session_state[ESTIMATE] = (config, measure(config, pictures))
            st.rerun()


def measure(config: RunConfig, pictures: ImageSet) -> float:
    """Seconds the run will take at the threads it will have."""
    refuse("train some steps")
    from simclr_core.train import estimate

    threads = config.train.threads or jobs.threads_to_use()
    return estimate(replace(config, train=replace(config.train, threads=threads)), pictures)


def start(config: RunConfig, name: str) -> JobDir:
    """Write the request into the new run's folder and start the trainer on it."""
    path = loading.new_run_path(name)
    request = path / monitor.REQUEST
    write_atomic(request, json.dumps(to_dict(config), indent=1))
    arguments = ["train", "--images", config.images, "--out", str(path), "--config", str(request)]
    st.session_state[STARTED] = name
    return jobs.start(arguments, path, threads=config.train.threads)


# -- the runs there are --------------------------------------------------------------------------------------------------
def history() -> None:
    """Every run with its state, result and disk use; rename and delete."""
    runs = {name: run for name, run in state.available_runs().items() if name != state.DEMO}
    if not runs:
        st.caption(t("train.no_history"))
        return
    st.dataframe([history_row(run) for run in runs.values()], hide_index=True, placeholder="–", key="train.history")
    if read_only():
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(t("shell.run"), list(runs), key="train.manage", width=240)
        st.button(
            t("train.open"), key="train.open", on_click=state.open_run, args=(name,), icon=":material/visibility:"
        )
        with st.popover(t("train.rename"), icon=":material/edit:"):
            new = st.text_input(t("train.new_name"), name, key="train.new_name")
            st.button(t("train.rename"), key="train.rename", on_click=_told, args=(rename, name, new))
        with st.popover(t("train.delete"), icon=":material/delete:"):
            size = runs[name].disk_bytes() / 2**20
            st.markdown(t("train.delete_sure", name=name, size=f"{size:,.1f}"))
            st.button(t("train.delete_yes"), key="train.delete", type="primary", on_click=_told, args=(delete, name))
    if message := st.session_state.pop("train.told", None):
        st.error(message)


def history_row(run: RunDir) -> dict[str, Any]:
    """One line of the history. No loss stands in it: runs differ in τ, batch size and objective, and so in its scale."""
    status, rows = jobs.watch(run), state.metrics(run)
    accuracy = (status.get("result") or {}).get("knn_accuracy")
    return {
        t("shell.run"): run.name,
        t("train.column.state"): t(f"train.state.{status.get('state') or 'done'}"),
        t("loading.images"): source(state.spec_of(run) or ""),
        t("train.step"): rows[-1]["step"] if rows else None,
        t("train.column.knn"): t("common.not_measured") if accuracy is None else f"{accuracy:.1%}",
        t("train.column.disk"): f"{run.disk_bytes() / 2**20:,.1f} MiB",
    }


def _told(action: Any, *args: str) -> None:
    """Run an action from a callback; a callback has no place on the page, so its sentence is kept for the next run."""
    try:
        action(*args)
    except SimclrError as error:
        st.session_state["train.told"] = public(error)


def _idle(name: str) -> Path:
    refuse("rename or delete a run")
    run = state.find_run(name)
    if run.path.parent != state.runs_root():
        raise RunError(sentence("run", "one of your own", name, "the demo stays"))
    if jobs.active(run):
        raise RunError(sentence("run", "one that is not in work", name, "stop it first"))
    return run.path


def rename(name: str, new: str) -> None:
    """Give a run another name."""
    path, target = _idle(name), loading.new_run_path(new, empty=True)
    path.rename(target)
    if st.session_state.get(state.RUN_KEY) == name:
        state.open_run(new)


def delete(name: str) -> None:
    """Remove a run and everything in it."""
    shutil.rmtree(_idle(name))
