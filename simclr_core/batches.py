"""The training pictures as the device wants them: all of them there, or the next batch fetched while this one is learnt.

Legend: n pictures of h×w pixels, b of them asked for.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from simclr_core.forward import image_tensor
from simclr_core.records import ImageSet

SHARE_OF_MEMORY = 0.4  # of a device's free memory that the pictures may take; the network needs the rest


def fits(images: ImageSet, device: torch.device) -> bool:
    """Whether all pictures should live on the device; a file mapped into memory stays a file on a CPU."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return images.image.nbytes < SHARE_OF_MEMORY * free
    return not isinstance(images.image, np.memmap)


class Batches:
    """Rows of the pictures on the device, in any order.

    Pictures that fit live on the device as uint8. Others stay where they are: `expect` starts reading rows in a thread of
    its own, through page-locked memory where the device can copy from it while it computes.
    """

    def __init__(self, images: ImageSet, device: torch.device, *, resident: bool | None = None) -> None:
        self.device = device
        self.size = images.image.shape[1:3]
        self.resident = fits(images, device) if resident is None else resident
        self._all = image_tensor(images.image, device) if self.resident else None
        self._host = images.image
        self._reader = None if self.resident else ThreadPoolExecutor(1, "batches")
        self._ahead: dict[bytes, Future[Tensor]] = {}

    def _read(self, rows: np.ndarray) -> Tensor:
        order = np.argsort(rows)  # a mapped file is read from front to back
        picked = np.empty((len(rows), *self._host.shape[1:]), np.uint8)
        picked[order] = self._host[rows[order]]
        x = torch.from_numpy(picked).permute(0, 3, 1, 2).contiguous()
        return x.pin_memory() if self.device.type == "cuda" else x

    def expect(self, rows: Int[Tensor, " b"]) -> None:
        """Begin to fetch rows that `take` will be asked for next."""
        if self._reader is not None:
            wanted = rows.numpy()
            self._ahead = {wanted.tobytes(): self._reader.submit(self._read, wanted)}

    def take(self, rows: Int[Tensor, " b"]) -> UInt8[Tensor, "b 3 h w"]:
        """The pictures of these rows (a CPU tensor of positions), on the device."""
        if self._all is not None:
            return self._all[rows.to(self.device)]
        wanted = rows.numpy()
        ready = self._ahead.pop(wanted.tobytes(), None)
        return (ready.result() if ready else self._read(wanted)).to(self.device, non_blocking=True)
