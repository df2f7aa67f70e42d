"""NT-Xent with its gradient written down: no graph over the similarity matrix, and never more of it than a tile.

Rows are unit vectors u (M, d), M = V·N: view v of image i is row vN + i. With E_ij = exp(s_ij/τ) for the candidates j of
row i, r_i = Σ_j E_ij and P(i) the V − 1 other views of its image, the loss is mean_i (ln r_i − mean_{p∈P(i)} s_ip/τ) and

    ∂L/∂u_i = 1/(Mτ) · (Σ_j E_ij (1/r_i + 1/r_j) u_j − 2/(V−1) · Σ_{p∈P(i)} u_p),
    ∂L/∂τ = −Σ_i u_i·∂L/∂u_i / (2τ),

the first because s_ij = s_ji appears in the losses of both its rows, the second because L depends on s/τ alone, and s has
two factors u. The same symmetry lets one tile above the diagonal serve two. All other rows are candidates; in the decoupled
form the other views of the same image are not. Source: Chen et al. 2020, equation 1; Yeh et al. 2022, equation 6 (decoupled);
the gradients are derived above and checked against autograd in float64.

Legend: M rows, d width, V views, v = u/√τ, so that the products of v are logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

# Logits lie within ±1/τ. Down to these temperatures no product of two exponentials leaves the range of its type, so E needs
# no shift and stays symmetric. Below the first, a rounding error of a cosine, magnified by 1/τ, would also be seen in the
# loss, so the work is done in float64; below the second each row needs its own maximum.
FLOAT32_MIN_TEMPERATURE = 1 / 32
FLOAT64_MIN_TEMPERATURE = 1 / 320


class Form(NamedTuple):
    """Which loss, and how: views an image, other views left out of the candidates, rows of a tile, tiles kept or not."""

    views: int = 2
    decoupled: bool = False
    tile: int = 512
    keep: bool = False  # E of the first pass for the second: half the matrix in memory, half a product less


Block = tuple[slice, slice]


def _blocks(m: int, tile: int) -> list[Block]:
    """Pairs of row ranges on and above the diagonal."""
    ranges = [slice(i, min(i + tile, m)) for i in range(0, m, tile)]
    return [(a, b) for k, a in enumerate(ranges) for b in ranges[k:]]


def _twins(s: Tensor, a: slice, b: slice, n: int, views: int) -> Iterator[tuple[slice, slice, Tensor]]:
    """The positives that a block holds: their rows, their columns, and the diagonal they lie on."""
    for k in range(1 - views, views):
        offset = a.start + k * n - b.start
        if k and -s.shape[0] < offset < s.shape[1]:
            found = s.diagonal(offset)
            i, j = a.start + max(0, -offset), b.start + max(0, offset)
            yield slice(i, i + len(found)), slice(j, j + len(found)), found


def _logits(v: Tensor, block: Block, form: Form, positive: Tensor | None = None) -> Tensor:
    """Logits of a block, −inf where a column is no candidate; adds every positive's to its row of `positive`."""
    a, b = block
    s = torch.mm(v[a], v[b].T)
    if positive is not None or form.decoupled:
        for rows, columns, found in _twins(s, a, b, len(v) // form.views, form.views):
            if positive is not None:
                positive[rows] += found
                if a != b:
                    positive[columns] += found
            if form.decoupled:
                found.fill_(-torch.inf)
    return s.fill_diagonal_(-torch.inf) if a == b else s


def _row_losses(r: Tensor, positive: Tensor, form: Form) -> Tensor:
    """ln r − positive as the logarithm of a ratio: where r is hardly more than its positive, no digit is lost."""
    rows = (r * positive.neg().exp_()).log_()
    return rows if form.decoupled else rows.clamp_min_(0)


def _plain(v: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """Loss, and Σ_j E_ij (1/r_i + 1/r_j) v_j, from exponentials as they are."""
    blocks, kept = _blocks(len(v), form.tile), []
    r, positive = v.new_zeros(len(v)), v.new_zeros(len(v))
    for a, b in blocks:
        e = _logits(v, (a, b), form, positive).exp_()
        r[a] += e.sum(1)
        if a != b:
            r[b] += e.sum(0)
        if form.keep:
            kept.append(e)
    w, pulled = 1 / r, torch.zeros_like(v)
    for a, b in blocks:
        e = kept.pop(0) if form.keep else _logits(v, (a, b), form).exp_()
        p = e.mul_(w[a, None] + w[b])
        pulled[a].addmm_(p, v[b])
        if a != b:
            pulled[b].addmm_(p.T, v[a])
    return _row_losses(r, positive / (form.views - 1), form).mean(), pulled


def _row_max(v: Tensor, form: Form) -> Tensor:
    top = v.new_full((len(v),), -torch.inf)
    for a, b in _blocks(len(v), form.tile):
        s = _logits(v, (a, b), form)
        top[a] = torch.maximum(top[a], s.amax(1))
        top[b] = torch.maximum(top[b], s.amax(0))
    return top


def _shifted(v: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """The same where exponentials would leave the type's range: every row less its maximum."""
    blocks, top = _blocks(len(v), form.tile), _row_max(v, form)
    r, positive = v.new_zeros(len(v)), v.new_zeros(len(v))
    for a, b in blocks:
        s = _logits(v, (a, b), form, positive)
        r[a] += (s - top[a, None]).exp_().sum(1)
        if a != b:
            r[b] += (s - top[b]).exp_().sum(0)
    log_r, pulled = r.log() + top, torch.zeros_like(v)
    for a, b in blocks:
        s = _logits(v, (a, b), form)
        p = (s - log_r[a, None]).exp_() + (s - log_r[b]).exp_()
        pulled[a].addmm_(p, v[b])
        if a != b:
            pulled[b].addmm_(p.T, v[a])
    return (log_r - positive / (form.views - 1)).mean(), pulled


def _finish(pulled: Tensor, v: Tensor, temperature: float, form: Form) -> Tensor:
    """Less the positives' pull, in units of ∂L/∂u."""
    per_view = v.view(form.views, -1, v.shape[1])
    twins = (per_view.sum(0) - per_view).view_as(v)
    return pulled.sub_(twins, alpha=2 / (form.views - 1)).div_(len(v) * temperature**0.5)


class NtXent(torch.autograd.Function):
    """Mean NT-Xent of unit rows, in nats; its gradients for the rows and τ are computed with the value and kept."""

    @staticmethod
    def forward(ctx: Any, u: Float[Tensor, "m d"], temperature: float | Tensor, form: Form) -> Float[Tensor, ""]:
        tau = float(temperature)
        least = torch.float32 if tau >= FLOAT32_MIN_TEMPERATURE else torch.float64
        v = u.detach().to(torch.promote_types(u.dtype, least)) / tau**0.5
        with torch.autocast(u.device.type, enabled=False):
            loss, pulled = (_plain if tau >= FLOAT64_MIN_TEMPERATURE else _shifted)(v, form)
            gradient = _finish(pulled, v, tau, form)
            slope = (v * gradient).sum() / (-2 * tau**0.5)
        ctx.save_for_backward(gradient.to(u.dtype), slope)
        return loss.to(torch.promote_types(u.dtype, torch.float32))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor | None, None]:
        gradient, slope = ctx.saved_tensors
        of_temperature = (slope * outer[0]).to(outer[0].dtype) if ctx.needs_input_grad[1] else None
        return gradient * outer[0].to(gradient.dtype), of_temperature, None
