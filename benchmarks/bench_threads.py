"""What a busy neighbour costs: a run that chose its threads itself against one on a single thread, in the same company.

    python -m simclr_core bench threads

Three neighbours: none, one busy from the start, and the worst case: one that begins when the run has settled on two threads.
The ratio is time over the one-thread run's time with the same neighbour.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from machine import write

STEPS, LATE = 80, 20
SPIN = "while True: pass"


@contextmanager
def busy(begins: bool) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A process that does nothing but compute; the list lets a run start it later."""
    neighbours = [subprocess.Popen([sys.executable, "-c", SPIN])] if begins else []
    try:
        yield neighbours
    finally:
        for process in neighbours:
            process.kill()


def run(threads: int | None, neighbour: str) -> tuple[float, int]:
    """Seconds of a run's steps, and the threads it ended with."""
    import json

    from bench_loop import pictures

    from simclr_core.config import RunConfig, with_overrides
    from simclr_core.train import Training

    settings = [f"train.threads={json.dumps(threads)}", "train.batch_size=128", "train.epochs=100"]
    with busy(neighbour == "from the start") as neighbours:
        if neighbours:
            time.sleep(0.5)
        training = Training(with_overrides(RunConfig(), settings), pictures())
        began = time.perf_counter()
        for k in range(STEPS):
            if neighbour == "late" and k == LATE:
                neighbours.append(subprocess.Popen([sys.executable, "-c", SPIN]))
            step = time.perf_counter()
            training.learner.step(k, training.steps)
            training.governor.watch(k + 1, time.perf_counter() - step)
        return time.perf_counter() - began, training.governor.threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found = {}
    for neighbour in ("none", "from the start", "late"):
        pairs = [(run(None, neighbour), run(1, neighbour)) for _ in range(rounds)]
        found[neighbour] = {
            "time_over_one_thread": round(statistics.median(a / b for (a, _), (b, _) in pairs), 3),
            "worst_round": round(max(a / b for (a, _), (b, _) in pairs), 3),
            "ended_with_threads": [threads for (_, threads), _ in pairs],
        }
    write("threads", {"neighbour": found, "steps": STEPS, "rounds": rounds})


if __name__ == "__main__":
    main()
