"""Random views of images, batched on the device: every image of a batch draws its own crop, flip, jitter, grey and blur.

The distribution is torchvision's (`RandomResizedCrop`, `RandomHorizontalFlip`, `ColorJitter` with a clamp after each
of its operations and a random order of them for every image, `RandomGrayscale`, `GaussianBlur`), so that a recipe from
a paper means here what it means there. Randomness comes from an explicit generator alone.

Legend: B images, H W their size, S the size of a view. Pixels are floats in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from simclr_core.config import AugmentConfig

LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision
RATIO = (3 / 4, 4 / 3)
CROP_TRIES = 10  # torchvision gives up on a crop that does not fit after ten draws
JITTER = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}  # at strength 1, SimCLR appendix A


def augment_pair(
    images: UInt8[Tensor, "b 3 h w"], config: AugmentConfig, generator: torch.Generator, *, size: int | None = None
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
    """Two independent views of every image; row i of both comes from image i."""
    views = augment_views(images.repeat(2, 1, 1, 1), config, generator, size=size)
    return views[: len(images)], views[len(images) :]


def augment_views(
    images: UInt8[Tensor, "b 3 h w"], config: AugmentConfig, generator: torch.Generator, *, size: int | None = None
) -> Float[Tensor, "b 3 s s"]:
    """One random view of every image.

    Args:
        images: uint8 pictures on the generator's device.
        config: probabilities and strengths.
        generator: where all randomness comes from.
        size: edge of a view in pixels; the picture's height by default.
    """
    x = _crop_and_flip(images, config, generator, size or images.shape[-2])
    if config.jitter_p and config.jitter_strength:
        x = _jitter(x, config, generator)
    if config.grayscale_p:
        x = _on_some(x, config.grayscale_p, generator, lambda rows: _grey(rows).expand_as(rows))
    if config.blur_p:
        x = _on_some(x, config.blur_p, generator, lambda rows: _blur(rows, config.blur_sigma, generator))
    return x


def _uniform(n: int | tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    shape = (n,) if isinstance(n, int) else n
    return torch.empty(shape, device=generator.device).uniform_(low, high, generator=generator)


def _on_some(x: Tensor, p: float, generator: torch.Generator, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Replace a random share p of the rows."""
    if p >= 1:
        return change(x)
    rows = (_uniform(len(x), 0, 1, generator) < p).nonzero()[:, 0]
    return x.index_copy(0, rows, change(x[rows])) if len(rows) else x


# -- crop and flip: two matrix products per image ------------------------------------------------------------------------
def _crop_boxes(b: int, h: int, w: int, scale: tuple[float, float], generator: torch.Generator) -> Int[Tensor, "4 b"]:
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
    return torch.stack([top, left, height, width]).long()


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


def _crop_and_flip(images: Tensor, config: AugmentConfig, generator: torch.Generator, size: int) -> Tensor:
    b, _, h, w = images.shape
    top, left, height, width = _crop_boxes(b, h, w, config.crop_scale, generator)
    vertical = _resampling(top, height, h, size)
    horizontal = _resampling(left, width, w, size)
    flipped = _uniform(b, 0, 1, generator) < config.flip_p
    horizontal = torch.where(flipped[:, None, None], horizontal.flip(1), horizontal) / 255
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


def _jitter_amounts(n: int, strength: float, generator: torch.Generator) -> Float[Tensor, "4 n"]:
    amounts = []
    for name, most in JITTER.items():
        spread = most * strength
        low, high = (-spread, spread) if name == "hue" else (max(0.0, 1 - spread), 1 + spread)
        amounts.append(_uniform(n, low, high, generator))
    return torch.stack(amounts)


def _jitter(x: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Colour jitter with its own order of the four operations for every image.

    Images that do the same operation in the same place of their order are taken together: 16 small batches, whatever
    the number of orders.
    """
    chosen = (_uniform(len(x), 0, 1, generator) < config.jitter_p).nonzero()[:, 0]
    amount = _jitter_amounts(len(chosen), config.jitter_strength, generator)
    order = _uniform((len(chosen), 4), 0, 1, generator).argsort(1)
    part = x[chosen]
    for place in range(4):
        for which, step in enumerate(_JITTER_STEPS):
            rows = (order[:, place] == which).nonzero()[:, 0]
            if len(rows):
                part.index_copy_(0, rows, step(part[rows], amount[which, rows]))
    return x.index_copy(0, chosen, part)


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


def _blur(x: Tensor, sigma: tuple[float, float], generator: torch.Generator) -> Tensor:
    matrix = _blur_matrix(_uniform(len(x), *sigma, generator), x.shape[-1])[:, None]
    return torch.matmul(torch.matmul(matrix, x), matrix.transpose(2, 3))
