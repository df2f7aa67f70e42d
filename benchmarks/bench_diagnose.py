"""How long a diagnosis takes and how much memory beyond its input, with and without intervals. Writes results/diagnose.json.

    python benchmarks/bench_diagnose.py [--sizes 10000x128 50000x512]

The rows are Gaussian with a spectrum that falls with the rank: neighbours of unstructured rows are the hardest to prune.
Each size runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import write
from simclr_core.records import EmbeddingTable
from simclr_core.verdict import diagnose


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(n: int, d: int, intervals: bool) -> dict[str, float]:
    """Seconds and extra MiB of one diagnosis in this process."""
    x = np.random.default_rng(0).standard_normal((n, d), np.float32)
    x *= np.arange(1, d + 1, dtype=np.float32) ** -0.5
    table = EmbeddingTable(h=x, z=None, label=np.arange(n) % 10, index=np.arange(n))
    before, began = peak_mib(), time.perf_counter()
    diagnose(table, intervals=intervals)
    return {"seconds": round(time.perf_counter() - began, 2), "extra_mib": round(peak_mib() - before)}


def in_a_process(n: int, d: int, intervals: bool) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", f"{n}x{d}", *(["--no-intervals"] if not intervals else [])],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def size(text: str) -> tuple[int, int]:
    n, _, d = text.partition("x")
    return int(n), int(d)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=size, default=[(10_000, 128), (50_000, 512)])
    parser.add_argument("--one", type=size, help=argparse.SUPPRESS)
    parser.add_argument("--no-intervals", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measured(*args.one, intervals=not args.no_intervals)))
        return
    result = {}
    for n, d in args.sizes:
        result[f"{n}x{d}"] = {
            "with intervals": in_a_process(n, d, True),
            "without": in_a_process(n, d, False),
        }
    write("diagnose", result)


if __name__ == "__main__":
    main()
