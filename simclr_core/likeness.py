"""Why two different pictures are nearly the same to an encoder: what is taken out of both that makes them ordinary again.

Each entry of `REMOVALS` takes one thing out of a picture: colour, fine detail, arrangement, border, middle, brightness. Two
pictures that stay alike without it do not owe their likeness to it. Because an encoder finds all pictures more alike once
they have lost something, a pair is set beside random pairs that have lost the same: what counts is the share of those that
are less alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from simclr_core.neighbours import unit_rows
from simclr_core.registry import Choice, Label
from simclr_core.saliency import edges

Pictures = UInt8[np.ndarray, "b h w 3"]
LEVELS = 4  # of each colour channel in a histogram
RANDOM_PAIRS = 2000
COLOURED = 1000  # pictures that random pairs of colours are drawn from
PATCHES = 4  # along each side, in which the arrangement is shuffled
COARSE = 8  # pixels along each side that are left of fine detail


# -- colours -------------------------------------------------------------------------------------------------------------
def colour_histogram(images: Pictures) -> Float[np.ndarray, "b 64"]:
    """Share of each picture's pixels in each of 4 × 4 × 4 colours."""
    red, green, blue = np.moveaxis(images // (256 // LEVELS), -1, 0)
    colour = red * LEVELS**2 + green * LEVELS + blue  # under 64: the bytes suffice, for large pictures too
    return np.stack([np.bincount(c.ravel(), minlength=LEVELS**3) for c in colour]) / colour[0].size


def colour_similarity(a: Float[np.ndarray, "b 64"], b: Float[np.ndarray, "b 64"]) -> Float[np.ndarray, " b"]:
    """Shared area of two colour histograms, 0 = no colour in common, 1 = the same colours (Swain & Ballard 1991)."""
    return np.minimum(a, b).sum(axis=1)


def random_pairs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`RANDOM_PAIRS` pairs of different numbers below n, the same for the same seed."""
    draw = np.random.default_rng(seed)
    i = draw.integers(0, n, RANDOM_PAIRS)
    return i, (i + draw.integers(1, n, RANDOM_PAIRS)) % n


def colour_reference(images: Pictures) -> Float[np.ndarray, " m"]:
    """Colour similarities of random pairs among these pictures, at most some thousand evenly taken, ascending."""
    histogram = colour_histogram(images[:: max(1, len(images) // COLOURED)])
    i, j = random_pairs(len(histogram))
    return np.sort(colour_similarity(histogram[i], histogram[j]))


def share_below(value: float, ascending: Float[np.ndarray, " m"]) -> float:
    """Share of values under this one, ties half."""
    return float(sum(np.searchsorted(ascending, value, side=side) for side in ("left", "right")) / (2 * len(ascending)))


# -- taking something out ------------------------------------------------------------------------------------------------
def _grey(images: Pictures) -> Pictures:
    grey = (images @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def _even_light(images: Pictures) -> Pictures:
    x = images.astype(np.float32)
    mean, spread = x.mean(axis=(1, 2, 3), keepdims=True), x.std(axis=(1, 2, 3), keepdims=True)
    return np.clip(127.5 + (x - mean) * (50 / np.maximum(spread, 1)), 0, 255).round().astype(np.uint8)


def _blurred(images: Pictures) -> Pictures:
    """The mean over a box two cells of a coarse grid wide and high around each pixel; the border goes on outside."""
    from scipy.ndimage import uniform_filter

    size = (1, *(2 * max(1, length // COARSE) + 1 for length in images.shape[1:3]), 1)
    return uniform_filter(images.astype(np.float32), size, mode="nearest").round().astype(np.uint8)


def _shuffled(images: Pictures) -> Pictures:
    """Patches in another order, the same for every picture; uneven edges stay."""
    h, w = (size // PATCHES for size in images.shape[1:3])
    place = [(slice(r * h, (r + 1) * h), slice(c * w, (c + 1) * w)) for r in range(PATCHES) for c in range(PATCHES)]
    out = images.copy()
    for to, source in zip(place, np.random.default_rng(1).permutation(len(place)), strict=True):
        out[:, *to] = images[:, *place[source]]
    return out


def _middle(images: Pictures) -> tuple[slice, slice]:
    rows, columns = (edges(size, 4) for size in images.shape[1:3])
    return slice(rows[1].start, rows[2].stop), slice(columns[1].start, columns[2].stop)


def _without_middle(images: Pictures) -> Pictures:
    out = images.copy()
    out[:, *_middle(images)] = images.mean(axis=(1, 2)).round().astype(np.uint8)[:, None, None]
    return out


def _without_border(images: Pictures) -> Pictures:
    out = np.broadcast_to(images.mean(axis=(1, 2)).round().astype(np.uint8)[:, None, None], images.shape).copy()
    inside = _middle(images)
    out[:, *inside] = images[:, *inside]
    return out


def _entry(run: Callable[[Pictures], Pictures], en: str, zh: str, help_en: str, help_zh: str) -> Choice:
    source = "occlusion and ablation of the input; the view operations of Chen et al. 2020"
    return Choice(label=Label(en, zh), run=run, source=source, help=Label(help_en, help_zh))


REMOVALS: dict[str, Choice[Callable[[Pictures], Pictures]]] = {
    "colour": _entry(_grey, "colour", "颜色", "Both grey.", "两张都变为灰度。"),
    "light": _entry(
        _even_light, "brightness and contrast", "亮度与对比度",
        "Both with the same mean and spread of brightness.", "两张取相同的亮度均值与离散度。",
    ),
    "detail": _entry(_blurred, "fine detail", "细节", "Both blurred.", "两张都模糊。"),
    "arrangement": _entry(
        _shuffled, "arrangement", "布局",
        "Sixteen patches of both in another order, the same for both.", "两张的十六个小块按同一顺序打乱。",
    ),
    "border": _entry(
        _without_border, "border", "边缘",
        "All but the middle of both in their mean colour.", "两张只留中间，其余填为各自的平均颜色。",
    ),
    "middle": _entry(
        _without_middle, "middle", "中间", "The middle of both in their mean colour.", "两张的中间填为各自的平均颜色。"
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A number of a pair, and the share of random pairs that have less of it."""

    value: float
    above: float


def without(name: str, images: Pictures) -> Pictures:
    """The pictures with one thing taken out: a name of `REMOVALS`, or "" for nothing."""
    return REMOVALS[name].run(images) if name else images


def all_cosines(z: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " m"]:
    """Cosines of all pairs of these rows, ascending: 100 pictures have 4,950."""
    unit = unit_rows(z)
    return np.sort((unit @ unit.T)[np.triu_indices(len(z), 1)])


def ranked(z: Float[np.ndarray, "2 d"], ordinary: Float[np.ndarray, " m"]) -> Ranked:
    """The cosine of a pair's two rows, beside those of random pairs that lost the same (ascending)."""
    found = float(all_cosines(z)[0].clip(-1, 1))
    return Ranked(value=found, above=share_below(found, ordinary))


ORDINARY = 0.9  # share of random pairs less alike, below which a pair is no longer remarkable


def parted_by(removed: Mapping[str, Ranked]) -> str | None:
    """The removal that makes the pair most ordinary; None where it stays remarkable after each."""
    name = min(removed, key=lambda k: removed[k].above)
    return name if removed[name].above < ORDINARY else None
