"""The pictures themselves as an embedding: the reference that costs no encoder."""

from __future__ import annotations

import numpy as np

from simclr_core.records import EmbeddingTable, ImageSet

PIXELS = "pixels"
REFERENCE_ROWS = 2_000  # pictures behind the raw-pixel reference of a run, whose width makes it slow


def pixel_table(images: ImageSet) -> EmbeddingTable:
    """Every picture's values in [0, 1] as h (n, h·w·3), centred over the set.

    Uncentred, every cosine between pictures is near 1 and neighbours are those of brightness; centred pixels are the
    harder baseline and the one worth beating.
    """
    flat = images.image.reshape(len(images), -1).astype(np.float32) / 255
    return EmbeddingTable(
        h=flat - flat.mean(0),
        z=None,
        label=images.label,
        index=images.index,
        class_names=images.class_names,
        encoder=PIXELS,
        spec=images.spec,
        split=images.split,
    )
