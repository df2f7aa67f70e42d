"""`READOUTS`: what was drawn of a view, read linearly off its embedding: what an encoder keeps of its augmentations.

A head trained to tell pictures apart whatever was done to them throws that away, so h says more of it than z. Ridge
regression on standardised columns, fitted on the views of some pictures and scored on those of others, in five folds. Torch and
scikit-learn load inside the functions that need them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from simclr_core.config import JITTER_PARTS, AugmentConfig
from simclr_core.errors import DataError, sentence
from simclr_core.means import Mean, mean
from simclr_core.records import ImageSet, Interval, Space
from simclr_core.registry import Choice, Label

if TYPE_CHECKING:
    from simclr_core.checkpoints import Encoder

VIEWS = 4  # of each picture
FOLDS = 5
PENALTIES = np.logspace(-2, 5, 8)
FEWEST = 10  # views of either answer below which a yes or no is not asked


class Drawn(NamedTuple):
    """What was drawn for each of b views, of pictures of one size.

    `area` is the crop's share of the picture, `across` and `down` where its middle lies, in [0, 1]; the rest is as in
    `augment.Draws`.
    """

    area: Float[np.ndarray, " b"]
    across: Float[np.ndarray, " b"]
    down: Float[np.ndarray, " b"]
    flipped: Bool[np.ndarray, " b"]
    jitter: Float[np.ndarray, "b 4"]
    grey: Bool[np.ndarray, " b"]
    sigma: Float[np.ndarray, " b"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """Views of pictures, encoded, with what was drawn for each; `picture` is the row of the picture it was made of."""

    drawn: Drawn
    picture: Int[np.ndarray, " b"]
    h: Float[np.ndarray, "b dh"]
    z: Float[np.ndarray, "b dz"]


class Scale(NamedTuple):
    """A score and what guessing gets; 1 is perfect."""

    measure: str
    chance: float


YES_NO, AMOUNT = Scale("auc", 0.5), Scale("r2", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout(Choice[Callable[[Drawn], np.ndarray]]):
    """An entry of `READOUTS`: `run(drawn)` gives one answer a view.

    Attributes:
        scale: `YES_NO` where the answers are bools, else `AMOUNT`.
    """

    scale: Scale


def encode_drawn(encoder: Encoder, images: ImageSet, augment: AugmentConfig, *, seed: int = 0) -> Views:
    """Draw and encode four views of every picture, on the CPU."""
    import torch

    from simclr_core.augment import apply, draw
    from simclr_core.forward import embed, image_tensor

    encoder.module.cpu().eval()
    pixels = image_tensor(images.image, torch.device("cpu")).repeat(VIEWS, 1, 1, 1)
    b, _, height, width = pixels.shape
    draws = draw(b, augment, torch.Generator().manual_seed(seed), height=height, width=width)
    h, z = embed(encoder.module, apply(pixels, draws, size=encoder.image_size))
    top, left, tall, wide = draws.box.double().numpy().T
    drawn = Drawn(
        area=tall * wide / (height * width),
        across=(left + wide / 2) / width,
        down=(top + tall / 2) / height,
        flipped=draws.flipped.numpy(),
        jitter=draws.jitter.double().numpy(),
        grey=draws.grey.numpy(),
        sigma=draws.sigma.double().numpy(),
    )
    return Views(drawn=drawn, picture=np.tile(np.arange(len(images)), VIEWS), h=h, z=z)


def _fold(picture: Int[np.ndarray, " b"]) -> Int[np.ndarray, " b"]:
    """The fold of each view: all views of a picture lie in one."""
    known, row = np.unique(picture, return_inverse=True)
    if len(known) < FOLDS:
        raise DataError(
            sentence("pictures", f"{FOLDS} or more", len(known), "views are scored on pictures not fitted on")
        )
    return np.random.default_rng(0).permutation(len(known))[row] % FOLDS


def read_out(
    x: Float[np.ndarray, "b d"], answers: Mapping[str, np.ndarray], picture: Int[np.ndarray, " b"]
) -> dict[str, Mean | None]:
    """How well linear maps of x tell each answer on pictures that they were not fitted on.

    Args:
        x: embeddings of b views.
        answers: by name, one for each view: yes or no (bool, scored by AUC), or an amount (scored by R²).
        picture: which picture each view was made of.

    Returns:
        The mean over five folds; None where all answers are the same, or a yes or no has too few of either.

    Raises:
        DataError: fewer than five pictures.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score, roc_auc_score

    fold = _fold(picture)
    asked = {name: a for name, a in answers.items() if _varies(a)}
    scores: dict[str, list[float]] = {name: [] for name in asked}
    target = np.column_stack([np.zeros(len(x)), *asked.values()]).astype(np.float64)  # two columns or more
    for k in range(FOLDS if asked else 0):
        fitted, held = fold != k, fold == k
        columns = _standardised(x, fitted)
        told = RidgeCV(PENALTIES, alpha_per_target=True).fit(columns[fitted], target[fitted]).predict(columns[held])
        for (name, answer), column in zip(asked.items(), told.T[1:], strict=True):
            right = answer[held]
            if (right != right[0]).any():
                scores[name].append(float((roc_auc_score if right.dtype == bool else r2_score)(right, column)))
    return {name: _over_folds(found) if (found := scores.get(name)) else None for name in answers}


def _over_folds(scores: list[float]) -> Mean:
    """Their mean. Folds share most of what they are fitted on, so the interval is that of independent ones times 1.5.

    Source: Nadeau & Bengio 2003, "Inference for the generalization error": 1/k becomes 1/k + n_test/n_train.
    """
    found = mean(np.array(scores))
    if found.interval is None:
        return found
    half = (found.interval.high - found.value) * math.sqrt(1 + FOLDS / (FOLDS - 1))
    return found._replace(interval=Interval(found.value - half, found.value + half))


def _varies(answer: np.ndarray) -> bool:
    """Whether there is anything to tell."""
    if answer.dtype == bool:
        return bool(min(answer.sum(), (~answer).sum()) >= FEWEST)
    return bool(np.ptp(answer) > 0)


def _standardised(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Columns by mean and spread of some rows; those that do not vary there become 0."""
    x = x.astype(np.float64)
    centre, spread = x[rows].mean(axis=0), x[rows].std(axis=0)
    still = spread <= 1e-9 * np.abs(x[rows]).max(axis=0, initial=0)
    return np.where(still, 0.0, (x - centre) / np.where(still, 1.0, spread))


def read_all(views: Views) -> dict[Space, dict[str, Mean | None]]:
    """Every entry of `READOUTS` in h and in z; None where a recipe leaves nothing to ask."""
    answers = {name: entry.run(views.drawn) for name, entry in READOUTS.items()}
    spaces: dict[Space, np.ndarray] = {"h": views.h, "z": views.z}
    return {space: read_out(x, answers, views.picture) for space, x in spaces.items()}


def readout_to_json(found: Mapping[Space, Mapping[str, Mean | None]]) -> dict[str, Any]:
    """By space and name: the score, what it is, its interval, and what guessing gives; null where there was nothing to ask."""
    return {
        space: {name: score and score._asdict() | READOUTS[name].scale._asdict() for name, score in scores.items()}
        for space, scores in found.items()
    }


_HEAD = "Chen et al. 2020, section 4.2 and table 3"


def _entry(label: Label, scale: Scale, run: Callable[[Drawn], np.ndarray]) -> Readout:
    return Readout(label=label, run=run, scale=scale, source=_HEAD)


def _jitter(column: int) -> Callable[[Drawn], np.ndarray]:
    return lambda drawn: drawn.jitter[:, column]


READOUTS: dict[str, Readout] = {
    "flipped": _entry(Label("Flipped?", "翻转了吗？"), YES_NO, lambda d: d.flipped),
    "grey": _entry(Label("Grey?", "变灰度了吗？"), YES_NO, lambda d: d.grey),
    "blurred": _entry(Label("Blurred?", "模糊了吗？"), YES_NO, lambda d: d.sigma > 0),
    "area": _entry(Label("Crop: area", "裁剪：面积"), AMOUNT, lambda d: d.area),
    "across": _entry(Label("Crop: place across", "裁剪：水平位置"), AMOUNT, lambda d: d.across),
    "down": _entry(Label("Crop: place down", "裁剪：垂直位置"), AMOUNT, lambda d: d.down),
    **{name: _entry(label, AMOUNT, _jitter(column)) for column, (name, label) in enumerate(JITTER_PARTS.items())},
}
