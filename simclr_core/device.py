"""Where to compute: device, precision and how many threads.

Two torch threads on two cores are 1.7 times faster than one while nothing else runs, and tens of times slower as soon
as one other process is busy: a parallel region ends only when its descheduled thread gets a core again, and a training
step has a thousand such regions. So threads are chosen from the cores that are free now, given back when others begin
to work on them, and taken again when those have long been gone: the kernel says how busy the cores were and how much of
that was ours.
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
NOISE = 0.25  # of a core: what an idle machine with an open browser uses
LAG = 0.05  # seconds by which the kernel's count may be behind
WATCHED_SECONDS = 0.5  # at least, between two readings of the kernel's ticks
SLOWER = 1.3  # than at its best a run must be before it gives cores back to others that work on them
QUOTA = "/sys/fs/cgroup/cpu.max"
CALM_SECONDS = 10.0  # doubled at each giving back: so long a core must be idle before it is taken again
LOST = 2.5  # where the kernel does not tell: this many times slower is a lost core
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


def allowed_cores() -> set[int]:
    """The cores this process may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def core_count() -> int:
    """Cores whose time this process may use: those it may run on, less where a container or `OMP_NUM_THREADS` says so."""
    limits = [len(allowed_cores())]
    with suppress(OSError, ValueError):
        quota, period = Path(QUOTA).read_text().split()
        limits.append(int(quota) // int(period))  # "max" is no number
    with suppress(KeyError, ValueError):
        if "LOCAL_WORLD_SIZE" not in os.environ:  # torchrun sets 1 where a person set nothing
            limits.append(int(os.environ["OMP_NUM_THREADS"]))
    return max(1, min(limits))


def _busy_seconds() -> float | None:
    """Processor time that the allowed cores have spent since boot, on anybody; None where the kernel does not say."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    mine = {f"cpu{core}" for core in allowed_cores()}
    ticks = [[int(x) for x in line.split()[1:9]] for line in lines if line.split()[0] in mine]
    return sum(sum(t) - t[3] - t[4] for t in ticks) / os.sysconf("SC_CLK_TCK")


def _clocks() -> tuple[float, float, float | None]:
    """Seconds by the clock, of this process on all its threads, and of everybody on the allowed cores."""
    return time.perf_counter(), time.process_time(), _busy_seconds()


class _Others:
    """How many cores' worth of time other processes take of the allowed cores, between two calls."""

    def __init__(self) -> None:
        self._before = _clocks()

    def cores(self) -> float | None:
        """Since the call before this one; None where the kernel does not say."""
        (began, mine, busy), self._before = self._before, _clocks()
        now, mine_now, busy_now = self._before
        if busy is None or busy_now is None:
            return None
        everybody, own = busy_now - busy, mine_now - mine
        if everybody < own / 2 - LAG:  # counters that stand still, in a sandbox
            return None
        return max(0.0, everybody - own) / max(now - began, 1e-9)


def _left(used: float) -> int:
    """Cores for this process where others take `used` of the allowed ones."""
    return min(core_count(), int(len(allowed_cores()) - used + NOISE))


def free_cores() -> int:
    """Cores that other processes leave idle now, measured over 0.3 s; at least 1."""
    others = _Others()
    time.sleep(PROBE_SECONDS)
    used = others.cores()
    return max(1, core_count() - 1 if used is None else _left(used))


def keep_memory() -> None:
    """Tell glibc to keep freed memory: otherwise every step maps its activations anew, 5 % of a small net's time."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(parameter, 2**30)


class ThreadGovernor:
    """Sets torch's threads, gives cores back when other processes begin to work on them, and takes them again later.

    With a fixed number asked for it only sets it. `backed_off_at` is the step at which it first gave up a core, else None:
    from there on a run is no longer bit for bit the run it would have been. It never takes more than it began with, and
    waits twice as long after each time that it had to give back: a neighbour who comes and goes costs ever less.
    """

    def __init__(self, asked: int | None, before: int | None = None, processes: int = 1) -> None:
        """`before` is what a resumed run used: the same number again gives the same bits. Several processes of one run on
        this machine share its free cores."""
        self.automatic = asked is None
        self.processes = processes
        self.threads = self._most = asked or before or max(1, free_cores() // processes)
        self.backed_off_at: int | None = None
        self._others = _Others()
        self._seconds, self._parts = 0.0, 0
        self._best: float | None = None
        self._calm, self._patience = 0.0, CALM_SECONDS
        torch.set_num_threads(self.threads)

    def watch(self, step: int, seconds: float) -> bool:
        """Hear how long a step, or a part of one, took; True when this changed the number of threads."""
        if not self.automatic or self._most == 1:
            return False
        self._seconds, self._parts = self._seconds + seconds, self._parts + 1
        if self._seconds < WATCHED_SECONDS:
            return False
        pace, watched = self._seconds / self._parts, self._seconds
        self._seconds, self._parts = 0.0, 0
        room, before = self._room(), self.threads
        if self.threads > 1 and self._must_yield(pace, room):
            self.threads = max(1, self.threads - 1 if room is None else room)
            self.backed_off_at = self.backed_off_at or step
            self._calm, self._patience = 0.0, 2 * self._patience
        elif room is not None and self._may_take(room, watched):
            self.threads = min(room, self._most)
        torch.set_num_threads(self.threads)
        return self.threads != before

    def _must_yield(self, pace: float, room: int | None) -> bool:
        """Whether others work on our cores, and it shows; where nobody tells, whether it shows plainly."""
        best = self._best
        if room is not None and room < self.threads:
            return best is None or pace > SLOWER * best  # crowded from the start: there is nothing to compare with
        self._best = min(pace, best or pace)
        return room is None and pace > LOST * self._best

    def _may_take(self, room: int, watched: float) -> bool:
        """Whether more cores than we use, of those we began with, have been idle for long enough."""
        self._calm = self._calm + watched if min(room, self._most) > self.threads else 0.0
        if self._calm < self._patience:
            return False
        self._calm = 0.0
        return True

    def _room(self) -> int | None:
        """Threads that this process may have beside what others do now; None where the kernel does not say."""
        used = self._others.cores()
        if used is None:
            return None
        strangers = max(0.0, used - self.threads * (self.processes - 1))
        return _left(strangers) // self.processes
