"""The losses as pure functions of projections, in nats, mean over all anchors.

Row i of every view comes from image i. Rows may have any length; they are normalised here. Losses are computed in float32
or wider whatever autocast says. A temperature is a number, or a tensor that wants its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.kernels.ntxent import Form, NtXent

DENSE_MAX_ROWS = 4096  # above this many views tiles are both faster and smaller (benchmarks/results/loss.json)
TILE = 512


def unit_rows(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows scaled to length 1, in float32 or wider; a zero row stays zero."""
    return functional.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)


def _require_positive(temperature: float | Tensor) -> None:
    if not temperature > 0:
        raise ConfigError(sentence("temperature", "larger than 0", float(temperature), "SimCLR uses 0.1 to 0.5"))


def _stacked(views: Sequence[Tensor], temperature: float | Tensor) -> Float[Tensor, "m d"]:
    """Unit rows of all views, one view after another."""
    _require_positive(temperature)
    shapes = [tuple(z.shape) for z in views]
    if len(views) < 2 or len(set(shapes)) > 1 or views[0].ndim != 2 or not len(views[0]):
        found = " and ".join(map(str, shapes))
        raise DataError(f"`views` must be two or more (n, d) matrices of one shape, got {found}; align the views")
    return unit_rows(torch.cat(list(views)))


def nt_xent_views(
    views: Sequence[Float[Tensor, "n d"]], *, temperature: float | Tensor, tile: int | None = None
) -> Float[Tensor, ""]:
    """NT-Xent of V ≥ 2 views: every other view of an anchor's image is a positive, all VN − 1 other rows are candidates.

    The log-probability is averaged over an anchor's positives. With two views this is `nt_xent`; with more the least value is
    above 0, for V − 1 positives share the probability. ln(VN − 1) when all rows are equal.

    Args:
        views: V matrices, row i of each from image i.
        temperature: > 0.
        tile: rows of the similarity matrix held at once; whole batches up to 4,096 rows and tiles above when None.

    Source: Chen et al. 2020, equation 1; averaged over positives as L_out of Khosla et al. 2020 with images as classes.
    """
    keep = tile is None and len(views) * len(views[0]) <= DENSE_MAX_ROWS
    return _contrast(views, temperature, Form(len(views), tile=tile or TILE, keep=keep))


def _contrast(views: Sequence[Tensor], temperature: float | Tensor, form: Form) -> Float[Tensor, ""]:
    u = _stacked(views, temperature)
    if len(u) == 2:  # the twin is the only candidate: p = 1 whatever the weights, so exactly 0, exactly flat
        return (u * 0).sum()
    return NtXent.apply(u, temperature, form)


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
    return _contrast((z_a, z_b), temperature, Form(tile=TILE, keep=True))


def nt_xent_tiled(
    z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float | Tensor, tile: int = TILE
) -> Float[Tensor, ""]:
    """The value and gradient of `nt_xent` in O(N·tile) memory.

    Args:
        z_a, z_b, temperature: as for `nt_xent`.
        tile: rows of the similarity matrix held at once, ≥ 1.
    """
    if tile < 1:
        raise ConfigError(sentence("tile", "1 or larger", tile, "512 suits most processors"))
    return _contrast((z_a, z_b), temperature, Form(tile=tile))


def decoupled(views: Sequence[Float[Tensor, "n d"]], *, temperature: float | Tensor) -> Float[Tensor, ""]:
    """NT-Xent without the positives in the denominator, which keeps the gradient alive in small batches. Can be negative.

    Source: Yeh et al. 2022, equation 6 (DCL). N = 1 has an empty denominator and is refused.
    """
    n = len(views[0])
    if n < 2:
        raise DataError(sentence("batch", "at least 2 images", n, "without negatives this loss does not exist"))
    keep = len(views) * n <= DENSE_MAX_ROWS
    return _contrast(views, temperature, Form(len(views), decoupled=True, tile=TILE, keep=keep))


def alignment_only(views: Sequence[Float[Tensor, "n d"]]) -> Float[Tensor, ""]:
    """Mean squared distance of an image's views and nothing else: the loss that collapses, for the lessons on failure.

    2 − 2·cosine averaged over pairs of views, in [0, 4]. Source: the alignment term of Wang & Isola 2020.
    """
    u = _stacked(views, 1.0).view(len(views), len(views[0]), -1)
    i, j = torch.triu_indices(len(views), len(views), 1, device=u.device)
    return (u[i] - u[j]).square().sum(-1).mean()
