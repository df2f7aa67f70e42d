"""Draw `docs/images/operations.png`: a line for each view operation alone at its whole range, the last line the default recipe.

    PYTHONPATH=. python docs/view_sheet.py [IMAGES]

Each picture of the source (`emoji` by default) stands once as it is and is followed by views of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pages.ui.figures import contact_sheet
from simclr_core.augment import augment_views
from simclr_core.config import AugmentConfig
from simclr_core.operations import OPERATIONS, at_strength
from simclr_core.sources import load_images

PICTURES, VIEWS = 3, 4
OUT = Path(__file__).parent / "images" / "operations.png"


def main() -> None:
    images = load_images(sys.argv[1] if len(sys.argv) > 1 else "emoji")
    rows = np.linspace(0, len(images) - 1, PICTURES + 2).round().astype(int)[1:-1]
    pixels = torch.from_numpy(images.image[rows]).permute(0, 3, 1, 2).contiguous()
    lines = []
    for recipe in (*(at_strength(name, 1) for name in OPERATIONS), AugmentConfig()):
        views = augment_views(pixels.repeat_interleave(VIEWS, 0), recipe, torch.Generator().manual_seed(1))
        line = torch.cat([(pixels / 255)[:, None], views.unflatten(0, (PICTURES, VIEWS))], 1)
        lines.append((line.flatten(0, 1).permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy())
    sheet = contact_sheet(np.concatenate(lines), PICTURES * (VIEWS + 1), side=64)
    Image.fromarray(sheet).quantize(256).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
