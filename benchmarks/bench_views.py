"""Views a second on one processor core: ours against lightly's `SimCLRTransform` (PIL), with the same recipe.

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/bench_views.py

Two views of each of 256 pictures of 32 × 32, as a training step draws them; processor time of one thread. The two take
turns, and the ratio is the median of the rounds' ratios. Neither normalises.

The C library hands memory back to the system, and fetches it page by page, until a process has once freed a large
array. A training process has done so within its first step (pages fetched in `augment_pair`: 9.7 a view in the first
step, none in the others); here one array is freed before the measurement for the same effect.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from lightly.transforms import SimCLRTransform
from PIL import Image

from benchmarks.machine import write
from simclr_core.augment import augment_pair
from simclr_core.config import AugmentConfig

N, EDGE, ROUNDS = 256, 32, 15
LARGE = 6 * 2**20  # numbers: 24 MB, under the 32 MB above which glibc never keeps memory
CASES = {"no_blur": AugmentConfig(), "blur": AugmentConfig(blur_p=0.5)}


def lightlys(config: AugmentConfig) -> SimCLRTransform:
    """The same recipe in lightly's words; its σ is that of a kernel of its own size."""
    return SimCLRTransform(
        input_size=EDGE,
        cj_prob=config.jitter_p,
        cj_strength=config.jitter_strength,
        min_scale=config.crop_scale[0],
        random_gray_scale=config.grayscale_p,
        gaussian_blur=config.blur_p,
        sigmas=config.blur_sigma,
        hf_prob=config.flip_p,
        normalize=None,
    )


def views_per_second(step: Callable[[], Any]) -> float:
    start = time.process_time()
    step()
    return 2 * N / (time.process_time() - start)


def compare(config: AugmentConfig) -> dict[str, Any]:
    """Medians of both and of their ratio."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (N, 3, EDGE, EDGE), dtype=torch.uint8, generator=generator)
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
    theirs = lightlys(config)

    def ours() -> None:
        augment_pair(images, config, generator)

    ours()
    rounds = [(views_per_second(ours), views_per_second(lambda: [theirs(p) for p in pictures])) for _ in range(ROUNDS)]
    ratios = sorted(a / b for a, b in rounds)
    return {
        "views_per_second": round(statistics.median(a for a, _ in rounds)),
        "lightly_views_per_second": round(statistics.median(b for _, b in rounds)),
        "ratio": round(statistics.median(ratios), 1),
        "ratio_range": [round(ratios[0], 1), round(ratios[-1], 1)],
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.zeros(LARGE)
    cases = {name: compare(config) for name, config in CASES.items()}
    write("views", {"pictures": N, "edge": EDGE, "threads": 1, "rounds": ROUNDS, "cases": cases})


if __name__ == "__main__":
    main()
