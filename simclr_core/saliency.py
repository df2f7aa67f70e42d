"""Which regions of two pictures make their embeddings alike: each is covered in turn, and the cosine measured again.

Nothing is assumed about the encoder but that it can be called. Source: occlusion sensitivity (Zeiler & Fergus 2014),
here of the cosine of two pictures instead of a class score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8

from simclr_core.errors import ConfigError, sentence
from simclr_core.neighbours import unit_rows

COARSE, GRID = 4, 8  # cells along each side: for a first look, and in the end
Encode = Callable[[UInt8[np.ndarray, "b h w 3"]], Float[np.ndarray, "b d"]]
"""From pictures to their embeddings."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Occlusion:
    """How the cosine of two pictures falls when one cell of one of them is covered with that picture's mean colour.

    Attributes:
        cosine: of the two whole pictures.
        one, other: cosine lost by covering each cell of the first and of the second picture. Above 0: what is in the cell makes
            the two alike; below 0: it sets them apart.
    """

    cosine: float
    one: Float[np.ndarray, "g g"]
    other: Float[np.ndarray, "g g"]

    @property
    def middle(self) -> float | None:
        """Share of the cosine lost that lies in the middle, half as wide and high as the pictures; None where none is lost."""
        lost = np.maximum(self.one, 0) + np.maximum(self.other, 0)
        inside = slice(len(lost) // 4, len(lost) - len(lost) // 4)
        return float(lost[inside, inside].sum() / lost.sum()) if lost.any() else None


def cosine(a: Float[np.ndarray, "b d"], b: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
    """Cosine of each row of a with the same row of b; a row of zeros is unrelated to all but other rows of zeros."""
    both = unit_rows(np.concatenate([a, b]))
    return np.clip(np.einsum("bd,bd->b", both[: len(a)], both[len(a) :]), -1, 1)


def edges(size: int, grid: int) -> list[slice]:
    """A length cut into so many nearly equal parts."""
    cut = np.linspace(0, size, grid + 1).round().astype(int)
    return [slice(a, b) for a, b in pairwise(cut)]


def covered(image: UInt8[np.ndarray, "h w 3"], grid: int) -> UInt8[np.ndarray, "cells h w 3"]:
    """The picture with each cell in turn replaced by its mean colour, cells in rows from the top left."""
    out = np.repeat(image[None], grid * grid, axis=0)
    fill = image.mean(axis=(0, 1)).round().astype(np.uint8)
    cells = [(r, c) for r in edges(image.shape[0], grid) for c in edges(image.shape[1], grid)]
    for copy, (r, c) in zip(out, cells, strict=True):
        copy[r, c] = fill
    return out


def occluded(
    one: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "h w 3"], grid: int
) -> UInt8[np.ndarray, "b h w 3"]:
    """What an encoder must be shown: both pictures, then the first with each cell covered, then the second: 2 + 2·grid².

    Args:
        one, other: two pictures of one size.
        grid: cells along each side, at most as many as pixels.

    Raises:
        ConfigError: a grid finer than the pictures.
    """
    least = min(one.shape[:2])
    if not 2 <= grid <= least:
        raise ConfigError(sentence("grid", f"from 2 to the picture's {least} pixels", grid, "choose fewer cells"))
    return np.concatenate([np.stack([one, other]), covered(one, grid), covered(other, grid)])


def occlusion(z: Float[np.ndarray, "b d"]) -> Occlusion:
    """What each cell adds to the likeness, from the embeddings of what `occluded` shows."""
    whole, cells = z[:2], z[2:].reshape(2, -1, z.shape[1])
    grid = round(cells.shape[1] ** 0.5)
    base = float(cosine(whole[:1], whole[1:])[0])
    lost = [base - cosine(c, np.broadcast_to(w, c.shape)) for c, w in zip(cells, whole[::-1], strict=True)]
    return Occlusion(cosine=base, one=lost[0].reshape(grid, grid), other=lost[1].reshape(grid, grid))
