"""Measure who finds the partner of a view on the bundled pictures: `python -m simclr_core.demo.matching_runs [OUT.json]`.

Three recipes, five draws of the views each: by colours, by raw pixels, by an untrained encoder and by trained ones. Two encoders
learn from the emoji, one from crops alone and one from all operations, so that it shows what each of them goes by; the
garments have the bundled encoder. Every setting is the program's own. Torch loads in `measure` alone.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simclr_core.config import RunConfig, TrainConfig, to_dict
from simclr_core.means import mean
from simclr_core.registry import Label
from simclr_core.store import write_atomic
from simclr_core.viewadvice import PIPELINES
from simclr_core.work import say

if TYPE_CHECKING:
    from simclr_core.checkpoints import Encoder

RESULT, RUN = Path(__file__).parent / "matching_runs.json", Path(__file__).parent / "run"
RECIPES = ("crop", "colour", "full")  # of PIPELINES
PICTURES = 256  # held out; two views each, so 511 candidates
DRAWS = 5
EPOCHS = 40  # of 1,524 emoji
WAYS = {  # in the order of the figure
    "colour": Label("colour histogram", "颜色直方图"),
    "pixels": Label("raw pixels", "原始像素"),
    "untrained_h": Label("h, untrained", "h，未训练"),
    "untrained_z": Label("z, untrained", "z，未训练"),
    "crop_h": Label("h, trained on crops only", "h，只用裁剪训练"),
    "crop_z": Label("z, trained on crops only", "z，只用裁剪训练"),
    "full_h": Label("h, trained on all operations", "h，用全部操作训练"),
    "full_z": Label("z, trained on all operations", "z，用全部操作训练"),
}


class Summary(NamedTuple):
    """One way on the views of one recipe: share of views whose nearest candidate is the partner, over the draws.

    Attributes:
        half: half width of the 95 % interval of the mean over draws (Student's t); None for fewer than three.
    """

    way: str
    recipe: str
    values: tuple[float, ...]
    mean: float
    half: float | None


def read() -> dict[str, Any] | None:
    """What was measured, or None where nothing was."""
    return json.loads(RESULT.read_text()) if RESULT.exists() else None


def summaries(found: dict[str, Any], images: str) -> list[Summary]:
    """Mean and interval of each way and recipe on one set of pictures, in the order of `WAYS` and `RECIPES`."""
    rows = [r for r in found["results"] if r["images"] == images]
    summed = []
    for way in WAYS:
        for recipe in RECIPES:
            a = np.array([r["accuracy"][way] for r in rows if r["recipe"] == recipe and way in r["accuracy"]])
            if len(a):
                summed.append(Summary(way, recipe, tuple(a.tolist()), float(a.mean()), mean(a).half))
    return summed


def config(recipe: str) -> RunConfig:
    """The settings of an encoder of the emoji."""
    train = TrainConfig(epochs=EPOCHS, threads=1, device="cpu")
    return RunConfig(images="emoji", augment=PIPELINES[recipe].augment, train=train)


def _trained(recipe: str) -> Encoder:
    """Two minutes on one core."""
    from simclr_core.checkpoints import encoder_of
    from simclr_core.sources import load_images
    from simclr_core.train import train

    training = train(config(recipe), load_images("emoji", split="train"))
    last = list(training)[-1]
    say(f"emoji, {recipe}: loss {last.loss:.3f} after {training.steps} steps")
    return encoder_of(training.model, training.config)


def _measured(spec: str, encoders: dict[str, Encoder]) -> list[dict[str, Any]]:
    from simclr_core.matching import match_views
    from simclr_core.sources import load_images

    images = load_images(spec, split="test").sample(PICTURES)
    found = []
    for recipe in RECIPES:
        for seed in range(DRAWS):
            ways = match_views(images, PIPELINES[recipe].augment, encoders, seed=seed).ways
            accuracy = {name: round(way.r_at_1, 6) for name, way in ways.items()}
            found.append({"images": spec, "recipe": recipe, "seed": seed, "accuracy": accuracy})
    return found


def measure() -> dict[str, Any]:
    """All of it on one CPU thread: about five minutes, nearly all of them training."""
    import torch

    from simclr_core.checkpoints import UNTRAINED, load_encoder

    torch.set_num_threads(1)
    began = time.process_time()
    untrained = load_encoder(f"{UNTRAINED}{RUN}")
    emoji = {"untrained": untrained} | {recipe: _trained(recipe) for recipe in ("crop", "full")}
    garments = {"untrained": untrained, "full": load_encoder(str(RUN))}
    results = _measured("emoji", emoji) + _measured("demo", garments)
    return {
        "schema": 1, "pictures": PICTURES, "candidates": 2 * PICTURES - 1, "draws": DRAWS, "epochs": EPOCHS,
        "recipes": {name: to_dict(PIPELINES[name].augment) for name in RECIPES},
        "packages": {name: version(name) for name in ("torch", "numpy")},
        "seconds": round(time.process_time() - began), "results": results,
    }  # fmt: skip


def main() -> None:
    """Measure into the package, or into the file named."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULT
    write_atomic(out, json.dumps(measure(), indent=1) + "\n")


if __name__ == "__main__":
    main()
