"""CIFAR-10 on this machine: seconds of the whole command and kNN accuracy of h; or, with --minutes, accuracy against minutes.

    python -m simclr_core bench cifar npz:cifar10.npz [--recipe NAME] [--set a.b=v …] [--name default]
    python -m simclr_core bench cifar npz:cifar10.npz --minutes 5 20 [--recipe NAME] [--set a.b=v …] [--name default]

kNN: 20 neighbours, cosine, votes exp(cos/0.1). For the command the first 20,000 training rows vote on the first 4,000 test rows.

With --minutes each budget is a run of its own: a few steps before it starts tell how many epochs fit, and that is kept. All
training rows vote on all test rows, at several moments; only training counts as time. Curves are kept by name and budget in
results/cifar10_curve.json and drawn to docs/images/cifar10_curve.svg.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.curve import drawing, epochs_within, follow
from benchmarks.machine import RESULTS, processor, write
from simclr_core.config import RunConfig, with_overrides
from simclr_core.device import keep_memory
from simclr_core.probes import knn_accuracy
from simclr_core.recipes import recipe
from simclr_core.records import EmbeddingTable, ImageSet
from simclr_core.sources import load_images
from simclr_core.store import read_json
from simclr_core.tables import load_embeddings
from simclr_core.train import Training

BANK, QUERIES = 20_000, 4_000
CURVE, DRAWING = "cifar10_curve", Path(__file__).resolve().parents[1] / "docs" / "images" / "cifar10_curve.svg"


def call(*args: str) -> dict:
    """One verb of the command line; its JSON answer."""
    done = subprocess.run(
        [sys.executable, "-m", "simclr_core", *args, "--json"], stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def table(encoder: str, images: str, split: str, folder: Path) -> EmbeddingTable:
    out = str(folder / "table.npz")
    call("encode", "--encoder", encoder, "--images", images, "--split", split, "--out", out)
    return load_embeddings(out)


def score(encoder: str, images: str, folder: Path) -> float:
    """Weighted kNN accuracy of h."""
    bank, query = (table(encoder, images, split, folder) for split in ("train", "test"))
    assert bank.label is not None
    assert query.label is not None
    b, q = np.arange(min(BANK, len(bank))), np.arange(min(QUERIES, len(query)))
    return knn_accuracy(bank.space("h")[b], bank.label[b], query.space("h")[q], query.label[q])


def of_command(args: argparse.Namespace) -> None:
    """The whole command of a run with these settings."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = str(folder / "run")
        how = ["--recipe", args.recipe] if args.recipe else []
        settings = ["--set", *args.set] if args.set else []
        began = time.perf_counter()
        result = call("train", "--images", args.images, "--out", run, *how, *settings)
        seconds = time.perf_counter() - began
        after, before = score(run, args.images, folder), score(f"untrained:{run}", args.images, folder)
    kept = {k: result[k] for k in ("steps", "images_per_second", "threads", "loss", "knn_accuracy", "verdict")}
    about = {"recipe": args.recipe, "set": args.set, "command_seconds": seconds}
    write(f"cifar10_{args.name}", about | {"knn": after, "knn_untrained": before} | kept)


def curve(config: RunConfig, train: ImageSet, test: ImageSet, minutes: float, looks: int) -> dict[str, Any]:
    """One run within a budget."""
    epochs = epochs_within(config, train, minutes)
    training = Training(replace(config, train=replace(config.train, epochs=epochs)), train)
    points = list(follow(training, train, test, looks))
    governor = training.governor
    how = {
        "epochs": epochs,
        "steps": training.steps,
        "threads": governor.threads,
        "backed_off_at": governor.backed_off_at,
    }
    speed = training.steps * config.train.batch_size / training.seconds
    return {"minutes": minutes, **how, "images_per_second": round(speed, 1), "points": points}


def of_curves(args: argparse.Namespace) -> None:
    """A run for each budget, beside the curves that were measured on this machine before."""
    keep_memory()
    config = with_overrides(recipe(args.recipe) if args.recipe else RunConfig(), args.set)
    train, test = (load_images(args.images, split=split, size=config.image_size) for split in ("train", "test"))
    before = read_json(RESULTS / f"{CURVE}.json")
    same = before.get("machine", {}).get("processor") == processor()
    runs = before["runs"] if same else {}
    for minutes in args.minutes:
        about = {"recipe": args.recipe, "set": args.set, "pictures": [len(train), len(test)]}
        runs[f"{args.name}, {minutes:g} min"] = about | curve(config, train, test, minutes, args.looks)
        write(CURVE, {"runs": runs})
        DRAWING.write_text(drawing({name: run["points"] for name, run in runs.items()}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images")
    parser.add_argument("--recipe")
    parser.add_argument("--set", nargs="+", action="extend", default=[])
    parser.add_argument("--name", default="default")
    parser.add_argument("--minutes", type=float, nargs="+", help="budgets of training, a run each")
    parser.add_argument("--looks", type=int, default=6, help="moments of each run at which its accuracy is measured")
    args = parser.parse_args()
    (of_curves if args.minutes else of_command)(args)


if __name__ == "__main__":
    main()
