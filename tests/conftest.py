"""Fixtures every test may use. One torch thread: two collapse when a second process is busy (docs/decisions.md)."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import pytest

from simclr_core.records import ImageSet


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
