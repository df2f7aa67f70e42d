"""Compare ways to train on the bundled pictures: `python -m simclr_core.demo.comparisons NAME [OUT.json [MOST]]`.

Every way of a comparison sees the same pictures equally often; every setting is the program's own default or the one
named in `COMPARISONS`, none was tuned on the test pictures. Runs that `OUT.json` holds are not made again, and `MOST`
ends after so many new ones. Torch loads in `measure` alone.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simclr_core.config import AugmentConfig, ModelConfig, RunConfig, TrainConfig, from_dict, to_dict
from simclr_core.means import mean
from simclr_core.registry import Label
from simclr_core.store import write_atomic
from simclr_core.work import say

HERE = Path(__file__).parent
SEEDS = 5
EPOCHS = 2
BATCH, LARGE = 32, 256
PACKAGES = ("torch", "numpy")


class Way(NamedTuple):
    """A name and what differs from NT-Xent on batches of 32."""

    label: Label
    changes: dict[str, Any]


# In the order of the figures. The ways to negatives keep 32 pictures in memory at a time.
NEGATIVES = {
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
SIZES = {str(n): Way(Label(f"batch {n}", f"批次 {n}"), {"batch_size": n}) for n in (8, 32, 128, 512)}
COMPARISONS: dict[str, dict[str, Way]] = {"queue": NEGATIVES, "batch": SIZES}


class Summary(NamedTuple):
    """One way over its seeds: weighted 20-nearest-neighbour accuracy of h on the test pictures, in [0, 1].

    Attributes:
        half: half width of the 95 % interval of the mean over seeds (Student's t); None for fewer than three seeds.
        loss: of the last batch, nats, mean over seeds.
        seconds: of one processor, median over seeds.
    """

    label: Label
    config: RunConfig
    values: tuple[float, ...]
    mean: float
    half: float | None
    steps: int
    loss: float
    seconds: float


def config(way: Way, seed: int) -> RunConfig:
    """The settings of one run. GroupNorm, so that a chunk changes nothing; views as for the bundled run."""
    train = {"epochs": EPOCHS, "batch_size": BATCH, "seed": seed, "threads": 1, "device": "cpu"} | way.changes
    augment = AugmentConfig(crop_scale=(0.3, 1.0), grayscale_p=0)
    return RunConfig(
        images="demo", augment=augment, model=ModelConfig(norm="group"), train=from_dict(TrainConfig, train)
    )


def path(name: str) -> Path:
    return HERE / f"{name}_runs.json"


def read(name: str) -> dict[str, Any] | None:
    """What was measured of a comparison, or None where nothing was."""
    return json.loads(path(name).read_text()) if path(name).exists() else None


def summaries(name: str, results: list[dict[str, Any]]) -> list[Summary]:
    """Mean and interval of each way that was measured, in the order of the comparison."""
    rows = {key: [r for r in results if r["way"] == key] for key in COMPARISONS[name]}
    return [_summary(COMPARISONS[name][key], found) for key, found in rows.items() if found]


def _summary(way: Way, results: list[dict[str, Any]]) -> Summary:
    values = np.array([r["knn_accuracy"] for r in results])
    return Summary(
        label=way.label,
        config=config(way, 0),
        values=tuple(values.tolist()),
        mean=float(values.mean()),
        half=mean(values).half,
        steps=results[0]["steps"],
        loss=float(np.mean([r["loss"] for r in results])),
        seconds=float(np.median([r["seconds"] for r in results])),
    )


def measure(way: Way, seed: int) -> dict[str, Any]:
    """Train one run on one CPU thread, about a minute, and ask its nearest neighbours; seconds are processor time."""
    import torch

    from simclr_core.checkpoints import encoder_of
    from simclr_core.encode import encode
    from simclr_core.pipeline import held_out_accuracy
    from simclr_core.sources import load_images
    from simclr_core.train import train

    torch.set_num_threads(1)
    began = time.process_time()
    pictures, held = (load_images("demo", split=split) for split in ("train", "test"))
    training = train(config(way, seed), pictures)
    last = list(training)[-1]
    encoder = encoder_of(training.model, training.config)
    accuracy = held_out_accuracy(encoder, pictures, encode(encoder, held))
    return {
        "seed": seed, "knn_accuracy": accuracy, "steps": training.steps, "loss": round(last.loss, 6),
        "contrastive_accuracy": round(last.contrastive_accuracy, 6), "seconds": round(time.process_time() - began, 1),
        "n_train": len(pictures), "n_test": len(held),
    }  # fmt: skip


def _about(name: str) -> dict[str, Any]:
    """What a reader of the numbers must know."""
    return {
        "schema": 1, "images": "demo", "epochs": EPOCHS, "seeds": SEEDS,
        "configs": {key: to_dict(config(way, 0)) for key, way in COMPARISONS[name].items()},
        "packages": {package: version(package) for package in PACKAGES},
    }  # fmt: skip


def main() -> None:
    """Measure what is missing in the package's own result, or in the file named."""
    name, ways = sys.argv[1], COMPARISONS[sys.argv[1]]
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else path(name)
    most = int(sys.argv[3]) if len(sys.argv) > 3 else len(ways) * SEEDS
    results = json.loads(out.read_text())["results"] if out.exists() else []
    done = {(r["way"], r["seed"]) for r in results}
    missing = [(key, seed) for seed in range(SEEDS) for key in ways if (key, seed) not in done]
    for key, seed in missing[:most]:
        results.append({"way": key} | measure(ways[key], seed))
        say(f"{key}, seed {seed}: {results[-1]['knn_accuracy']:.4f} in {results[-1]['seconds']:.0f} s")
        write_atomic(out, json.dumps(_about(name) | {"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
