"""What is minimised: pure functions of two views' projections, in nats, mean over the 2N anchors.

Row i of `z_a` and row i of `z_b` come from one image. Rows may have any length; they are normalised here. Losses are
computed in float32 or wider whatever autocast says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from simclr_core.config import TrainConfig
from simclr_core.errors import ConfigError, DataError, sentence
from simclr_core.kernels.ntxent import NtXent
from simclr_core.registry import Choice, Label, Params, make_params, number, pick
from simclr_core.similarity import loss_ceiling, loss_floor, loss_uniform_sphere

DENSE_MAX_ROWS = 4096  # above this many views tiles are both faster and smaller (benchmarks/results/loss.json)


def unit_rows(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Rows scaled to length 1, in float32 or wider; a zero row stays zero."""
    return functional.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)


def _checked(z_a: Tensor, z_b: Tensor, temperature: float) -> Float[Tensor, "m d"]:
    if not temperature > 0:
        raise ConfigError(sentence("temperature", "larger than 0", temperature, "SimCLR uses 0.1 to 0.5"))
    if z_a.shape != z_b.shape or z_a.ndim != 2 or not len(z_a):
        shapes = f"{tuple(z_a.shape)} and {tuple(z_b.shape)}"
        raise DataError(f"`z_a` and `z_b` must be two (n, d) matrices of one shape, got {shapes}; align the views")
    return unit_rows(torch.cat([z_a, z_b]))


def _nt_xent(u: Float[Tensor, "m d"], temperature: float, tile: int | None) -> Float[Tensor, ""]:
    if len(u) == 2:  # the twin is the only candidate: p = 1 whatever the weights, so exactly 0, exactly flat
        return (u * 0).sum()
    return NtXent.apply(u, temperature, tile)


def nt_xent(z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float) -> Float[Tensor, ""]:
    """Normalised temperature-scaled cross entropy: how surely each view picks its twin among all other views.

    log(2N−1) when all rows are equal, at every temperature; 0 with zero gradient for N = 1, where the twin is the only
    candidate (the trainer refuses that batch; the classroom explains it).

    Args:
        z_a, z_b: projections of two views, row i of both from image i. Any scale, finite.
        temperature: > 0; 0.5 is the paper's choice for CIFAR-10.

    Returns:
        Scalar in nats, ≥ 0, mean over the 2N anchors, float32 or wider.

    Raises:
        ConfigError: temperature ≤ 0. DataError: the shapes differ.

    Source: Chen et al. 2020, equation 1.
    """
    return _nt_xent(_checked(z_a, z_b, temperature), temperature, None)


def nt_xent_tiled(
    z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float, tile: int = 512
) -> Float[Tensor, ""]:
    """The value and gradient of `nt_xent` in O(N·tile) memory.

    Args:
        z_a, z_b, temperature: as for `nt_xent`.
        tile: rows of the similarity matrix held at once, ≥ 1.
    """
    if tile < 1:
        raise ConfigError(sentence("tile", "1 or larger", tile, "512 suits most processors"))
    return _nt_xent(_checked(z_a, z_b, temperature), temperature, tile)


def nt_xent_auto(z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float) -> Float[Tensor, ""]:
    """NT-Xent by whichever form is faster at this size."""
    rows = 2 * len(z_a)
    return _nt_xent(_checked(z_a, z_b, temperature), temperature, None if rows <= DENSE_MAX_ROWS else 512)


def decoupled(z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float) -> Float[Tensor, ""]:
    """NT-Xent without the positive in the denominator, which keeps the gradient alive in small batches. Can be negative.

    Source: Yeh et al. 2022, equation 6 (DCL). N = 1 has an empty denominator and is refused.
    """
    u = _checked(z_a, z_b, temperature)
    n = len(z_a)
    if n < 2:
        raise DataError(sentence("batch", "at least 2 images", n, "without negatives this loss does not exist"))
    logits = torch.mm(u, u.T) / temperature
    positive = torch.cat([logits.diagonal(n), logits.diagonal(n)])
    i = torch.arange(2 * n, device=u.device)
    excluded = torch.zeros_like(logits, dtype=torch.bool)
    excluded[i, i] = excluded[i, i.roll(n)] = True
    return (logits.masked_fill(excluded, -torch.inf).logsumexp(1) - positive).mean()


def alignment_only(z_a: Float[Tensor, "n d"], z_b: Float[Tensor, "n d"], *, temperature: float) -> Float[Tensor, ""]:
    """Mean squared distance of the two views and nothing else: the loss that collapses, for the lessons on failure.

    2 − 2·cosine, in [0, 4]; the temperature has no effect. Source: the alignment term of Wang & Isola 2020.
    """
    u = _checked(z_a, z_b, temperature)
    half = len(u) // 2
    return (u[:half] - u[half:]).square().sum(1).mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class TileParams(Params):
    """How NT-Xent is computed; the value does not depend on it."""

    tile: int | None = number(
        None,
        16,
        65536,
        Label("Tile (rows)", "分块行数"),
        Label("automatic: whole below 2,048 images, tiles above", "自动：2048 张以下整块，以上分块"),
        integer=True,
        log=True,
        auto=Label("automatic", "自动"),
    )


Loss = Callable[[Tensor, Tensor], Tensor]
CEILING, FLOOR = "ceiling", "floor"  # the two lines that the diagnosis of a run reads


class ReferenceLine(NamedTuple):
    """A value of the loss that means something: `id` for programs, `label` for people."""

    id: str
    value: float
    label: Label


Lines = Callable[[int, int], tuple[ReferenceLine, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """An objective made for one run: the loss of a batch, and what its values are read against.

    `lines(n, dim)` gives the lines of a batch of n images whose z has dim columns; empty where nothing is known. Lines
    called "ceiling" and "floor" are also written into every report, and a diagnosis judges by them.
    """

    loss: Loss
    lines: Lines = lambda n, dim: ()

    def value_at(self, line: str, n: int, dim: int) -> float | None:
        """The value of one line; None where the objective has no such line."""
        return next((found.value for found in self.lines(n, dim) if found.id == line), None)


def _nt_xent_objective(temperature: float, params: TileParams) -> Objective:
    def loss(z_a: Tensor, z_b: Tensor) -> Tensor:
        if params.tile is None:
            return nt_xent_auto(z_a, z_b, temperature=temperature)
        return nt_xent_tiled(z_a, z_b, temperature=temperature, tile=params.tile)

    def lines(n: int, dim: int) -> tuple[ReferenceLine, ...]:
        m = 2 * n - 1
        even = Label(f"even on the sphere, d = {dim}", f"球面均匀分布，d = {dim}")
        return (
            ReferenceLine(CEILING, loss_ceiling(n), Label(f"all equal: ln {m}", f"全部相同：ln {m}")),
            ReferenceLine("uniform", loss_uniform_sphere(n, dim, temperature), even),
            ReferenceLine(FLOOR, loss_floor(n, temperature), Label("least possible", "理论最小值")),
        )

    return Objective(loss=loss, lines=lines)


def _unbounded(function: Callable[..., Tensor]) -> Callable[[float, Any], Objective]:
    def build(temperature: float, params: Any) -> Objective:
        return Objective(loss=lambda z_a, z_b: function(z_a, z_b, temperature=temperature))

    return build


OBJECTIVES: dict[str, Choice[Callable[[float, Any], Objective]]] = {
    "nt_xent": Choice(
        label=Label("NT-Xent (SimCLR)", "NT-Xent（SimCLR）"),
        run=_nt_xent_objective,
        params=TileParams,
        source="Chen et al. 2020, equation 1",
    ),
    "dcl": Choice(
        label=Label("Decoupled (DCL), for small batches", "解耦损失（DCL），适合小批次"),
        run=_unbounded(decoupled),
        source="Yeh et al. 2022, equation 6",
    ),
    "alignment": Choice(
        label=Label("Alignment only (collapses: a lesson)", "只有对齐项（会坍缩：教学用）"),
        run=_unbounded(alignment_only),
        source="Wang & Isola 2020, the alignment term alone",
    ),
}


def make_objective(config: TrainConfig) -> Objective:
    """The objective that a run's settings name, with its temperature and parameters.

    Raises:
        ConfigError: an unknown objective or parameter.
    """
    entry = pick(OBJECTIVES, config.objective, "objective")
    return entry.run(config.temperature, make_params(entry.params, config.objective_params))
