"""A picture on its way to a view, one operation at a time: what was drawn, how it looks, and how far encoders find it moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from simclr_core.augment import JITTER, STILL, Draws, apply, draw
from simclr_core.checkpoints import Encoder
from simclr_core.config import AugmentConfig
from simclr_core.encode import to_pixels
from simclr_core.forward import embed
from simclr_core.matching import PIXELS, pixel_distance
from simclr_core.neighbours import unit_rows
from simclr_core.operations import LARGEST_SIGMA
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


LIMITS = {  # what an amount may be set to by hand: what a recipe can draw at its strongest
    **{part: (-most, most) if part == "hue" else (1 - most, 1 + most) for part, most in JITTER.items()},
    "blur": (AugmentConfig().blur_sigma[0], LARGEST_SIGMA),
}


def steps(draws: Draws, *, height: int, width: int, between: int = 1) -> tuple[list[Step], Draws]:
    """What was done to one view of a picture of this size, in order; what changes nothing is left out.

    Args:
        draws: of one view.
        between: draws for each step.

    Returns:
        The n steps, and draws for between·n + 1 views: row between·k has the first k steps, so row 0 is the picture and the
        last row the view. Rows between them have a step in part; a flip and grey are not done until they are done whole.
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
    return found, _grown(draws, [step.operation for step in found], whole, between)


def _grown(draws: Draws, operations: list[str], whole: Tensor, between: int) -> Draws:
    """Draws with ever more of the operations, from none to all."""
    rows = torch.arange(between * len(operations) + 1) / between

    def share(name: str) -> Float[Tensor, " n"]:
        return (rows - operations.index(name)).clamp(0, 1) if name in operations else torch.zeros(len(rows))

    box = whole + share("crop")[:, None] * (draws.box - whole)
    still = torch.tensor(STILL)
    return Draws(
        box=box if between > 1 else box.long(),
        flipped=share("flip") == 1,
        jitter=still + torch.stack([share(name) for name in JITTER], 1) * (draws.jitter - still),
        order=draws.order.expand(len(rows), -1),
        grey=share("grey") == 1,
        sigma=draws.sigma * share("blur"),
    )


def by_hand(draws: Draws, changes: Mapping[str, tuple[float, ...]], *, height: int, width: int) -> Draws:
    """The draws of one view with some of them set by a person; what lies outside the picture or `LIMITS` is brought inside.

    Args:
        draws: of one view of a picture of this size.
        changes: "crop" → top, left, height, width in pixels; a part of the jitter or "blur" → its amount. What was not drawn
            stays out: there is nothing to change.
    """
    jitter, sigma, box = draws.jitter.clone(), draws.sigma, draws.box
    amounts = {
        name: min(max(value[0], LIMITS[name][0]), LIMITS[name][1]) for name, value in changes.items() if name != "crop"
    }
    for column, (name, still) in enumerate(zip(JITTER, STILL, strict=True)):
        if name in amounts and jitter[0, column] != still:
            jitter[0, column] = amounts[name]
    if "blur" in amounts and sigma > 0:
        sigma = torch.full_like(sigma, amounts["blur"])
    if "crop" in changes:
        top, left, tall, wide = map(round, changes["crop"])
        tall, wide = min(max(tall, 1), height), min(max(wide, 1), width)
        box = torch.tensor([[min(max(top, 0), height - tall), min(max(left, 0), width - wide), tall, wide]])
    return replace(draws, jitter=jitter, sigma=sigma, box=box)


@dataclass(frozen=True, kw_only=True, eq=False)
class Strip:
    """A picture, and what it is on its way through n steps: row 0 is the picture, the last row the view.

    Attributes:
        steps: what was done.
        between: rows a step; row between·k is the picture after k steps.
        pixels: how it looks.
        embedding: ENCODER_h and ENCODER_z of each encoder → its rows.
    """

    steps: tuple[Step, ...]
    between: int
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
    hands: tuple[Mapping[str, tuple[float, ...]], Mapping[str, tuple[float, ...]]] = ({}, {}),
    between: int = 1,
) -> tuple[Strip, Strip]:
    """Two views, each step by step.

    Args:
        pictures: what view 1 and view 2 are drawn from; twice the same for a positive pair.
        augment: the recipe of the views.
        encoders: by name; on the CPU, in evaluation mode.
        seed: of the draws, which do not depend on the pictures.
        size: edge of a view in pixels; the pictures' height by default.
        hands: what a person set of view 1 and of view 2, as `by_hand` takes it.
        between: rows of a strip for each step.
    """
    height, width = pictures.shape[1:3]
    drawn = draw(2, augment, torch.Generator().manual_seed(seed), height=height, width=width)
    own = [by_hand(drawn[i : i + 1], hand, height=height, width=width) for i, hand in enumerate(hands)]
    first, second = (
        _strip(picture, draws, encoders, size, between) for picture, draws in zip(pictures, own, strict=True)
    )
    return first, second


def _strip(
    picture: UInt8[np.ndarray, "h w 3"], draws: Draws, encoders: Mapping[str, Encoder], size: int | None, between: int
) -> Strip:
    found, rows = steps(draws, height=picture.shape[0], width=picture.shape[1], between=between)
    whole = torch.from_numpy(picture.copy()).permute(2, 0, 1).expand(len(rows.box), -1, -1, -1)
    views = apply(whole, rows, size=size)
    embedding: dict[str, np.ndarray] = {}
    for name, encoder in encoders.items():
        columns = embed(encoder.module.cpu().eval(), views)
        embedding |= {f"{name}_{space}": rows for space, rows in zip(SPACES, columns, strict=True)}
    return Strip(steps=tuple(found), between=between, pixels=to_pixels(views), embedding=embedding)
