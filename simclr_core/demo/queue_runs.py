"""Measure five ways to negatives on the bundled pictures: `python -m simclr_core.demo.queue_runs [OUT.json [MOST]]`.

Every way sees the same pictures equally often and keeps 32 of them in memory at a time; every setting is the program's own
default or the one named in `WAYS`, none was tuned on the test pictures. Runs that `OUT.json` holds are not made again, and
`MOST` ends after so many new ones. Torch loads in `measure` alone.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from simclr_core.commands import say
from simclr_core.config import AugmentConfig, ModelConfig, RunConfig, TrainConfig, from_dict, to_dict
from simclr_core.demo.draws import half_width
from simclr_core.registry import Label
from simclr_core.store import write_atomic

RESULT = Path(__file__).parent / "queue_runs.json"
SEEDS = 5
EPOCHS = 2
BATCH, LARGE = 32, 256
PACKAGES = ("torch", "numpy")


class Way(NamedTuple):
    """A name and what differs from NT-Xent on batches of 32."""

    label: Label
    changes: dict[str, Any]


WAYS = {  # in the order of the figure
    "batch": Way(Label(f"NT-Xent, batch {BATCH}", f"NT-Xent，批次 {BATCH}"), {}),
    "dcl": Way(Label(f"DCL, batch {BATCH}", f"DCL，批次 {BATCH}"), {"objective": "dcl"}),
    "queue": Way(
        Label(f"queue of 4,096 (MoCo), batch {BATCH}", f"长 4096 的队列（MoCo），批次 {BATCH}"),
        {"objective": "moco", "objective_params": {"queue": 4096, "momentum": 0.99}},
    ),
    "bank": Way(Label(f"memory bank, batch {BATCH}", f"记忆库，批次 {BATCH}"), {"objective": "bank"}),
    "cached": Way(
        Label(f"NT-Xent, batch {LARGE} by GradCache of {BATCH}", f"NT-Xent，批次 {LARGE}，GradCache 每块 {BATCH}"),
        {"batch_size": LARGE, "chunk": BATCH},
    ),
}


class Summary(NamedTuple):
    """One way over its seeds: weighted 20-nearest-neighbour accuracy of h on the test pictures, in [0, 1].

    Attributes:
        half: half width of the 95 % interval of the mean over seeds (Student's t); None for fewer than three seeds.
    """

    way: str
    values: tuple[float, ...]
    mean: float
    half: float | None
    seconds: float


def config(way: str, seed: int) -> RunConfig:
    """The settings of one run. GroupNorm, so that a chunk changes nothing; views as for the bundled run."""
    train = {"epochs": EPOCHS, "batch_size": BATCH, "seed": seed, "threads": 1, "device": "cpu"} | WAYS[way].changes
    augment = AugmentConfig(crop_scale=(0.3, 1.0), grayscale_p=0)
    return RunConfig(
        images="demo", augment=augment, model=ModelConfig(norm="group"), train=from_dict(TrainConfig, train)
    )


def read(path: Path = RESULT) -> dict[str, Any] | None:
    """What was measured, or None where nothing was."""
    return json.loads(path.read_text()) if path.exists() else None


def summaries(found: dict[str, Any]) -> list[Summary]:
    """Mean and interval of each way that was measured, in the order of `WAYS`."""
    rows = {way: [r for r in found["results"] if r["way"] == way] for way in WAYS}
    return [_summary(way, results) for way, results in rows.items() if results]


def _summary(way: str, results: list[dict[str, Any]]) -> Summary:
    values = np.array([r["knn_accuracy"] for r in results])
    seconds = float(np.median([r["seconds"] for r in results]))
    return Summary(way, tuple(values.tolist()), float(values.mean()), half_width(values), seconds)


def measure(way: str, seed: int) -> dict[str, Any]:
    """Train one run on one CPU thread, about a minute, and ask its nearest neighbours; seconds are processor time."""
    import torch

    from simclr_core.checkpoints import load_encoder
    from simclr_core.encode import encode
    from simclr_core.pipeline import held_out_accuracy
    from simclr_core.sources import load_images
    from simclr_core.train import save_model, train

    torch.set_num_threads(1)
    began = time.process_time()
    pictures, held = (load_images("demo", split=split) for split in ("train", "test"))
    training = train(config(way, seed), pictures)
    last = list(training)[-1]
    with TemporaryDirectory() as folder:
        save_model(training.model, training.config, Path(folder) / "model.safetensors")
        encoder = load_encoder(f"{folder}/model.safetensors")
    accuracy = held_out_accuracy(encoder, pictures, encode(encoder, held))
    return {
        "way": way, "seed": seed, "knn_accuracy": accuracy, "steps": training.steps, "loss": round(last.loss, 6),
        "contrastive_accuracy": round(last.contrastive_accuracy, 6), "seconds": round(time.process_time() - began, 1),
        "n_train": len(pictures), "n_test": len(held),
    }  # fmt: skip


def _about() -> dict[str, Any]:
    """What a reader of the numbers must know."""
    return {
        "schema": 1, "images": "demo", "epochs": EPOCHS, "seeds": SEEDS,
        "configs": {way: to_dict(config(way, 0)) for way in WAYS},
        "packages": {name: version(name) for name in PACKAGES},
    }  # fmt: skip


def main() -> None:
    """Measure what is missing in the package's own result, or in the file named."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULT
    most = int(sys.argv[2]) if len(sys.argv) > 2 else len(WAYS) * SEEDS
    results = (read(out) or {"results": []})["results"]
    done = {(r["way"], r["seed"]) for r in results}
    missing = [(way, seed) for seed in range(SEEDS) for way in WAYS if (way, seed) not in done]
    for way, seed in missing[:most]:
        results.append(measure(way, seed))
        say(f"{way}, seed {seed}: {results[-1]['knn_accuracy']:.4f} in {results[-1]['seconds']:.0f} s")
        write_atomic(out, json.dumps(_about() | {"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
