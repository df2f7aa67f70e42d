"""Pictures that memory should not hold: decoded once into a file, which every later reader maps.

One folder an array, named by what went into it, in `SIMCLR_CACHE` or the user's cache. A resumed run, the other processes of a
run and the app find it there; it may be deleted whenever nobody reads it, and is then made again.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from simclr_core.store import require_space, write_atomic

IN_MEMORY = 2**30  # bytes that are simply held; 38,000 pictures of 96 pixels
PIXELS, ABOUT = "pixels.npy", "about.json"


def cache_folder() -> Path:
    """Where the files are: `SIMCLR_CACHE`, or a folder of this program's in the user's cache."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("SIMCLR_CACHE") or user / "simclr-explorer")


def filled(
    shape: tuple[int, ...], name: str, fill: Callable[[np.ndarray], Any]
) -> tuple[np.ndarray, Any, tuple[str, ...]]:
    """An array of bytes as `fill` leaves it, in memory where it is small, else mapped from its file.

    Args:
        shape: of the uint8 array.
        name: a file name that changes with whatever the content depends on.
        fill: writes the array, and returns what JSON can hold. Of several processes that ask at once the first calls it; the
            others wait.

    Returns:
        The array, what `fill` returned, and a notice where there is a file. What is written to a mapped array stays in memory.

    Raises:
        RunError: the disk has no room for the file.
    """
    if math.prod(shape) <= IN_MEMORY:
        image = np.empty(shape, np.uint8)
        return image, fill(image), ()
    folder = cache_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ABOUT).exists():  # written last: the pixels are whole
            require_space(folder, math.prod(shape))
            pixels = np.lib.format.open_memmap(folder / PIXELS, "w+", np.uint8, shape)
            about = fill(pixels)
            pixels.flush()
            write_atomic(folder / ABOUT, json.dumps(about))
    told = f"pictures were decoded once into {folder} ({math.prod(shape) / 2**30:.1f} GiB): delete it when you are done"
    image = np.lib.format.open_memmap(folder / PIXELS, "c")
    return image, json.loads((folder / ABOUT).read_text()), (told,)
