"""A picture on its way to a view, one operation at a time: what was drawn, how it looks, and how far encoders find it moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from simclr_core.augment import JITTER, STILL, Draws, apply, draw
from simclr_core.checkpoints import Encoder
from simclr_core.config import AugmentConfig
from simclr_core.encode import to_pixels
from simclr_core.forward import embed
from simclr_core.matching import PIXELS, pixel_distance
from simclr_core.neighbours import unit_rows
from simclr_core.records import SPACES


class Step(NamedTuple):
    """One operation that a view underwent.

    Attributes:
        operation: its name in `operations.OPERATIONS`; a part of the jitter counts by itself.
        drawn: of a crop its top, left, height and width in pixels; of brightness, contrast and saturation the factor; of
            the hue the turn as a share of the circle; of the blur its σ in pixels; of a flip or grey nothing.
    """

    operation: str
    drawn: tuple[float, ...]


def steps(draws: Draws, *, height: int, width: int) -> tuple[list[Step], Draws]:
    """What was done to one view of a picture of this size, in order; what changes nothing is left out.

    Args:
        draws: of one view.

    Returns:
        The n steps, and draws for n + 1 views: row k has the first k steps, so row 0 is the picture, row n the view.
    """
    whole = torch.tensor([[0, 0, height, width]])
    found = [Step("crop", tuple(draws.box[0].tolist()))] if (draws.box != whole).any() else []
    found += [Step("flip", ())] * bool(draws.flipped)
    amount = dict(zip(JITTER, draws.jitter[0].tolist(), strict=True))
    names = [list(JITTER)[column] for column in draws.order[0].tolist()]
    still = dict(zip(JITTER, STILL, strict=True))
    found += [Step(name, (amount[name],)) for name in names if amount[name] != still[name]]
    found += [Step("grey", ())] * bool(draws.grey)
    found += [Step("blur", (draws.sigma.item(),))] * bool(draws.sigma > 0)
    return found, _grown(draws, [step.operation for step in found], whole)


def _grown(draws: Draws, operations: list[str], whole: Tensor) -> Draws:
    """Draws with ever more of the operations, from none to all."""
    rows = torch.arange(len(operations) + 1)

    def done(name: str) -> Bool[Tensor, " n"]:
        return rows > operations.index(name) if name in operations else torch.zeros(len(rows), dtype=torch.bool)

    return Draws(
        box=torch.where(done("crop")[:, None], draws.box, whole),
        flipped=done("flip"),
        jitter=torch.where(torch.stack([done(name) for name in JITTER], 1), draws.jitter, torch.tensor(STILL)),
        order=draws.order.expand(len(rows), -1),
        grey=done("grey"),
        sigma=draws.sigma * done("blur"),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Strip:
    """A picture, and what it is after each of n steps: row 0 is the picture, row n the view.

    Attributes:
        steps: what was done.
        pixels: how it looks.
        embedding: ENCODER_h and ENCODER_z of each encoder → its rows.
    """

    steps: tuple[Step, ...]
    pixels: UInt8[np.ndarray, "m s s 3"]
    embedding: Mapping[str, Float[np.ndarray, "m d"]]

    def moved(self) -> dict[str, Float[np.ndarray, " m"]]:
        """How far each row is from the picture: `PIXELS`, then a name of `embedding` → distance."""
        return _distances(self, slice(None), self, slice(1))

    def apart(self, other: Strip) -> dict[str, float]:
        """How far the view is from another strip's view."""
        return {name: found.item() for name, found in _distances(self, slice(-1, None), other, slice(-1, None)).items()}


def _distances(a: Strip, rows: slice, b: Strip, others: slice) -> dict[str, np.ndarray]:
    """`pixel_distance`, and 1 − cosine in [0, 2] of every embedding, of some rows from one row."""
    pixels = a.pixels[rows]
    found = {PIXELS: pixel_distance(pixels, np.broadcast_to(b.pixels[others], pixels.shape))}
    for name, embedding in a.embedding.items():
        unit = unit_rows(np.vstack([embedding[rows], b.embedding[name][others]]))
        found[name] = np.round(np.clip(1 - unit[:-1] @ unit[-1], 0, 2), 12)  # no rounding error where nothing moved
    return found


def strips(
    pictures: UInt8[np.ndarray, "2 h w 3"],
    augment: AugmentConfig,
    encoders: Mapping[str, Encoder],
    *,
    seed: int = 0,
    size: int | None = None,
) -> tuple[Strip, Strip]:
    """Two views, each step by step.

    Args:
        pictures: what view 1 and view 2 are drawn from; twice the same for a positive pair.
        augment: the recipe of the views.
        encoders: by name; on the CPU, in evaluation mode.
        seed: of the draws, which do not depend on the pictures.
        size: edge of a view in pixels; the pictures' height by default.
    """
    height, width = pictures.shape[1:3]
    draws = draw(2, augment, torch.Generator().manual_seed(seed), height=height, width=width)
    first, second = (_strip(picture, draws[i : i + 1], encoders, size) for i, picture in enumerate(pictures))
    return first, second


def _strip(
    picture: UInt8[np.ndarray, "h w 3"], draws: Draws, encoders: Mapping[str, Encoder], size: int | None
) -> Strip:
    found, rows = steps(draws, height=picture.shape[0], width=picture.shape[1])
    whole = torch.from_numpy(picture.copy()).permute(2, 0, 1).expand(len(found) + 1, -1, -1, -1)
    views = apply(whole, rows, size=size)
    embedding: dict[str, np.ndarray] = {}
    for name, encoder in encoders.items():
        columns = embed(encoder.module.cpu().eval(), views)
        embedding |= {f"{name}_{space}": rows for space, rows in zip(SPACES, columns, strict=True)}
    return Strip(steps=tuple(found), pixels=to_pixels(views), embedding=embedding)
