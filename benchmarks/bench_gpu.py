"""On a GPU: images a second of a ResNet-18 on CIFAR, where a step's time goes, and minutes to a kNN accuracy of 0.80.

    python -m simclr_core bench gpu [npz:cifar10.npz] [--epochs 100]

Speed: random 32 × 32 pictures that live on the device, batch 512, channels last; float32, bfloat16, compiled, with CUDA graphs.
Share of the views: drawing and applying both views of a batch, timed alone, over a whole step. With pictures the fastest way
trains the recipe cifar10-r18 for so many epochs; every few of them the 20 nearest of all training rows classify all test rows;
only training counts as time. Writes results/gpu.json. Without a GPU it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.autograd import DeviceType
from torch.profiler import profile

from benchmarks.curve import follow, seconds_to
from benchmarks.machine import write
from simclr_core.config import with_overrides
from simclr_core.learner import Learner
from simclr_core.recipes import recipe
from simclr_core.records import ImageSet
from simclr_core.sources import load_images
from simclr_core.train import Training

RECIPE, GOAL, LOOKS, WARM, NAME = "cifar10-r18", 0.80, 25, 10, 80
CASES = {
    "float32": ("train.precision=fp32",),
    "bfloat16": ("train.precision=bf16",),
    "bfloat16, compiled": ("train.precision=bf16", "train.compile=default"),
    "bfloat16, compiled, CUDA graphs": ("train.precision=bf16", "train.compile=graphs"),
}


def pictures(n: int) -> ImageSet:
    image = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    return ImageSet(image=image, label=None, index=np.arange(n), spec="random", split="train")


def seconds(do: Callable[[], Any], device: torch.device, times: int) -> list[float]:
    """How long each of several calls took, until the device had done what was asked of it."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - began)
    return found


def busiest(step: Callable[[], Any], device: torch.device, most: int = 8) -> dict[str, float]:
    """Kernels, on a CPU operations, by their share of the device's time in one step, the largest first."""
    with profile() as trace:
        seconds(step, device, 1)
    spent: Counter[str] = Counter()
    for event in trace.key_averages():
        if device.type == "cpu":
            spent[event.key] += event.self_cpu_time_total
        elif event.device_type == DeviceType.CUDA and not event.is_user_annotation:
            spent[event.key[:NAME]] += event.self_device_time_total
    return {name: round(part / spent.total(), 3) for name, part in spent.most_common(most)}


def measure(settings: Sequence[str], images: ImageSet, *, steps: int, warm: int = WARM) -> dict[str, Any]:
    """One way to train: images a second, the views' share of a step, memory, and the busiest operations."""
    config = with_overrides(recipe(RECIPE), list(settings)).resolved(len(images))
    learner = Learner(config, images)
    device, batch = learner.device, config.train.batch_size
    count = iter(range(10**9))
    step = lambda: learner.step(next(count), 10**9)  # noqa: E731
    first = seconds(step, device, 1)[0]
    seconds(step, device, warm)
    whole = statistics.median(seconds(step, device, steps))
    pixels = learner.batches.take(learner.rows(0))
    views = statistics.median(seconds(lambda: learner._views(pixels, learner._draws(0), slice(None)), device, steps))
    return {
        "images_per_second": round(batch / whole, 1),
        "first_step_seconds": round(first, 2),
        "views_share_of_step": round(views / whole, 4),
        "peak_gib": round(torch.cuda.max_memory_allocated(device) / 2**30, 2) if device.type == "cuda" else None,
        "busiest": busiest(step, device),
    }


def card() -> dict[str, Any]:
    """Which card and driver; the versions of torch and CUDA."""
    found = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    if torch.cuda.is_available():
        found["card"] = torch.cuda.get_device_name()
        found["gib"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
    if shutil.which("nvidia-smi"):
        ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        found["driver"] = subprocess.run(ask, capture_output=True, text=True).stdout.split("\n")[0]
    return found


def time_to_goal(spec: str, settings: Sequence[str], epochs: int, looks: int = LOOKS) -> dict[str, Any]:
    """Train on pictures with labels; seconds of training until the goal, None where it was not reached, and the curve."""
    train, test = (load_images(spec, split=split) for split in ("train", "test"))
    config = with_overrides(recipe(RECIPE), list(settings))
    config = replace(config, train=replace(config.train, epochs=epochs))
    points = list(follow(Training(config, train), train, test, looks))
    return {"goal": GOAL, "seconds_to_goal": seconds_to(points, GOAL), "epochs": epochs, "points": points}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "images", nargs="?", help="CIFAR-10, for example npz:cifar10.npz; without it only speed is measured"
    )
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no GPU here that torch can use, so nothing was measured", file=sys.stderr)
        return 2
    images = pictures(50_000)
    result: dict[str, Any] = {"card": card(), "batch": recipe(RECIPE).train.batch_size}
    result["cases"] = {}
    for name, settings in CASES.items():
        torch.compiler.reset()
        torch.cuda.reset_peak_memory_stats()
        result["cases"][name] = measure(settings, images, steps=args.steps)
    if args.images:
        fastest = max(result["cases"], key=lambda name: result["cases"][name]["images_per_second"])
        torch.compiler.reset()
        result["way_to_goal"] = {"case": fastest} | time_to_goal(args.images, CASES[fastest], args.epochs)
    write("gpu", result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
