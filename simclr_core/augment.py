"""Random views of images, batched on the device: every image of a batch draws its own crop, flip, jitter, grey and blur.

The distribution is torchvision's (`RandomResizedCrop`, `RandomHorizontalFlip`, `ColorJitter` with a clamp after each
of its operations and a random order of them for every image, `RandomGrayscale`, `GaussianBlur`), so that a recipe from
a paper means here what it means there. Randomness comes from an explicit generator alone. What the operations are, and
recipes with one of them alone, is in `simclr_core.operations`.

Legend: B images, H W their size, S the size of a view. Pixels are floats in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Real, UInt8
from torch import Tensor

from simclr_core.config import AugmentConfig

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision
RATIO = (3 / 4, 4 / 3)
CROP_TRIES = 10  # torchvision gives up on a crop that does not fit after ten draws
JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}  # at strength 1, SimCLR appendix A
BLOCK = 2**17  # pixels of views made at a time on a processor, so that what is worked on stays in its cache
STILL = (1.0, 1.0, 1.0, 0.0)  # the amounts that change nothing


@dataclass(frozen=True, slots=True)
class Draws:
    """What was drawn for each of b views: with its picture, all that a view depends on.

    Attributes:
        box: top, left, height and width of the crop in pixels; whole numbers where they were drawn.
        flipped: whether the view is mirrored.
        jitter: factors of brightness, contrast and saturation (1 changes nothing); turn of the hue as a share of the
            circle (0 changes nothing). Columns as in `JITTER`.
        order: the columns of `jitter` in the order they are applied.
        grey: whether the view is grey.
        sigma: of the blur in pixels; 0 is no blur.
    """

    box: Real[Tensor, "b 4"]
    flipped: Bool[Tensor, " b"]
    jitter: Float[Tensor, "b 4"]
    order: Int[Tensor, "b 4"]
    grey: Bool[Tensor, " b"]
    sigma: Float[Tensor, " b"]

    def __getitem__(self, part: slice) -> Draws:
        """Those of some of the views: applied to these pictures they make these views, whoever makes the others."""
        return Draws(*(getattr(self, f.name)[part] for f in fields(self)))


def augment_pair(
    images: UInt8[Tensor, "b 3 h w"], config: AugmentConfig, generator: torch.Generator, *, size: int | None = None
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
    """Two independent views of every image; row i of both comes from image i."""
    views = augment_views(images.repeat(2, 1, 1, 1), config, generator, size=size)
    return views[: len(images)], views[len(images) :]


def augment_views(
    images: UInt8[Tensor, "b 3 h w"], config: AugmentConfig, generator: torch.Generator, *, size: int | None = None
) -> Float[Tensor, "b 3 s s"]:
    """One random view of every image: `draw`, then `apply`.

    Args:
        images: uint8 pictures on the generator's device.
        config: probabilities and strengths.
        generator: where all randomness comes from.
        size: edge of a view in pixels; the picture's height by default.
    """
    b, _, height, width = images.shape
    return apply(images, draw(b, config, generator, height=height, width=width), size=size)


def draw(b: int, config: AugmentConfig, generator: torch.Generator, *, height: int, width: int) -> Draws:
    """Draw what is to be done to each of b images of this size. All randomness of a batch is drawn at once, so that its
    views do not depend on how it is cut into chunks or spread over processes."""
    box = _crop_boxes(b, height, width, config.crop_scale, generator)
    flipped = _chance(b, config.flip_p, generator)
    jitter, order = _jitter_draws(b, config, generator)
    grey = _some(b, config.grayscale_p, generator)
    sigma = torch.zeros(b, device=generator.device)
    blurred = _some(b, config.blur_p, generator)
    sigma[blurred] = _uniform(int(blurred.sum()), *config.blur_sigma, generator)
    return Draws(box, flipped, jitter, order, grey, sigma)


def apply(images: UInt8[Tensor, "b 3 h w"], draws: Draws, *, size: int | None = None) -> Float[Tensor, "b 3 s s"]:
    """Make the view of each image that was drawn for it; nothing here is random."""
    size = size or images.shape[-2]
    views = torch.empty(len(images), 3, size, size, device=images.device)
    top, left, height, width = draws.box.unbind(1)
    vertical = _axis(top, height, images.shape[2], size)
    horizontal = _axis(left, width, images.shape[3], size, draws.flipped)
    colours = _colours(draws)
    for place_of_hue, group in enumerate(_groups(draws)):
        for rows in _blocks(group, views):
            pixels = images.index_select(0, rows).float()
            x = _separable(pixels, vertical.weights(rows).div_(255), horizontal.weights(rows))
            if place_of_hue < 4:
                _jitter(x.flatten(2), place_of_hue, *(part[rows] for part in colours))
            views.index_copy_(0, rows, x)
    for rows in _blocks(draws.grey, views):
        views.index_copy_(0, rows, _grey(views.index_select(0, rows)).expand(-1, 3, -1, -1))
    for rows in _blocks(draws.sigma > 0, views):
        matrix = _blur_matrix(draws.sigma[rows], size)
        views.index_copy_(0, rows, _separable(views.index_select(0, rows), matrix, matrix))
    return views


def _groups(draws: Draws) -> list[Bool[Tensor, " b"]]:
    """Views by the place in their order at which the hue is turned; the last are those without jitter."""
    still = (draws.jitter == torch.tensor(STILL, device=draws.jitter.device)).all(1)
    return [*((draws.order == 3) & ~still[:, None]).unbind(1), still]


def _blocks(chosen: Bool[Tensor, " b"], views: Tensor) -> Iterator[Int[Tensor, " n"]]:
    """The rows that a mask names; on a processor as many at a time as its cache holds."""
    block = BLOCK // views.shape[-1] ** 2 if views.device.type == "cpu" else len(views)
    return (rows for rows in chosen.nonzero()[:, 0].split(max(1, block)) if len(rows))


# -- drawing -------------------------------------------------------------------------------------------------------------
def _uniform(n: int | tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    shape = (n,) if isinstance(n, int) else n
    return torch.empty(shape, device=generator.device).uniform_(low, high, generator=generator)


def _chance(b: int, p: float, generator: torch.Generator) -> Bool[Tensor, " b"]:
    return _uniform(b, 0, 1, generator) < p


def _some(b: int, p: float, generator: torch.Generator) -> Bool[Tensor, " b"]:
    """True with probability p; nothing is drawn where there is no doubt."""
    return _chance(b, p, generator) if 0 < p < 1 else torch.full((b,), p >= 1, device=generator.device)


def _crop_boxes(b: int, h: int, w: int, scale: tuple[float, float], generator: torch.Generator) -> Int[Tensor, "b 4"]:
    """Top, left, height, width of each crop: the first of ten draws that fits, else the whole picture."""
    area = _uniform((CROP_TRIES, b), *scale, generator) * (h * w)
    ratio = _uniform((CROP_TRIES, b), math.log(RATIO[0]), math.log(RATIO[1]), generator).exp()
    height, width = (area / ratio).sqrt().round(), (area * ratio).sqrt().round()
    fits = (height >= 1) & (height <= h) & (width >= 1) & (width <= w)
    first = fits.int().argmax(0, keepdim=True)
    found = fits.any(0)
    height = torch.where(found, height.gather(0, first)[0], h)
    width = torch.where(found, width.gather(0, first)[0], w)
    top = (_uniform(b, 0, 1, generator) * (h - height + 1)).floor().clamp(max=h - height)
    left = (_uniform(b, 0, 1, generator) * (w - width + 1)).floor().clamp(max=w - width)
    return torch.stack([top, left, height, width], 1).long()


def _jitter_draws(b: int, config: AugmentConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Amounts and order of the four parts for each image; amounts that change nothing where there is no jitter."""
    amount = torch.tensor(STILL, device=generator.device).repeat(b, 1)
    order = torch.arange(4, device=generator.device).repeat(b, 1)
    if not config.jitter_p or not config.jitter_strength:
        return amount, order
    chosen = _chance(b, config.jitter_p, generator).nonzero()[:, 0]
    for column, (name, most) in enumerate(JITTER.items()):
        spread = most * config.jitter_strength
        low, high = (-spread, spread) if name == "hue" else (1 - spread, 1 + spread)
        drawn = _uniform(len(chosen), low, high, generator)
        if name in config.jitter_parts:
            amount[chosen, column] = drawn
    order[chosen] = _uniform((len(chosen), 4), 0, 1, generator).argsort(1)
    return amount, order


# -- crop and flip: two matrix products for each image -------------------------------------------------------------------
class _Axis(NamedTuple):
    """One axis of the crops: where the view's pixels lie and the picture's are, in units of the wider of the two.

    Triangles of width 1 on whole pixels add up to 1; where they are wider, or a crop begins within a pixel, they may not.
    """

    centre: Float[Tensor, "b s"]
    pixel: Float[Tensor, "b source"]
    uneven: bool

    def weights(self, rows: Int[Tensor, " n"]) -> Float[Tensor, "n s source"]:
        """Bilinear weights with antialiasing: a triangle as wide as a shrunken pixel, within the crop alone."""
        weight = (1 - (self.pixel[rows, None] - self.centre[rows, :, None]).abs_()).clamp_(min=0)
        if self.uneven:
            weight.mul_(weight.sum(-1, keepdim=True).reciprocal_())
        return weight


def _axis(start: Tensor, length: Tensor, source: int, size: int, mirrored: Tensor | None = None) -> _Axis:
    uneven = source > size or start.is_floating_point()
    start, length = start.float()[:, None], length.float()[:, None]
    step = length / size
    out = torch.arange(size, device=start.device).expand(len(start), -1)
    if mirrored is not None:
        out = torch.where(mirrored[:, None], size - 1 - out, out)
    centre = torch.minimum(((out + 0.5) * step - 0.5).clamp_(min=0), length - 1)
    pixel = torch.arange(source, device=start.device) - start
    inside = (pixel >= 0) & (pixel < length)
    unit = step.clamp(min=1)
    return _Axis(centre / unit, torch.where(inside, pixel, math.inf) / unit, uneven)


def _separable(x: Tensor, vertical: Tensor, horizontal: Tensor) -> Float[Tensor, "b 3 s t"]:
    """Mix the rows of all channels by one matrix of each image, the columns by another."""
    columns = torch.bmm(x.flatten(1, 2), horizontal.transpose(1, 2)).unflatten(1, x.shape[1:3])
    return torch.matmul(vertical[:, None], columns)


# -- colour --------------------------------------------------------------------------------------------------------------
def _grey(x: Float[Tensor, "b 3 *s"]) -> Float[Tensor, "b 1 *s"]:
    r, g, b = x.unbind(1)
    return (LUMA[0] * r).add_(g, alpha=LUMA[1]).add_(b, alpha=LUMA[2]).unsqueeze(1)


def _hue_turn(turn: Float[Tensor, "b 1 1"]) -> tuple[Float[Tensor, "b 3 3"], Float[Tensor, "b 1 1"]]:
    """Matrix M and weight w such that clamp(M x + w (low + high), low, high) is x with its hue turned, as in HSV.

    `low` and `high` are the least and the largest of a pixel's own r, g, b; a turn leaves both. Over the circle of hues a
    channel rises from low to high, stays, falls and stays, a third of the circle after the one before it. Where the turned
    channel rises or falls, this sum of the channels is equal to it; where it stays, the sum lies beyond, and the clamp
    puts it right. The columns of M are the pure colour of the turn, going round.
    """
    sixth = 6 * (turn - turn.floor())
    red, green, blue = (sixth - 3).abs() - 1, 2 - (sixth - 2).abs(), 2 - (sixth - 4).abs()
    pure = torch.cat([red, green, blue], 1).clamp_(0, 1)
    columns = torch.cat([pure, pure.roll(1, 1), pure.roll(2, 1)], 2)
    return 2 * columns - 1, 2 - pure.sum(1, keepdim=True)


def _colours(draws: Draws) -> tuple[Float[Tensor, "b 4 3 3"], Float[Tensor, "b 4 1 1"], Float[Tensor, "b 1 1"]]:
    """What `_jitter` needs: the matrix at each place of the order, the weight of the mean there, the weight of the hue."""
    brightness, contrast, saturation, turn = draws.jitter[:, :, None, None].unbind(1)
    one = torch.eye(3, device=turn.device)
    luma = torch.tensor(LUMA, device=turn.device).expand(3, 3)
    circle, weight = _hue_turn(turn)
    parts = torch.stack([brightness * one, contrast * one, torch.lerp(luma, one, saturation), circle], 1)
    matrix = parts.gather(1, draws.order[:, :, None, None].expand(parts.shape))
    return matrix, (1 - contrast[:, None]) * (draws.order == 1)[:, :, None, None], weight


def _jitter(x: Float[Tensor, "b 3 p"], place_of_hue: int, matrix: Tensor, to_mean: Tensor, to_span: Tensor) -> None:
    """Colour jitter in place, for images whose hue is turned at one place of their orders.

    Each part is a matrix on (r, g, b), something added, and a clamp.
    """
    luma = torch.tensor(LUMA, device=x.device)
    y = torch.empty_like(x)
    for place in range(4):
        if place == place_of_hue:
            low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
            torch.baddbmm((low + high).mul_(to_span).expand_as(x), matrix[:, place], x, out=y)
            torch.clamp(y, low, high, out=x)
        else:
            mean = (x.mean(2) @ luma)[:, None, None] * to_mean[:, place]
            torch.baddbmm(mean.expand_as(x), matrix[:, place], x, out=y)
            torch.clamp(y, 0, 1, out=x)


# -- blur ----------------------------------------------------------------------------------------------------------------
def blur_radius(size: int) -> int:
    """Half of SimCLR's kernel, which spans a tenth of the picture's edge."""
    return max(1, size // 20)


def _blur_matrix(sigma: Float[Tensor, " b"], size: int) -> Float[Tensor, "b s s"]:
    """One-dimensional Gaussian of each image as a matrix, mirrored at the edges without repeating the edge pixel."""
    offset = torch.arange(-blur_radius(size), blur_radius(size) + 1, device=sigma.device)
    taps = torch.exp(-0.5 * (offset / sigma[:, None]) ** 2)
    pixel = torch.arange(size, device=sigma.device)
    source = size - 1 - (size - 1 - (pixel + offset[:, None]).abs()).abs()
    picks = (source[:, :, None] == pixel).float()  # one matrix an offset
    return ((taps / taps.sum(1, keepdim=True)) @ picks.flatten(1)).view(-1, size, size)
