"""CIFAR-10 with default settings, from the command line: seconds of the whole command, and kNN accuracy of h before and after.

    PYTHONPATH=. python benchmarks/bench_cifar.py npz:cifar10.npz [--set a.b=v …] [--name default]

kNN: 20 neighbours, cosine, votes exp(cos/0.1); a bank of the first 20,000 training rows, the first 4,000 test rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import write

from simclr_core.probes import knn_accuracy
from simclr_core.records import EmbeddingTable
from simclr_core.tables import load_embeddings

BANK, QUERIES = 20_000, 4_000


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


def accuracy(encoder: str, images: str, folder: Path) -> float:
    """Weighted kNN accuracy of h."""
    bank, query = (table(encoder, images, split, folder) for split in ("train", "test"))
    assert bank.label is not None
    assert query.label is not None
    b, q = np.arange(min(BANK, len(bank))), np.arange(min(QUERIES, len(query)))
    return knn_accuracy(bank.space("h")[b], bank.label[b], query.space("h")[q], query.label[q])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images")
    parser.add_argument("--set", nargs="+", default=[])
    parser.add_argument("--name", default="default")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = str(folder / "run")
        settings = ["--set", *args.set] if args.set else []
        began = time.perf_counter()
        result = call("train", "--images", args.images, "--out", run, *settings)
        seconds = time.perf_counter() - began
        after, before = accuracy(run, args.images, folder), accuracy(f"untrained:{run}", args.images, folder)
    kept = {k: result[k] for k in ("steps", "images_per_second", "threads", "loss", "knn_accuracy", "verdict")}
    write(
        f"cifar10_{args.name}",
        {"set": args.set, "command_seconds": seconds, "knn": after, "knn_untrained": before} | kept,
    )


if __name__ == "__main__":
    main()
