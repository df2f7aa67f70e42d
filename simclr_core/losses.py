"""The losses as pure functions of projections, in nats, mean over all anchors.

Row i of every view comes from image i. Rows may have any length; they are normalised here. Losses are computed in float32
or wider whatever autocast says. A temperature is a number, or a tensor that wants its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.kernels.ntxent import FLOAT32_MIN_TEMPERATURE, Form, NtXent

DENSE_MAX_ROWS = (
    4096  # keeping half the matrix is faster, but beyond this takes over 64 MiB (benchmarks/results/loss.json)
)
TILE = 128  # fastest on processors


def unit_rows(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows scaled to length 1, in float32 or wider; a zero row stays zero."""
    return functional.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)


def _require_views(views: Sequence[Tensor], temperature: float | Tensor) -> None:
    if not temperature > 0:
        raise ConfigError(sentence("temperature", "larger than 0", float(temperature), "SimCLR uses 0.1 to 0.5"))
    shapes = [tuple(z.shape) for z in views]
    if len(views) < 2 or len(set(shapes)) > 1 or views[0].ndim != 2 or not len(views[0]):
        found = " and ".join(map(str, shapes))
        raise DataError(f"`views` must be two or more (n, d) matrices of one shape, got {found}; align the views")


def unit_views(views: Sequence[Tensor], temperature: float | Tensor) -> Float[Tensor, "v n d"]:
    """The views' unit rows, in float64 where the temperature magnifies rounding errors."""
    _require_views(views, temperature)
    z = torch.cat(list(views))
    return unit_rows(z if temperature >= FLOAT32_MIN_TEMPERATURE else z.double()).view(len(views), *views[0].shape)


def nt_xent_views(
    views: Sequence[Float[Tensor, "n d"]], *, temperature: float | Tensor, tile: int | None = None
) -> Float[Tensor, ""]:
    """NT-Xent of V ≥ 2 views: every other view of an anchor's image is a positive, all VN − 1 other rows are candidates.

    The log-probability is averaged over an anchor's positives. With two views this is `nt_xent`; with more the least value is
    above 0, for V − 1 positives share the probability. ln(VN − 1) when all rows are equal.

    Args:
        views: V matrices, row i of each from image i.
        temperature: > 0.
        tile: rows of the similarity matrix held at once. None keeps half the matrix up to 4,096 rows, and works in tiles above.

    Source: Chen et al. 2020, equation 1; averaged over positives as L_out of Khosla et al. 2020 with images as classes.
    """
    keep = tile is None and len(views) * len(views[0]) <= DENSE_MAX_ROWS
    return _contrast(views, temperature, tile=tile or TILE, keep=keep)


def _contrast(
    views: Sequence[Tensor],
    temperature: float | Tensor,
    *,
    tile: int = TILE,
    keep: bool = False,
    decoupled: bool = False,
) -> Float[Tensor, ""]:
    _require_views(views, temperature)
    if len(views) == 2 and len(views[0]) == 1:  # the twin is the only candidate: p = 1, so exactly 0, exactly flat
        return (torch.cat(list(views)).to(torch.promote_types(views[0].dtype, torch.float32)) * 0).sum()
    value = temperature.item() if isinstance(temperature, Tensor) else temperature
    return NtXent.apply(temperature, Form(value, len(views), decoupled, tile, keep), *views)


def nt_xent(z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float | Tensor) -> Float[Tensor, ""]:
    """Normalised temperature-scaled cross entropy: how surely each view picks its twin among all other views.

    log(2N−1) when all rows are equal, at every temperature; 0 with zero gradient for N = 1, where the twin is the only
    candidate (the trainer refuses that batch; the classroom explains it).

    Args:
        z_a, z_b: projections of two views, row i of both from image i. Any scale, finite.
        temperature: > 0; 0.5 is the paper's choice for CIFAR-10.

    Returns:
        Scalar in nats, ≥ 0, mean over the 2N anchors, float32 or wider. Half of the matrix of exponentials is kept.

    Raises:
        ConfigError: temperature ≤ 0. DataError: the shapes differ.

    Source: Chen et al. 2020, equation 1.
    """
    return _contrast((z_a, z_b), temperature, keep=True)


def nt_xent_tiled(
    z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float | Tensor, tile: int = TILE
) -> Float[Tensor, ""]:
    """The value and gradient of `nt_xent` in O(N·tile) memory, for a third more time.

    Args:
        z_a, z_b, temperature: as for `nt_xent`.
        tile: rows of the similarity matrix held at once, ≥ 1; the value does not depend on it.
    """
    if tile < 1:
        raise ConfigError(sentence("tile", "1 or larger", tile, "128 suits most processors"))
    return _contrast((z_a, z_b), temperature, tile=tile)


def decoupled(views: Sequence[Float[Tensor, "n d"]], *, temperature: float | Tensor) -> Float[Tensor, ""]:
    """NT-Xent without the positives in the denominator, which keeps the gradient alive in small batches. Can be negative.

    Source: Yeh et al. 2022, equation 6 (DCL). N = 1 has an empty denominator and is refused.
    """
    n = len(views[0])
    if n < 2:
        raise DataError(sentence("batch", "at least 2 images", n, "without negatives this loss does not exist"))
    keep = len(views) * n <= DENSE_MAX_ROWS
    return _contrast(views, temperature, keep=keep, decoupled=True)


def supcon(
    views: Sequence[Float[Tensor, "n d"]], label: Int[Tensor, " n"], *, temperature: float | Tensor
) -> Float[Tensor, ""]:
    """Supervised contrast: every other row of the anchor's class is a positive, its log-probability averaged over them.

    Computed as NT-Xent of the same views, whose candidates are the same, with the mean over an image's other views replaced by
    the mean over its class. With every image a class of its own it is NT-Xent. An anchor always has a positive, its twin.

    Source: Khosla et al. 2020, L_out (equation 2).
    """
    by_view = unit_views(views, temperature)
    u = by_view.flatten(0, 1)
    each = torch.unique(label, return_inverse=True)[1].repeat(len(views))
    total = torch.zeros_like(u).index_add(0, each, u)  # as many rows as there could be classes
    of_class = ((total[each] * u).sum(1) - 1) / (each.bincount()[each] - 1)
    of_twins = ((by_view.sum(0) * by_view).sum(-1).view(-1) - 1) / (len(views) - 1)
    return nt_xent_views(views, temperature=temperature) + ((of_twins - of_class) / temperature).mean()


def memory_contrast(
    u: Float[Tensor, "v n d"],
    target: Float[Tensor, "p n d"],
    anchor: Int[Tensor, " p"],
    memory: Float[Tensor, "k d"],
    hidden: Bool[Tensor, "n k"],
    *,
    temperature: float | Tensor,
) -> Float[Tensor, ""]:
    """How surely an anchor picks its target among remembered rows, mean over p pairs of views and n images; in nats, ≥ 0.

    Args:
        u: unit rows of V views, with gradient.
        target: unit rows of the positives of p pairs. anchor: the view that each pair asks about.
        memory: unit rows, the negatives of all anchors.
        hidden: True where a row of the memory is no negative of an image. With all hidden the loss is 0 and flat.
        temperature: > 0.

    Source: InfoNCE, van den Oord et al. 2018, equation 4, with negatives from outside the batch.
    """
    with torch.autocast(u.device.type, enabled=False):
        logits = torch.matmul(u, memory.to(u.dtype).T) / temperature
        positive = (u[anchor] * target.to(u.dtype)).sum(-1) / temperature
        others = logits.masked_fill(hidden, -torch.inf).logsumexp(-1)
        # ln(eᵖ + eᵒ) − p: never below 0, all digits where it is small; beyond 50 it is o − p to the last bit
        return functional.softplus(others[anchor] - positive, threshold=50).mean()


def alignment_only(views: Sequence[Float[Tensor, "n d"]]) -> Float[Tensor, ""]:
    """Mean squared distance of an image's views and nothing else: the loss that collapses, for the lessons on failure.

    2 − 2·cosine averaged over pairs of views, in [0, 4]. Source: the alignment term of Wang & Isola 2020.
    """
    u = unit_views(views, 1.0)
    i, j = torch.triu_indices(len(views), len(views), 1, device=u.device)
    return (u[i] - u[j]).square().sum(-1).mean()
