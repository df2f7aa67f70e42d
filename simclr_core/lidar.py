"""LiDAR: how many directions tell images apart better than they tell the views of one image apart (Thilak et al. 2023)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from simclr_core.errors import DataError, sentence
from simclr_core.records import require_finite

FEWEST_VIEWS = 4
DELTA, EPS = 1e-4, 1e-7  # the paper's: added to the scatter within images, and to each share


def lidar(views: Float[np.ndarray, "n q d"]) -> float:
    """Effective rank of Σw^−½ Σb Σw^−½, from 1 to min(n − 1, d).

    Σb is the covariance of the images' mean views, Σw the mean covariance of the views of one image plus δ on its
    diagonal. A direction counts as much as images differ along it beyond what their views do: noise and what augmentation
    changes do not count, unlike in RankMe.

    Args:
        views: embeddings of q augmented views of each of n images, as the encoder gives them.

    Raises:
        DataError: fewer than 2 images, fewer than 4 views of each, all images alike, NaN or infinity.
    """
    n, q, d = views.shape
    if n < 2 or q < FEWEST_VIEWS:
        rule = f"{FEWEST_VIEWS} or more views of each of 2 or more images"
        raise DataError(sentence("views", rule, (n, q), "encode more views of each image"))
    require_finite("views", views.reshape(n, q * d))
    x = views.astype(np.float64)
    middle = x.mean(axis=1)
    apart, around = middle - middle.mean(axis=0), (x - middle[:, None]).reshape(n * q, d)
    within = around.T @ around / (n * q) + DELTA * np.eye(d)
    value, vector = np.linalg.eigh(within)
    value = np.maximum(value, max(DELTA, np.finfo(np.float64).eps * value[-1]))  # what is less is rounding
    whitened = apart @ (vector / np.sqrt(value)) / np.sqrt(n)
    between = np.maximum(np.linalg.eigvalsh(whitened.T @ whitened), 0)
    if not between.sum() > 0:
        raise DataError(sentence("views", "of images that differ", "equal means", "look for complete collapse first"))
    p = between / between.sum() + EPS
    return float(np.exp(-(p * np.log(p)).sum()))
