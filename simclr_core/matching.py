"""How well views find their partners: by colour, by raw pixels, by encoders. Whatever does it without learning is a shortcut.

Legend: N pictures, 2N views; the partner of a view is the other view of its picture, one of 2N − 1 candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from simclr_core.augment import draw
from simclr_core.checkpoints import Encoder
from simclr_core.config import AugmentConfig
from simclr_core.encode import draw_views, to_pixels
from simclr_core.forward import embed
from simclr_core.likeness import colour_histogram
from simclr_core.pairs import PairDistances, pair_distances
from simclr_core.records import SPACES, ImageSet
from simclr_core.viewadvice import Facts, Seen

COLOUR, PIXELS = "colour", "pixels"
PAIRED_CROPS = 4000  # pairs of crops behind `disjoint_crops`: a standard error under 0.8 points


@dataclass(frozen=True, kw_only=True, eq=False)
class Matching:
    """Views drawn by one recipe, and what tells positive from negative pairs among them.

    Attributes:
        ways: `COLOUR`, `PIXELS`, then ENCODER_h and ENCODER_z of each encoder → its distances; `r_at_1` is the share of the
            views whose nearest candidate is the partner.
        apart: mean `pixel_distance` of views of two different pictures.
    """

    ways: Mapping[str, PairDistances]
    apart: float


def match_views(
    images: ImageSet, augment: AugmentConfig, encoders: Mapping[str, Encoder], *, seed: int = 0, size: int | None = None
) -> Matching:
    """Draw two views of every picture and look for each one's partner in every way.

    Colours: the cosine of the square roots of two colour histograms, which is the Bhattacharyya coefficient. Pixels: the
    cosine after the mean view was taken off, as in `pixels.pixel_table`.

    Args:
        images: N ≥ 2 pictures.
        augment: the recipe of the views.
        encoders: by name; on the CPU, in evaluation mode.
        seed: what the views are drawn from.
        size: edge of a view in pixels; that of the pictures by default.
    """
    both = draw_views(images, augment, seed, size)
    a, b = map(to_pixels, both)
    histogram = [np.sqrt(colour_histogram(v)) for v in (a, b)]
    ways = {COLOUR: pair_distances(*histogram), PIXELS: pair_distances(*_centred(a, b))}
    for name, encoder in encoders.items():
        embedded = [embed(encoder.module.cpu().eval(), views) for views in both]
        ways |= {
            f"{name}_{s}": pair_distances(*columns)
            for s, columns in zip(SPACES, zip(*embedded, strict=True), strict=True)
        }
    return Matching(ways=ways, apart=float(pixel_distance(a, np.roll(b, 1, axis=0)).mean()))


def _centred(a: UInt8[np.ndarray, "n s s 3"], b: UInt8[np.ndarray, "n s s 3"]) -> tuple[np.ndarray, np.ndarray]:
    flat = [v.reshape(len(v), -1) / 255 for v in (a, b)]
    mean = np.concatenate(flat).mean(axis=0)
    return flat[0] - mean, flat[1] - mean


def pixel_distance(a: UInt8[np.ndarray, "n s s 3"], b: UInt8[np.ndarray, "n s s 3"]) -> Float[np.ndarray, " n"]:
    """Root mean square difference of the values in [0, 1] of every two pictures: 0 = the same, 1 = black and white."""
    gap = (a.astype(np.float64) - b) / 255
    return np.sqrt((gap**2).mean(axis=(1, 2, 3)))


def contests(apart: Float[np.ndarray, " n"], *, seed: int, rounds: int = 5) -> Int[np.ndarray, "rounds 2"]:
    """Rows to choose between, two a round in a random order: one of the nearest third, one of the furthest; none comes twice.

    Args:
        apart: how far the two views of each of n ≥ 3 pictures lie apart.
        rounds: a third of n at most.
    """
    order, third = np.argsort(apart), len(apart) // 3
    rng = np.random.default_rng(seed)
    near, far = (rng.choice(rows, min(rounds, third), replace=False) for rows in (order[:third], order[-third:]))
    return rng.permuted(np.stack([near, far], axis=1), axis=1)


def disjoint_crops(augment: AugmentConfig, side: int, *, pairs: int = PAIRED_CROPS, seed: int = 0) -> float:
    """Share of the pairs of views whose crops of a square picture have no pixel in common."""
    generator = torch.Generator().manual_seed(seed)
    box = draw(2 * pairs, augment, generator, height=side, width=side).box
    start, end = box[:, :2], box[:, :2] + box[:, 2:]
    (a, b), (c, d) = start.split(pairs), end.split(pairs)
    return (torch.maximum(a, b) >= torch.minimum(c, d)).any(1).float().mean().item()


def has_colours(images: UInt8[np.ndarray, "n h w 3"]) -> bool:
    """Whether any pixel is anything but grey."""
    return bool((images != images[..., :1]).any())


def facts(found: Matching, images: ImageSet, augment: AugmentConfig, *, size: int | None = None) -> Facts:
    """What the rules of `viewadvice.ADVICE` look at.

    Args:
        found: by `match_views` from the same pictures, recipe and size; encoders count by the names "untrained" and "encoder".
    """
    side = size or images.image.shape[1]
    return Facts(
        augment=augment,
        side=side,
        candidates=2 * len(images) - 1,
        coloured=has_colours(images.image),
        colour=found.ways[COLOUR].r_at_1,
        untrained=_seen(found, "untrained"),
        trained=_seen(found, "encoder"),
        best=max(way.auc for way in found.ways.values()),
        disjoint=disjoint_crops(augment, side),
    )


def _seen(found: Matching, encoder: str) -> Seen | None:
    both = [way for name, way in found.ways.items() if name.startswith(f"{encoder}_")]
    if not both:
        return None
    best = max(both, key=lambda way: way.r_at_1)
    return Seen(best.r_at_1, float(best.positive.mean()), float(best.negative.mean()))
