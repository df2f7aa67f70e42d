"""NT-Xent with its gradient written down: no graph over the similarity matrix, and never more of it than a tile.

Rows are unit vectors u (M, d), M = 2N, stacked so that the partner of row i is row (i + N) mod M. With
E_ij = exp(s_ij/τ) for j ≠ i and r_i = Σ_j E_ij, the loss is mean_i (ln r_i − s_ip/τ) and

    ∂L/∂u_i = 1/(Mτ) · Σ_j E_ij (1/r_i + 1/r_j) u_j − 2/(Mτ) · u_p(i),

because s_ij = s_ji appears in the losses of both its rows. The same symmetry lets one tile above the diagonal serve
two. Source: Chen et al. 2020, equation 1; the gradient is derived above and checked against autograd in float64.

Legend: M rows, d width, tile rows at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

# Cosines span [−1, 1], so exponents span 2/τ. While that stays well inside float32's e^±87, one shift (1/τ) serves
# every row and E stays symmetric. Below this temperature each row needs its own maximum, and a rounding error of a
# cosine is magnified by 1/τ into the loss, so the work is done in float64.
SYMMETRIC_MIN_TEMPERATURE = 1 / 40


def _twice(positive: Tensor) -> Float[Tensor, " m"]:
    """Both views of an image have the same positive."""
    return torch.cat([positive, positive])


def _partners(u: Tensor) -> Tensor:
    return u.roll(len(u) // 2, 0)


def _finish(pulled: Tensor, u: Tensor, temperature: float) -> Tensor:
    return pulled.sub_(_partners(u), alpha=2).div_(len(u) * temperature)


def _dense(u: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Loss and gradient holding the whole matrix once."""
    s = torch.mm(u, u.T).div_(temperature)
    positive = _twice(s.diagonal(len(u) // 2).clone())  # the same products as the candidates', to the last bit
    s.fill_diagonal_(-torch.inf)
    shift = s.amax(1, keepdim=True) if temperature < SYMMETRIC_MIN_TEMPERATURE else 1 / temperature
    e = s.sub_(shift).exp_()
    r = e.sum(1)
    loss = (r.log() + torch.as_tensor(shift).reshape(-1) - positive).mean()
    w = 1 / r
    if temperature < SYMMETRIC_MIN_TEMPERATURE:
        p = e.mul_(w[:, None])
        pulled = torch.mm(p, u).addmm_(p.T, u)
    else:
        pulled = torch.mm(e, w[:, None] * u).addcmul_(w[:, None], torch.mm(e, u))
    return loss, _finish(pulled, u, temperature)


def _blocks(m: int, tile: int) -> list[tuple[slice, slice]]:
    """Pairs of row ranges on and above the diagonal."""
    ranges = [slice(i, min(i + tile, m)) for i in range(0, m, tile)]
    return [(a, b) for k, a in enumerate(ranges) for b in ranges[k:]]


def _scaled(u: Tensor, a: slice, b: slice, temperature: float) -> Tensor:
    s = torch.mm(u[a], u[b].T).div_(temperature)
    if a == b:
        s.fill_diagonal_(-torch.inf)
    return s


def _collect_positive(s: Tensor, a: slice, b: slice, positive: Tensor) -> None:
    """Take s_i,i+N out of a tile, where the tile holds any."""
    n = len(positive)
    offset = a.start + n - b.start
    if -s.shape[0] < offset < s.shape[1]:
        found = s.diagonal(offset)
        first = a.start + max(0, -offset)
        positive[first : first + len(found)] = found


def _row_max(u: Tensor, temperature: float, tile: int) -> Tensor:
    if temperature >= SYMMETRIC_MIN_TEMPERATURE:
        return u.new_full((len(u),), 1 / temperature)
    top = u.new_full((len(u),), -torch.inf)
    for a, b in _blocks(len(u), tile):
        s = _scaled(u, a, b, temperature)
        top[a] = torch.maximum(top[a], s.amax(1))
        top[b] = torch.maximum(top[b], s.amax(0))
    return top


def _tiled(u: Tensor, temperature: float, tile: int) -> tuple[Tensor, Tensor]:
    """Loss and gradient holding one tile of the matrix at a time; every tile serves its mirror image too."""
    m = len(u)
    top = _row_max(u, temperature, tile)
    r, positive = u.new_zeros(m), u.new_zeros(m // 2)
    for a, b in _blocks(m, tile):
        s = _scaled(u, a, b, temperature)
        _collect_positive(s, a, b, positive)
        r[a] += (s - top[a, None]).exp_().sum(1)
        if a != b:
            r[b] += (s - top[b]).exp_().sum(0)
    log_r = r.log() + top
    loss = (log_r - _twice(positive)).mean()
    pulled = torch.zeros_like(u)
    for a, b in _blocks(m, tile):
        s = _scaled(u, a, b, temperature)
        p = (s - log_r[a, None]).exp_() + (s - log_r[b]).exp_()
        pulled[a].addmm_(p, u[b])
        if a != b:
            pulled[b].addmm_(p.T, u[a])
    return loss, _finish(pulled, u, temperature)


class NtXent(torch.autograd.Function):
    """Mean NT-Xent of unit rows, in nats; the gradient is computed with the value and kept."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, temperature: float, tile: int | None) -> Tensor:
        least = torch.float32 if temperature >= SYMMETRIC_MIN_TEMPERATURE else torch.float64
        wide = u.detach().to(torch.promote_types(u.dtype, least))
        with torch.autocast(u.device.type, enabled=False):
            loss, gradient = _tiled(wide, temperature, tile) if tile else _dense(wide, temperature)
        ctx.save_for_backward(gradient.to(u.dtype))
        return loss.to(torch.promote_types(u.dtype, torch.float32))

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None, None
