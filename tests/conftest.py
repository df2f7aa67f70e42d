"""Fixtures every test may use. One torch thread: two collapse when a second process is busy (docs/decisions.md)."""

# ruff: noqa: E402 - the environment and the hook come before the imports they are for
import os
import pkgutil
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

from jaxtyping import install_import_hook

import tests.shapes  # noqa: F401 - named below as a string

# Shapes in signatures are checked while tests run, and cost nothing otherwise. The hook must come before the import.
# Records and configurations stay out: they check themselves, and it is their own sentences the tests must see.
SELF_CHECKING = {"records", "config", "registry"}
CHECKED = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parents[1] / "simclr_core")])]
install_import_hook([f"simclr_core.{m}" for m in CHECKED if m not in SELF_CHECKING], "tests.shapes.check")

import numpy as np
import pytest
from hypothesis import settings

from simclr_core.records import ImageSet

# A change is judged by the same examples on every machine; `make fuzz` throws new dice.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("dice", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def tiny_images(rng: np.random.Generator) -> ImageSet:
    """40 noisy pictures of 4 classes told apart by colour and position: enough to run everything, too few to learn."""
    label = np.arange(40) % 4
    image = rng.integers(0, 60, (40, 16, 16, 3), dtype=np.uint8)
    for i, c in enumerate(label):
        image[i, 4 * (c // 2) : 4 * (c // 2) + 8, 8 * (c % 2) : 8 * (c % 2) + 8, c % 3] += 150
    names = ("red", "green", "blue", "red low")
    return ImageSet(image=image, label=label, index=np.arange(40), class_names=names, spec="test", split="all")
