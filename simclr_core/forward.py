"""Pictures as tensors, and a network over them in evaluation mode."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from simclr_core.model import SimClr

BATCH = 512
PIXELS = 2**21  # of a batch at most, 512 pictures of 64 × 64: a ResNet-50 takes about 13 MB for each of 224 × 224
SENT = 8192  # pictures


def image_tensor(image: UInt8[np.ndarray, "n h w c"], device: torch.device) -> UInt8[Tensor, "n c h w"]:
    """Pictures with channels first on the device, sent there a part at a time: the host holds no second copy."""
    n, height, width, channels = image.shape
    out = torch.empty((n, channels, height, width), dtype=torch.uint8, device=device)
    for start in range(0, n, SENT):
        part = image[start : start + SENT].transpose(0, 3, 1, 2)
        out[start : start + SENT] = torch.from_numpy(
            np.ascontiguousarray(part)
        )  # torch warns of what it may not write to
    return out


def unit_interval(pixels: Tensor, size: int | None) -> Tensor:
    """uint8 pictures as floats in [0, 1], resized to squares of `size` where it is given."""
    x = pixels.float() / 255
    if size is not None and x.shape[-2:] != (size, size):
        x = torch.nn.functional.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return x


@torch.inference_mode()
def embed(model: SimClr, x: Float[Tensor, "b 3 s s"]) -> tuple[Float[np.ndarray, "b dh"], Float[np.ndarray, "b dz"]]:
    """h and z of pictures in [0, 1], at most `BATCH` and `PIXELS` at a time; the model is in evaluation mode."""
    size = max(1, min(BATCH, PIXELS // (x.shape[-2] * x.shape[-1])))
    h, z = (torch.cat(column) for column in zip(*map(model, x.split(size)), strict=True))
    return h.float().cpu().numpy(), z.float().cpu().numpy()
