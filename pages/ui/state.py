"""What a session looks at: the run and the language, both in the URL, and cached readers of a run's files.

All truth is on disk. A reader is cached by (run directory, file, time of last change), never by an array: Streamlit
samples large arrays when it hashes them. What a reader returns is shared by every session and read-only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import streamlit as st

from pages.ui.text import DEFAULT, LANGUAGE_KEY, languages, t
from simclr_core.errors import DataError, RunError, sentence
from simclr_core.maps import MAPS
from simclr_core.records import SPLITS, EmbeddingTable, ImageSet, Map, PairTable, Split, rows_of
from simclr_core.store import RunDir, list_runs, read_json, read_metrics

F = TypeVar("F", bound=Callable[..., Any])
Which = Literal["encoder", "untrained", "pixels"]
ROOT = Path(__file__).resolve().parents[2]
DEMO = "demo"
DEMO_RUN = ROOT / "simclr_core" / "demo" / "run"
RUN_KEY = "run"
NEXT_RUN = "next_run"
VERSION = "1"  # of the keys of an address
IMAGE_KEY = "image"  # the picture that the pairs and collapse pages look at, shared by both
PRESSED = "image.pressed"


# -- which runs there are ------------------------------------------------------------------------------------------------
def runs_root() -> Path:
    """The folder of runs: `SIMCLR_RUNS`, or `runs` beside the app."""
    return Path(os.environ.get("SIMCLR_RUNS") or ROOT / "runs").resolve()


def available_runs() -> dict[str, RunDir]:
    """Runs by name, the bundled demo first, then newest first. A name is the only handle that a URL may hold."""
    demo = {DEMO: RunDir(DEMO_RUN, name=DEMO)} if (DEMO_RUN / "config.json").exists() else {}
    return demo | {run.name: run for run in list_runs(runs_root()) if run.name not in demo}


def find_run(name: str) -> RunDir:
    """The run of this name; `RunError` names the known ones. Safe on text from a URL: nothing is joined to a path."""
    runs = available_runs()
    if name not in runs:
        raise RunError(sentence("run", f"one of {', '.join(runs) or 'none yet'}", name, "choose another or train one"))
    return runs[name]


def current() -> RunDir | None:
    """The run that this session looks at, or None when nothing is loaded."""
    return available_runs().get(st.session_state.get(RUN_KEY) or "")


def called(run: RunDir) -> str:
    """What pages call a run."""
    return t("shell.demo") if run.name == DEMO else run.name


def require_run() -> RunDir:
    """The loaded run, or a page that says how to get one. Ends the page when there is none, or none with embeddings."""
    run = current()
    if run is not None and has_table(run):
        return run
    with st.container(border=True):
        key = "none" if run is None else "unfinished"
        st.subheader(t(f"state.{key}_title"))
        st.markdown(t(f"state.{key}"))
        with st.container(horizontal=True):
            st.page_link("home.py", label=t("state.to_home"), icon=":material/home:")
            st.page_link("train.py", label=t("state.to_train"), icon=":material/model_training:")
    return st.stop()


def open_run(name: str) -> None:
    """Look at another run from the next rerun on; call it from a widget's callback."""
    st.session_state[RUN_KEY] = name


def open_after_rerun(name: str) -> None:
    """As `open_run`, for code that runs after the switch was drawn; follow it with `st.rerun()`."""
    st.session_state[NEXT_RUN] = name


# -- the URL -------------------------------------------------------------------------------------------------------------
def begin() -> None:
    """Bring language and run together with the URL; the shell calls it before anything is drawn."""
    runs = available_runs()
    if NEXT_RUN in st.session_state:
        st.session_state[RUN_KEY] = st.session_state.pop(NEXT_RUN)
    follow_url(LANGUAGE_KEY, languages(), DEFAULT)
    follow_url(RUN_KEY, runs, DEMO if DEMO in runs else None)


def other_version() -> bool:
    """Whether the address that was opened says (`?v=`) that its keys mean what they mean in another version than this one.

    What this app writes is of its own version, which is left out; so the mark is taken away.
    """
    return st.query_params.pop("v", VERSION) != VERSION


def follow_url(name: str, allowed: Iterable[str], default: str | None) -> None:
    """Keep `st.session_state[name]` and `?name=` equal; a value outside `allowed` falls back to the default.

    The URL wins when it changed by itself (a link, back, forward), the session when a widget changed or a page switch
    emptied the URL. Defaults are left out of the URL. `bind="query-params"` would put the shown text there instead.
    """
    allowed = list(allowed)
    in_url = changed_in_url(name)
    if in_url in allowed:
        st.session_state[name] = in_url
    if st.session_state.get(name) not in allowed:
        st.session_state[name] = default
    share(name, st.session_state[name], default)


def follow_number(name: str, low: int, high: int, default: int) -> None:
    """As `follow_url` for a whole number from low to high; in the session it is an int."""
    in_url = changed_in_url(name)
    if in_url is not None:
        number = int(in_url) if in_url.isascii() and in_url.isdigit() and len(in_url) < 10 else low - 1
        if low <= number <= high:
            st.session_state[name] = number
    if not low <= st.session_state.get(name, low - 1) <= high:
        st.session_state[name] = default
    share(name, st.session_state[name], default)


def changed_in_url(name: str) -> str | None:
    """What the URL says of a name where it changed by itself: a link, back or forward; None where this session wrote it."""
    in_url = st.query_params.get(name)
    return None if in_url == st.session_state.get(f"_{name}_in_url") else in_url


def share(name: str, value: object, default: object) -> None:
    """Write a value into the URL, or take it out where it is the default."""
    wanted = None if value is None or value == default else str(value)
    if wanted is None:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != wanted:
        st.query_params[name] = wanted
    st.session_state[f"_{name}_in_url"] = wanted


# -- what is made of a run, kept ------------------------------------------------------------------------------------------
def identity(run: RunDir) -> tuple[object, ...]:
    """What changes when anything changes that pages read of a run: its embeddings, pairs and report, its newest checkpoint."""
    latest = run.latest_checkpoint
    folder = run.path / "embeddings"
    read = [
        *sorted(folder.glob("*.npz")),
        *folder.glob("report.json"),
        *([latest / "model.safetensors"] if latest else []),
    ]
    return str(run.path), *((path.name, stat.st_mtime_ns, stat.st_size) for path in read for stat in [path.stat()])


def kept(most: int) -> Callable[[F], F]:
    """Keep what a function makes of a run, shared and read-only, until the run changes; at most so many results.

    Arguments that the result does not depend on, beside the run and the others, have names that begin with `_`.
    """
    return st.cache_resource(max_entries=most, show_spinner=False, hash_funcs={RunDir: identity})


# -- what a run holds ----------------------------------------------------------------------------------------------------
def embeddings_path(run: RunDir, which: Which = "encoder") -> Path:
    """Where a run keeps the embedding table of its encoder, of the untrained network, or of raw pixels."""
    return run.path / "embeddings" / f"{which}.npz"


def has_table(run: RunDir, which: Which = "encoder") -> bool:
    """Whether a run holds this table."""
    return embeddings_path(run, which).exists()


def table(run: RunDir, which: Which = "encoder") -> EmbeddingTable:
    """An embedding table of a run; `RunError` when the run has none.

    Pixels cost no encoder: where no file holds them they come from the pictures that the encoder's table was made of.
    """
    if which == "pixels" and not has_table(run, which) and spec_of(run) is not None:
        return _pixels(run)
    return _table(*_stamp(embeddings_path(run, which)))


def pairs(run: RunDir, which: Literal["encoder", "untrained"] = "encoder") -> PairTable:
    """Two views of held-out images, encoded; `RunError` when the run has none."""
    name = "pairs.npz" if which == "encoder" else f"pairs_{which}.npz"
    return _pairs(*_stamp(run.path / "embeddings" / name))


def has_pairs(run: RunDir) -> bool:
    """Whether a run holds encoded pairs of views."""
    return (run.path / "embeddings" / "pairs.npz").exists()


def saved_maps(run: RunDir) -> dict[str, Map]:
    """The run's maps by id: those drawn here, newest first, then those a run came with, `MAPS` from its end."""
    maps = {p.parent.name: _map(*_stamp(p)) for p in run.path.glob("maps/*/map.parquet")}
    drawn = {id: read_json(run.path / "maps" / id / "status.json").get("updated", 0) for id in maps}
    rank = {name: i for i, name in enumerate(MAPS)}
    order = sorted(
        maps, key=lambda id: (drawn[id], rank.get(maps[id].method, -1), maps[id].space == "h", -maps[id].dims)
    )
    return {id: maps[id] for id in reversed(order)}


def report(run: RunDir) -> dict[str, Any]:
    """The diagnosis written with the run's embeddings, or {}."""
    return read_json(run.path / "embeddings" / "report.json")


def spec_of(run: RunDir) -> str | None:
    """The images that a run was trained on or prepared with; None for embeddings that came alone."""
    info = run.info
    return info["config"].get("images") if "config" in info else info.get("imported", {}).get("images")


def split_of(run: RunDir) -> Split:
    """The split that the run's embeddings were encoded from."""
    named = table(run).split if has_table(run) else ""
    return next((s for s in SPLITS if s == named), "test")


def pictures(run: RunDir) -> ImageSet | None:
    """The pictures that a run's embeddings are of, at the size the run saw them; None for embeddings that came alone."""
    spec, info = spec_of(run), run.info
    size = (info.get("config") or info.get("imported", {})).get("image_size")
    return None if spec is None else load_pictures(spec, split_of(run), size)


def metrics(run: RunDir) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl` so far; their fields are those of `records.TrainStep`."""
    path = run.metrics_path
    return _metrics(*_stamp(path)) if path.exists() else []


@st.cache_resource(max_entries=4, show_spinner=False)
def load_pictures(spec: str, split: Split, size: int | None = None) -> ImageSet:
    """Pictures of a source, kept for the next rerun."""
    from simclr_core.sources import load_images

    found = load_images(spec, split=split, size=size)
    found.image.flags.writeable = False
    return found


def _stamp(path: Path) -> tuple[str, int, int]:
    """What identifies a file's content without reading it."""
    try:
        stat = path.stat()
    except OSError:
        raise RunError(
            sentence(
                "run",
                f"a run with {path.parent.name}/{path.name}",
                path.parent.parent.name,
                "wait for it to finish, or choose another run",
            )
        ) from None
    return str(path), stat.st_mtime_ns, stat.st_size


def _frozen(record: Any) -> Any:
    for column in vars(record).values():
        if isinstance(column, np.ndarray):
            column.flags.writeable = False
    return record


@st.cache_resource(max_entries=8, show_spinner=False)
def _table(path: str, mtime: int, size: int) -> EmbeddingTable:
    from simclr_core.tables import load_embeddings

    return _frozen(load_embeddings(path))


@kept(2)
def _pixels(run: RunDir) -> EmbeddingTable:
    from simclr_core.pixels import pixel_table

    return _frozen(pixel_table(take(pictures(run), table(run).index)))


def take(pictures: ImageSet | None, index: np.ndarray) -> ImageSet:
    """The pictures of these numbers, in this order; `DataError` where one is gone."""
    rows = np.full(len(index), -1) if pictures is None else rows_of(pictures.index, index)
    if pictures is None or (rows < 0).any():
        found = f"none of index {int(index[rows < 0][0])}"
        raise DataError(sentence("images", "the pictures that were encoded", found, "bring them back"))
    return pictures.take(rows)


@st.cache_data(max_entries=16, show_spinner=False)
def _metrics(path: str, mtime: int, size: int) -> list[dict[str, Any]]:
    return read_metrics(Path(path))


@st.cache_resource(max_entries=4, show_spinner=False)
def _pairs(path: str, mtime: int, size: int) -> PairTable:
    from simclr_core.tables import load_pairs

    return _frozen(load_pairs(path))


@st.cache_resource(max_entries=16, show_spinner=False)
def _map(path: str, mtime: int, size: int) -> Map:
    from simclr_core.tables import load_map

    return _frozen(load_map(path))


def look_at_another(names: Sequence[str]) -> None:
    """Choose a random picture for the pages that look at one; the n-th press of a session always brings the same."""
    pressed = st.session_state[PRESSED] = st.session_state.get(PRESSED, 0) + 1
    st.session_state[IMAGE_KEY] = names[int(np.random.default_rng(pressed).integers(len(names)))]
