"""Where to compute: device, precision and how many threads.

Two torch threads on two cores are 1.7 times faster than one while nothing else runs, and tens of times slower as soon
as one other process is busy: a parallel region ends only when its descheduled thread gets a core again, and a training
step has a thousand such regions. So threads are chosen from the cores that are free now, and given back when a step
suddenly takes much longer than the best one.
"""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path

import torch

from simclr_core.errors import ConfigError, sentence

PROBE_SECONDS = 0.3
SLOW_STEP = 2.5  # a step this many times slower than the median of the run's first steps is a lost core
WATCHED_STEPS = 5
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def choose_device(name: str) -> torch.device:
    """The device asked for, or the best present; `ConfigError` when the one asked for is absent."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(d for d in ("cuda", "mps", "cpu") if present[d]))
    if not present.get(name, False):
        found = ", ".join(d for d, there in present.items() if there)
        raise ConfigError(
            sentence("device", f"one that this machine has ({found})", name, "choose one of these or auto")
        )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it faster than float32, otherwise float32."""
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if name in named:
        return named[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


def _cpu_times() -> tuple[float, float]:
    """Busy and total processor ticks since boot."""
    ticks = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)


def free_cores() -> int:
    """Cores that other processes leave idle now, measured over 0.3 s; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not Path("/proc/stat").exists():
        return max(1, cores - 1)
    busy, total = _cpu_times()
    time.sleep(PROBE_SECONDS)
    busy_after, total_after = _cpu_times()
    share = (busy_after - busy) / max(1, total_after - total)
    used = share * (os.cpu_count() or cores)
    # A quarter of a core is the noise of an idle machine with an open browser.
    return max(1, min(cores, int(cores - used + 0.25)))


def keep_memory() -> None:
    """Tell glibc to keep freed memory: otherwise every step maps its activations anew, 5 % of a small net's time."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(parameter, 2**30)


class ThreadGovernor:
    """Sets torch's threads and takes them back to one when a step shows that another process needs a core.

    With a fixed number asked for it only sets it. `backed_off_at` is the step at which it gave up, else None: from there
    on a run is no longer bit for bit the run it would have been.
    """

    def __init__(self, asked: int | None, before: int | None = None, processes: int = 1) -> None:
        """`before` is what a resumed run used: the same number again gives the same bits. Several processes of one run on
        this machine share its free cores."""
        self.automatic = asked is None
        self.threads = asked or before or max(1, free_cores() // processes)
        self.backed_off_at: int | None = None
        self._first: list[float] = []
        torch.set_num_threads(self.threads)

    def watch(self, step: int, seconds: float) -> bool:
        """Hear how long a step took; True when this made it back off."""
        if not self.automatic or self.threads == 1:
            return False
        if len(self._first) < WATCHED_STEPS:
            self._first.append(seconds)
            if len(self._first) < WATCHED_STEPS:
                return False
        usual = sorted(self._first)[len(self._first) // 2]
        if seconds < SLOW_STEP * usual:
            return False
        self.threads, self.backed_off_at = 1, step
        torch.set_num_threads(1)
        return True
