"""What a busy neighbour costs: a run that chose its threads itself against one on a single thread, in the same company.

    python -m simclr_core bench threads [--steps 60] [--rounds 1]

The neighbour is a process that only computes. It is there from the start, or begins with the run's first step, just after the run
has counted the free cores, or comes late, when the run has settled on all of them: the worst case. The ratio is time over the
one-thread run's time with the same neighbour. A run is given up after `PATIENCE` times that: the ratio is then at least so much.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.bench_loop import pictures
from benchmarks.machine import write
from simclr_core.config import RunConfig, with_overrides
from simclr_core.records import ImageSet
from simclr_core.train import Training

PATIENCE = 3
SPIN = "while True: pass"
ARRIVALS = {"none": None, "from the start": -1, "with the first step": 0, "late": 20}  # the step before which it begins


@contextmanager
def neighbour() -> Iterator[Callable[[], None]]:
    """A function that starts a process which does nothing but compute; it ends with the block."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield lambda: started.append(subprocess.Popen([sys.executable, "-c", SPIN]))
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(images: ImageSet, threads: int | None, arrival: int | None, steps: int, most: float) -> tuple[float, Training]:
    """Seconds that so many steps take, given up after `most`; and the run, which knows its threads."""
    settings = [f"train.threads={threads or 'null'}", "train.batch_size=128", "train.epochs=100"]
    with neighbour() as begin:
        if arrival == -1:
            begin()
            time.sleep(0.5)
        training = Training(with_overrides(RunConfig(), settings), images)
        began = time.perf_counter()
        for step in range(steps):
            if step == arrival:
                begin()
            step_began = time.perf_counter()
            training.learner.step(step, training.steps)
            training.governor.watch(step + 1, time.perf_counter() - step_began)
            if time.perf_counter() - began > most:
                break
        return time.perf_counter() - began, training


def compare(images: ImageSet, arrival: int | None, steps: int, rounds: int) -> dict[str, Any]:
    """Both runs in turn; the numbers of the run that chose for itself."""
    ratios, extra, ways = [], [], []
    for _ in range(rounds):
        one, _ = run(images, 1, arrival, steps, float("inf"))
        own, training = run(images, None, arrival, steps, PATIENCE * one)
        governor = training.governor
        ratios.append(own / one)
        extra.append(own - one)
        ways.append({"threads": governor.threads, "backed_off_at": governor.backed_off_at})
    return {
        "time_over_one_thread": round(statistics.median(ratios), 3),
        "worst_round": round(max(ratios), 3),
        "seconds_more": round(statistics.median(extra), 1),
        "ended_with": ways,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--arrivals", nargs="+", default=list(ARRIVALS), choices=ARRIVALS)
    args = parser.parse_args()
    os.environ.pop("OMP_NUM_THREADS", None)  # it would limit what a run may choose
    images = pictures()
    run(images, 1, None, 2, float("inf"))
    found = {name: compare(images, ARRIVALS[name], args.steps, args.rounds) for name in args.arrivals}
    write("threads", {"neighbour": found, "steps": args.steps, "rounds": args.rounds})


if __name__ == "__main__":
    main()
