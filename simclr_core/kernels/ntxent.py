"""NT-Xent with its gradient written down: no graph over the similarity matrix, and every pair of it once.

Rows are unit vectors u (M, d), M = V·N: view v of image i is row vN + i. With E_ij = exp(s_ij/τ) for the candidates j of
row i, r_i = Σ_j E_ij and P(i) the V − 1 other views of its image, the loss is mean_i (ln r_i − mean_{p∈P(i)} s_ip/τ) and

    ∂L/∂u_i = 1/(Mτ) · (Σ_j E_ij (1/r_i + 1/r_j) u_j − 2/(V−1) · Σ_{p∈P(i)} u_p),
    ∂L/∂z_i = (∂L/∂u_i − (u_i·∂L/∂u_i) u_i) / |z_i|,
    ∂L/∂τ = −Σ_i u_i·∂L/∂u_i / (2τ),

the first because s_ij = s_ji appears in the losses of both its rows, the last because L depends on s/τ alone, and s has two
factors u. By the same symmetry a strip of rows needs only the columns right of the diagonal. All other rows are candidates; in
the decoupled form the other views of the same image are not. Source: Chen et al. 2020, equation 1; Yeh et al. 2022, equation 6
(decoupled); the gradients are derived above and checked against autograd in float64.

Logits are in bits, log₂e·s/τ, because exp2 is twice as fast as exp. Legend: M rows, d width, V views.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from simclr_core.errors import ConfigError, sentence

# Logits lie within ±1/τ. Down to these temperatures no product of two exponentials leaves the range of its type, so E needs
# no shift and stays symmetric. Below the first, a rounding error of a cosine, magnified by 1/τ, would also be seen in the
# loss, so the work is done in float64; below the second each row needs its own maximum.
FLOAT32_MIN_TEMPERATURE = 1 / 32
FLOAT64_MIN_TEMPERATURE = 1 / 320
SQUARE_MAX_ROWS = 512  # up to here the second half of the matrix costs less than going about it in strips
SMALLEST_LENGTH = 1e-12  # of a row, as in torch's normalize: a zero row stays zero


class Form(NamedTuple):
    """Which loss, and how: views an image, other views left out of the candidates, rows of a strip, strips kept or not."""

    temperature: float
    views: int = 2
    decoupled: bool = False
    tile: int = 128
    keep: bool = False  # E of the first pass for the second: half the matrix in memory, half a product less

    @property
    def bits(self) -> float:
        """A logit in bits for a cosine of 1."""
        return math.log2(math.e) / self.temperature

    @property
    def weight(self) -> float:
        """How strongly a twin pulls: once from either end, shared among an image's twins."""
        return 2 / (self.views - 1)


class Strip(NamedTuple):
    """Some rows of the matrix from the diagonal on: the first row, room for them, and what lies left of the diagonal."""

    first: int
    room: Tensor
    lower: Tensor


def _strips(u: Tensor, form: Form) -> list[Strip]:
    """All strips; in one place unless they are kept."""
    m = len(u)
    shapes = [(min(form.tile, m - first), m - first) for first in range(0, m, form.tile)]
    sizes = [rows * columns for rows, columns in shapes]
    pool = u.new_empty(sum(sizes) if form.keep else max(sizes))
    rooms = pool.split(sizes) if form.keep else [pool[:size] for size in sizes]
    lower = torch.ones(shapes[0][0], shapes[0][0], dtype=torch.bool, device=u.device).tril_()
    return [
        Strip(m - columns, room.view(rows, columns), lower[:rows, :rows])
        for (rows, columns), room in zip(shapes, rooms, strict=True)
    ]


def _logits(u: Tensor, strip: Strip, form: Form, positive: Tensor | None = None) -> Tensor:
    """Fill a strip with logits, −inf where no pair is; add those of positives to both their rows of `positive`."""
    first, room, lower = strip
    rows, columns = room.shape
    images = len(u) // form.views
    room.addmm_(u[first : first + rows], u[first:].T, beta=0, alpha=form.bits)
    for gap in range(images, columns, images):  # columns begin at the strip's first row: twins lie on fixed diagonals
        twins = room.diagonal(gap)
        if positive is not None:
            positive[first : first + len(twins)] += twins
            positive[first + gap : first + gap + len(twins)] += twins
        if form.decoupled:
            twins.fill_(-torch.inf)
    room[:, :rows].masked_fill_(lower, -torch.inf)
    return room


def _pull(pulled: Tensor, u: Tensor, first: int, p: Tensor) -> None:
    """Add Σ_j p_ij u_j for a strip of p and for its mirror image."""
    some = slice(first, first + len(p))
    pulled[some].addmm_(p, u[first:])
    pulled[first:].addmm_(p.T, u[some])


def _less_twins(p: Tensor, images: int, weight: float) -> Tensor:
    """Take the pull of the twins off a strip of p, entry by entry: off the sum, little would be left of many digits."""
    for gap in range(images, p.shape[1], images):
        p.diagonal(gap).sub_(weight)
    return p


def _row_losses(r: Tensor, positive: Tensor, form: Form) -> Tensor:
    """ln r − positive as the logarithm of a ratio: where r is hardly more than its positive, no digit is lost."""
    rows = (r * positive.neg().exp2_()).log_()
    return rows if form.decoupled else rows.clamp_min_(0)


def _plain(u: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """Loss, and Mτ·∂L/∂u, from exponentials as they are."""
    strips = _strips(u, form)
    r, positive = u.new_zeros(2, len(u))
    for strip in strips:
        e = _logits(u, strip, form, positive).exp2_()
        r[strip.first : strip.first + len(e)] += e.sum(1)
        r[strip.first :] += e.sum(0)
    w, pulled = 1 / r, torch.zeros_like(u)
    scratch = torch.empty_like(strips[0].room).view(-1)
    for strip in strips:
        e = strip.room if form.keep else _logits(u, strip, form).exp2_()
        both = scratch[: e.numel()].view_as(e)
        torch.add(w[strip.first : strip.first + len(e), None], w[strip.first :], out=both)
        _pull(pulled, u, strip.first, _less_twins(e.mul_(both), len(u) // form.views, form.weight))
    return _row_losses(r, positive.div_(form.views - 1), form).mean(), pulled


def _square(u: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """The same for few rows, from the whole matrix at once."""
    m, positive = len(u), u.new_zeros(len(u))
    e = u.new_empty(m, m).addmm_(u, u.T, beta=0, alpha=form.bits)
    for gap in range(m // form.views, m, m // form.views):
        e.diagonal(-gap).copy_(e.diagonal(gap))  # a product may round the mirror image differently
        for twins, rows in ((e.diagonal(gap), positive[:-gap]), (e.diagonal(-gap), positive[gap:])):
            rows += twins
            if form.decoupled:
                twins.fill_(-torch.inf)
    r = e.fill_diagonal_(-torch.inf).exp2_().sum(1)
    w = 1 / r
    e.mul_(w[:, None] + w)
    for side in (e, e.T):
        _less_twins(side, m // form.views, form.weight)
    pulled = torch.mm(e, u)
    return _row_losses(r, positive.div_(form.views - 1), form).mean(), pulled


def _row_max(u: Tensor, strips: list[Strip], form: Form) -> Tensor:
    top = u.new_full((len(u),), -torch.inf)
    for strip in strips:
        s = _logits(u, strip, form)
        for part, dim in ((top[strip.first : strip.first + len(s)], 1), (top[strip.first :], 0)):
            torch.maximum(part, s.amax(dim), out=part)
    return top


def _shifted(u: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """The same where exponentials would leave the type's range: every row less its maximum."""
    strips = _strips(u, form._replace(keep=False))
    top = _row_max(u, strips, form)
    r, positive = u.new_zeros(2, len(u))
    for strip in strips:
        s = _logits(u, strip, form, positive)
        some = slice(strip.first, strip.first + len(s))
        r[some] += (s - top[some, None]).exp2_().sum(1)
        r[strip.first :] += (s - top[strip.first :]).exp2_().sum(0)
    log_r, pulled = r.log2() + top, torch.zeros_like(u)
    for strip in strips:
        s = _logits(u, strip, form)
        p = (s - log_r[strip.first : strip.first + len(s), None]).exp2_() + (s - log_r[strip.first :]).exp2_()
        _pull(pulled, u, strip.first, _less_twins(p, len(u) // form.views, form.weight))
    return (log_r - positive / (form.views - 1)).mean() * math.log(2), pulled


def _way(form: Form, m: int) -> Callable[[Tensor, Form], tuple[Tensor, Tensor]]:
    if form.temperature < FLOAT64_MIN_TEMPERATURE:
        return _shifted
    return _square if form.keep and m <= SQUARE_MAX_ROWS else _plain


def _value_and_gradients(z: Tensor, form: Form) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, ∂L/∂z and ∂L/∂τ; `z` is overwritten."""
    # Squares of a diverging network's float32 leave their type: its rows would count as zeros, its loss as a plateau.
    length = (
        torch.linalg.vector_norm(z, dim=1, keepdim=True, dtype=torch.float64).clamp_min_(SMALLEST_LENGTH).to(z.dtype)
    )
    u = z.div_(length)
    loss, g = _way(form, len(u))(u, form)
    g.div_(len(u) * form.temperature)
    radial = (u * g).sum(1, keepdim=True)
    slope = radial.sum() / (-2 * form.temperature)
    return loss, g.addcmul_(u, radial, value=-1).div_(length), slope


class NtXent(torch.autograd.Function):
    """Mean NT-Xent of projections of any length, in nats; its gradients are computed with the value and kept."""

    @staticmethod
    def forward(ctx: Any, temperature: float | Tensor, form: Form, *views: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
        least = torch.float32 if form.temperature >= FLOAT32_MIN_TEMPERATURE else torch.float64
        z = torch.cat(views)
        with torch.autocast(z.device.type, enabled=False):
            wide = z.to(torch.promote_types(z.dtype, least))
            loss, gradient, slope = _value_and_gradients(wide, form)
        ctx.save_for_backward(gradient.to(z.dtype), slope)
        return loss.to(torch.promote_types(z.dtype, torch.float32))

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # a graph through these values would lead nowhere, and be silent about it
            rule, remedy = (
                "False through NT-Xent",
                "its gradient is computed with the value, and cannot be differentiated again",
            )
            raise ConfigError(sentence("create_graph", rule, True, remedy))
        gradient, slope = ctx.saved_tensors
        of_temperature = (slope * outer[0]).to(outer[0].dtype) if ctx.needs_input_grad[0] else None
        views = (gradient * outer[0].to(gradient.dtype)).chunk(len(ctx.needs_input_grad) - 2)
        return of_temperature, None, *views
