"""What the pairs page knows of a run: distances of stored pairs, views drawn again, and views drawn and encoded now.

Stored pairs need numpy alone. Views need torch, which is imported when the first of them is asked for; an encoder is kept
by (run, time of its checkpoint).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import streamlit as st

from pages.ui import routes, state
from pages.ui.classroom import public
from pages.ui.text import t
from simclr_core.config import AugmentConfig, from_dict, to_dict
from simclr_core.errors import DataError, SimclrError, sentence
from simclr_core.orbits import Orbits, orbits
from simclr_core.pairs import PairDistances, nearest_others, pair_distances
from simclr_core.records import ImageSet, Space
from simclr_core.store import RunDir

if TYPE_CHECKING:
    from simclr_core.checkpoints import Encoder

Which = Literal["encoder", "untrained"]
BOTH: tuple[Which, ...] = ("encoder", "untrained")
TILE = 96


# -- stored pairs: numpy alone -------------------------------------------------------------------------------------------
def pairs_path(run: RunDir, which: Which = "encoder") -> Path:
    """Where a run keeps the encoded pairs of its encoder, or of the untrained network."""
    return run.path / "embeddings" / ("pairs.npz" if which == "encoder" else f"pairs_{which}.npz")


def distances(run: RunDir, which: Which, space: Space) -> PairDistances | None:
    """What separates positive from negative pairs; None where the run has no such pairs."""
    path = pairs_path(run, which)
    if not path.exists() or space not in state.pairs(run, which).spaces:
        return None
    return _distances(str(path), path.stat().st_mtime_ns, which, space, run)


def orbits_of(run: RunDir, which: Which, space: Space) -> Orbits | None:
    """The orbit of each stored picture; None where its pairs, or the pictures as they are, were not encoded in this space."""
    path = pairs_path(run, which)
    if not path.exists() or not state.has_table(run, which):
        return None
    table, pairs = state.table(run, which), state.pairs(run, which)
    if space not in table.spaces or space not in pairs.spaces or not np.isin(pairs.index, table.index).all():
        return None
    stamps = tuple(p.stat().st_mtime_ns for p in (path, state.embeddings_path(run, which)))
    return _orbits(str(path), stamps, which, space, run)


@st.cache_resource(max_entries=8, show_spinner=False)
def _orbits(path: str, stamps: tuple[int, ...], which: Which, space: Space, _run: RunDir) -> Orbits:
    table, pairs = state.table(_run, which), state.pairs(_run, which)
    order = np.argsort(table.index, kind="stable")
    rows = order[np.searchsorted(table.index[order], pairs.index)]
    return orbits(table.space(space)[rows], pairs.all_views(space))


def nearest_strangers(run: RunDir, space: Space, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For these rows of the pair table the nearest view of another image: its cosine, its row in [view a; view b]."""
    return nearest_others(*state.pairs(run).space(space), images)


@st.cache_resource(max_entries=8, show_spinner=False)
def _distances(path: str, stamp: int, which: Which, space: Space, _run: RunDir) -> PairDistances:
    return pair_distances(*state.pairs(_run, which).space(space))


# -- pictures ------------------------------------------------------------------------------------------------------------
def pictures_missing(run: RunDir) -> str:
    """Why the run's pictures cannot be shown, or "" where they can."""
    try:
        return "" if routes.pictures(run) is not None else t("pairs.no_pictures")
    except SimclrError as error:
        return public(error)


def views_missing(run: RunDir) -> str:
    """Why views cannot be drawn and encoded now, or "" where they can."""
    return t("pairs.no_encoder") if run.latest_checkpoint is None else pictures_missing(run)


def class_of(run: RunDir, label: np.ndarray | None, i: int) -> str:
    """The class of a row in words, "" where it has none."""
    c = -1 if label is None else int(label[i])
    names = state.table(run).class_names
    return names[c] if 0 <= c < len(names) else t("map.class_number", number=c) if c >= 0 else ""


def data_url(image: np.ndarray) -> str:
    """A small picture inside its own address: views are nowhere on disk."""
    return "data:image/jpeg;base64," + base64.b64encode(routes.encode_thumb(image, TILE)).decode()


def _rows_of(pictures: ImageSet, index: np.ndarray) -> ImageSet:
    """The pictures of these indices, in this order; `DataError` when one is gone."""
    order = np.argsort(pictures.index, kind="stable")
    place = np.minimum(np.searchsorted(pictures.index[order], index), len(order) - 1)
    rows = order[place]
    gone = index[pictures.index[rows] != index]
    if len(gone):
        found = f"none of index {int(gone[0])}"
        raise DataError(sentence("images", "the pictures that were encoded", found, "bring them back"))
    return pictures.take(rows)


# -- stored views, drawn again -------------------------------------------------------------------------------------------
def redrawable(run: RunDir) -> bool:
    """Whether the pairs tell the recipe that their views were drawn by."""
    return bool(state.pairs(run).augment)


def redrawn(run: RunDir, views: Sequence[int]) -> np.ndarray:
    """The very views that were encoded into the run's pairs, uint8 (m, s, s, 3).

    Args:
        run: a run with pairs, their recipe and their pictures.
        views: which, as rows of [view a; view b].

    Raises:
        DataError: a picture is gone.
    """
    path = pairs_path(run)
    return _redrawn(str(path), path.stat().st_mtime_ns, tuple(map(int, views)), run)


@st.cache_resource(max_entries=8, show_spinner=False)
def _redrawn(path: str, stamp: int, views: tuple[int, ...], _run: RunDir) -> np.ndarray:
    import torch

    from simclr_core.encode import draw_views, to_pixels

    torch.set_num_threads(1)
    pairs, pictures = state.pairs(_run), routes.pictures(_run)
    if pictures is None:
        raise DataError(t("pairs.no_pictures"))
    augment = from_dict(AugmentConfig, pairs.augment)
    # One generator draws for all pictures together, so all are drawn although few are shown.
    both = draw_views(_rows_of(pictures, pairs.index), augment, pairs.seed, _run.config.image_size)
    return to_pixels(torch.cat(both)[list(views)])


# -- views drawn and encoded now -----------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """K views of one picture (k, s, s, 3), and the embeddings of the picture itself (row 0) and of its views."""

    pixels: np.ndarray
    h: np.ndarray
    z: np.ndarray


def recipe(run: RunDir) -> AugmentConfig:
    """How the views were drawn that the run's encoder learned from."""
    return run.config.augment


def draw(run: RunDir, which: Which, index: int, count: int, augment: AugmentConfig, seed: int) -> Views:
    """Views of one picture, encoded; the same for both encoders, kept for the next rerun.

    Raises:
        SimclrError: no such picture, or an encoder that cannot be read.
    """
    text = json.dumps(to_dict(augment), sort_keys=True)
    return _draw(str(run.path), encoder_stamp(run), which, index, count, text, seed, run)


@st.cache_resource(max_entries=48, show_spinner=False)
def _draw(path: str, stamp: int, which: Which, index: int, count: int, augment: str, seed: int, _run: RunDir) -> Views:
    from simclr_core.encode import encode, encode_views

    found = _encoder(path, stamp, which)
    image = routes.picture(_run, index).copy()  # the source is read-only, which torch would warn of
    wanted = from_dict(AugmentConfig, json.loads(augment))
    pixels, h, z = encode_views(found, image, count, augment=wanted, seed=seed)
    # A set of pictures has at least two: the picture stands in it twice.
    alone = ImageSet(image=np.stack([image] * 2), label=None, index=np.full(2, index), spec="", split="test")
    itself = encode(found, alone, device="cpu")
    return Views(pixels=pixels, h=np.vstack([itself.space("h")[:1], h]), z=np.vstack([itself.space("z")[:1], z]))


# -- encoders -----------------------------------------------------------------------------------------------------------
def encoder(run: RunDir) -> Encoder:
    """The run's encoder, read once.

    Raises:
        SimclrError: it cannot be read.
    """
    return _encoder(str(run.path), encoder_stamp(run), "encoder")


def encoders(run: RunDir | None) -> dict[str, Encoder]:
    """Both encoders of a run by name, the untrained one first; none where it has no checkpoint."""
    if run is None or run.latest_checkpoint is None:
        return {}
    return {which: _encoder(str(run.path), encoder_stamp(run), which) for which in reversed(BOTH)}


def encoder_stamp(run: RunDir) -> int:
    """What changes when the run's newest checkpoint changes; 0 where there is none."""
    latest = run.latest_checkpoint
    return 0 if latest is None else (latest / "model.safetensors").stat().st_mtime_ns


@st.cache_resource(max_entries=4, show_spinner=False)
def _encoder(path: str, stamp: int, which: Which) -> Encoder:
    """The run's encoder, or the same architecture before training; one thread, since two collapse on a busy machine."""
    import torch

    from simclr_core.checkpoints import UNTRAINED, load_encoder

    torch.set_num_threads(1)
    found = load_encoder(path if which == "encoder" else f"{UNTRAINED}{path}")
    found.module.eval()
    return found
