"""Ways in: which pictures, which file on this machine, which name for a new run. Texts from a person are checked here.

A path typed into the app is opened by the app, so it must lie under a folder that the app's owner allows:
the home folder, the folder the app was started in, the project and its runs, and `SIMCLR_ROOTS`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

import streamlit as st

from pages.ui import state
from pages.ui.classroom import refuse
from pages.ui.text import label, t
from pages.ui.widgets import KEEP, choose
from simclr_core.errors import DataError, RunError, sentence
from simclr_core.store import RunDir, require_space, write_atomic

UPLOAD_MIB = 64
NAME = re.compile(r"\w[\w.-]{0,59}")


# -- names and paths -------------------------------------------------------------------------------------------------
def allowed_roots() -> list[Path]:
    """The folders that typed paths may lie in."""
    extra = [p for p in os.environ.get("SIMCLR_ROOTS", "").split(os.pathsep) if p]
    roots = [Path.home(), Path.cwd(), state.ROOT, state.runs_root(), *map(Path, extra)]
    return list(dict.fromkeys(root.expanduser().resolve() for root in roots))


def allowed_path(text: str) -> Path:
    """A typed path, links followed; `DataError` when it is absent or outside the allowed folders."""
    refuse("open a path")
    path, there, roots = Path(text.strip()), False, allowed_roots()
    with suppress(OSError, ValueError, RuntimeError):  # too long for a path, not ours to look into, nobody's home
        path = path.expanduser().resolve()
        there = path.exists()
    if not any(path.is_relative_to(root) for root in roots):
        rule = f"inside one of {', '.join(map(str, roots))}"
        raise DataError(sentence("path", rule, text, "move the file there, or name its folder in SIMCLR_ROOTS"))
    if not there:
        raise DataError(sentence("path", "an existing file or folder", text, "check the spelling"))
    return path


def new_run_path(name: str, *, empty: bool = False) -> Path:
    """Where a new run of this name goes; `RunError` when the name cannot be a folder or is taken.

    A folder that a failed start left behind may be used again, unless `empty` asks for a name without any.
    """
    refuse("make or rename a run")
    if not NAME.fullmatch(name):
        rule = "1 to 60 letters, digits, dots, dashes or underscores"
        raise RunError(sentence("name", rule, name, "choose a plain name"))
    path = state.runs_root() / name
    if name in state.available_runs() or (path if empty else path / "config.json").exists():
        raise RunError(sentence("name", "a new name", name, "another run or folder has it; choose another"))
    return path


def suggested_name(stem: str) -> str:
    """The first free name of the form stem-1, stem-2, …"""
    root = state.runs_root()
    return next(f"{stem}-{i}" for i in range(1, 10_000) if not (root / f"{stem}-{i}").exists())


# -- which pictures ----------------------------------------------------------------------------------------------------
def choose_images(key: str) -> str | None:
    """Choose a source of pictures and its path; the spec, or None while a path is still missing."""
    from simclr_core.sources import SOURCES

    name = choose(SOURCES, t("loading.images"), f"{key}.source", note=t("loading.images_help"))
    source = SOURCES[name]
    if not source.argument:
        return name
    where = st.text_input(
        label(source.argument_label),
        key=f"{key}.path",
        placeholder="~/pictures",
        help=t("loading.path_help"),
        persist_state=KEEP,
    )
    if not where.strip():
        st.caption(t("loading.path_missing"))
        return None
    return f"{name}:{allowed_path(where) if source.is_path else where.strip()}"


# -- embeddings that came alone ------------------------------------------------------------------------------------------
def import_embeddings(source: Path | bytes, name: str) -> RunDir:
    """Make a run of an embedding file: an npz with h and/or z (label, index optional), or a .npy matrix.

    The file is read, checked and written again as the app's own table, so nothing of the original is kept unread.
    """
    from simclr_core.tables import load_embeddings, save_embeddings

    path = new_run_path(name, empty=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        incoming = _incoming(source, partial)
        table = load_embeddings(incoming)
        save_embeddings(table, partial / "embeddings" / "encoder.npz")
        if incoming.is_relative_to(partial):
            incoming.unlink()
        about = {"rows": len(table), "time": time.time()}
        write_atomic(partial / "config.json", json.dumps({"imported": about}, indent=1))
        RunDir(partial).write_status(state="done", message="", progress=1.0)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return RunDir(path)


def _incoming(source: Path | bytes, folder: Path) -> Path:
    """The file to read; uploaded bytes are first put on disk, if they and their table fit."""
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    require_space(folder, 3 * size)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(source, Path):
        return source
    is_npz = source[:2] == b"PK"
    path = folder / f"upload{'.npz' if is_npz else '.npy'}"
    path.write_bytes(source)
    return path
