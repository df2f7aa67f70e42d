"""What the pairs page knows of a run: distances of stored pairs, views drawn again, and views drawn and encoded now.

Stored pairs need numpy alone. Views need torch, which is imported when the first of them is asked for.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pages.ui import routes, rowdata, state
from pages.ui.classroom import public
from pages.ui.text import t
from simclr_core.config import AugmentConfig, from_dict
from simclr_core.errors import SimclrError
from simclr_core.orbits import Orbits, orbits
from simclr_core.pairs import PairDistances, nearest_others, pair_distances
from simclr_core.records import ImageSet, Space, rows_of
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


@state.kept(8)
def distances(run: RunDir, which: Which, space: Space) -> PairDistances | None:
    """What separates positive from negative pairs; None where the run has no such pairs."""
    if not pairs_path(run, which).exists() or space not in state.pairs(run, which).spaces:
        return None
    return pair_distances(*state.pairs(run, which).space(space))


@state.kept(8)
def orbits_of(run: RunDir, which: Which, space: Space) -> Orbits | None:
    """The orbit of each stored picture; None where its pairs, or the pictures as they are, were not encoded in this space."""
    if not pairs_path(run, which).exists() or not state.has_table(run, which):
        return None
    table, pairs = state.table(run, which), state.pairs(run, which)
    rows = rows_of(table.index, pairs.index)
    if space not in table.spaces or space not in pairs.spaces or (rows < 0).any():
        return None
    return orbits(table.space(space)[rows], pairs.all_views(space))


def nearest_strangers(run: RunDir, space: Space, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For these rows of the pair table the nearest view of another image: its cosine, its row in [view a; view b]."""
    return nearest_others(*state.pairs(run).space(space), images)


# -- pictures ------------------------------------------------------------------------------------------------------------
def pictures_missing(run: RunDir) -> str:
    """Why the run's pictures cannot be shown, or "" where they can."""
    try:
        return "" if state.pictures(run) is not None else t("map.no_pictures")
    except SimclrError as error:
        return public(error)


def views_missing(run: RunDir) -> str:
    """Why views cannot be drawn and encoded now, or "" where they can."""
    return t("pairs.no_encoder") if run.latest_checkpoint is None else pictures_missing(run)


def class_of(run: RunDir, label: np.ndarray | None, i: int) -> str:
    """The class of a row in words, "" where it has none."""
    return "" if label is None or label[i] < 0 else rowdata.class_text(state.table(run), int(label[i]))


def data_url(image: np.ndarray) -> str:
    """A small picture inside its own address: views are nowhere on disk."""
    return "data:image/jpeg;base64," + base64.b64encode(routes.encode_thumb(image, TILE)).decode()


# -- stored views, drawn again -------------------------------------------------------------------------------------------
@state.kept(8)
def redrawn(run: RunDir, views: Sequence[int]) -> np.ndarray:
    """The very views that were encoded into the run's pairs, uint8 (m, s, s, 3).

    Args:
        run: a run with pairs, their recipe and their pictures.
        views: which, as rows of [view a; view b].

    Raises:
        DataError: a picture is gone.
    """
    import torch

    from simclr_core.encode import draw_views, to_pixels

    torch.set_num_threads(1)
    pairs = state.pairs(run)
    augment = from_dict(AugmentConfig, pairs.augment)
    # One generator draws for all pictures together, so all are drawn although few are shown.
    both = draw_views(state.take(state.pictures(run), pairs.index), augment, pairs.seed, run.config.image_size)
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


@state.kept(48)
def draw(run: RunDir, which: Which, index: int, count: int, augment: AugmentConfig, seed: int) -> Views:
    """Views of one picture, encoded; the same for both encoders.

    Raises:
        SimclrError: no such picture, or an encoder that cannot be read.
    """
    from simclr_core.encode import encode, encode_views

    found = encoder(run, which)
    image = routes.picture(run, index).copy()  # the source is read-only, which torch would warn of
    pixels, h, z = encode_views(found, image, count, augment=augment, seed=seed)
    # A set of pictures has at least two: the picture stands in it twice.
    alone = ImageSet(image=np.stack([image] * 2), label=None, index=np.full(2, index), spec="", split="test")
    itself = encode(found, alone, device="cpu")
    return Views(pixels=pixels, h=np.vstack([itself.space("h")[:1], h]), z=np.vstack([itself.space("z")[:1], z]))


# -- encoders ------------------------------------------------------------------------------------------------------------
def encoders(run: RunDir | None) -> dict[str, Encoder]:
    """Both encoders of a run by name, the untrained one first; none where it has no checkpoint."""
    return (
        {} if run is None or run.latest_checkpoint is None else {which: encoder(run, which) for which in reversed(BOTH)}
    )


def encoder_stamp(run: RunDir) -> int:
    """What changes when the run's newest checkpoint changes; 0 where there is none."""
    latest = run.latest_checkpoint
    return 0 if latest is None else (latest / "model.safetensors").stat().st_mtime_ns


@state.kept(4)
def encoder(run: RunDir, which: Which = "encoder") -> Encoder:
    """The run's encoder, or the same architecture before training; on one thread, since two collapse on a busy machine.

    Raises:
        SimclrError: it cannot be read.
    """
    import torch

    from simclr_core.checkpoints import UNTRAINED, load_encoder

    torch.set_num_threads(1)
    found = load_encoder(run.path if which == "encoder" else f"{UNTRAINED}{run.path}")
    found.module.eval()
    return found
