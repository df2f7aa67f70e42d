"""Random views of images, batched on the device: every image of a batch draws its own crop, flip, jitter, grey and blur.

The distribution is torchvision's (`RandomResizedCrop`, `RandomHorizontalFlip`, `ColorJitter` with a clamp after each
of its operations and a random order of them for every image, `RandomGrayscale`, `GaussianBlur`), so that a recipe from
a paper means here what it means there. Randomness comes from an explicit generator alone. What the operations are, and
recipes with one of them alone, is in `simclr_core.operations`.

Legend: B images, H W their size, S the size of a view. Pixels are floats in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from simclr_core.config import AugmentConfig

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision
RATIO = (3 / 4, 4 / 3)
CROP_TRIES = 10  # torchvision gives up on a crop that does not fit after ten draws
JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}  # at strength 1, SimCLR appendix A
_STILL = (1.0, 1.0, 1.0, 0.0)  # the amounts that change nothing


@dataclass(frozen=True, slots=True)
class Draws:
    """What was drawn for each of b views: with its picture, all that a view depends on.

    Attributes:
        box: top, left, height and width of the crop in pixels.
        flipped: whether the view is mirrored.
        jitter: factors of brightness, contrast and saturation (1 changes nothing); turn of the hue as a share of the
            circle (0 changes nothing). Columns as in `JITTER`.
        order: the columns of `jitter` in the order they are applied.
        grey: whether the view is grey.
        sigma: of the blur in pixels; 0 is no blur.
    """

    box: Int[Tensor, "b 4"]
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
    x = _crop_and_flip(images, draws, size or images.shape[-2])
    x = _jitter(x, draws)
    x = _on_rows(x, draws.grey, lambda rows: _grey(rows).expand_as(rows))
    return _on_rows(x, draws.sigma > 0, lambda rows: _blur(rows, draws.sigma[draws.sigma > 0]))


def _uniform(n: int | tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    shape = (n,) if isinstance(n, int) else n
    return torch.empty(shape, device=generator.device).uniform_(low, high, generator=generator)


def _chance(b: int, p: float, generator: torch.Generator) -> Bool[Tensor, " b"]:
    return _uniform(b, 0, 1, generator) < p


def _some(b: int, p: float, generator: torch.Generator) -> Bool[Tensor, " b"]:
    """True with probability p; nothing is drawn where there is no doubt."""
    return _chance(b, p, generator) if 0 < p < 1 else torch.full((b,), p >= 1, device=generator.device)


def _on_rows(x: Tensor, rows: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Replace the rows that a mask names."""
    where = rows.nonzero()[:, 0]
    return x.index_copy(0, where, change(x[where])) if len(where) else x


# -- crop and flip: two matrix products per image ------------------------------------------------------------------------
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


def _resampling(start: Tensor, length: Tensor, source: int, size: int) -> Float[Tensor, "b s source"]:
    """Rows of bilinear weights with antialiasing (a triangle as wide as a shrunken pixel), within the crop alone."""
    start, length = start.float()[:, None, None], length.float()[:, None, None]
    step = length / size
    out = torch.arange(size, device=start.device)[None, :, None]
    pixel = torch.arange(source, device=start.device)[None, None, :]
    centre = (out + 0.5) * step - 0.5 + start
    weight = (1 - (pixel - centre).abs() / step.clamp(min=1)).clamp(min=0)
    weight = weight * ((pixel >= start) & (pixel < start + length))
    return weight / weight.sum(-1, keepdim=True)


def _crop_and_flip(images: Tensor, draws: Draws, size: int) -> Tensor:
    b, _, h, w = images.shape
    top, left, height, width = draws.box.unbind(1)
    vertical = _resampling(top, height, h, size)
    horizontal = _resampling(left, width, w, size)
    horizontal = torch.where(draws.flipped[:, None, None], horizontal.flip(1), horizontal) / 255
    x = images.float().flatten(1, 2)  # (B, 3H, W): one product resamples the columns of all channels
    x = torch.bmm(x, horizontal.transpose(1, 2)).view(b, 3, h, size)
    return torch.matmul(vertical[:, None], x)


# -- colour --------------------------------------------------------------------------------------------------------------
def _grey(x: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 1 s s"]:
    r, g, b = x.unbind(1)
    return (LUMA[0] * r).add_(g, alpha=LUMA[1]).add_(b, alpha=LUMA[2]).unsqueeze(1)


def _per_image(factor: Float[Tensor, " b"]) -> Float[Tensor, "b 1 1 1"]:
    return factor[:, None, None, None]


def _brightness(x: Tensor, factor: Tensor) -> Tensor:
    return (x * _per_image(factor)).clamp_(0, 1)


def _contrast(x: Tensor, factor: Tensor) -> Tensor:
    mean = _grey(x).mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, x, _per_image(factor)).clamp_(0, 1)


def _saturation(x: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(_grey(x), x, _per_image(factor)).clamp_(0, 1)


def _hue(x: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue by a share of the circle. Value and chroma stay, so HSV need not be written out and read back."""
    r, g, b = x.unbind(1)
    value = x.amax(1)
    chroma = value - x.amin(1)
    scale = 1 / chroma.clamp(min=1e-8)
    sixth = torch.where(value == r, (g - b) * scale, torch.where(value == g, 2 + (b - r) * scale, 4 + (r - g) * scale))
    sixth += 6 * turn[:, None, None]
    sixth -= 6 * (sixth / 6).floor_()  # into [0, 6)
    low = value - chroma
    red = (sixth - 3).abs_().sub_(1)
    green = (sixth - 2).abs_().neg_().add_(2)
    blue = (sixth - 4).abs_().neg_().add_(2)
    return torch.stack([torch.addcmul(low, chroma, c.clamp_(0, 1)) for c in (red, green, blue)], 1)


_JITTER_STEPS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (_brightness, _contrast, _saturation, _hue)


def _jitter_draws(b: int, config: AugmentConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Amounts and order of the four parts for each image; amounts that change nothing where there is no jitter."""
    amount = torch.tensor(_STILL, device=generator.device).repeat(b, 1)
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


def _jitter(x: Tensor, draws: Draws) -> Tensor:
    """Colour jitter with its own order of the four operations for every image.

    Images that do the same operation in the same place of their order are taken together: 16 small batches, whatever
    the number of orders.
    """
    for place in range(4):
        for column, step in enumerate(_JITTER_STEPS):
            amount = draws.jitter[:, column]
            rows = ((draws.order[:, place] == column) & (amount != _STILL[column])).nonzero()[:, 0]
            if len(rows):
                x = x.index_copy(0, rows, step(x[rows], amount[rows]))
    return x


# -- blur ----------------------------------------------------------------------------------------------------------------
def blur_radius(size: int) -> int:
    """Half of SimCLR's kernel, which spans a tenth of the picture's edge."""
    return max(1, size // 20)


def _blur_matrix(sigma: Float[Tensor, " b"], size: int) -> Float[Tensor, "b s s"]:
    """One-dimensional Gaussian of each image as a matrix, mirrored at the edges without repeating the edge pixel."""
    radius = blur_radius(size)

    def gauss(offset: Tensor) -> Tensor:
        return torch.exp(-0.5 * (offset / sigma[:, None, None]) ** 2) * (offset.abs() <= radius)

    i = torch.arange(size, device=sigma.device)
    row, column = i[None, :, None], i[None, None, :]
    mirrored_low = gauss(row + column) * (column > 0)
    mirrored_high = gauss(2 * (size - 1) - row - column) * (column < size - 1)
    weight = gauss(row - column) + mirrored_low + mirrored_high
    return weight / weight.sum(-1, keepdim=True)


def _blur(x: Tensor, sigma: Float[Tensor, " b"]) -> Tensor:
    matrix = _blur_matrix(sigma, x.shape[-1])[:, None]
    return torch.matmul(torch.matmul(matrix, x), matrix.transpose(2, 3))
